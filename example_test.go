package lanyard_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/store/memory"
)

// browse sends a request over TLS with the cookies of an earlier answer.
func browse(h http.Handler, method, path string, earlier *httptest.ResponseRecorder) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "https://app.example"+path, nil)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if earlier != nil {
		for _, line := range earlier.Header()["Set-Cookie"] {
			pair, _, _ := strings.Cut(line, ";")
			r.Header.Add("Cookie", pair)
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// The whole of a login, a page that needs one, and a logout.
func Example() {
	m, err := lanyard.New(memory.New(), lanyard.Config{Issuer: "https://app.example"})
	if err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		// Your own check of the credentials, then:
		grant, err := m.Start(r.Context(), lanyard.Login{Subject: "ann", Methods: []string{"pwd"}, Request: r})
		if err == nil {
			err = m.Write(w, r, grant)
		}
		if err != nil {
			m.WriteError(w, r, err)
		}
	})
	mux.Handle("GET /me", m.Require(lanyard.Need{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello %s", lanyard.From(r.Context()).Subject())
	})))
	mux.HandleFunc("POST /logout", func(w http.ResponseWriter, r *http.Request) {
		if err := m.Logout(w, r); err != nil {
			m.WriteError(w, r, err)
		}
	})
	app := m.Handler(mux)

	login := browse(app, "POST", "/login", nil)
	fmt.Println(browse(app, "GET", "/me", login).Body)
	browse(app, "POST", "/logout", login)
	fmt.Println(browse(app, "GET", "/me", login).Code)
	// Output:
	// hello ann
	// 401
}

// A route for sensitive actions asks for a recent sign-in.
func ExampleManager_Require() {
	clock := newClock()
	m, err := lanyard.New(memory.New(), lanyard.Config{Issuer: "https://app.example", Now: clock.Now})
	if err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		if g, err := m.Start(r.Context(), lanyard.Login{Subject: "ann", Methods: []string{"pwd"}, Request: r}); err == nil {
			m.Write(w, r, g)
		}
	})
	mux.Handle("POST /delete-account", m.Require(lanyard.Need{MaxAge: lanyard.RecentAuth}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "gone")
	})))
	app := m.Handler(mux)

	login := browse(app, "POST", "/login", nil)
	fmt.Println(browse(app, "POST", "/delete-account", login).Body)

	clock.advance(m.Policy().RecentAuth)
	late := browse(app, "POST", "/delete-account", login)
	fmt.Println(late.Code, late.Header().Get("WWW-Authenticate"))
	// Output:
	// gone
	// 401 Bearer error="insufficient_user_authentication", error_description="A more recent sign-in is needed", max_age="600"
}

// Data is kept with the session, also of a browser that is not signed in.
func ExampleData() {
	visits := lanyard.NewData[int]("visits")
	m, err := lanyard.New(memory.New(), lanyard.Config{Issuer: "https://app.example"})
	if err != nil {
		fmt.Println(err)
		return
	}
	app := m.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := visits.Update(w, r, func(n *int) error { *n++; return nil }); err != nil {
			m.WriteError(w, r, err)
			return
		}
		n, _ := visits.Get(r.Context())
		fmt.Fprintf(w, "visit %d", n)
	}))

	first := browse(app, "GET", "/", nil)
	fmt.Println(first.Body)
	fmt.Println(browse(app, "GET", "/", first).Body)
	// Output:
	// visit 1
	// visit 2
}

// A program holds tokens instead of a cookie and renews them.
func ExampleManager_Renew() {
	m, err := lanyard.New(memory.New(), lanyard.Config{Issuer: "https://app.example"})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	pair, err := m.Start(ctx, lanyard.Login{Subject: "ann", Methods: []string{"pwd"}, Channel: lanyard.ChannelToken})
	if err != nil {
		fmt.Println(err)
		return
	}
	next, err := m.Renew(ctx, pair.Refresh.Reveal(), lanyard.Renewal{})
	fmt.Println(next.TokenType, next.Session.Subject(), err)
	fmt.Println(next.Refresh) // secrets print as nothing

	if err := m.End(ctx, next.Session.SID(), lanyard.EndOptions{Reason: lanyard.ReasonLogout, By: "ann"}); err != nil {
		fmt.Println(err)
	}
	_, err = m.Renew(ctx, next.Refresh.Reveal(), lanyard.Renewal{})
	fmt.Println(lanyard.CauseOf(err))
	// Output:
	// Bearer ann <nil>
	// [redacted]
	// ended
}
