// Command page is a shop whose page calls another origin, the service with the
// orders, with short access tokens. The browser holds the session in a cookie that
// scripts cannot read; the module client/browser draws the tokens from it.
//
//	go run ./examples/page
//	go run ./examples/page -pages examples/react/dist
//
// The second line serves an application that was built elsewhere. Sessions are in
// memory and end with the program.
package main

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"embed"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"html/template"
	"io/fs"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/api"
	"github.com/lanyard-go/lanyard/client/browser"
	"github.com/lanyard-go/lanyard/headers"
	"github.com/lanyard-go/lanyard/store/memory"
	"github.com/lanyard-go/lanyard/token"
)

//go:embed page.html login.html page.js
var files embed.FS

var pages = template.Must(template.ParseFS(files, "*.html"))

// shop serves the pages, or the application in built if that is not nil, and what
// the module asks for. Service is the origin of the service with the orders. Check
// is where a real shop asks its own users' table.
func shop(m *lanyard.Manager, service string, built fs.FS, check func(name, password string) bool) (http.Handler, error) {
	policy, err := headers.New(headers.Config{TrustedTypes: true, Sources: map[string][]string{"connect-src": {service}}})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	serve := func(pattern string, h func(http.ResponseWriter, *http.Request) error) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
			if err := h(w, r); err != nil {
				m.WriteError(w, r, err)
			}
		})
	}
	if built != nil {
		mux.Handle("GET /", http.FileServerFS(built))
	} else {
		serve("GET /{$}", func(w http.ResponseWriter, r *http.Request) error {
			return pages.ExecuteTemplate(w, "page.html", headers.Nonce(r.Context()))
		})
		mux.Handle("GET /page.js", http.FileServerFS(files))
		mux.Handle("GET /lanyard.js", browser.Handler())
	}
	serve("GET /app.json", func(w http.ResponseWriter, r *http.Request) error {
		return answer(w, map[string]string{"service": service})
	})
	serve("GET /login", func(w http.ResponseWriter, r *http.Request) error {
		token, err := m.Prepare(w, r) // binds the form to this browser
		if err != nil {
			return err
		}
		return pages.ExecuteTemplate(w, "login.html", token)
	})
	serve("POST /login", func(w http.ResponseWriter, r *http.Request) error {
		if err := m.CheckLogin(r, true); err != nil {
			return err
		}
		name := r.PostFormValue("name")
		if !check(name, r.PostFormValue("password")) {
			http.Redirect(w, r, "/login", http.StatusSeeOther)
			return nil
		}
		if err := m.SpendLogin(r); err != nil {
			return err
		}
		grant, err := m.Start(r.Context(), lanyard.Login{Subject: name, Methods: []string{"pwd"}, Request: r})
		if err != nil {
			return err
		}
		if err := m.Write(w, r, grant); err != nil {
			return err
		}
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return nil
	})

	// The three addresses of the module.
	serve("GET /v1/session", func(w http.ResponseWriter, r *http.Request) error {
		s, err := m.Check(r)
		if err != nil {
			return err
		}
		csrf, err := m.CSRFToken(s)
		if err != nil {
			return err
		}
		return answer(w, api.SessionAnswer{CSRFToken: csrf, Session: api.Session{
			SID: s.SID().String(), Subject: s.Subject(), Generation: s.Generation(), IdleExpiresAt: s.IdleExpiresAt(), ExpiresAt: s.ExpiresAt(),
		}})
	})
	serve("POST /v1/session/token", func(w http.ResponseWriter, r *http.Request) error {
		var in api.TokenRequest
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			http.Error(w, "the body is no JSON object", http.StatusBadRequest)
			return nil
		}
		grant, err := m.AccessToken(r.Context(), lanyard.From(r.Context()), in.Resource)
		if err != nil {
			return err
		}
		return answer(w, api.Login{AccessToken: grant.Access.Reveal(), TokenType: grant.TokenType, ExpiresIn: int(grant.ExpiresIn / time.Second)})
	})
	serve("POST /v1/logout", m.Logout)
	return policy.Handler(m.Handler(mux)), nil
}

func answer(w http.ResponseWriter, body any) error {
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(body)
}

// passive marks what the module asks by itself: that keeps no session alive.
func passive(r *http.Request) bool { return r.URL.Query().Get("passive") == "1" }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	listen := flag.String("listen", "localhost:8080", "address to serve the pages on")
	orders := flag.String("orders", "localhost:8081", "address to serve the orders on")
	dir := flag.String("pages", "", "directory of a built application to serve in place of the page")
	flag.Parse()
	front, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	back, err := net.Listen("tcp", *orders)
	if err != nil {
		return err
	}
	site, service := origin(front), origin(back)
	key, err := token.GenerateKey(token.ES256, time.Now())
	if err != nil {
		return err
	}
	keys, err := token.NewKeySet(token.KeysConfig{}, key)
	if err != nil {
		return err
	}
	m, err := lanyard.New(memory.New(), lanyard.Config{Issuer: site, Audiences: []string{"orders"}, TokenKeys: keys, Passive: passive, Logger: slog.Default()})
	if err != nil {
		return err
	}
	var built fs.FS
	if *dir != "" {
		built = os.DirFS(*dir)
	}
	secret := rand.Text()
	h, err := shop(m, service, built, func(name, password string) bool {
		return name == "ann" && subtle.ConstantTimeCompare([]byte(password), []byte(secret)) == 1
	})
	if err != nil {
		return err
	}
	o, err := newOrders(site, keys)
	if err != nil {
		return err
	}
	go m.Run(ctx)
	fmt.Printf("sign in as ann with %s\nready %s\n", secret, site)
	done := make(chan error, 2)
	for l, h := range map[net.Listener]http.Handler{front: h, back: o} {
		srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
		context.AfterFunc(ctx, func() { srv.Close() })
		go func() { done <- srv.Serve(l) }()
	}
	if err := <-done; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func origin(l net.Listener) string {
	return fmt.Sprintf("http://localhost:%d", l.Addr().(*net.TCPAddr).Port)
}
