package main

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/headers"
	"github.com/lanyard-go/lanyard/store/memory"
)

// visit is a browser at the shop.
type visit struct {
	t    *testing.T
	site string
	http *http.Client
}

func open(t *testing.T) visit {
	t.Helper()
	m, err := lanyard.New(memory.New(), lanyard.Config{Issuer: "https://shop.example"})
	if err != nil {
		t.Fatal(err)
	}
	policy, err := headers.New(headers.Config{})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewTLSServer(shop(m, policy, func(name, password string) bool { return name == "ann" && password == "right" }))
	t.Cleanup(srv.Close)
	v := visit{t, srv.URL, srv.Client()}
	if v.http.Jar, err = cookiejar.New(nil); err != nil {
		t.Fatal(err)
	}
	return v
}

func (v visit) page() string {
	v.t.Helper()
	return v.read(v.http.Get(v.site + "/"))
}

// post sends a form as the shop's own page does and returns the page it ends on.
func (v visit) post(path string, form url.Values) string {
	v.t.Helper()
	return v.read(v.submit(v.site, path, form))
}

func (v visit) submit(origin, path string, form url.Values) (*http.Response, error) {
	r, err := http.NewRequest("POST", v.site+path, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", origin)
	return v.http.Do(r)
}

func (v visit) login(password string) string {
	v.t.Helper()
	token := regexp.MustCompile(`name="csrf_token" value="([^"]+)"`).FindStringSubmatch(v.page())
	if token == nil {
		v.t.Fatal("the page has no login form")
	}
	return v.post("/login", url.Values{"name": {"ann"}, "password": {password}, "csrf_token": {token[1]}})
}

func (v visit) read(res *http.Response, err error) string {
	v.t.Helper()
	if err != nil {
		v.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		v.t.Fatalf("status %d, %v: %s", res.StatusCode, err, b)
	}
	return string(b)
}

func TestCartSurvivesTheLoginAndStaysWithTheSession(t *testing.T) {
	v := open(t)
	v.post("/cart", url.Values{"item": {"hat"}})
	if got := v.post("/cart", url.Values{"item": {"rope"}}); !strings.Contains(got, "<li>hat</li>") || !strings.Contains(got, "<li>rope</li>") {
		t.Fatalf("the cart of a stranger lacks its items:\n%s", got)
	}
	got := v.login("right")
	for _, want := range []string{"Hello ann", "<li>hat</li>", "<li>rope</li>", "Sign out"} {
		if !strings.Contains(got, want) {
			t.Errorf("the page after the login lacks %q:\n%s", want, got)
		}
	}
	got = v.post("/logout", nil)
	if strings.Contains(got, "ann") || strings.Contains(got, "hat") {
		t.Errorf("the page after the logout still knows who it was:\n%s", got)
	}
}

func TestMessageIsShownOnce(t *testing.T) {
	v := open(t)
	const text = "Name and password do not fit."
	if got := v.login("wrong"); !strings.Contains(got, text) || strings.Contains(got, "Hello") {
		t.Fatalf("a wrong password led to:\n%s", got)
	}
	if got := v.page(); strings.Contains(got, text) {
		t.Errorf("the message is shown twice:\n%s", got)
	}
}

func TestLoginNeedsTheFormsOwnToken(t *testing.T) {
	v := open(t)
	v.page()
	res, err := v.submit(v.site, "/login", url.Values{"name": {"ann"}, "password": {"right"}})
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusForbidden {
		t.Errorf("a login without the token of its form answered %d, want 403", res.StatusCode)
	}
}

func TestAnotherSiteCannotFillTheCart(t *testing.T) {
	v := open(t)
	v.login("right")
	res, err := v.submit("https://evil.example", "/cart", url.Values{"item": {"brick"}})
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if got := v.page(); res.StatusCode != http.StatusForbidden || strings.Contains(got, "brick") {
		t.Errorf("another site's form answered %d and left:\n%s", res.StatusCode, got)
	}
}

// attack: A14
func TestThePageIsStoredNowhereAndRunsNothingOfOthers(t *testing.T) {
	v := open(t)
	v.post("/cart", url.Values{"item": {`<script>steal()</script>`}})
	res, err := v.http.Get(v.site + "/")
	if err != nil {
		t.Fatal(err)
	}
	html := v.read(res, nil)
	nonce := regexp.MustCompile(`<style nonce="([\w-]{22})">`).FindStringSubmatch(html)
	policy := res.Header.Get("Content-Security-Policy")
	if nonce == nil || !strings.Contains(policy, "'nonce-"+nonce[1]+"'") || strings.Contains(policy, "unsafe") {
		t.Errorf("nonce %q, policy %s", nonce, policy)
	}
	if strings.Contains(html, "<script>") || !strings.Contains(html, "&lt;script&gt;steal()") {
		t.Errorf("an item of the cart is script:\n%s", html)
	}
	if res.Header.Get("Cache-Control") != "no-store" || res.Header.Get("X-Content-Type-Options") != "nosniff" || res.Header.Get("Referrer-Policy") != "same-origin" {
		t.Errorf("header %v", res.Header)
	}
}
