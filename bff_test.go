package lanyard_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard"
)

// frontend is an application with a BFF before a service, both on real listeners.
type frontend struct {
	*world
	app     *httptest.Server
	service *httptest.Server

	mu   sync.Mutex
	seen []*http.Request // by the service, without bodies
	body []byte          // of the last request
	does http.HandlerFunc
}

// newFrontend makes one whose routes are below /api/. Configure may change what
// the BFF is made of, given the service's address.
func newFrontend(t testing.TB, configure ...func(cfg *lanyard.BFFConfig, service string)) *frontend {
	t.Helper()
	f := &frontend{world: newWorld(t)}
	f.listen(t, configure...)
	return f
}

func (f *frontend) listen(t testing.TB, configure ...func(cfg *lanyard.BFFConfig, service string)) {
	t.Helper()
	f.service = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		f.mu.Lock()
		f.seen, f.body = append(f.seen, r), body
		does := f.does
		f.mu.Unlock()
		if does != nil {
			does(w, r)
			return
		}
		fmt.Fprint(w, "served")
	}))
	t.Cleanup(f.service.Close)
	cfg := lanyard.BFFConfig{Routes: []lanyard.BFFRoute{
		{Path: "/api/", Upstream: f.service.URL + "/v1/", Audience: "orders", Methods: []string{"GET", "HEAD", "POST", "PUT", "DELETE"}},
		{Path: "/api/read/", Upstream: f.service.URL + "/read/", Audience: "billing"},
		{Path: "/me", Upstream: f.service.URL + "/whoami", Audience: "orders"},
		{Path: "/recent/", Upstream: f.service.URL + "/recent/", Audience: "orders", Need: lanyard.Need{MaxAge: time.Minute}},
	}}
	for _, c := range configure {
		c(&cfg, f.service.URL)
	}
	b, err := lanyard.NewBFF(f.Manager, cfg)
	if err != nil {
		t.Fatal(err)
	}
	f.app = httptest.NewServer(f.Handler(b))
	t.Cleanup(f.app.Close)
}

// serve says what the service answers from now on.
func (f *frontend) serve(h http.HandlerFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.does = h
}

// arrived returns what has reached the service since it was last asked.
func (f *frontend) arrived() []*http.Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := f.seen
	f.seen = nil
	return all
}

// ask is a request of a script on the application's own page. The path may be one
// that no client would send by itself.
func (f *frontend) ask(method, path string, g *lanyard.Grant, body io.Reader) *http.Request {
	f.t.Helper()
	r, err := http.NewRequest(method, f.app.URL, body)
	if err != nil {
		f.t.Fatal(err)
	}
	raw, query, _ := strings.Cut(path, "?")
	r.URL.Opaque, r.URL.RawQuery = raw, query
	r.Header.Set("User-Agent", phone)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Sec-Fetch-Mode", "cors")
	r.Header.Set("Sec-Fetch-Dest", "empty")
	if g != nil {
		r.Header.Set("Cookie", f.CookieName()+"="+g.Handle.Reveal())
	}
	return r
}

type answer struct {
	*http.Response
	body string
}

// do sends a request as it stands and follows nothing.
func (f *frontend) do(r *http.Request) answer {
	f.t.Helper()
	res, err := f.app.Client().Transport.RoundTrip(r)
	if err != nil {
		f.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	return answer{res, string(body)}
}

func (f *frontend) get(path string, g *lanyard.Grant) answer {
	f.t.Helper()
	return f.do(f.ask("GET", path, g, nil))
}

// want fails unless the answer has a status and, for refusals, a word.
func (a answer) want(t testing.TB, status int, word string) {
	t.Helper()
	if a.StatusCode != status || !strings.Contains(a.body, word) {
		t.Errorf("answered %d %s, want %d %s", a.StatusCode, a.body, status, word)
	}
}

// req: HTTP-27
func TestBFFPutsAnAccessTokenInTheCookiesPlace(t *testing.T) {
	f := newFrontend(t)
	g := f.startCookie()
	for _, row := range []struct{ path, upstream, audience string }{
		{"/api/orders?page=2", "/v1/orders?page=2", "orders"},
		{"/api/", "/v1/", "orders"},
		{"/api/a%20b/%C3%BC", "/v1/a%20b/%C3%BC", "orders"},
		{"/api/a%3Fb%23c", "/v1/a%3Fb%23c", "orders"},
		{"/api/read/x", "/read/x", "billing"},
		{"/me", "/whoami", "orders"},
	} {
		f.get(row.path, g).want(t, 200, "served")
		seen := f.arrived()
		if len(seen) != 1 || seen[0].RequestURI != row.upstream || seen[0].Host != strings.TrimPrefix(f.service.URL, "http://") {
			t.Fatalf("%s: the service has seen %v", row.path, seen)
		}
		text, ok := strings.CutPrefix(seen[0].Header.Get("Authorization"), "Bearer ")
		if !ok {
			t.Fatalf("%s: Authorization %q", row.path, seen[0].Header["Authorization"])
		}
		s, claims, err := f.CheckAccess(t.Context(), text)
		if err != nil || s.SID() != g.Session.SID() || !slices.Equal(claims.Audience, []string{row.audience}) {
			t.Errorf("%s: the service's token is of %v for %q, %v", row.path, s, claims.Audience, err)
		}
	}
}

// What is not on the list does not arrive: the cookie above all.
//
// req: HTTP-27
func TestBFFPassesOnListedRequestFieldsAlone(t *testing.T) {
	f := newFrontend(t, func(cfg *lanyard.BFFConfig, _ string) { cfg.RequestHeaders = []string{"x-wanted", "x-hop"} })
	g := f.startCookie()
	r := f.ask("POST", "/api/orders", g, strings.NewReader(`{"item":"hat"}`))
	for name, value := range map[string]string{
		"Content-Type": "application/json", "Accept": "text/x", "If-Match": `"a"`, "X-Wanted": "1",
		"X-Hop": "1", "Connection": "x-hop", "Te": "trailers", "Trailer": "X-Late", "Expect": "",
		"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "http", "Forwarded": "for=192.0.2.1",
		"X-Real-Ip": "192.0.2.1", "Via": "1.1 x", "Proxy-Authorization": "Basic x", "X-Http-Method-Override": "DELETE",
		"X-Original-Url": "/admin", "X-Csrf-Token": "x", "Origin": f.app.URL, "Referer": f.app.URL + "/secret", "X-User": "root", "Dpop": "",
	} {
		if value != "" {
			r.Header.Set(name, value)
		}
	}
	f.do(r).want(t, 200, "served")
	seen := f.arrived()[0]
	got := make([]string, 0, len(seen.Header))
	for name := range seen.Header {
		got = append(got, name)
	}
	slices.Sort(got)
	want := []string{"Accept", "Authorization", "Content-Length", "Content-Type", "If-Match", "X-Wanted"}
	if got = slices.DeleteFunc(got, func(n string) bool { return n == "Accept-Encoding" }); !slices.Equal(got, want) {
		t.Errorf("the service has seen %q, want %q", got, want)
	}
	if string(f.body) != `{"item":"hat"}` {
		t.Errorf("the body arrived as %q", f.body)
	}
	// The page's own Authorization is a badge of another kind, which is not taken.
	r = f.ask("GET", "/api/orders", g, nil)
	r.Header.Set("Authorization", "Bearer "+f.startToken().Access.Reveal())
	f.do(r).want(t, 401, "")
	if seen := f.arrived(); len(seen) != 0 {
		t.Error("a token of the page's own reached the service")
	}
}

// req: HTTP-27
func TestBFFPassesOnListedAnswerFieldsAlone(t *testing.T) {
	f := newFrontend(t, func(cfg *lanyard.BFFConfig, _ string) { cfg.ResponseHeaders = []string{"X-Total"} })
	f.serve(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		// An interim answer and trailers are two ways around the list.
		h.Set("Link", "</x>; rel=preload")
		h.Set("Set-Cookie", "early=1")
		w.WriteHeader(http.StatusEarlyHints)
		for name, value := range map[string]string{
			"Content-Type": "application/json", "Etag": `"1"`, "X-Total": "7", "Set-Cookie": "a=b", "Clear-Site-Data": `"*"`,
			"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Credentials": "true", "Www-Authenticate": "Basic realm=x",
			"Cache-Control": "public, max-age=600", "Content-Security-Policy": "default-src *", "Strict-Transport-Security": "max-age=1",
			"Service-Worker-Allowed": "/", "Refresh": "0; url=https://evil.example", "Server": "secret/1.0", "X-Internal": "1",
			"Connection": "x-total-not", "Trailer": "X-Late", "Content-Location": "http://inside/", "X-Content-Type-Options": "none",
		} {
			h.Set(name, value)
		}
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"error":"none"}`)
		h.Set("X-Late", "1")
		h.Set(http.TrailerPrefix+"Set-Cookie", "late=1")
	})
	a := f.get("/api/orders", f.startCookie())
	a.want(t, 404, `{"error":"none"}`)
	want := http.Header{
		"Content-Type": {"application/json"}, "Etag": {`"1"`}, "X-Total": {"7"}, "Date": a.Header["Date"],
		"Cache-Control": {"no-store"}, "X-Content-Type-Options": {"nosniff"}, "Cross-Origin-Resource-Policy": {"same-origin"},
		"Content-Security-Policy": {"default-src 'none'; frame-ancestors 'none'; sandbox"},
	}
	for name := range a.Header {
		if !slices.Equal(a.Header[name], want[name]) {
			t.Errorf("%s: %q, want %q", name, a.Header[name], want[name])
		}
		delete(want, name)
	}
	if len(want) > 0 {
		t.Errorf("the answer lacks %v", want)
	}
	if len(a.Trailer) > 0 {
		t.Errorf("trailers %v", a.Trailer)
	}
}

// Reading is checked too: RFC 10017 section 6.1 wants it of all requests that a
// cookie authenticates, and what a service answers must not become a page.
//
// req: HTTP-27
// attack: C1, C6
func TestBFFAnswersScriptsOfItsOwnOriginAlone(t *testing.T) {
	f := newFrontend(t)
	g := f.startCookie()
	for _, row := range []struct {
		name             string
		site, mode, dest string
		header           string
		status           int
	}{
		{"fetch of the own page", "same-origin", "cors", "empty", "", 200},
		{"an image of the own page", "same-origin", "no-cors", "image", "", 200},
		{"another site's image", "cross-site", "no-cors", "image", "", 403},
		{"a sibling host's script", "same-site", "cors", "empty", "", 403},
		{"the same with a header", "same-site", "cors", "empty", "x", 403},
		{"a link of another site", "cross-site", "navigate", "document", "", 403},
		{"an address typed in", "none", "navigate", "document", "", 403},
		{"an address typed in, in a browser that says less", "none", "", "document", "", 403},
		{"a link of the own page", "same-origin", "navigate", "document", "", 403},
		{"a frame of the own page", "same-origin", "navigate", "iframe", "", 403},
		{"a script tag", "same-origin", "no-cors", "script", "", 403},
		{"a service worker", "same-origin", "same-origin", "serviceworker", "", 403},
		{"a plugin", "same-origin", "no-cors", "object", "", 403},
		{"a websocket by its mode", "same-origin", "websocket", "websocket", "", 403},
		{"no Fetch Metadata", "", "", "", "", 403},
		{"no Fetch Metadata, but the header", "", "", "", "x", 200},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := f.ask("GET", "/api/x", g, nil)
			for name, value := range map[string]string{"Sec-Fetch-Site": row.site, "Sec-Fetch-Mode": row.mode, "Sec-Fetch-Dest": row.dest, "X-Csrf-Token": row.header} {
				if r.Header.Set(name, value); value == "" {
					r.Header.Del(name)
				}
			}
			f.do(r).want(t, row.status, "")
			if seen := f.arrived(); (len(seen) == 1) != (row.status == 200) {
				t.Errorf("the service has seen %d requests", len(seen))
			}
		})
	}
	// Fields that are there twice are none of a browser's.
	r := f.ask("GET", "/api/x", g, nil)
	r.Header.Add("Sec-Fetch-Site", "cross-site")
	f.do(r).want(t, 403, "cross_origin")
	// The check of unsafe requests by the manager stands before.
	r = f.ask("POST", "/api/x", g, nil)
	r.Header.Del("Sec-Fetch-Site")
	r.Header.Set("X-Csrf-Token", "wrong")
	f.do(r).want(t, 403, "cross_origin")
	if seen := f.arrived(); len(seen) != 0 {
		t.Errorf("the service has seen %d requests", len(seen))
	}
}

func TestBFFNeedsALiveSessionAndTheRoutesNeed(t *testing.T) {
	f := newFrontend(t)
	f.get("/api/x", nil).want(t, 401, "unauthorized")
	g := f.startCookie()
	f.get("/recent/x", g).want(t, 200, "")
	f.clock.advance(2 * time.Minute)
	a := f.get("/recent/x", g)
	a.want(t, 401, "insufficient_user_authentication")
	f.get("/api/x", g).want(t, 200, "")
	f.arrived()
	f.end(g.Session.SID())
	f.get("/api/x", g).want(t, 401, "")
	if seen := f.arrived(); len(seen) != 0 {
		t.Error("an ended session reached the service")
	}
}

func TestBFFRefusesToWorkWithoutItsManagersHandler(t *testing.T) {
	f := newFrontend(t)
	b, err := lanyard.NewBFF(f.Manager, lanyard.BFFConfig{Routes: []lanyard.BFFRoute{{Path: "/api/", Upstream: f.service.URL + "/", Audience: "orders"}}})
	if err != nil {
		t.Fatal(err)
	}
	g := f.startCookie()
	other := newWorld(t)
	for name, h := range map[string]http.Handler{"none": b, "another manager's": other.Handler(b)} {
		w := httptest.NewRecorder()
		r := get("/api/x")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		h.ServeHTTP(w, f.withCookie(r, g.Handle.Reveal()))
		if w.Code != 500 || !strings.Contains(f.logs.String(), "outside of its manager's Handler") {
			t.Errorf("%s: %d, log %s", name, w.Code, f.logs)
		}
	}
	if len(f.arrived()) != 0 {
		t.Error("the service was reached")
	}
}

// req: HTTP-27
func TestBFFChangesNoProtocol(t *testing.T) {
	f := newFrontend(t)
	g := f.startCookie()
	r := f.withCookie(get("/api/socket"), g.Handle.Reveal())
	for name, value := range map[string]string{"Connection": "Upgrade", "Upgrade": "websocket", "Origin": site, "Sec-Fetch-Site": "same-origin"} {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	f.app.Config.Handler.ServeHTTP(w, r)
	if w.Code != 501 || !strings.Contains(w.Body.String(), "no_upgrade") {
		t.Errorf("a handshake: %d %s", w.Code, w.Body)
	}
	if len(f.arrived()) != 0 {
		t.Error("the handshake reached the service")
	}
	// A service that changes it on its own.
	f.serve(func(w http.ResponseWriter, r *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\nSet-Cookie: a=b\r\n\r\nhello")
		rw.Flush()
	})
	a := f.get("/api/x", g)
	a.want(t, 502, "bad_gateway")
	if a.Header.Get("Set-Cookie") != "" {
		t.Error("its fields came through")
	}
}

func TestBFFLimitsBodies(t *testing.T) {
	f := newFrontend(t, func(cfg *lanyard.BFFConfig, _ string) { cfg.MaxBody = 1000 })
	g := f.startCookie()
	for _, row := range []struct {
		name   string
		body   io.Reader
		status int
	}{
		{"as long as may be", bytes.NewReader(make([]byte, 1000)), 200},
		{"a byte more", bytes.NewReader(make([]byte, 1001)), 413},
		{"of unknown length, as long as may be", io.MultiReader(bytes.NewReader(make([]byte, 1000))), 200},
		{"of unknown length, far too long", io.MultiReader(bytes.NewReader(make([]byte, 300_000))), 413},
	} {
		t.Run(row.name, func(t *testing.T) {
			f.do(f.ask("POST", "/api/x", g, row.body)).want(t, row.status, "")
		})
	}
}

// Nothing of what went wrong between the servers is told outside.
func TestBFFSaysLittleOfFailures(t *testing.T) {
	gone := httptest.NewServer(nil)
	gone.Close()
	f := newFrontend(t, func(cfg *lanyard.BFFConfig, service string) {
		cfg.Timeout = 50 * time.Millisecond
		cfg.Routes = append(cfg.Routes, lanyard.BFFRoute{Path: "/gone/", Upstream: gone.URL + "/", Audience: "orders"})
	})
	g := f.startCookie()
	f.get("/gone/x", g).want(t, 502, "bad_gateway")
	for name, row := range map[string]struct {
		does   http.HandlerFunc
		status int
		word   string
	}{
		"breaks off": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 502, "bad_gateway"},
		"is slow":    {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, 504, "gateway_timeout"},
		"wants a proxy's credentials": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Proxy-Authenticate", "Basic")
			w.WriteHeader(407)
		}, 502, "bad_gateway"},
		"its own trouble": {func(w http.ResponseWriter, r *http.Request) {
			http.Error(w, "its own words", http.StatusServiceUnavailable)
		}, 503, "its own words"},
	} {
		f.serve(row.does)
		a := f.get("/api/x?q=private", g)
		a.want(t, row.status, row.word)
		if strings.Contains(a.body, "127.0.0.1") || strings.Contains(a.body, "dial") {
			t.Errorf("%s: %s", name, a.body)
		}
	}
	if log := f.logs.String(); !strings.Contains(log, "refused") || strings.Contains(log, "private") || strings.Contains(log, "eyJ") {
		t.Errorf("the operator's log: %s", log)
	}
	f.store.arm(func(string, int) error { return errEngine })
	f.get("/api/x", g).want(t, 503, "temporarily_unavailable")
}

func TestBFFSaysWhatAServicesRefusalMeans(t *testing.T) {
	f := newFrontend(t)
	g := f.startCookie()
	challenge := ""
	f.serve(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("WWW-Authenticate", challenge)
		w.WriteHeader(401)
	})
	for _, row := range []struct {
		name, challenge string
		status          int
		want            string // the challenge passed on
	}{
		{"a recent login", `Bearer error="insufficient_user_authentication", error_description="x", max_age="300"`, 401, `Bearer error="insufficient_user_authentication", error_description="A more recent sign-in is needed", max_age="300"`},
		{"a recent login, bare", `bearer error=insufficient_user_authentication,max_age=0`, 401, `Bearer error="insufficient_user_authentication", error_description="A more recent sign-in is needed", max_age="0"`},
		{"a stronger login", `Bearer error="insufficient_user_authentication", acr_values="aal2 aal3"`, 401, `Bearer error="insufficient_user_authentication", error_description="A stronger sign-in is needed", acr_values="aal2 aal3"`},
		{"the token of a live session", `Bearer error="invalid_token"`, 502, ""},
		{"a window of the browser", `Basic realm="x"`, 502, ""},
		{"nothing", "", 502, ""},
		{"broken", `Bearer error="insufficient_user_authentication`, 502, ""},
		{"without a number", `Bearer error="insufficient_user_authentication", max_age="soon"`, 502, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			challenge = row.challenge
			a := f.get("/api/x", g)
			if a.StatusCode != row.status || a.Header.Get("WWW-Authenticate") != row.want {
				t.Errorf("answered %d, %q", a.StatusCode, a.Header["Www-Authenticate"])
			}
		})
	}
	f.serve(func(w http.ResponseWriter, r *http.Request) {
		f.end(g.Session.SID()) // the service hears of it before this request is over
		w.WriteHeader(401)
	})
	f.get("/api/x", g).want(t, 401, "invalid_token")
}
