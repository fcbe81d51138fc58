package lanyardtest

import (
	"crypto/tls"
	"fmt"
	"mime"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"testing"
)

// Client returns an HTTP client whose requests to [Issuer] go straight to h, as
// if over TLS. It behaves like a browser on the site's own pages: it keeps
// cookies, the program's own login form included, says in Sec-Fetch-Site that its
// requests come from the site, and follows redirects within it.
//
// The badge may be nil: nobody is signed in then. One of the token channel goes
// on every request that has no Authorization of its own; one of the cookie
// channel goes into the jar, where the program may replace it. As long as it has
// not, requests other than forms carry its forgery token in X-CSRF-Token, as a
// script of the site's would send it; forms bring their own.
//
// Requests to another host fail. The client may be used by several goroutines.
func Client(t testing.TB, h http.Handler, badge *Badge) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatalf("making a cookie jar: %v", err)
	}
	site, err := url.Parse(Issuer)
	if err != nil {
		t.Fatalf("parsing the issuer: %v", err)
	}
	if badge != nil && badge.Cookie() != nil {
		jar.SetCookies(site, []*http.Cookie{badge.Cookie()})
	}
	return &http.Client{Transport: &direct{handler: h, host: site.Host, badge: badge}, Jar: jar}
}

// direct carries requests to a handler in this process.
type direct struct {
	handler http.Handler
	host    string
	badge   *Badge // or nil
}

// RoundTrip implements [http.RoundTripper].
func (d *direct) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "https" || r.URL.Host != d.host {
		return nil, fmt.Errorf("lanyardtest: %s is outside of %s", r.URL, Issuer)
	}
	in := r.Clone(r.Context())
	in.RequestURI, in.Host = r.URL.RequestURI(), d.host
	in.RemoteAddr = "192.0.2.1:50000"
	in.TLS = &tls.ConnectionState{Version: tls.VersionTLS13, HandshakeComplete: true}
	if in.Body == nil {
		in.Body = http.NoBody
	}
	if in.Header.Get("Sec-Fetch-Site") == "" && in.Header.Get("Origin") == "" {
		in.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	if d.badge != nil {
		d.present(in)
	}
	w := httptest.NewRecorder()
	d.handler.ServeHTTP(w, in)
	if r.Body != nil {
		r.Body.Close()
	}
	res := w.Result()
	res.Request = r
	return res, nil
}

// present adds what the jar cannot: an access token, or the forgery token that
// belongs to the cookie.
func (d *direct) present(r *http.Request) {
	own := d.badge.Cookie()
	if own == nil {
		if r.Header.Get("Authorization") == "" {
			d.badge.Add(r)
		}
		return
	}
	sent, err := r.Cookie(own.Name)
	if err != nil || sent.Value != own.Value || r.Header.Get("X-CSRF-Token") != "" {
		return
	}
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if kind != "application/x-www-form-urlencoded" && kind != "multipart/form-data" {
		r.Header.Set("X-CSRF-Token", d.badge.csrf)
	}
}
