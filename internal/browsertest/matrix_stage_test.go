package browsertest

import (
	"bytes"
	"context"
	"crypto/tls"
	"database/sql"
	"encoding/json"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/api"
	"github.com/lanyard-go/lanyard/internal/server"
)

// The sites of these tests. The second and the third share nothing with the one
// that is attacked; the sibling is of the same site, so that browsers send it
// every cookie, whatever its SameSite says.
const (
	victimHost  = "id.shop.test"
	siblingHost = "blog.shop.test"
	secondHost  = "evil.test"
	thirdHost   = "hop.test"
)

func quiet() *log.Logger { return log.New(io.Discard, "", 0) }

// stage is a server behind a proxy of the test's own, with a person signed in by
// the browser, and a page of an attacker.
type stage struct {
	*site
	front   *front
	journal *journal
	browser context.Context
	targets []target
	values  values
	victim  *lanyard.Session // the session of the browser
}

// newStage starts a server with a profile. Ada, an administrator, bob and
// mallory are its users.
func newStage(t *testing.T, browser context.Context, conf *tls.Config, profile string) *stage {
	t.Helper()
	outer, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	inner, err := server.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(outer.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{
		site:    &site{t: t, url: "https://" + victimHost + ":" + port, clock: &clock{at: time.Now().Truncate(time.Second)}},
		journal: &journal{}, browser: browser, targets: targets,
	}
	s.front = &front{t: t, backend: inner.Addr().String(), cookie: cookieName, seen: map[string]chan struct{}{}}
	cfg := server.Config{
		Listen: "127.0.0.1:0", Data: t.TempDir(), Store: "memory:", Profile: profile, RevocationBound: 2 * time.Second,
		Issuer: s.url, TrustedProxies: []string{"127.0.0.1"},
		ServiceName: "lanyard", PasswordMinLength: 15, LogLevel: "info", LogFormat: "json", ShutdownTimeout: 10 * time.Second,
	}
	drivers := server.Drivers{SQLite: func(dsn string) (*sql.DB, error) { return sql.Open("sqlite", dsn) }}
	s.srv, err = server.Open(t.Context(), cfg, server.Options{Drivers: drivers, Logs: s.journal, Now: s.clock.now, Addr: inner.Addr()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ready, done := make(chan struct{}), make(chan error, 1)
	go func() { done <- s.srv.Serve(ctx, inner, func() { close(ready) }) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error("serving:", err)
		}
		if err := s.srv.Close(); err != nil {
			t.Error("closing:", err)
		}
		list, _ := s.journal.since(0)
		for _, e := range list {
			if e.Level == "ERROR" && e.Event == "" {
				t.Error("the server failed:", e.Msg)
			}
		}
	})
	select {
	case <-ready:
	case err := <-done:
		done <- err
		t.Fatal("the server stopped at the start:", err)
	}
	serveTLS(t, outer, conf, s.front)
	for name, admin := range map[string]bool{"ada": true, "bob": false, "mallory": false} {
		s.addUser(name, word, admin)
	}
	return s
}

// openTab is a window with cookies of its own.
func (s *stage) openTab() *tab {
	s.t.Helper()
	b := &tab{t: s.t, site: s.site}
	ctx, cancel := chromedp.NewContext(s.browser, chromedp.WithNewBrowserContext())
	b.ctx = ctx
	s.t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		s.t.Fatal("opening a window:", err)
	}
	return b
}

// signInHere signs ada in with the window, as she does it herself, and makes the
// things that attacks are about.
func (s *stage) signInHere(b *tab) {
	s.t.Helper()
	b.signIn("ada", word)
	for _, v := range s.live("ada") {
		s.victim = v
	}
	if s.victim == nil || b.handle() == "" {
		s.t.Fatal("ada is not signed in")
	}
	s.values = s.fresh("client", targets...)
}

// fresh makes another of everything that one of the requests is about.
func (s *stage) fresh(client string, about ...target) values {
	s.t.Helper()
	needs := func(name string) bool {
		return slices.ContainsFunc(about, func(x target) bool {
			return strings.Contains(x.pattern, "{"+name+"}") || strings.Contains(x.json+x.form, "$"+name)
		})
	}
	v := values{"name": "bob", "new": "added-" + client, "id": client}
	if needs("sid") {
		v["sid"] = s.start("ada", lanyard.ChannelToken).Session.SID().String()
	}
	if needs("code") {
		code, _, err := s.srv.Manager().Handoff(s.t.Context(), s.start("mallory", lanyard.ChannelCookie).Session, lanyard.Handoff{Channel: lanyard.ChannelCookie, Keep: true})
		if err != nil {
			s.t.Fatal(err)
		}
		v["code"] = code.Reveal()
	}
	if needs("kid") {
		var key api.Key
		s.local("POST", "/v1/admin/keys/rotate", nil, &key)
		v["kid"] = key.KID
	}
	if needs("id") {
		s.local("POST", "/v1/admin/clients", api.OAuthClient{ID: client}, nil)
	}
	if needs("reset") {
		v["reset"] = s.resetCode("bob")
	}
	return v
}

func (s *stage) resetCode(name string) string {
	s.t.Helper()
	var added api.UserAdded
	s.local("POST", "/v1/admin/users/"+name+"/reset", nil, &added)
	_, code, _ := strings.Cut(added.ResetURL, "#")
	return code
}

// start makes a session without a browser.
func (s *stage) start(name string, channel lanyard.Channel) *lanyard.Grant {
	s.t.Helper()
	g, err := s.srv.Manager().Start(s.t.Context(), lanyard.Login{Subject: name, Methods: []string{"pwd"}, Class: "aal1", Channel: channel})
	if err != nil {
		s.t.Fatal(err)
	}
	return g
}

// local asks as the owner of the data directory.
func (s *stage) local(method, path string, in, out any) {
	s.t.Helper()
	var body bytes.Buffer
	if in != nil {
		if err := json.NewEncoder(&body).Encode(in); err != nil {
			s.t.Fatal(err)
		}
	}
	r := httptest.NewRequest(method, path, &body)
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	s.srv.LocalHandler().ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		s.t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
	}
	if out != nil {
		if err := json.Unmarshal(w.Body.Bytes(), out); err != nil {
			s.t.Fatal(err)
		}
	}
}

// state is everything that a request could have changed, for comparison.
func (s *stage) state() map[string]string {
	s.t.Helper()
	out := map[string]string{}
	for _, path := range []string{"/v1/admin/users", "/v1/admin/keys", "/v1/admin/clients"} {
		var any json.RawMessage
		s.local("GET", path, nil, &any)
		out[path] = string(any)
	}
	for q := (lanyard.Query{Limit: 1000}); ; {
		list, next, err := s.srv.Manager().List(s.t.Context(), q)
		if err != nil {
			s.t.Fatal(err)
		}
		for _, v := range list {
			data, version, err := s.srv.Manager().Data(s.t.Context(), v)
			if err != nil {
				data, version = nil, err.Error()
			}
			text, err := json.Marshal([]any{v.Subject(), v.Generation(), v.AuthTime(), v.EndReason(), v.Methods(), string(data), version})
			if err != nil {
				s.t.Fatal(err)
			}
			out["session "+v.SID().String()] = string(text)
		}
		if q.After = next; next == "" {
			return out
		}
	}
}

// differences between two states, in words.
func differences(before, after map[string]string) (out []string) {
	for name, text := range after {
		if before[name] != text {
			out = append(out, name+" is now "+text)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(before)) {
		if _, ok := after[name]; !ok {
			out = append(out, name+" is gone")
		}
	}
	return out
}

// jar is what the browser keeps for the site, by name.
func (s *stage) jar(b *tab) map[string]string {
	s.t.Helper()
	res, err := chromedp.Call(b.ctx, network.GetCookies, network.GetCookiesParams{URLs: []string{s.url}})
	if err != nil {
		s.t.Fatal(err)
	}
	out := map[string]string{}
	for _, c := range res.Cookies {
		out[c.Name] = c.Value
	}
	return out
}
