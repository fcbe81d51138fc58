package lanyard_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard"
)

var (
	flash = lanyard.NewData[string]("flash")
	count = lanyard.NewData[int]("count")
)

// within runs do in a handler behind the manager.
func (w *world) within(r *http.Request, do func(http.ResponseWriter, *http.Request)) *httptest.ResponseRecorder {
	w.t.Helper()
	ran := false
	a := httptest.NewRecorder()
	w.Handler(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { ran = true; do(rw, r) })).ServeHTTP(a, r)
	if !ran {
		w.t.Errorf("the handler did not run: %d %s", a.Code, a.Body)
	}
	return a
}

// add appends to the cart in a request of its own.
func (w *world) add(r *http.Request, item string) (a *httptest.ResponseRecorder, err error) {
	w.t.Helper()
	a = w.within(r, func(rw http.ResponseWriter, r *http.Request) {
		err = cart.Update(rw, r, func(c *[]string) error { *c = append(*c, item); return nil })
	})
	return a, err
}

// items reads the cart in a request of its own.
func (w *world) items(r *http.Request) (got []string) {
	w.t.Helper()
	w.within(r, func(_ http.ResponseWriter, r *http.Request) {
		var err error
		if got, err = cart.Get(r.Context()); err != nil {
			w.t.Error(err)
		}
	})
	return got
}

// req: LIFE-20
func TestParallelWritersLoseNoUpdate(t *testing.T) {
	w := newWorld(t)
	g := w.startCookie()
	const writers, each = 8, 25
	together(writers, func(i int) {
		for j := range each {
			if _, err := w.add(w.withCookie(post("/cart"), g.Handle.Reveal()), strconv.Itoa(i*each+j)); err != nil {
				t.Error(err)
			}
			w.clock.advance(time.Minute) // so that touches are written in between
		}
	})
	got := w.items(w.withCookie(get("/cart"), g.Handle.Reveal()))
	slices.Sort(got)
	if len(slices.Compact(got)) != writers*each {
		t.Errorf("%d items of %d", len(got), writers*each)
	}
}

// A second writer comes between the first one's read and write; its change
// stays, and the first one's function runs again on top of it.
//
// req: LIFE-20
func TestUpdateRunsAgainOnTheNewerValue(t *testing.T) {
	w := newWorld(t)
	g := w.startCookie()
	r := func() *http.Request { return w.withCookie(post("/cart"), g.Handle.Reveal()) }
	runs := 0
	w.within(r(), func(rw http.ResponseWriter, req *http.Request) {
		err := cart.Update(rw, req, func(c *[]string) error {
			if runs++; runs == 1 {
				if _, err := w.add(r(), "theirs"); err != nil {
					return err
				}
			}
			*c = append(*c, "ours")
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		if got, _ := cart.Get(req.Context()); !slices.Equal(got, []string{"theirs", "ours"}) {
			t.Errorf("the request sees %q", got)
		}
	})
	if got := w.items(r()); runs != 2 || !slices.Equal(got, []string{"theirs", "ours"}) {
		t.Errorf("ran %d times, kept %q", runs, got)
	}
}

// req: STORE-15
func TestDataHasASizeLimitAndAnErrorLeavesItAlone(t *testing.T) {
	w := newWorld(t)
	g := w.startCookie()
	r := func() *http.Request { return w.withCookie(post("/"), g.Handle.Reveal()) }
	set := func(text string) (err error) {
		w.within(r(), func(rw http.ResponseWriter, r *http.Request) {
			err = flash.Update(rw, r, func(s *string) error { *s = text; return nil })
		})
		return err
	}
	overhead := len(`{"flash":""}`)
	if err := set(strings.Repeat("x", lanyard.MaxData-overhead)); err != nil {
		t.Errorf("at the limit: %v", err)
	}
	if err := set(strings.Repeat("y", lanyard.MaxData-overhead+1)); !errors.Is(err, lanyard.ErrTooMuchData) {
		t.Errorf("a byte over: %v", err)
	}
	own := errors.New("no more hats")
	w.within(r(), func(rw http.ResponseWriter, r *http.Request) {
		if err := flash.Update(rw, r, func(s *string) error { *s = ""; return own }); err != own {
			t.Errorf("the application's own error came back as %v", err)
		}
	})
	w.within(r(), func(_ http.ResponseWriter, r *http.Request) {
		if got, err := flash.Get(r.Context()); err != nil || !strings.HasPrefix(got, "xxx") {
			t.Errorf("kept %.5q, %v", got, err)
		}
	})
	anonymous := w.within(get("/"), func(rw http.ResponseWriter, r *http.Request) {
		err := flash.Update(rw, r, func(s *string) error { *s = strings.Repeat("z", lanyard.MaxData); return nil })
		if !errors.Is(err, lanyard.ErrTooMuchData) {
			t.Errorf("before login: %v", err)
		}
	})
	if len(setCookies(anonymous)) > 0 {
		t.Error("a refused write made a cookie")
	}
}

// req: COOKIE-17, SID-14
// attack: B9
func TestDataBeforeLoginLivesInARecordOfItsOwn(t *testing.T) {
	w := newWorld(t)
	if s := w.send(get("/")); !s.ran || len(setCookies(s.answer)) > 0 {
		t.Error("a visit alone makes a cookie")
	}
	w.store.arm(nil)
	pre := w.anonymous(t)
	if calls := w.store.made(); !slices.Equal(calls, []string{"Create"}) {
		t.Errorf("store calls %v", calls)
	}
	if !strings.HasPrefix(pre, w.CookieName()+"-pre=") {
		t.Errorf("cookie %s", pre)
	}
	a, err := w.add(withRaw(post("/cart"), pre), "scarf")
	if err != nil || len(setCookies(a)) > 0 {
		t.Errorf("%v, %q", err, setCookies(a))
	}
	if got := w.items(withRaw(get("/cart"), pre)); !slices.Equal(got, []string{"hat", "scarf"}) {
		t.Errorf("cart %q", got)
	}
	s := w.sendNeed(withRaw(get("/"), pre), lanyard.Need{})
	if s.ran || s.answer.Code != http.StatusUnauthorized {
		t.Errorf("a guard lets it in: %d", s.answer.Code)
	}
	// What it writes passes the forgery check, being bound to a cookie.
	r := withRaw(post("/cart"), pre)
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	if s := w.send(r); s.ran || s.answer.Code != http.StatusForbidden {
		t.Errorf("from another site: %d", s.answer.Code)
	}
}

// req: FIX-1, FIX-5
// attack: B1
func TestDataCrossesLoginByNameOnlyAndItsRecordIsDestroyed(t *testing.T) {
	for _, channel := range []lanyard.Channel{lanyard.ChannelCookie, lanyard.ChannelToken} {
		w := newWorld(t)
		pre := w.anonymous(t)
		w.within(withRaw(post("/"), pre), func(rw http.ResponseWriter, r *http.Request) {
			if err := flash.Update(rw, r, func(s *string) error { *s = "planted"; return nil }); err != nil {
				t.Error(err)
			}
		})
		r := withRaw(post("/login"), pre)
		g := w.start(lanyard.Login{Channel: channel, Request: r, Carry: []string{"cart", "nothing"}})
		if got := string(w.record(g.Session.SID()).Data); got != `{"cart":["hat"]}` {
			t.Errorf("%v: carried %s", channel, got)
		}
		if got := w.items(withRaw(get("/"), pre)); got != nil {
			t.Errorf("%v: the record of before still holds %q", channel, got)
		}
		if channel == lanyard.ChannelCookie {
			a := httptest.NewRecorder()
			if err := w.Write(a, r, g); err != nil {
				t.Fatal(err)
			}
			lines := setCookies(a)
			if len(lines) != 2 || !deletes(lines, w.CookieName()+"-pre") {
				t.Errorf("Set-Cookie %q", lines)
			}
		}
		none := w.start(lanyard.Login{Request: withRaw(post("/login"), w.anonymous(t))})
		if got := w.record(none.Session.SID()).Data; got != nil {
			t.Errorf("%v: unasked, %s was carried", channel, got)
		}
	}
}

// req: STORE-14, SID-12
// attack: B11
func TestSecurityFieldsCannotBeReachedThroughData(t *testing.T) {
	w := newWorld(t)
	g := w.startCookie()
	before := w.record(g.Session.SID())
	s, err := w.Check(w.withCookie(get("/"), g.Handle.Reveal()))
	if err != nil {
		t.Fatal(err)
	}
	hostile := []byte(`{"Subject":"root","subject":"root","acr":"aal3","Class":"aal3","ExpiresAt":9999999999999,"generation":7,"Handle":"x","State":3,"EndReason":"","binding":"dpop"}`)
	if _, _, err := w.ChangeData(t.Context(), s, "", func([]byte) ([]byte, error) { return hostile, nil }); err != nil {
		t.Fatal(err)
	}
	after := w.record(g.Session.SID())
	if !bytes.Equal(after.Data, hostile) {
		t.Errorf("data %s", after.Data)
	}
	after.Data, after.Version = before.Data, before.Version
	a, _ := after.AppendBinary(nil)
	b, _ := before.AppendBinary(nil)
	if !bytes.Equal(a, b) {
		t.Errorf("a security field changed:\n%+v\n%+v", before, after)
	}
}

func TestChangeDataChecksTheVersionAndTakesAnObjectOnly(t *testing.T) {
	w := newWorld(t)
	g := w.startCookie()
	s, err := w.Check(w.withCookie(get("/"), g.Handle.Reveal()))
	if err != nil {
		t.Fatal(err)
	}
	object, version, err := w.Data(t.Context(), s)
	if err != nil || string(object) != "{}" {
		t.Fatalf("%s, %v", object, err)
	}
	to := func(text string) func([]byte) ([]byte, error) {
		return func([]byte) ([]byte, error) { return []byte(text), nil }
	}
	_, second, err := w.ChangeData(t.Context(), s, version, to(`{"a":1}`))
	if err != nil || second == version {
		t.Fatalf("version %s, %v", second, err)
	}
	if _, _, err := w.ChangeData(t.Context(), s, version, to(`{"a":2}`)); !errors.Is(err, lanyard.ErrPrecondition) {
		t.Errorf("an old version: %v", err)
	}
	for _, text := range []string{`[1]`, `"x"`, `null`, `{"a":`, ``, `1`, `{"a":1}{}`} {
		if _, _, err := w.ChangeData(t.Context(), s, "", to(text)); err == nil {
			t.Errorf("%s was stored", text)
		}
	}
	// Activity does not change the version.
	w.clock.advance(time.Hour)
	w.cookieWorks(g)
	object, third, err := w.Data(t.Context(), s)
	if err != nil || third != second || !json.Valid(object) || string(object) != `{"a":1}` {
		t.Errorf("%s at %s, want %s: %v", object, third, second, err)
	}
	_, _, err = w.ChangeData(t.Context(), lanyard.From(t.Context()), "", to(`{}`))
	wantCause(t, err, lanyard.CauseNone)
}

func TestDataOfAnEndedOrSteppedUpSessionIsNotWritten(t *testing.T) {
	w := newWorld(t)
	g := w.startCookie()
	for name, spoil := range map[string]func(){
		"stepped up": func() {
			if _, err := w.Elevate(t.Context(), g.Session, lanyard.Elevation{Methods: []string{"otp"}}); err != nil {
				t.Error(err)
			}
		},
		"ended": func() { w.end(g.Session.SID()) },
	} {
		g = w.startCookie()
		w.within(w.withCookie(post("/"), g.Handle.Reveal()), func(rw http.ResponseWriter, r *http.Request) {
			spoil()
			if err := count.Update(rw, r, func(n *int) error { *n++; return nil }); err == nil {
				t.Errorf("%s: written", name)
			}
		})
		if got := w.record(g.Session.SID()).Data; got != nil {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// While the store is away nothing is made up: a browser with a cart gets 503, not
// a second, empty cart.
//
// req: HTTP-9
func TestCartIsNotReplacedWhileTheStoreIsAway(t *testing.T) {
	w := newWorld(t)
	pre := w.anonymous(t)
	w.store.arm(failOnce(1))
	if s := w.send(withRaw(post("/cart"), pre)); s.ran || s.answer.Code != http.StatusServiceUnavailable {
		t.Errorf("ran %v, %d", s.ran, s.answer.Code)
	}
	w.store.arm(nil)
	if got := w.items(withRaw(get("/cart"), pre)); !slices.Equal(got, []string{"hat"}) {
		t.Errorf("cart %q", got)
	}
}

// A program has no browser to keep anything in.
func TestProgramGetsNoDataOfABrowser(t *testing.T) {
	w := newWorld(t)
	g, err := w.ProgramToken(t.Context(), "robot", nil, "")
	if err != nil {
		t.Fatal(err)
	}
	w.store.arm(nil)
	a := w.within(bearer(post("/"), g.Access.Reveal()), func(rw http.ResponseWriter, r *http.Request) {
		if err := count.Update(rw, r, func(n *int) error { *n++; return nil }); err == nil {
			t.Error("written")
		}
	})
	if len(setCookies(a)) > 0 || len(w.store.made()) > 0 {
		t.Errorf("Set-Cookie %q, store calls %v", setCookies(a), w.store.made())
	}
}

// SameSite keeps the visitor's cookie out of another site's form: the answer must
// not put a new visitor in its place.
//
// attack: B10, C1
func TestAnotherSitesFormStartsNoVisitorsData(t *testing.T) {
	w := newWorld(t)
	r := post("/cart")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	a, err := w.add(r, "planted")
	wantCause(t, err, lanyard.CauseForgery)
	if set := a.Header().Values("Set-Cookie"); len(set) > 0 {
		t.Errorf("the answer sets %q", set)
	}
	if _, err := w.add(post("/cart"), "hat"); err != nil {
		t.Errorf("the site's own form: %v", err)
	}
}
