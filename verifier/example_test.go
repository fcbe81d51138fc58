package verifier_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/lanyard-go/lanyard/token"
	"github.com/lanyard-go/lanyard/verifier"
)

// A service mounts one handler around its routes. The issuer of this example is
// in the same process, so its keys are given; another service leaves Keys out and
// has them fetched.
func Example() {
	keys, err := token.NewKeySet(token.KeysConfig{})
	if err != nil {
		panic(err)
	}
	v, err := verifier.New(verifier.Config{
		Issuer: "https://id.example", Audience: "orders", Keys: keys, SkipRevocationCheck: true,
	})
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	hello := func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "hello ", verifier.From(r.Context()).Subject())
	}
	mux.Handle("GET /orders", v.Require(verifier.Need{Scope: "orders:read"}, http.HandlerFunc(hello)))
	mux.Handle("POST /pay", v.Require(verifier.Need{MaxAge: 5 * time.Minute}, http.HandlerFunc(hello)))
	h := v.Handler(mux)

	issuer, err := token.NewIssuer(token.IssuerConfig{Issuer: "https://id.example", Keys: keys})
	if err != nil {
		panic(err)
	}
	now := time.Now()
	raw, err := issuer.Issue(token.Claims{
		Subject: "ann", Audience: []string{"orders"}, ClientID: "web", ID: "1", SID: "s", Scope: "orders:read",
		IssuedAt: now, Expiry: now.Add(5 * time.Minute), AuthTime: now.Add(-time.Hour),
	})
	if err != nil {
		panic(err)
	}
	for _, target := range []string{"GET /orders", "POST /pay"} {
		var method, path string
		fmt.Sscan(target, &method, &path)
		r := httptest.NewRequest(method, path, nil)
		r.Header.Set("Authorization", "Bearer "+raw)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code == http.StatusOK {
			fmt.Println(target, w.Code, w.Body)
		} else {
			fmt.Println(target, w.Code, w.Header().Get("WWW-Authenticate"))
		}
	}
	// Output:
	// GET /orders 200 hello ann
	// POST /pay 401 Bearer error="insufficient_user_authentication", error_description="A more recent sign-in is needed", max_age="300"
}

// An open connection ends with the session: here server-sent events. A WebSocket
// is closed by context.AfterFunc(ctx, func() { conn.Close() }).
func ExampleCaller_Watch() {
	events := func(w http.ResponseWriter, r *http.Request) {
		ctx, stop := verifier.From(r.Context()).Watch(r.Context())
		defer stop()
		w.Header().Set("Content-Type", "text/event-stream")
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				fmt.Println("over:", context.Cause(ctx))
				return
			case <-tick.C:
				fmt.Fprint(w, "data: tick\n\n")
				http.NewResponseController(w).Flush()
			}
		}
	}
	r, leave := context.WithCancel(context.Background())
	leave() // the client is gone
	events(httptest.NewRecorder(), httptest.NewRequestWithContext(r, "GET", "/events", nil))
	// Output: over: context canceled
}

// How to export the state of the feed in the text form of Prometheus.
func ExampleVerifier_Status() {
	v, err := verifier.New(verifier.Config{
		Issuer: "https://id.example", Audience: "orders", Feed: "https://id.example/v1/revocations", FollowerName: "orders-1",
	})
	if err != nil {
		panic(err)
	}
	metrics := func(w io.Writer) {
		s := v.Status()
		fmt.Fprintf(w, "revocation_feed_up{state=%q} %d\n", s.State, min(s.State, 1))
		fmt.Fprintf(w, "revocation_feed_lease_seconds %g\n", s.Left.Seconds())
		fmt.Fprintf(w, "revocation_feed_entries %d\n", s.Entries)
		fmt.Fprintf(w, "revocation_feed_snapshots_total %d\n", s.Snapshots)
		for _, q := range []float64{0.5, 0.99, 0.999} {
			fmt.Fprintf(w, "revocation_lag_seconds{quantile=\"%g\"} %g\n", q, s.Lag.Quantile(q).Seconds())
		}
		for trouble, n := range s.Troubles {
			fmt.Fprintf(w, "revocation_feed_troubles_total{trouble=%q} %d\n", trouble, n)
		}
	}
	recorder := httptest.NewRecorder()
	metrics(recorder)
	fmt.Print(recorder.Body)
	// Output:
	// revocation_feed_up{state="blind"} 0
	// revocation_feed_lease_seconds 0
	// revocation_feed_entries 0
	// revocation_feed_snapshots_total 0
	// revocation_lag_seconds{quantile="0.5"} 0
	// revocation_lag_seconds{quantile="0.99"} 0
	// revocation_lag_seconds{quantile="0.999"} 0
}
