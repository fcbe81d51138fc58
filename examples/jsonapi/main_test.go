package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/store/memory"
)

// api is a program that calls the API.
type api struct {
	t   *testing.T
	srv *httptest.Server
	now *atomic.Int64 // the clock, in Unix seconds
}

func open(t *testing.T) api {
	t.Helper()
	now := new(atomic.Int64)
	now.Store(time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC).Unix())
	m, err := lanyard.New(memory.New(), lanyard.Config{
		Issuer: "https://api.example", Now: func() time.Time { return time.Unix(now.Load(), 0) },
	})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewTLSServer(routes(m, func(name, password string) bool { return name == "ann" && password == "right" }))
	t.Cleanup(srv.Close)
	return api{t, srv, now}
}

type pair struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	Type    string `json:"token_type"`
	Error   string `json:"error"`
	Subject string `json:"subject"`
}

// call makes a request over TLS and returns its status and body.
func (a api) call(method, path, access, body string) (int, pair) {
	a.t.Helper()
	r, err := http.NewRequest(method, a.srv.URL+path, strings.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	if access != "" {
		r.Header.Set("Authorization", "Bearer "+access)
	}
	res, err := a.srv.Client().Do(r)
	if err != nil {
		a.t.Fatal(err)
	}
	defer res.Body.Close()
	var out pair
	if err := json.NewDecoder(res.Body).Decode(&out); err != nil && res.StatusCode != http.StatusNoContent {
		a.t.Fatalf("%s %s answered %d and no JSON: %v", method, path, res.StatusCode, err)
	}
	return res.StatusCode, out
}

func (a api) want(status int, method, path, access, body string) pair {
	a.t.Helper()
	got, out := a.call(method, path, access, body)
	if got != status {
		a.t.Fatalf("%s %s answered %d %+v, want %d", method, path, got, out, status)
	}
	return out
}

func (a api) login() pair {
	a.t.Helper()
	return a.want(http.StatusOK, "POST", "/login", "", `{"name":"ann","password":"right"}`)
}

func refresh(token string) string { return `{"refresh_token":"` + token + `"}` }

func TestTokenSessionFromLoginToLogout(t *testing.T) {
	a := open(t)
	first := a.login()
	if first.Type != "Bearer" || first.Access == "" || first.Refresh == "" {
		t.Fatalf("the login gave %+v", first)
	}
	if who := a.want(http.StatusOK, "GET", "/me", first.Access, ""); who.Subject != "ann" {
		t.Errorf("/me says %q", who.Subject)
	}
	a.now.Add(600)
	a.want(http.StatusUnauthorized, "GET", "/me", first.Access, "") // access tokens live five minutes
	second := a.want(http.StatusOK, "POST", "/refresh", "", refresh(first.Refresh))
	a.want(http.StatusOK, "GET", "/me", second.Access, "")
	a.want(http.StatusNoContent, "POST", "/logout", second.Access, "")
	a.want(http.StatusUnauthorized, "GET", "/me", second.Access, "")
	a.want(http.StatusBadRequest, "POST", "/refresh", "", refresh(second.Refresh))
}

func TestUsedRefreshTokenEndsTheSession(t *testing.T) {
	a := open(t)
	first := a.login()
	second := a.want(http.StatusOK, "POST", "/refresh", "", refresh(first.Refresh))
	a.now.Add(60) // past the window for repeated calls
	if out := a.want(http.StatusBadRequest, "POST", "/refresh", "", refresh(first.Refresh)); out.Error != "invalid_grant" {
		t.Errorf("the error is %q", out.Error)
	}
	a.want(http.StatusUnauthorized, "GET", "/me", second.Access, "")
}

func TestStrangersAreRefused(t *testing.T) {
	a := open(t)
	a.want(http.StatusUnauthorized, "GET", "/me", "", "")
	a.want(http.StatusUnauthorized, "GET", "/me", "not a token", "")
	a.want(http.StatusUnauthorized, "POST", "/login", "", `{"name":"ann","password":"wrong"}`)
	a.want(http.StatusBadRequest, "POST", "/login", "", `{`)
	a.want(http.StatusBadRequest, "POST", "/refresh", "", refresh("made up"))
}
