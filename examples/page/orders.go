package main

import (
	"io"
	"net/http"
	"sync"

	"github.com/lanyard-go/lanyard/token"
	"github.com/lanyard-go/lanyard/verifier"
)

// orders is the service: it takes access tokens and knows no cookies.
type orders struct {
	mu   sync.Mutex
	list map[string][]string
}

// newOrders returns the service, whose answers the pages of site may read. Here it
// accepts a token until it expires, five minutes at most; examples/orders follows
// the issuer's feed of revocations instead.
func newOrders(site string, keys token.VerifyKeys) (http.Handler, error) {
	v, err := verifier.New(verifier.Config{Issuer: site, Audience: "orders", Keys: keys, SkipRevocationCheck: true})
	if err != nil {
		return nil, err
	}
	o := &orders{list: make(map[string][]string)}
	mux := http.NewServeMux()
	mux.Handle("GET /orders", v.Require(verifier.Need{}, http.HandlerFunc(o.all)))
	mux.Handle("POST /orders", v.Require(verifier.Need{}, http.HandlerFunc(o.add)))
	return allow(site, v.Handler(mux)), nil
}

func (o *orders) all(w http.ResponseWriter, r *http.Request) {
	who := verifier.From(r.Context()).Subject()
	o.mu.Lock()
	defer o.mu.Unlock()
	answer(w, map[string]any{"orders": append([]string{}, o.list[who]...)})
}

func (o *orders) add(w http.ResponseWriter, r *http.Request) {
	item, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<10))
	if err != nil || len(item) == 0 {
		http.Error(w, "an order has an item", http.StatusBadRequest)
		return
	}
	who := verifier.From(r.Context()).Subject()
	o.mu.Lock()
	o.list[who] = append(o.list[who], string(item))
	o.mu.Unlock()
	o.all(w, r)
}

// allow lets the pages of one origin call with a token and read the answers, the
// challenges of refusals too. Without Access-Control-Allow-Credentials no cookie
// comes along.
func allow(origin string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Expose-Headers", "WWW-Authenticate")
		if r.Method == http.MethodOptions { // asked before a request with a token
			h.Set("Access-Control-Allow-Methods", "GET, POST")
			h.Set("Access-Control-Allow-Headers", "Authorization")
			h.Set("Access-Control-Max-Age", "600")
			w.WriteHeader(http.StatusNoContent)
			return
		}
		next.ServeHTTP(w, r)
	})
}
