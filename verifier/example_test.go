package verifier_test

import (
	"fmt"
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
