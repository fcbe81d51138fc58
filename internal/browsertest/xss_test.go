package browsertest

import (
	"embed"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/lanyard-go/lanyard/client/browser"
)

//go:embed testdata/xss
var xssFiles embed.FS

// victim is an application without a content security policy, on the same origin
// as lanyard's endpoints: a script injected into its page runs. The server behind
// is the real one.
type victim struct {
	*site
	app     string      // http://localhost:PORT of the application
	service string      // the same of a service that takes tokens, on an origin of its own
	refuses atomic.Bool // the service takes no notice of the next token, so that a page draws another
}

// newVictim serves /app/NAME, a page that loads the module testdata/xss/NAME.js.
// With ?thief the attacker's script stands before it and has put its hooks in.
func newVictim(t *testing.T) *victim {
	t.Helper()
	v := &victim{site: newSite(t)}
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", v.app)
		h.Set("Access-Control-Allow-Headers", "Authorization")
		if r.Method == http.MethodOptions {
			return
		}
		if s, err := v.srv.Manager().Check(r); err != nil || v.refuses.Swap(false) {
			w.WriteHeader(http.StatusUnauthorized)
		} else {
			fmt.Fprint(w, "orders of ", s.Subject())
		}
	}))
	t.Cleanup(service.Close)
	backend, err := url.Parse(v.url)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/", &httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) { p.SetURL(backend) }})
	mux.Handle("GET /lanyard.js", browser.Handler())
	mux.HandleFunc("GET /app/{name}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, `<!doctype html><title>Shop</title><link rel="icon" href="data:,"><body>`)
		if r.URL.Query().Has("thief") {
			fmt.Fprint(w, `<script src="/thief.js"></script><script>thief.hook()</script>`)
		}
		fmt.Fprintf(w, `<script type="module" src="/%s.js"></script>`, r.PathValue("name"))
	})
	words := strings.NewReplacer("PASSWORD", password, "SERVICE", onLocalhost(service.URL))
	for _, name := range []string{"thief", "thief-sw", "memory", "cookie", "storage"} {
		src := readXSS(t, name+".js")
		mux.HandleFunc("GET /"+name+".js", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
			words.WriteString(w, src)
		})
	}
	app := httptest.NewServer(mux)
	t.Cleanup(app.Close)
	v.app, v.service = onLocalhost(app.URL), onLocalhost(service.URL)
	v.addUser("ada", password, false)
	return v
}

// onLocalhost gives a listener's address the name that cookies are set for.
func onLocalhost(address string) string { return strings.Replace(address, "127.0.0.1", "localhost", 1) }

func readXSS(t *testing.T, name string) string {
	t.Helper()
	b, err := xssFiles.ReadFile("testdata/xss/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// runs opens one of the application's pages and waits until its script has done
// its work.
func (v *victim) runs(b *tab, page string) string {
	b.t.Helper()
	b.open(v.app + "/app/" + page)
	b.until(`!!document.body?.dataset.said`)
	return eval[string](b, `document.body.dataset.said`)
}

// works makes the page do once more what it is for.
func (b *tab) works() {
	b.t.Helper()
	eval[bool](b, `document.body.dataset.said = "", document.dispatchEvent(new Event("call"))`)
	b.until(`document.body.dataset.said !== ""`)
}

// inject puts the attacker's script into a page that has been at work for a
// while, by an element as one slips through a careless innerHTML.
func (b *tab) inject() {
	b.t.Helper()
	eval[bool](b, `new Promise((done, failed) => { const s = document.createElement("script"); s.src = "/thief.js";
		s.onload = () => done(true); s.onerror = failed; document.head.append(s) })`)
}

// readable are all addresses that a script can read with the person's cookie: the
// documented ones and the pages.
func readable(t *testing.T) (paths []string) {
	t.Helper()
	b, err := os.ReadFile("../server/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var api struct {
		Paths map[string]map[string]any `yaml:"paths"`
	}
	if err := yaml.Unmarshal(b, &api); err != nil {
		t.Fatal(err)
	}
	for path, methods := range api.Paths {
		if _, ok := methods["get"]; ok {
			paths = append(paths, path)
		}
	}
	if len(paths) < 15 {
		t.Fatalf("only %d addresses can be read by GET", len(paths))
	}
	paths = append(paths, "/", "/login", "/account", "/signed-out", "/reset", "/console", "/console/users", "/console/keys", "/console/audit", "/console/revocation", "/.well-known/change-password")
	slices.Sort(paths)
	return paths
}

// loot is text that the attacker's script could read, by where.
type loot map[string]string

// look searches every place of the page, and reads every address.
func (b *tab) look(paths []string, modules ...string) loot {
	b.t.Helper()
	args, err := json.Marshal([][]string{append([]string{}, modules...), append([]string{}, paths...)})
	if err != nil {
		b.t.Fatal(err)
	}
	return eval[loot](b, `thief.look(...`+string(args)+`)`)
}

// holds returns the places where a credential is.
func (l loot) holds(credential string) []string {
	var places []string
	for place, text := range l {
		if credential != "" && strings.Contains(text, credential) {
			places = append(places, place)
		}
	}
	slices.Sort(places)
	return places
}

// wantSearched fails unless the script really saw something everywhere it must
// have, so that finding nothing means something.
func (l loot) wantSearched(t *testing.T) {
	t.Helper()
	for place, mark := range map[string]string{
		"globals": "use strict", "the document": "<html", "answers": `"sid"`, "performance entries": "/thief.js", "address, history, name": "http://localhost",
	} {
		if place != "globals" && !strings.Contains(l[place], mark) || len(l[place]) == 0 {
			t.Errorf("the search of %s saw %.200q", place, l[place])
		}
	}
}

// accessToken draws one as the page does, for the test to know what to look for.
func (b *tab) accessToken() string {
	b.t.Helper()
	return eval[string](b, `session.token()`)
}

// The handle is nowhere, whatever the script does and since whenever it listens;
// it is not even in the answer to a login that the script made itself.
//
// req: CLIENT-1
// attack: A5, A6
func TestInjectedScriptNeverReadsTheSessionCookie(t *testing.T) {
	v := newVictim(t)
	paths := readable(t)
	for _, row := range []struct{ name, page string }{
		{"a page with a cookie, injected later", "cookie"},
		{"a page with a cookie, injected before the login", "cookie?thief"},
		{"a page with a token in memory, injected later", "memory"},
		{"a page with a token in memory, injected before", "memory?thief"},
	} {
		t.Run(row.name, func(t *testing.T) {
			b := v.newTab()
			defer b.complaints() // of addresses that are not for this person
			if strings.HasPrefix(row.page, "memory") {
				b.signIn("ada", password)
			}
			said := v.runs(b, row.page)
			if said != "200" && said != "orders of ada" {
				t.Fatalf("the page said %q", said)
			}
			if !strings.Contains(row.page, "thief") {
				b.inject()
				eval[bool](b, `thief.hook(), true`)
			}
			eval[bool](b, `thief.tap("lanyard /v1/"), true`)
			eval[string](b, `thief.worker()`)
			b.works()
			found := b.look(paths, "/lanyard.js", "/"+strings.TrimSuffix(row.page, "?thief")+".js")
			found.wantSearched(t)
			found["the service worker"] = eval[string](b, `thief.workerHeard()`)
			maps.Copy(found, eval[loot](b, `thief.heard()`))
			if !strings.Contains(found["the service worker"], `answer`) || len(found["Response.text"]) == 0 {
				t.Errorf("the hooks heard nothing: %q", slices.Sorted(maps.Keys(found)))
			}
			handle := b.handle()
			if handle == "" {
				t.Fatal("nobody is signed in")
			}
			for _, part := range []string{handle, handle[len(handle)-40:], handle[len(handle)/2:]} {
				if places := found.holds(part); len(places) > 0 {
					t.Errorf("the handle, or a part of it, can be read in %v", places)
				}
			}
		})
	}
}

// In memory a token is out of a search's reach, and not of one who listens: this
// is the whole list of ways that the script above has. The module holds on to the
// fetch it found when it was loaded, so that a script that comes later gets
// nothing by replacing that; the prototypes' methods are everybody's.
//
// req: CLIENT-1
// attack: A5, A7
func TestWaysToATokenInMemory(t *testing.T) {
	v := newVictim(t)
	later := []string{"BroadcastChannel.postMessage", "Headers.set", "JSON.parse", "Map.set", "Promise.then", "Response.text", "the service worker", "the tabs' channel"}
	for page, ways := range map[string][]string{"memory": later, "memory?thief": slices.Insert(slices.Clone(later), 6, "fetch")} {
		t.Run(page, func(t *testing.T) {
			b := v.newTab()
			defer b.complaints()
			b.signIn("ada", password)
			if said := v.runs(b, page); said != "orders of ada" {
				t.Fatalf("the page said %q", said)
			}
			if page == "memory" {
				b.inject()
			}
			// What is there already is found by no search.
			found := b.look(nil, "/lanyard.js", "/memory.js")
			if places := found.holds(b.accessToken()); len(places) > 0 || len(found["globals"]) < 10_000 {
				t.Errorf("the token can be read in %v, after %d characters of globals", places, len(found["globals"]))
			}
			if page == "memory" {
				eval[bool](b, `thief.hook(), true`)
			}
			eval[bool](b, `thief.tap("lanyard /v1/"), true`)
			eval[string](b, `thief.worker()`)
			v.refuses.Store(true)
			b.works()
			if v.refuses.Load() {
				t.Fatal("the page did not call the service")
			}
			heard := eval[loot](b, `thief.heard()`)
			heard["the service worker"] = eval[string](b, `thief.workerHeard()`)
			if got := heard.holds(b.accessToken()); !slices.Equal(got, ways) {
				t.Errorf("the token was heard by %q, want %q", got, ways)
			}
		})
	}
}

// A script in the page can do what the page can: ask for a token itself. What it
// carries off lives for minutes, cannot be exchanged for more, and is dead with
// the session.
//
// req: CLIENT-1
// attack: A7, A8
func TestWhatInjectedScriptTakesAwayDiesWithTheSession(t *testing.T) {
	v := newVictim(t)
	take := func(b *tab) string {
		t.Helper()
		answer := eval[struct {
			Status int    `json:"status"`
			Text   string `json:"text"`
		}](b, `thief.ask("/v1/session/token")`)
		var out struct {
			Access  string `json:"access_token"`
			Refresh string `json:"refresh_token"`
		}
		if err := json.Unmarshal([]byte(answer.Text), &out); err != nil || out.Refresh != "" {
			t.Fatalf("%d %s", answer.Status, answer.Text)
		}
		return out.Access
	}
	b := v.newTab()
	defer b.complaints()
	b.signIn("ada", password)
	v.runs(b, "memory")
	b.inject()

	away := take(b)
	use := func(method, path string, body any) int {
		t.Helper()
		status, _ := v.call(method, path, http.Header{"Authorization": {"Bearer " + away}}, body)
		return status
	}
	if got := use("GET", "/v1/session", nil); got != 200 {
		t.Fatalf("the token taken away: %d, and the rest of this test shows nothing", got)
	}
	// Outside of the page nothing more is to be had for it.
	if got := use("POST", "/v1/session/token", map[string]string{}); got != 400 {
		t.Errorf("another token for the token: %d", got)
	}
	if got := use("POST", "/v1/session/handoff", map[string]string{"channel": "token"}); got != 400 {
		t.Errorf("a hand-off for the token: %d", got)
	}
	v.clock.advance(6 * time.Minute) // the policy's five, and what clocks forgive
	if got := use("GET", "/v1/session", nil); got != 401 {
		t.Errorf("the token minutes later: %d", got)
	}
	away = take(b)
	if got := use("GET", "/v1/session", nil); got != 200 {
		t.Fatalf("the next token: %d", got)
	}
	if !eval[bool](b, `session.signOut()`) {
		t.Error("signing out did not reach the server")
	}
	if got := use("GET", "/v1/session", nil); got != 401 {
		t.Errorf("the token after the person has signed out: %d", got)
	}
	if got := eval[int](b, `thief.ask("/v1/session/token").then((a) => a.status)`); got != 401 {
		t.Errorf("a token for the script after that: %d", got)
	}
	v.wantLive("ada", 0)
}

// The one thing a script in the page can get that outlives it: a session of its
// own, by the hand-off that is meant for the person's phone. It is in the person's
// list of sessions, and ends when they sign out.
//
// attack: A7, A9
func TestSessionHandedOffByInjectedScriptEndsWithThePersons(t *testing.T) {
	v := newVictim(t)
	b := v.newTab()
	defer b.complaints()
	b.signIn("ada", password)
	b.open(v.app + "/app/none")
	b.inject()
	b.complaints() // about the script of that page, which is not there
	refresh := eval[string](b, `(async () => {
		const { text } = await thief.ask("/v1/session/handoff", { channel: "token" });
		const redeemed = await thief.ask("/v1/session/redeem", { code: JSON.parse(text).code, device: "a thief" });
		return JSON.parse(redeemed.text).refresh_token;
	})()`)
	renew := func() (status int, next string) {
		t.Helper()
		res, err := http.PostForm(v.url+"/oauth2/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}, "client_id": {"lanyard"}})
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		var out struct {
			Refresh string `json:"refresh_token"`
		}
		if err := json.NewDecoder(res.Body).Decode(&out); err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, out.Refresh
	}
	status, next := renew()
	if refresh = next; status != http.StatusOK {
		t.Fatalf("the session handed off: %d", status)
	}
	v.wantLive("ada", 2)
	b.open("/account")
	b.says("a thief")
	if got := b.press("Sign out"); got != 200 {
		t.Errorf("signing out: %d", got)
	}
	if status, _ := renew(); status != http.StatusBadRequest {
		t.Errorf("the session handed off, after the sign-out: %d", status)
	}
	v.wantLive("ada", 0)
}

// The other side: the refresh token of a page that stores one is gone at the first
// look, and goes on working when the page and the person are away. The searches
// above would find one.
//
// attack: A5, A8
func TestStoredRefreshTokenIsStolen(t *testing.T) {
	v := newVictim(t)
	b := v.newTab()
	defer b.complaints()
	v.runs(b, "storage")
	b.inject()
	stored := eval[string](b, `localStorage.getItem("refresh_token")`)
	if got := b.look(nil).holds(stored); !slices.Contains(got, "localStorage") {
		t.Fatalf("the search found the refresh token in %q", got)
	}
	b.open("about:blank") // the page is closed
	v.clock.advance(24 * time.Hour)
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {stored}, "client_id": {"lanyard"}}
	res, err := http.PostForm(v.url+"/oauth2/token", form)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Errorf("a day later the stolen token: %d", res.StatusCode)
	}
}
