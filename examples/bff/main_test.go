package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/store/memory"
	"github.com/lanyard-go/lanyard/token"
	"github.com/lanyard-go/lanyard/verifier"
)

// visit is a browser at a shop whose orders are kept by a service of its own,
// which checks tokens with the keys that the shop publishes.
type visit struct {
	t    *testing.T
	site string
	http *http.Client

	mu   sync.Mutex
	seen []*http.Request // by the service
}

func open(t *testing.T) *visit {
	t.Helper()
	v := &visit{t: t}
	key, err := token.GenerateKey(token.ES256, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	keys, err := token.NewKeySet(token.KeysConfig{}, key)
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewUnstartedServer(nil)
	v.site = "http://" + front.Listener.Addr().String()
	check, err := verifier.New(verifier.Config{Issuer: v.site, Audience: "orders", SkipRevocationCheck: true})
	if err != nil {
		t.Fatal(err)
	}
	service := httptest.NewServer(check.Handler(check.Require(verifier.Need{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.seen = append(v.seen, r)
		fmt.Fprintf(w, `{"subject":%q}`, verifier.From(r.Context()).Subject())
	}))))
	t.Cleanup(service.Close)

	m, err := lanyard.New(memory.New(), lanyard.Config{Issuer: v.site, Audiences: []string{"orders"}, TokenKeys: keys})
	if err != nil {
		t.Fatal(err)
	}
	front.Config.Handler, err = shop(m, keys, service.URL, func(name, password string) bool { return name == "ann" && password == "right" })
	if err != nil {
		t.Fatal(err)
	}
	front.Start()
	t.Cleanup(front.Close)
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

// send makes a request as the shop's own page does.
func (v *visit) send(method, path, kind, body string) (status int, header http.Header, text string) {
	v.t.Helper()
	r, err := http.NewRequestWithContext(v.t.Context(), method, v.site+path, strings.NewReader(body))
	if err != nil {
		v.t.Fatal(err)
	}
	r.Header.Set("Content-Type", kind)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	res, err := v.http.Do(r)
	if err != nil {
		v.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return res.StatusCode, res.Header, string(b)
}

func (v *visit) signIn() {
	v.t.Helper()
	_, _, page := v.send("GET", "/", "", "")
	field := regexp.MustCompile(`name="csrf_token" value="([^"]+)"`).FindStringSubmatch(page)
	if field == nil {
		v.t.Fatalf("the page has no login form:\n%s", page)
	}
	form := url.Values{"name": {"ann"}, "password": {"right"}, "csrf_token": {field[1]}}
	if _, _, page = v.send("POST", "/login", "application/x-www-form-urlencoded", form.Encode()); !strings.Contains(page, "Orders of ann") {
		v.t.Fatalf("the login led to:\n%s", page)
	}
}

func TestPageReachesTheServiceWithItsCookieAlone(t *testing.T) {
	v := open(t)
	if status, _, _ := v.send("GET", "/api/orders", "", ""); status != http.StatusUnauthorized {
		t.Errorf("nobody's call answered %d", status)
	}
	v.signIn()
	for _, method := range []string{"GET", "POST"} {
		status, header, text := v.send(method, "/api/orders", "application/json", `{"item":"hat"}`)
		if status != http.StatusOK || text != `{"subject":"ann"}` {
			t.Errorf("%s answered %d %s", method, status, text)
		}
		if header.Get("Set-Cookie") != "" || strings.Contains(text, "eyJ") {
			t.Errorf("%s answered with a credential", method)
		}
	}
	for _, r := range v.seen {
		if r.URL.Path != "/orders" || r.Header.Get("Cookie") != "" || !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer eyJ") {
			t.Errorf("the service has seen %s with %v", r.URL, r.Header)
		}
	}
	if len(v.seen) != 2 {
		t.Errorf("the service has seen %d calls", len(v.seen))
	}
	v.send("POST", "/logout", "", "")
	if status, _, _ := v.send("GET", "/api/orders", "", ""); status != http.StatusUnauthorized {
		t.Errorf("after the logout a call answered %d", status)
	}
}

func TestPageReachesNothingElseOfTheService(t *testing.T) {
	v := open(t)
	v.signIn()
	for _, call := range []string{"DELETE /api/orders", "GET /api/orders/all", "GET /api/readyz", "GET /api/..%2freadyz", "POST /api/events"} {
		method, path, _ := strings.Cut(call, " ")
		if status, _, _ := v.send(method, path, "", ""); status < 400 || status >= 500 {
			t.Errorf("%s answered %d", call, status)
		}
	}
	if len(v.seen) != 0 {
		t.Errorf("the service has seen %v", v.seen[0].URL)
	}
}
