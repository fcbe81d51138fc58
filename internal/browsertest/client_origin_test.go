package browsertest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"fmt"
	"html/template"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard/client/browser"
	"github.com/lanyard-go/lanyard/headers"
	"github.com/lanyard-go/lanyard/internal/server"
	"github.com/lanyard-go/lanyard/verifier"
)

//go:embed testdata/client
var clientPages embed.FS

// origin is the site that people see: the pages of an application with the module
// client/browser, and behind them the server, over a network that loses answers.
type origin struct {
	*site
	service string // the origin that takes tokens
	foreign string // an origin that must never see one
	backend string // host:port of the server

	mu       sync.Mutex
	lossy    bool
	drop     string // path whose next answer is lost
	answers  int    // of the server, those that were lost included
	lost     int
	flying   int      // requests for a token
	most     int      // of them at the same time
	drawn    int      // tokens that arrived since time last went by
	rounds   []int    // tokens that arrived between two passes of time
	logouts  int      // that the server answered with success
	tried    int      // logouts that came in
	foreigns []string // what came to the foreign origin
	cookies  int      // requests to the service that had a cookie
	bearers  int      // requests to the service that had a token
}

// newOrigin serves a site with an application at /app, and the two other origins.
func newOrigin(t *testing.T, change ...func(*server.Config)) *origin {
	t.Helper()
	needChromium(t)
	front := listener(t)
	o := &origin{}
	address := "http://localhost:" + portOf(front)
	o.site = newSite(t, append(change, func(c *server.Config) {
		c.Issuer, c.Audience, c.Store = address, []string{"orders"}, "memory:"
	})...)
	o.backend = strings.TrimPrefix(o.url, "http://")
	o.url = address

	check, err := verifier.New(verifier.Config{Issuer: address, Audience: "orders", SkipRevocationCheck: true, Now: o.clock.now})
	if err != nil {
		t.Fatal(err)
	}
	o.foreign = o.serve(listener(t), http.HandlerFunc(o.elsewhere))
	o.service = o.serve(listener(t), o.orders(check))
	policy, err := headers.New(headers.Config{TrustedTypes: true, Sources: map[string][]string{
		// The foreign origin too: what keeps tokens from it shall be the module.
		"connect-src": {o.service, o.foreign},
	}})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /lanyard.js", browser.Handler())
	mux.Handle("GET /app/{$}", policy.Handler(http.HandlerFunc(o.page)))
	mux.Handle("GET /app/{file}", policy.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeFileFS(w, r, clientPages, "testdata/client/"+r.PathValue("file"))
	})))
	mux.HandleFunc("GET /app/away", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, o.foreign+"/from-the-site", http.StatusTemporaryRedirect)
	})
	mux.HandleFunc("POST /app/pass", o.pass)
	mux.HandleFunc("/", o.forward)
	o.serve(front, mux)
	o.addUser("ada", password, false)
	return o
}

func listener(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func portOf(l net.Listener) string { return strconv.Itoa(l.Addr().(*net.TCPAddr).Port) }

// serve serves until the test is over, and returns the origin as the browser
// knows it: the same site as all others on this machine, another origin.
func (o *origin) serve(l net.Listener, h http.Handler) string {
	srv := &http.Server{Handler: h, ReadHeaderTimeout: patience, ErrorLog: log.New(io.Discard, "", 0)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		srv.Serve(l)
	}()
	o.t.Cleanup(func() {
		srv.Close()
		<-done
	})
	return "http://localhost:" + portOf(l)
}

var clientPage = template.Must(template.ParseFS(clientPages, "testdata/client/page.html"))

func (o *origin) page(w http.ResponseWriter, r *http.Request) {
	clientPage.Execute(w, map[string]string{"Service": o.service})
}

// orders is a service that checks tokens and lets the site's pages read its answers.
func (o *origin) orders(check *verifier.Verifier) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /orders", check.Require(verifier.Need{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "hat")
	})))
	mux.HandleFunc("GET /away", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, o.foreign+"/from-the-service", http.StatusTemporaryRedirect)
	})
	checked := check.Handler(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o.mu.Lock()
		if r.Header.Get("Cookie") != "" {
			o.cookies++
		}
		if r.Header.Get("Authorization") != "" {
			o.bearers++
		}
		o.mu.Unlock()
		allow(w, o.url)
		if r.Method != http.MethodOptions {
			checked.ServeHTTP(w, r)
		}
	})
}

// allow lets the pages of an origin call this one with a token (Fetch, 3.2).
func allow(w http.ResponseWriter, origin string) {
	w.Header().Set("Access-Control-Allow-Origin", origin)
	w.Header().Set("Access-Control-Allow-Headers", "Authorization")
	w.Header().Set("Access-Control-Expose-Headers", "WWW-Authenticate")
	w.Header().Set("Access-Control-Max-Age", "600")
	w.Header().Set("Vary", "Origin")
}

// elsewhere would take whatever it is given.
func (o *origin) elsewhere(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	o.foreigns = append(o.foreigns, r.Method+" "+r.URL.Path+" "+r.Header.Get("Authorization"))
	o.mu.Unlock()
	w.Header().Set("Access-Control-Allow-Origin", "*")
	w.Header().Set("Access-Control-Allow-Headers", "Authorization")
}

// pass lets time go by for the server and the service.
func (o *origin) pass(w http.ResponseWriter, r *http.Request) {
	seconds, err := strconv.Atoi(r.FormValue("seconds"))
	if err != nil {
		http.Error(w, "no number of seconds", http.StatusBadRequest)
		return
	}
	o.mu.Lock()
	o.rounds, o.drawn = append(o.rounds, o.drawn), 0
	o.mu.Unlock()
	o.clock.advance(time.Duration(seconds) * time.Second)
}

// forward asks the server and hands its answer on, or loses it on the way.
func (o *origin) forward(w http.ResponseWriter, r *http.Request) {
	draws := r.URL.Path == "/v1/session/token"
	o.mu.Lock()
	if draws {
		o.flying++
		o.most = max(o.most, o.flying)
	}
	if r.URL.Path == "/v1/logout" {
		o.tried++
	}
	o.mu.Unlock()

	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		body = nil // the page went away
	}
	out := r.Clone(context.WithoutCancel(r.Context())) // the server acts although the page is gone
	out.URL.Scheme, out.URL.Host, out.RequestURI = "http", o.backend, ""
	out.Body, out.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	out.Header.Del("Connection")
	answer, err := o.ask(out)
	if draws {
		<-time.After(20 * time.Millisecond) // as on a real network: a second request can meet the first
	}
	lose, dropped := false, false
	o.mu.Lock()
	if draws {
		o.flying--
	}
	if err == nil {
		dropped = r.URL.Path == o.drop
		lose = dropped || o.loses(r.URL.Path)
		if dropped {
			o.drop = ""
		}
		if draws && answer.Code == http.StatusOK && !lose {
			o.drawn++
		}
		if r.URL.Path == "/v1/logout" && answer.Code < 400 {
			o.logouts++
		}
	}
	broken := lose && !dropped && o.lost%2 == 1
	o.mu.Unlock()
	if err != nil || broken {
		panic(http.ErrAbortHandler) // before the answer: a browser may repeat it by itself
	}
	for name, values := range answer.Header() {
		w.Header()[name] = values
	}
	if lose {
		// In the middle of the answer, where no browser repeats by itself.
		w.Header().Set("Content-Length", strconv.Itoa(answer.Body.Len()+1))
	}
	w.WriteHeader(answer.Code)
	w.Write(answer.Body.Bytes())
}

// ask returns the whole answer of the server.
func (o *origin) ask(r *http.Request) (*httptest.ResponseRecorder, error) {
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	rec := httptest.NewRecorder()
	for name, values := range resp.Header {
		rec.Header()[name] = values
	}
	rec.WriteHeader(resp.StatusCode)
	if _, err := rec.Body.ReadFrom(resp.Body); err != nil {
		return nil, err
	}
	return rec, nil
}

// loses says whether the next answer is lost: one in ten of those to the module,
// in an order that is the same each time. The caller holds mu.
func (o *origin) loses(path string) bool {
	if !o.lossy || !strings.HasPrefix(path, "/v1/") {
		return false
	}
	o.answers++
	sum := sha256.Sum256(fmt.Append(nil, o.answers))
	if sum[0] >= 26 {
		return false
	}
	o.lost++
	return true
}

// count reads numbers that requests change.
func count[T any](o *origin, read func() T) T {
	o.mu.Lock()
	defer o.mu.Unlock()
	return read()
}
