package lanyard_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/audit"
	"github.com/lanyard-go/lanyard/store/sqlite"
)

// Two credentials in one request are not weighed against each other, not even
// when one of them is good or both are the same.
//
// req: JWT-26
func TestMoreThanOneCredentialIsABadRequest(t *testing.T) {
	w := newWorld(t)
	g, other, cookie := w.startToken(), w.startToken(), w.startCookie()
	good := "Bearer " + g.Access.Reveal()
	for name, r := range map[string]*http.Request{
		"the same token twice":        headers(get("/"), "Authorization", good, good),
		"two tokens":                  headers(get("/"), "Authorization", good, "Bearer "+other.Access.Reveal()),
		"a bad one first":             headers(get("/"), "Authorization", "Bearer x", good),
		"a bad one behind":            headers(get("/"), "Authorization", good, "Bearer x"),
		"an empty one behind":         headers(get("/"), "Authorization", good, ""),
		"another scheme before":       headers(get("/"), "Authorization", "Basic eDp5", good),
		"DPoP and Bearer":             headers(get("/"), "Authorization", "DPoP "+g.Access.Reveal(), good),
		"Bearer with a proof":         headers(bearer(get("/"), g.Access.Reveal()), "Dpop", "proof"),
		"Bearer with an empty proof":  headers(bearer(get("/"), g.Access.Reveal()), "Dpop", ""),
		"two tokens beside a cookie":  w.withCookie(headers(get("/"), "Authorization", good, good), cookie.Handle.Reveal()),
		"two tokens that change data": headers(post("/"), "Authorization", good, good),
		"two tokens beside a form":    headers(form(post("/"), "access_token="+g.Access.Reveal()), "Authorization", good, good),
	} {
		s := w.sendNeed(r, lanyard.Need{})
		if s.ran || s.answer.Code != http.StatusBadRequest || !strings.Contains(s.answer.Body.String(), `"invalid_request"`) {
			t.Errorf("%s: ran %v, %d %s", name, s.ran, s.answer.Code, s.answer.Body)
		}
	}
	// A form is no place for a token: beside a header it adds and spoils nothing.
	if s := w.sendNeed(bearer(form(post("/"), "access_token="+other.Access.Reveal()), g.Access.Reveal()), lanyard.Need{}); !s.ran || s.session.SID() != g.Session.SID() {
		t.Errorf("a form beside a header: ran %v, %d", s.ran, s.answer.Code)
	}
}

func headers(r *http.Request, name string, values ...string) *http.Request {
	r.Header[name] = values
	return r
}

// An authentication of which nothing is known counts as the weakest, made when it
// was reported at the latest: no route that asks for more takes it.
//
// req: LOGIN-22
func TestALoginThatSaysNothingCountsAsTheWeakest(t *testing.T) {
	w := newWorld(t)
	start := func(l lanyard.Login) *lanyard.Grant {
		l.Methods = []string{"federated"}
		return w.start(l)
	}
	bare := start(lanyard.Login{})
	ahead := start(lanyard.Login{AuthTime: w.clock.Now().Add(time.Hour)})
	old := start(lanyard.Login{AuthTime: w.clock.Now().Add(-time.Hour)})
	for name, g := range map[string]*lanyard.Grant{"none": bare, "in the future": ahead} {
		if got := g.Session.AuthTime(); !got.Equal(w.clock.Now()) || g.Session.Class() != "" {
			t.Errorf("time %s: authenticated at %v with class %q", name, got, g.Session.Class())
		}
	}
	sent := func(g *lanyard.Grant, need lanyard.Need) lanyard.Cause {
		return lanyard.CauseOf(g.Session.Meets(need))
	}
	for _, need := range []lanyard.Need{{Classes: []string{"aal1"}}, {Classes: []string{"aal2", "aal3"}}, {Methods: []string{"otp"}}, {Methods: []string{"mfa"}}, {Classes: []string{"aal1"}, MaxAge: time.Hour}} {
		if got := sent(bare, need); got != lanyard.CauseWeak {
			t.Errorf("%+v: %q", need, got)
		}
		s := w.sendNeed(w.withCookie(get("/"), bare.Handle.Reveal()), need)
		if s.ran || s.answer.Code != http.StatusUnauthorized || !strings.Contains(s.answer.Body.String(), "insufficient_user_authentication") {
			t.Errorf("%+v: ran %v, %d %s", need, s.ran, s.answer.Code, s.answer.Body)
		}
	}
	recent := lanyard.Need{MaxAge: lanyard.RecentAuth}
	if got := sent(old, recent); got != lanyard.CauseStale {
		t.Errorf("an authentication of an hour ago: %q", got)
	}
	w.clock.advance(10 * time.Minute)
	for name, g := range map[string]*lanyard.Grant{"none": bare, "in the future": ahead} {
		if s := w.sendNeed(w.withCookie(get("/"), g.Handle.Reveal()), recent); s.ran {
			t.Errorf("time %s: it is recent after ten minutes", name)
		}
	}
}

// rows counts what a SQLite store holds.
func rows(t *testing.T, db *sql.DB, table string) (n int) {
	t.Helper()
	if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM "+table).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func sqliteWorld(t *testing.T, cfg sqlite.Config, configure ...func(*lanyard.Config)) (*world, *sql.DB) {
	t.Helper()
	db, err := sql.Open("sqlite", sqlite.DSN(filepath.Join(t.TempDir(), "sessions.db")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	s, err := sqlite.New(t.Context(), db, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return newWorldOn(t, s, newClock(), configure...), db
}

// What is over is kept for a day, so that old credentials are still known for
// what they are, and then nothing is left of it.
//
// req: STORE-12
func TestWhatIsOverGoesOnItsSchedule(t *testing.T) {
	w, db := sqliteWorld(t, sqlite.Config{})
	prune := func() {
		t.Helper()
		if err := w.Prune(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	g := w.startToken()
	w.mustRenew(g.Refresh.Reveal()) // uses it up
	w.handoff(g, lanyard.ChannelCookie, true)
	alone := w.startCookie()
	w.end(g.Session.SID())
	w.end(alone.Session.SID())
	if rows(t, db, "sessions") != 3 || rows(t, db, "session_once") == 0 || rows(t, db, "session_feed") == 0 {
		t.Fatalf("%d records, %d keys, %d entries", rows(t, db, "sessions"), rows(t, db, "session_once"), rows(t, db, "session_feed"))
	}
	w.clock.advance(24*time.Hour - time.Second)
	prune()
	// Tokens and codes have been over for long; records are still known.
	if n, m := rows(t, db, "session_once"), rows(t, db, "session_feed"); n != 0 || m != 0 {
		t.Errorf("%d keys and %d entries are left", n, m)
	}
	if n := rows(t, db, "sessions"); n != 3 {
		t.Errorf("%d of 3 records are left", n)
	}
	w.events.take()
	_, err := w.renew(g.Refresh.Reveal())
	wantCause(t, err, lanyard.CauseEnded)
	wantNames(t, w.events.take(), "session_used_after_end:ended")
	w.clock.advance(time.Second)
	prune()
	if n := rows(t, db, "sessions"); n != 0 {
		t.Errorf("%d records are left a day later", n)
	}
	_, err = w.renew(g.Refresh.Reveal())
	wantCause(t, err, lanyard.CauseUnknown)
}

// A session that is held in memory is over as soon as one in the database is.
//
// req: STORE-8
func TestCachedSessionsEndLikeOthers(t *testing.T) {
	w, _ := sqliteWorld(t, sqlite.Config{Exclusive: true, CacheSize: 64 << 10})
	for name, end := range map[string]func(g *lanyard.Grant) error{
		"ended": func(g *lanyard.Grant) error {
			return w.End(t.Context(), g.Session.SID(), lanyard.EndOptions{Reason: "t"})
		},
		"ended with its subject": func(g *lanyard.Grant) error {
			_, err := w.EndAll(t.Context(), g.Session.Subject(), lanyard.EndOptions{Reason: "t"})
			return err
		},
		"ended with everything": func(*lanyard.Grant) error {
			_, err := w.EndEverything(t.Context(), 0, lanyard.EndOptions{Reason: "t"})
			return err
		},
		"past its idle limit": func(g *lanyard.Grant) error {
			w.clock.set(g.Session.IdleExpiresAt())
			return nil
		},
		"stepped up": func(g *lanyard.Grant) error {
			_, err := w.Elevate(t.Context(), g.Session, lanyard.Elevation{Methods: []string{"otp"}})
			return err
		},
	} {
		cookie, tokens := w.startCookie(), w.startToken()
		for range 3 { // now they are held
			if !w.cookieWorks(cookie) || !w.bearerWorks(tokens) {
				t.Fatalf("%s: refused before", name)
			}
		}
		if err := errors.Join(end(cookie), end(tokens)); err != nil {
			t.Fatal(err)
		}
		if w.cookieWorks(cookie) || w.bearerWorks(tokens) {
			t.Errorf("%s: it is still accepted", name)
		}
	}
}

// What is held in memory does not grow with the number of sessions.
//
// req: STORE-8
func TestCachedSessionsTakeBoundedRoom(t *testing.T) {
	w, _ := sqliteWorld(t, sqlite.Config{Exclusive: true, CacheSize: 64 << 10}, func(c *lanyard.Config) {
		c.Logger, c.Audit = slog.New(slog.DiscardHandler), audit.Discard{}
	})
	const many = 1500
	handles := make([]string, many)
	start := func(n int) {
		g, err := w.Start(context.Background(), lanyard.Login{Subject: fmt.Sprint("user", n), Methods: []string{"pwd"}, UserAgent: strings.Repeat("x", 500)})
		if err != nil {
			t.Error(err)
			return
		}
		handles[n] = g.Handle.Reveal()
	}
	start(0)
	if !w.accepted(w.withCookie(get("/"), handles[0])) {
		t.Fatal("the session is refused")
	}
	before := heap()
	together(64, func(i int) {
		for n := i; n < many; n += 64 {
			start(n)
		}
	})
	for _, h := range handles {
		if !w.accepted(w.withCookie(get("/"), h)) {
			t.Fatal("a session was lost")
		}
	}
	grown := heap() - before
	runtime.KeepAlive(w)
	runtime.KeepAlive(handles)
	if grown > many*500 {
		t.Errorf("%d sessions of more than 500 bytes left %d in memory, with room for %d", many, grown, 64<<10)
	}
}

// heap is what is in use once nothing is left to collect.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
