// Command orders is a service that keeps no sessions: it takes the access tokens
// of `lanyard serve`, in a process of its own, with package verifier alone.
//
//	lanyard serve --audience orders
//	lanyard clients add orders --follow --introspect --audience orders
//	export ORDERS_CLIENT_ID=orders ORDERS_CLIENT_SECRET=...
//	go run ./examples/orders -issuer http://localhost:8080 -audience orders
//
// It follows the issuer's revocation feed, so a session that has ended is refused
// within milliseconds. Without ORDERS_CLIENT_ID it accepts a token until it
// expires.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"time"

	"github.com/lanyard-go/lanyard/verifier"
)

// orders are those of each person, in memory.
type orders struct {
	mu   sync.Mutex
	list map[string][]string
}

// routes serves the orders of whoever calls. A new one needs a person who has
// signed in within ten minutes, and to delete all of them the issuer is asked.
func routes(v *verifier.Verifier, asks bool) http.Handler {
	o := &orders{list: make(map[string][]string)}
	mux := http.NewServeMux()
	mux.Handle("GET /orders", v.Require(verifier.Need{}, http.HandlerFunc(o.all)))
	mux.Handle("POST /orders", v.Require(verifier.Need{MaxAge: 10 * time.Minute}, http.HandlerFunc(o.add)))
	if asks {
		mux.Handle("DELETE /orders", v.Require(verifier.Need{Freshness: verifier.Live}, http.HandlerFunc(o.clear)))
	}
	mux.Handle("GET /orders/events", v.Require(verifier.Need{}, http.HandlerFunc(o.events)))
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if err := v.Ready(r.Context()); err != nil {
			http.Error(w, "not ready", http.StatusServiceUnavailable)
		}
	})
	mux.Handle(verifier.ResourceMetadataPath, v.ResourceMetadata())
	return v.Handler(mux)
}

func (o *orders) all(w http.ResponseWriter, r *http.Request) {
	who := verifier.From(r.Context()).Subject()
	o.mu.Lock()
	defer o.mu.Unlock()
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	json.NewEncoder(w).Encode(map[string]any{"subject": who, "orders": o.list[who]})
}

func (o *orders) add(w http.ResponseWriter, r *http.Request) {
	var in struct{ Item string }
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4<<10)).Decode(&in); err != nil || in.Item == "" {
		http.Error(w, "an order has an item", http.StatusBadRequest)
		return
	}
	who := verifier.From(r.Context()).Subject()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.list[who] = append(o.list[who], in.Item)
	w.WriteHeader(http.StatusCreated)
}

func (o *orders) clear(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.list, verifier.From(r.Context()).Subject())
	w.WriteHeader(http.StatusNoContent)
}

// events tells how many orders there are, once a second, until the client goes or
// the session ends.
func (o *orders) events(w http.ResponseWriter, r *http.Request) {
	c := verifier.From(r.Context())
	ctx, stop := c.Watch(r.Context())
	defer stop()
	w.Header().Set("Content-Type", "text/event-stream")
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		o.mu.Lock()
		n := len(o.list[c.Subject()])
		o.mu.Unlock()
		fmt.Fprintf(w, "data: %d\n\n", n)
		if http.NewResponseController(w).Flush() != nil {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func main() {
	cfg := verifier.Config{Logger: slog.Default()}
	flag.StringVar(&cfg.Issuer, "issuer", "http://localhost:8080", "whose tokens to take")
	flag.StringVar(&cfg.Audience, "audience", "orders", "this service in those tokens")
	listen := flag.String("listen", "localhost:8081", "address to serve on")
	flag.Parse()
	id, secret := os.Getenv("ORDERS_CLIENT_ID"), os.Getenv("ORDERS_CLIENT_SECRET")
	if id != "" {
		cfg.Feed = cfg.Issuer + "/v1/revocations"
		cfg.Credentials = verifier.Credentials{ClientID: id, Secret: secret}
	}
	cfg.SkipRevocationCheck = id == ""
	v, err := verifier.New(cfg)
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	go v.Run(ctx)
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("ready http://%s\n", l.Addr())
	srv := &http.Server{Handler: routes(v, id != ""), ReadHeaderTimeout: 10 * time.Second}
	context.AfterFunc(ctx, func() { srv.Close() })
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
}
