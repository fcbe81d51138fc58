// Command orders is a service that keeps no sessions: it takes the access tokens
// of `lanyard serve`, in a process of its own, with package verifier alone.
//
//	lanyard serve --audience orders
//	go run ./examples/orders -issuer http://localhost:8080 -audience orders
//
// With ORDERS_CLIENT_ID and ORDERS_CLIENT_SECRET in the environment it asks the
// issuer whether a token's session still lives; without them it accepts a token
// until it expires.
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
// signed in within ten minutes.
func routes(v *verifier.Verifier) http.Handler {
	o := &orders{list: make(map[string][]string)}
	mux := http.NewServeMux()
	mux.Handle("GET /orders", v.Require(verifier.Need{}, http.HandlerFunc(o.all)))
	mux.Handle("POST /orders", v.Require(verifier.Need{MaxAge: 10 * time.Minute}, http.HandlerFunc(o.add)))
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

func main() {
	cfg := verifier.Config{Logger: slog.Default()}
	flag.StringVar(&cfg.Issuer, "issuer", "http://localhost:8080", "whose tokens to take")
	flag.StringVar(&cfg.Audience, "audience", "orders", "this service in those tokens")
	listen := flag.String("listen", "localhost:8081", "address to serve on")
	flag.Parse()
	id, secret := os.Getenv("ORDERS_CLIENT_ID"), os.Getenv("ORDERS_CLIENT_SECRET")
	if id != "" {
		cfg.Introspect = &verifier.Introspection{Credentials: verifier.Credentials{ClientID: id, Secret: secret}}
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
	srv := &http.Server{Handler: routes(v), ReadHeaderTimeout: 10 * time.Second}
	context.AfterFunc(ctx, func() { srv.Close() })
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		log.Fatal(err)
	}
}
