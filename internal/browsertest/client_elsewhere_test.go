package browsertest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard/internal/server"
)

// What leads elsewhere is refused by the module, not by the page's policy, which
// permits the foreign origin. The service is of the same site as the page, so the
// browser would send it the cookie.
//
// req: CLIENT-1, CLIENT-7
func TestTokensAndCookiesStayWhereTheyBelong(t *testing.T) {
	o := newOrigin(t)
	b := o.openPages(1, 0)[0]
	if got := eval[int](b, `tab.orders()`); got != 200 {
		t.Fatalf("the service answered %d", got)
	}
	for _, c := range []struct{ name, call string }{
		{"a redirect of the service", `tab.session.fetch(tab.service + "/away")`},
		{"the same with other wishes of the page", `tab.session.fetch(tab.service + "/away", { redirect: "follow", mode: "no-cors", credentials: "include" })`},
		{"the same with a Request", `tab.session.fetch(new Request(tab.service + "/away", { redirect: "follow", credentials: "include" }))`},
		{"a redirect of the page's own origin", `tab.session.fetch("/app/away")`},
		{"an origin that is not listed", fmt.Sprintf(`tab.session.fetch(%q)`, o.foreign+"/asked")},
		{"the service as a name before the host", fmt.Sprintf(`tab.session.fetch(tab.service + "@" + %q)`, o.foreign[len("http://"):]+"/asked")},
	} {
		got := eval[string](b, c.call+`.then((r) => "an answer " + r.type + r.status, (e) => e.name)`)
		if got != "TypeError" {
			t.Errorf("%s: %s, want an error", c.name, got)
		}
	}
	if got := count(o, func() []string { return o.foreigns }); len(got) != 0 {
		t.Errorf("the foreign origin got %q", got)
	}
	// The browser says itself that it did not follow.
	for _, p := range b.complaints() {
		if !strings.HasPrefix(p, "network:") && !strings.Contains(p, "Unsafe attempt to load URL "+o.foreign+"/from-the-s") {
			t.Error("the page complains:", p)
		}
	}
	// The page itself could reach it, so it was not its policy.
	if got := eval[int](b, fmt.Sprintf(`fetch(%q).then((r) => r.status)`, o.foreign+"/plain")); got != 200 {
		t.Errorf("the foreign origin answers %d", got)
	}
	if n, m := count(o, func() int { return o.cookies }), count(o, func() int { return o.bearers }); n != 0 || m == 0 {
		t.Errorf("the service got %d cookies and %d tokens", n, m)
	}
	if got := eval[string](b, `indexedDB.databases().then((d) => d.length + localStorage.length + sessionStorage.length + document.cookie)`); got != "0" {
		t.Errorf("something is stored: %s", got)
	}
}

// In the profile that demands a token against forgery for each unsafe request, and
// with the machine's clock ten minutes behind, all is the same.
//
// req: CLIENT-8
func TestSigningOutUnderTheStrictProfileIsToldOnceAlthoughItsAnswerIsLost(t *testing.T) {
	o := newOrigin(t, func(c *server.Config) { c.Profile = "strict" })
	pages := o.openPages(3, -10*time.Minute)
	o.everybody(pages, "before", false)
	o.mu.Lock()
	o.drop = "/v1/session/token"
	o.mu.Unlock()
	o.everybody(pages, "with a lost answer", false)
	if n := count(o, func() int { return o.drawn }); n != 1 {
		t.Errorf("%d tokens arrived, want 1", n)
	}
	o.mu.Lock()
	o.drop = "/v1/logout"
	o.mu.Unlock()
	at := eval[float64](pages[2], `(() => { const at = clock.real(); tab.session.signOut(); return at })()`)
	o.wantOut(t, pages, at)
	o.wantOneLogout(t, pages)
}
