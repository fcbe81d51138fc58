package browsertest

import (
	"context"
	"database/sql"
	"fmt"
	"html/template"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/security"
	"github.com/chromedp/chromedp"

	"github.com/lanyard-go/lanyard/internal/server"
)

// The site and its neighbour. Both are hosts of shop.test, so that each can set
// cookies for the other.
const (
	shopHost      = "app.shop.test"
	neighbourHost = "evil.shop.test"
)

// newShop serves over TLS under a name that has neighbours.
func newShop(t *testing.T, cookieName string) *site {
	t.Helper()
	needChromium(t)
	l, err := server.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := strings.Cut(l.Addr().String(), ":")
	s := &site{t: t, url: "https://" + shopHost + ":" + port, clock: &clock{at: time.Now().Truncate(time.Second)}}
	cfg := server.Config{
		Listen: "127.0.0.1:0", Data: t.TempDir(), Store: "sqlite", Profile: "standard", RevocationBound: 2 * time.Second,
		ServiceName: "Shop", PasswordMinLength: 15, LogLevel: "info", LogFormat: "text", ShutdownTimeout: 10 * time.Second,
		Issuer: s.url, TLSSelfSigned: true, CookieName: cookieName,
	}
	out := &logs{}
	drivers := server.Drivers{SQLite: func(dsn string) (*sql.DB, error) { return sql.Open("sqlite", dsn) }}
	s.srv, err = server.Open(t.Context(), cfg, server.Options{Drivers: drivers, Logs: out, Now: s.clock.now, Addr: l.Addr()})
	if err != nil {
		l.Close()
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ready, done := make(chan struct{}), make(chan error, 1)
	go func() { done <- s.srv.Serve(ctx, l, func() { close(ready) }) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error("serving:", err)
		}
		if err := s.srv.Close(); err != nil {
			t.Error("closing:", err)
		}
		if t.Failed() {
			t.Logf("the server's log:\n%s", out)
		}
	})
	<-ready
	return s
}

// shopTab opens a window that takes the test's certificates.
func (s *site) shopTab() *tab {
	s.t.Helper()
	b := s.newTab()
	if _, err := chromedp.Call(b.ctx, security.SetIgnoreCertificateErrors, security.SetIgnoreCertificateErrorsParams{Ignore: true}); err != nil {
		s.t.Fatal(err)
	}
	return b
}

// neighbour serves a page that sets cookies as their lines say, and has a form
// that posts to an address of the shop. It returns the page's address.
func (s *site) neighbour(action string, lines ...string) string {
	s.t.Helper()
	page := template.Must(template.New("").Parse(`<!doctype html><title>Next door</title><form method="post" action="{{.}}"><button>Take it</button></form>`))
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header()["Set-Cookie"] = lines
		page.Execute(w, s.url+action)
	}))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0) // of the certificate, at first
	srv.StartTLS()
	s.t.Cleanup(srv.Close)
	_, port, _ := strings.Cut(srv.Listener.Addr().String(), ":")
	return "https://" + neighbourHost + ":" + port + "/"
}

// eventually waits for what the browser does beside the page.
func eventually(is func() bool) bool {
	for deadline := time.Now().Add(patience); !is(); {
		if time.Now().After(deadline) {
			return false
		}
		<-time.After(20 * time.Millisecond)
	}
	return true
}

// named are all cookies that the browser would send to the account page, of one
// name.
func (b *tab) named(name string) (out []*network.Cookie) {
	b.t.Helper()
	res, err := chromedp.Call(b.ctx, network.GetCookies, network.GetCookiesParams{URLs: []string{b.site.url + "/account"}})
	if err != nil {
		b.t.Fatal(err)
	}
	for _, c := range res.Cookies {
		if c.Name == name {
			out = append(out, c)
		}
	}
	return out
}

// Whatever a neighbour plants to be taken for the session cookie, or to stand in
// its way, the person is on their account page with one click, and what was
// planted is gone. Under the default name most of it is not even stored.
//
// req: COOKIE-10, COOKIE-11
// attack: B2, B3, B4, B5
func TestCookiesThatANeighbourPlantsAreGoneAfterOneRequest(t *testing.T) {
	const blank = "\u2003"
	for name, rows := range map[string][]struct {
		why, line string
		stored    string // the name under which the browser keeps it; empty for not at all
	}{
		cookieName: {
			{"a toss", cookieName + "=planted; Domain=shop.test; Path=/; Secure; HttpOnly", ""},
			{"a toss in capitals", strings.ToUpper(cookieName) + "=planted; Domain=shop.test; Path=/; Secure; HttpOnly", ""},
			{"a nameless cookie", "=" + cookieName + "=planted; Domain=shop.test; Path=/; Secure", ""},
			{"a blank beyond ASCII before the name", blank + cookieName + "=planted; Domain=shop.test; Path=/; Secure", blank + cookieName},
			{"the same in a partition", blank + cookieName + "=planted; Domain=shop.test; Path=/; Secure; Partitioned", blank + cookieName},
			{"the same for one path", blank + cookieName + "=planted; Domain=shop.test; Path=/account; Secure", blank + cookieName},
			{"a blank beyond ASCII behind the name", cookieName + blank + "=planted; Domain=shop.test; Path=/account; Secure", ""},
			{"a sandwich of RFC 2965", "$Version=planted; Domain=shop.test; Path=/; Secure", "$Version"},
		},
		"id": {
			{"a toss", "id=planted; Domain=shop.test; Path=/; Secure", "id"},
			{"a toss that is sent first", "id=planted; Domain=shop.test; Path=/account; Secure", "id"},
			{"a toss into a partition", "id=planted; Domain=shop.test; Path=/; Secure; SameSite=None; Partitioned", "id"},
			{"a nameless cookie", "=id=planted; Domain=shop.test; Path=/; Secure", ""},
		},
	} {
		s := newShop(t, name)
		s.addUser("ada", password, false)
		b := s.shopTab()
		b.signIn("ada", password)
		handle := b.named(name)[0].Value
		for _, row := range rows {
			t.Run(name+", "+row.why, func(t *testing.T) {
				b.t = t
				planted := func() (n int) {
					for _, c := range b.named(row.stored) {
						if strings.Contains(c.Value, "planted") {
							n++
						}
					}
					return n
				}
				b.open(s.neighbour("/logout", row.line))
				b.until(`document.title === "Next door"`)
				if row.stored != "" && !eventually(func() bool { return planted() == 1 }) || row.stored == "" && planted() != 0 {
					t.Fatalf("the browser keeps %d of what is planted; it has changed its ways", planted())
				}
				if got := b.open("/account"); got != 200 {
					t.Errorf("the account page: %d", got)
				}
				b.open("/account")
				b.at("/account")
				b.says("ada")
				if !eventually(func() bool { return planted() == 0 }) {
					t.Error("what was planted is still there")
				}
				if left := b.named(name); len(left) != 1 || left[0].Value != handle {
					t.Errorf("the session cookie is now %v", left)
				}
			})
		}
		b.t = t
	}
}

// A neighbour fills the browser with cookies until no request with them is read.
// The page that the person gets says so and has the way out, and no setting of
// the browser has to be found.
//
// req: COOKIE-21
// attack: B6
func TestAPersonGetsOutOfACookieBomb(t *testing.T) {
	for name, size := range map[string]int{"of a few large ones": 4000, "of as many as there may be": 10} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t, "")
			s.addUser("ada", password, false)
			b := s.shopTab()
			b.signIn("ada", password)
			var bomb []string
			for i := range 170 {
				bomb = append(bomb, fmt.Sprintf("bomb%d=%s; Domain=shop.test; Path=/; Secure; Max-Age=86400", i, strings.Repeat("x", size)))
			}
			for _, part := range [][]string{bomb[:60], bomb[60:120], bomb[120:]} { // a browser takes 256 KiB of header
				b.open(s.neighbour("/logout", part...))
				b.until(`document.title === "Next door"`)
			}
			if got := b.open("/account"); got != 431 {
				t.Fatalf("the account page: %d at %s", got, b.path())
			}
			b.says("Too many cookies", "neighbouring sites")
			b.silentAbout("header", "431 Request")
			b.inspect("too-many-cookies")
			if got := b.press("Remove these cookies"); got != 200 {
				t.Errorf("removing them: %d", got)
			}
			b.at("/signed-out")
			if !eventually(func() bool { return len(b.named("bomb100")) == 0 }) {
				t.Error("the bomb is still there")
			}
			b.signIn("ada", password)
			b.says("ada")
		})
	}
}

// A neighbour's form is refused with a page that says what became of it, and
// keeps the words for developers folded away.
//
// req: CSRF-17
func TestAPersonWhoseClickWasNotTheirsIsToldCalmly(t *testing.T) {
	s := newShop(t, "")
	s.addUser("ada", password, false)
	b := s.shopTab()
	b.signIn("ada", password)
	b.open(s.neighbour("/account/sessions/end-others"))
	if got := b.press("Take it"); got != 403 {
		t.Fatalf("the neighbour's form: %d at %s", got, b.path())
	}
	b.says("Nothing was changed", "Go to")
	b.silentAbout("Sec-Fetch-Site")
	b.inspect("refused-form")
	b.click("For developers")
	b.says("The header Sec-Fetch-Site says that a page of a neighbouring host sent this request.")
	b.inspect("refused-form-developers")
	s.wantLive("ada", 1)
}
