package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/api"
	"github.com/lanyard-go/lanyard/store/memory"
	"github.com/lanyard-go/lanyard/token"
)

// visit is a browser at the shop.
type visit struct {
	t             *testing.T
	site, service string
	http          *http.Client
}

func open(t *testing.T) visit {
	t.Helper()
	key, err := token.GenerateKey(token.ES256, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	keys, err := token.NewKeySet(token.KeysConfig{}, key)
	if err != nil {
		t.Fatal(err)
	}
	front, back := httptest.NewUnstartedServer(nil), httptest.NewUnstartedServer(nil)
	v := visit{t: t, site: origin(front.Listener), service: origin(back.Listener)}
	m, err := lanyard.New(memory.New(), lanyard.Config{Issuer: v.site, Audiences: []string{"orders"}, TokenKeys: keys, Passive: passive})
	if err != nil {
		t.Fatal(err)
	}
	front.Config.Handler, err = shop(m, v.service, nil, func(name, password string) bool { return name == "ann" && password == "right" })
	if err != nil {
		t.Fatal(err)
	}
	if back.Config.Handler, err = newOrders(v.site, keys); err != nil {
		t.Fatal(err)
	}
	for _, srv := range []*httptest.Server{front, back} {
		srv.Start()
		t.Cleanup(srv.Close)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	v.http = &http.Client{Jar: secureOnLoopback{jar}}
	return v
}

// secureOnLoopback keeps and sends Secure cookies as browsers do for this machine.
type secureOnLoopback struct{ http.CookieJar }

func (j secureOnLoopback) Cookies(u *url.URL) []*http.Cookie {
	return j.CookieJar.Cookies(&url.URL{Scheme: "https", Host: u.Host, Path: u.Path})
}

// send makes a request as the page does, with a token if that is not empty.
func (v visit) send(method, address, token, body string) (*http.Response, string) {
	v.t.Helper()
	r, err := http.NewRequestWithContext(v.t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		v.t.Fatal(err)
	}
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if strings.HasPrefix(body, "{") {
		r.Header.Set("Content-Type", "application/json")
	} else {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := v.http.Do(r)
	if err != nil {
		v.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return res, string(b)
}

func (v visit) signIn() {
	v.t.Helper()
	_, page := v.send("GET", v.site+"/login", "", "")
	field := regexp.MustCompile(`name="csrf_token" value="([^"]+)"`).FindStringSubmatch(page)
	if field == nil {
		v.t.Fatalf("the page has no login form:\n%s", page)
	}
	form := url.Values{"name": {"ann"}, "password": {"right"}, "csrf_token": {field[1]}}
	if res, page := v.send("POST", v.site+"/login", "", form.Encode()); res.StatusCode != 200 || !strings.Contains(page, "/page.js") {
		v.t.Fatalf("the login led to %d:\n%s", res.StatusCode, page)
	}
}

func (v visit) token() string {
	v.t.Helper()
	res, body := v.send("POST", v.site+"/v1/session/token?passive=1", "", `{"resource":"orders"}`)
	var out api.Login
	if err := json.Unmarshal([]byte(body), &out); err != nil || res.StatusCode != 200 || out.AccessToken == "" || out.TokenType != "Bearer" || out.ExpiresIn < 240 {
		v.t.Fatalf("drawing a token: %d %s", res.StatusCode, body)
	}
	return out.AccessToken
}

func TestTokensOfTheSessionOpenTheServiceAndNothingElseDoes(t *testing.T) {
	v := open(t)
	if res, _ := v.send("POST", v.site+"/v1/session/token", "", `{"resource":"orders"}`); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("nobody's call for a token answered %d", res.StatusCode)
	}
	v.signIn()
	if res, _ := v.send("GET", v.service+"/orders", "", ""); res.StatusCode != http.StatusUnauthorized || res.Header.Get("Access-Control-Expose-Headers") != "WWW-Authenticate" {
		t.Errorf("without a token: %d", res.StatusCode)
	}
	raw := v.token()
	if _, body := v.send("POST", v.service+"/orders", raw, "hat"); body != `{"orders":["hat"]}`+"\n" {
		t.Errorf("an order led to %s", body)
	}
	res, _ := v.send("GET", v.service+"/orders", raw, "")
	if res.StatusCode != 200 || res.Header.Get("Access-Control-Allow-Origin") != v.site || res.Header.Get("Access-Control-Allow-Credentials") != "" {
		t.Errorf("the orders: %d %v", res.StatusCode, res.Header)
	}
	if res, _ := v.send("POST", v.site+"/v1/session/token", "", `{"resource":"bank"}`); res.StatusCode != http.StatusBadRequest {
		t.Errorf("a token for another service: %d", res.StatusCode)
	}
	if res, _ := v.send("POST", v.site+"/v1/logout", "", ""); res.StatusCode/100 != 2 {
		t.Errorf("signing out answered %d", res.StatusCode)
	}
	if res, _ := v.send("GET", v.site+"/v1/session?passive=1", "", ""); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("after it the session answers %d", res.StatusCode)
	}
}

func TestTheModuleLearnsWhenTheSessionEnds(t *testing.T) {
	v := open(t)
	v.signIn()
	res, body := v.send("GET", v.site+"/v1/session?passive=1", "", "")
	var out api.SessionAnswer
	if err := json.Unmarshal([]byte(body), &out); err != nil || res.Header.Get("Date") == "" {
		t.Fatalf("%s: %v", body, err)
	}
	if s := out.Session; s.SID == "" || s.Subject != "ann" || time.Until(s.IdleExpiresAt) < time.Hour || s.ExpiresAt.Before(s.IdleExpiresAt) || out.CSRFToken == "" {
		t.Errorf("the session is %s", body)
	}
}

func TestPagesRunUnderAPolicyThatKnowsTheService(t *testing.T) {
	v := open(t)
	for _, path := range []string{"/", "/login", "/page.js"} {
		res, _ := v.send("GET", v.site+path, "", "")
		policy := res.Header.Get("Content-Security-Policy")
		if res.StatusCode != 200 || strings.Contains(policy, "unsafe") || !strings.Contains(policy, "connect-src 'self' "+v.service) || !strings.Contains(policy, "require-trusted-types-for 'script'") {
			t.Errorf("%s: %d, policy %s", path, res.StatusCode, policy)
		}
	}
	if res, _ := v.send("GET", v.site+"/main.go", "", ""); res.StatusCode != http.StatusNotFound {
		t.Errorf("a file that is no page answered %d", res.StatusCode)
	}
}
