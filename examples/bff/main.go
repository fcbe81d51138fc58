// Command bff is a shop whose orders are kept by another service, which takes
// access tokens and knows no cookies. The page's script calls /api/orders on its
// own origin; there the session's cookie is replaced by a short token for that
// service. No token ever reaches the browser.
//
//	go run ./examples/bff
//	go run ./examples/orders -issuer http://localhost:8080 -audience orders
//
// Sessions are in memory and end with the program. The service needs no feed of
// revocations here: each call passes this program, which knows who is signed in.
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
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/store/memory"
	"github.com/lanyard-go/lanyard/token"
)

//go:embed page.html page.js
var files embed.FS

var page = template.Must(template.ParseFS(files, "page.html"))

// shop serves the pages and hands calls below /api/ on to the service at orders.
// Check is where a real shop asks its own users' table.
func shop(m *lanyard.Manager, keys *token.KeySet, orders string, check func(name, password string) bool) (http.Handler, error) {
	api, err := lanyard.NewBFF(m, lanyard.BFFConfig{Routes: []lanyard.BFFRoute{
		{Path: "/api/orders", Upstream: orders + "/orders", Audience: "orders", Methods: []string{"GET", "POST"}},
		{Path: "/api/events", Upstream: orders + "/orders/events", Audience: "orders"},
	}})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/api/", api)
	serve := func(pattern string, h func(http.ResponseWriter, *http.Request) error) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
			w.Header().Set("Cache-Control", "no-store")
			w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'")
			if err := h(w, r); err != nil {
				m.WriteError(w, r, err)
			} else if r.Method == http.MethodPost {
				http.Redirect(w, r, "/", http.StatusSeeOther)
			}
		})
	}
	serve("GET /{$}", func(w http.ResponseWriter, r *http.Request) error {
		view := struct{ Who, Token string }{Who: lanyard.From(r.Context()).Subject()}
		if view.Who == "" {
			var err error
			if view.Token, err = m.Prepare(w, r); err != nil { // binds the login form to this browser
				return err
			}
		}
		return page.Execute(w, view)
	})
	serve("GET /page.js", func(w http.ResponseWriter, r *http.Request) error {
		http.ServeFileFS(w, r, files, "page.js")
		return nil
	})
	serve("POST /login", func(w http.ResponseWriter, r *http.Request) error {
		if err := m.CheckLogin(r, true); err != nil {
			return err
		}
		name := r.PostFormValue("name")
		if !check(name, r.PostFormValue("password")) {
			return nil // back to the form
		}
		if err := m.SpendLogin(r); err != nil {
			return err
		}
		grant, err := m.Start(r.Context(), lanyard.Login{Subject: name, Methods: []string{"pwd"}, Request: r})
		if err != nil {
			return err
		}
		return m.Write(w, r, grant)
	})
	serve("POST /logout", m.Logout)

	// What the service needs in order to check tokens: whose they are, and the keys.
	mux.HandleFunc("GET /.well-known/oauth-authorization-server", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(map[string]string{"issuer": m.Issuer(), "jwks_uri": m.Issuer() + "/.well-known/jwks.json"})
	})
	mux.HandleFunc("GET /.well-known/jwks.json", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/jwk-set+json")
		w.Write(keys.JWKS(time.Now()))
	})
	return m.Handler(mux), nil
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	listen := flag.String("listen", "localhost:8080", "address to serve on")
	orders := flag.String("orders", "http://localhost:8081", "where the service with the orders is")
	flag.Parse()
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	site := "http://localhost:" + fmt.Sprint(l.Addr().(*net.TCPAddr).Port)
	key, err := token.GenerateKey(token.ES256, time.Now())
	if err != nil {
		return err
	}
	keys, err := token.NewKeySet(token.KeysConfig{}, key)
	if err != nil {
		return err
	}
	m, err := lanyard.New(memory.New(), lanyard.Config{Issuer: site, Audiences: []string{"orders"}, TokenKeys: keys, Logger: slog.Default()})
	if err != nil {
		return err
	}
	secret := rand.Text()
	h, err := shop(m, keys, *orders, func(name, password string) bool {
		return name == "ann" && subtle.ConstantTimeCompare([]byte(password), []byte(secret)) == 1
	})
	if err != nil {
		return err
	}
	go m.Run(ctx)
	fmt.Printf("sign in as ann with %s\nready %s\n", secret, site)
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	context.AfterFunc(ctx, func() { srv.Close() })
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
