package lanyard_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard"
)

// req: FIX-1, SID-14
// attack: B1
func TestLoginMakesNewCredentialsAndEndsWhatTheBrowserHad(t *testing.T) {
	w := newWorld(t)
	old := w.startCookie()
	w.events.take()
	g := w.start(lanyard.Login{Request: w.withCookie(post("/login"), old.Handle.Reveal())})
	if g.Session.SID() == old.Session.SID() || g.Handle.Reveal() == old.Handle.Reveal() {
		t.Error("the session was taken over")
	}
	if w.cookieWorks(old) {
		t.Error("the old handle works")
	}
	if !w.use(g) {
		t.Error("the new one does not")
	}
	wantNames(t, w.events.take(), "session_created", "session_ended:replaced", "session_used_after_end:ended")
}

// Tokens do not take the place of a cookie: a client that keeps both is two
// devices, whatever its cookie jar sends along.
func TestTokenLoginLeavesTheCookieThatTravelledWithItAlone(t *testing.T) {
	w := newWorld(t)
	old := w.startCookie()
	g := w.start(lanyard.Login{Channel: lanyard.ChannelToken, Request: w.withCookie(post("/login"), old.Handle.Reveal())})
	if !w.cookieWorks(old) || !w.use(g) {
		t.Error("one of the two does not work")
	}
}

// Whichever store call of a login fails, nobody holds a new credential while an
// old one lives on.
//
// req: FIX-1, FIX-6, HTTP-9, STORE-7
func TestLoginFailingAtEachStoreCallGrantsNothing(t *testing.T) {
	for n := 1; n < 100; n++ {
		w := newWorld(t)
		old := w.startCookie()
		pre := w.anonymous(t)
		r := post("/login")
		r.Header.Set("Cookie", w.CookieName()+"="+old.Handle.Reveal()+"; "+pre)
		w.store.arm(failOnce(n))
		g, err := w.Start(t.Context(), lanyard.Login{Subject: "ann", Methods: []string{"pwd"}, Request: r})
		calls := w.store.made()
		w.store.arm(nil)
		if err == nil {
			if n <= len(calls) {
				t.Fatalf("call %d (%s) failed and a session was granted", n, calls[n-1])
			}
			if len(calls) < 4 {
				t.Fatalf("the login made only %v", calls)
			}
			return
		}
		if g != nil {
			t.Error("a refusal came with a grant")
		}
		wantPublic(t, err, http.StatusServiceUnavailable, "temporarily_unavailable")
		live, _, err := w.List(t.Context(), lanyard.Query{Subject: "ann", LiveAt: lanyard.TimeOf(w.clock.Now())})
		if err != nil {
			t.Fatal(err)
		}
		if len(live) > 1 {
			t.Errorf("call %d (%s) failed and %d sessions live", n, calls[n-1], len(live))
		}
	}
}

// req: FIX-2, FIX-3, LIFE-9, JWT-15
// attack: B1
func TestStepUpReplacesEveryCredential(t *testing.T) {
	w := newWorld(t)
	cookie, tokens := w.startCookie(), w.startToken()
	drawn, err := w.AccessToken(t.Context(), cookie.Session, "")
	if err != nil {
		t.Fatal(err)
	}
	w.events.take()
	upCookie, err := w.Elevate(t.Context(), cookie.Session, lanyard.Elevation{Methods: []string{"otp", "pwd"}, Class: "aal2"})
	if err != nil {
		t.Fatal(err)
	}
	upTokens, err := w.Elevate(t.Context(), tokens.Session, lanyard.Elevation{Methods: []string{"otp"}})
	if err != nil {
		t.Fatal(err)
	}
	events := w.events.take()
	wantNames(t, events, "session_elevated", "session_rotated:elevated", "session_elevated", "session_rotated:elevated")
	if !slices.Equal(events[0].Methods, []string{"otp", "pwd"}) {
		t.Errorf("the event tells of %q", events[0].Methods)
	}
	if w.cookieWorks(cookie) || w.bearerWorks(drawn) || w.bearerWorks(tokens) {
		t.Error("an old credential works")
	}
	_, err = w.renew(tokens.Refresh.Reveal())
	wantCause(t, err, lanyard.CauseOldGeneration)
	if !w.cookieWorks(upCookie) || !w.bearerWorks(upTokens) {
		t.Error("a new credential does not")
	}
	w.mustRenew(upTokens.Refresh.Reveal())
	if s := upCookie.Session; s.Generation() != 2 || s.Class() != "aal2" || !slices.Equal(s.Methods(), []string{"otp", "pwd"}) {
		t.Errorf("generation %d, class %q, methods %q", s.Generation(), s.Class(), s.Methods())
	}
	// The old session value cannot be lifted a second time.
	_, err = w.Elevate(t.Context(), cookie.Session, lanyard.Elevation{Methods: []string{"otp"}})
	wantCause(t, err, lanyard.CauseOldGeneration)
	if n := w.entries(lanyard.EntryGeneration); n != 2 {
		t.Errorf("%d entries in the feed, want one for each step-up", n)
	}
}

// A switch of role is no authentication, and replaces every credential all the
// same.
//
// req: FIX-4
func TestChangeOfRightsReplacesEveryCredential(t *testing.T) {
	w := newWorld(t)
	cookie, tokens := w.startCookie(), w.startToken()
	drawn, err := w.AccessToken(t.Context(), cookie.Session, "")
	if err != nil {
		t.Fatal(err)
	}
	before := w.record(cookie.Session.SID())
	w.clock.advance(time.Hour)
	w.events.take()
	newCookie, err := w.Rotate(t.Context(), cookie.Session)
	if err != nil {
		t.Fatal(err)
	}
	newTokens, err := w.Rotate(t.Context(), tokens.Session)
	if err != nil {
		t.Fatal(err)
	}
	wantNames(t, w.events.take(), "session_rotated:rights_changed", "session_rotated:rights_changed")
	if newCookie.Handle.Reveal() == cookie.Handle.Reveal() || w.cookieWorks(cookie) || w.bearerWorks(drawn) || w.bearerWorks(tokens) {
		t.Error("an old credential works")
	}
	_, err = w.renew(tokens.Refresh.Reveal())
	wantCause(t, err, lanyard.CauseOldGeneration)
	if !w.cookieWorks(newCookie) || !w.bearerWorks(newTokens) {
		t.Error("a new credential does not")
	}
	w.mustRenew(newTokens.Refresh.Reveal())
	after := w.record(cookie.Session.SID())
	if after.AuthTime != before.AuthTime || after.ExpiresAt != before.ExpiresAt || !slices.Equal(after.Methods, before.Methods) || after.Class != before.Class {
		t.Error("a change of rights passes for an authentication")
	}
	if n := w.entries(lanyard.EntryGeneration); n != 2 {
		t.Errorf("%d entries in the feed, want one for each change", n)
	}
	_, err = w.Rotate(t.Context(), cookie.Session)
	wantCause(t, err, lanyard.CauseOldGeneration)
	_, err = w.Rotate(t.Context(), w.send(get("/")).session)
	wantCause(t, err, lanyard.CauseNotSignedIn)
	short, err := w.AccessToken(t.Context(), newCookie.Session, "")
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Rotate(t.Context(), w.send(bearer(get("/"), short.Access.Reveal())).session)
	wantCause(t, err, lanyard.CauseChannel)
}

// entries counts feed entries of a kind.
func (w *world) entries(kind lanyard.EntryKind) (n int) {
	w.t.Helper()
	all, _, err := w.store.Store.Revocations(w.t.Context(), "", 1000)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range all {
		if e.Kind == kind {
			n++
		}
	}
	return n
}

// Whichever store call of a step-up fails, the old credential works, or the new
// one: never both, never neither.
//
// req: FIX-6
func TestStepUpFailingAtEachStoreCallLosesNothing(t *testing.T) {
	for _, channel := range []lanyard.Channel{lanyard.ChannelCookie, lanyard.ChannelToken} {
		for n := 1; n < 100; n++ {
			w := newWorld(t)
			old := w.start(lanyard.Login{Channel: channel})
			w.store.arm(failAt(n))
			up, err := w.Elevate(t.Context(), old.Session, lanyard.Elevation{Methods: []string{"otp"}})
			w.store.arm(nil)
			if err == nil {
				if w.use(old) || !w.use(up) {
					t.Error("want the new credential alone to work")
				}
				break
			}
			wantPublic(t, err, http.StatusServiceUnavailable, "temporarily_unavailable")
			if !w.use(old) {
				t.Errorf("%v: call %d failed and the old credential is dead", channel, n)
			}
		}
	}
}

// req: FIX-6
func TestStepUpThatCannotBeSignedLosesNothing(t *testing.T) {
	keys := &fickleKeys{}
	w := newWorld(t, func(c *lanyard.Config) { keys.TokenKeys, c.TokenKeys = c.TokenKeys, keys })
	g := w.startToken()
	keys.fail = errors.New("the key service is away")
	if _, err := w.Elevate(t.Context(), g.Session, lanyard.Elevation{Methods: []string{"otp"}}); err == nil {
		t.Fatal("a token was signed without a key")
	}
	keys.fail = nil
	if !w.bearerWorks(g) {
		t.Error("the access token is dead")
	}
	w.mustRenew(g.Refresh.Reveal())
}

// req: FIX-2
func TestOfParallelStepUpsOneWins(t *testing.T) {
	w := newWorld(t)
	g := w.startCookie()
	grants := make([]*lanyard.Grant, 16)
	together(len(grants), func(i int) {
		grants[i] = granted(w.Elevate(context.Background(), g.Session, lanyard.Elevation{Methods: []string{"otp"}}))
	})
	won := 0
	for _, g := range grants {
		if g != nil {
			won++
			if !w.cookieWorks(g) {
				t.Error("the winner's handle does not work")
			}
		}
	}
	if won != 1 || w.record(g.Session.SID()).Generation != 2 {
		t.Errorf("%d won, generation %d", won, w.record(g.Session.SID()).Generation)
	}
}

// A step-up lifts the session it was made in and no other.
//
// req: SID-12
func TestStepUpLiftsNoLinkedSession(t *testing.T) {
	w := newWorld(t)
	g := w.startCookie()
	linked := w.handoff(g, lanyard.ChannelToken, true)
	if _, err := w.Elevate(t.Context(), g.Session, lanyard.Elevation{Methods: []string{"otp"}, Class: "aal2"}); err != nil {
		t.Fatal(err)
	}
	rec := w.record(linked.Session.SID())
	if rec.Generation != 1 || rec.Class != "" || slices.Contains(rec.Methods, "otp") || !rec.Live(lanyard.TimeOf(w.clock.Now())) {
		t.Errorf("the linked session: %+v", rec)
	}
}

// req: SID-2
func TestTakenSIDIsDrawnAgain(t *testing.T) {
	w := newWorld(t)
	var sids []lanyard.SID
	taken := &taken{Store: w.store.Store, sids: &sids}
	w.store.Store = taken
	g := w.startCookie()
	if len(sids) != 2 || sids[0] == sids[1] || g.Session.SID() != sids[1] {
		t.Errorf("tried %v", sids)
	}
	taken.always = true
	_, err := w.Start(t.Context(), lanyard.Login{Subject: "ann", Methods: []string{"pwd"}})
	wantCause(t, err, lanyard.CauseStore)
}

// taken says of the first record that its SID is in use.
type taken struct {
	lanyard.Store
	sids   *[]lanyard.SID
	always bool
}

func (s *taken) Create(ctx context.Context, rec *lanyard.Record, limit lanyard.Limit) ([]*lanyard.Record, error) {
	*s.sids = append(*s.sids, rec.SID)
	if len(*s.sids) == 1 || s.always {
		return nil, lanyard.ErrExists
	}
	return s.Store.Create(ctx, rec, limit)
}

// req: SID-1, SID-13
func TestWithoutRandomnessNothingIsMade(t *testing.T) {
	for _, bytes := range []int{0, 8, 16, 40} {
		var source io.Reader
		w := newWorld(t, func(c *lanyard.Config) { c.Rand = readerFunc(func(p []byte) (int, error) { return source.Read(p) }) })
		source = repeating{}
		g := w.startToken()
		source = io.LimitReader(repeating{}, int64(bytes))
		w.store.arm(nil)
		if _, err := w.Start(t.Context(), lanyard.Login{Subject: "ann", Methods: []string{"pwd"}}); err == nil && bytes < 42 {
			t.Errorf("with %d bytes a session was made", bytes)
		}
		if calls := w.store.made(); len(calls) > 0 {
			t.Errorf("with %d bytes the store was asked: %v", bytes, calls)
		}
		source = io.LimitReader(repeating{}, 0)
		if _, err := w.renew(g.Refresh.Reveal()); err == nil {
			t.Error("a refresh token was rotated without a nonce")
		}
		if _, err := w.Elevate(t.Context(), g.Session, lanyard.Elevation{Methods: []string{"otp"}}); err == nil {
			t.Error("stepped up without a secret")
		}
		if _, _, err := w.Handoff(t.Context(), g.Session, lanyard.Handoff{Channel: lanyard.ChannelCookie}); err == nil {
			t.Error("a code was made without a secret")
		}
		source = repeating{}
		w.mustRenew(g.Refresh.Reveal())
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

type repeating struct{}

func (repeating) Read(p []byte) (int, error) {
	copy(p, bytes.Repeat([]byte{7, 1}, len(p)))
	return len(p), nil
}

// req: SID-1, SID-3, SID-13
func TestSecretsAre32RandomBytesAndNeverRepeat(t *testing.T) {
	w := newWorld(t)
	const n = 500
	texts := make([]string, 2*n)
	together(8, func(worker int) {
		for i := worker; i < n; i += 8 {
			g := w.startFor(lanyard.ChannelCookie, "ann")
			texts[2*i], texts[2*i+1] = g.Handle.Reveal(), g.Session.SID().String()
		}
	})
	raw, err := base64.RawURLEncoding.DecodeString(texts[0])
	if err != nil || len(raw) != 3+16+8+32+16 {
		t.Fatalf("%d bytes, %v", len(raw), err)
	}
	secrets := map[string]bool{}
	for i := range n {
		raw, _ := base64.RawURLEncoding.DecodeString(texts[2*i])
		secrets[string(raw[27:59])] = true
	}
	slices.Sort(texts)
	if len(slices.Compact(texts)) != 2*n || len(secrets) != n {
		t.Errorf("something repeats: %d secrets of %d", len(secrets), n)
	}
}

// req: SID-12, JWT-13
func TestLoginSaysWhatItVouchesFor(t *testing.T) {
	w := newWorld(t)
	good := lanyard.Login{Subject: "ann", Methods: []string{"pwd"}}
	for field, spoil := range map[string]func(*lanyard.Login){
		"Subject, empty":        func(l *lanyard.Login) { l.Subject = "" },
		"Subject, too long":     func(l *lanyard.Login) { l.Subject = strings.Repeat("a", 256) },
		"Subject, line break":   func(l *lanyard.Login) { l.Subject = "ann\nbob" },
		"Subject, not UTF-8":    func(l *lanyard.Login) { l.Subject = "\xff" },
		"Subject, of a program": func(l *lanyard.Login) { l.Subject = "client:orders" },
		"Methods, none":         func(l *lanyard.Login) { l.Methods = nil },
		"Methods, blank":        func(l *lanyard.Login) { l.Methods = []string{"pwd otp"} },
		"Methods, quote":        func(l *lanyard.Login) { l.Methods = []string{`p"wd`} },
		"Methods, too many":     func(l *lanyard.Login) { l.Methods = slices.Repeat([]string{"a"}, 9) },
		"Class, blank":          func(l *lanyard.Login) { l.Class = "aal 2" },
		"Device, too long":      func(l *lanyard.Login) { l.Device = strings.Repeat("d", 65) },
		"Device, escape":        func(l *lanyard.Login) { l.Device = "\x1b[31m" },
		"Channel, unknown":      func(l *lanyard.Login) { l.Channel = 3 },
		"Scope, quote":          func(l *lanyard.Login) { l.Scope = `a"b` },
		"Scope, two blanks":     func(l *lanyard.Login) { l.Scope = "a  b" },
	} {
		l := good
		spoil(&l)
		w.store.arm(nil)
		_, err := w.Start(t.Context(), l)
		name, _, _ := strings.Cut(field, ",")
		if err == nil || !strings.Contains(err.Error(), "Login."+name+":") {
			t.Errorf("%s: %v", field, err)
		}
		if calls := w.store.made(); len(calls) > 0 {
			t.Errorf("%s: the store was asked", field)
		}
	}
}

// req: STORE-13, JWT-16
func TestDeviceFactsAreBoundedShortenedOnDemandAndNeverInTokens(t *testing.T) {
	long := strings.Repeat("a", 600) + "\x1b[31m"
	for shorten, wantIP := range map[bool]string{false: homeIP, true: someRange} {
		w := newWorld(t, func(c *lanyard.Config) { c.ShortenAddresses = shorten })
		r := post("/login")
		r.Header.Set("User-Agent", long)
		g, err := w.Start(t.Context(), lanyard.Login{Subject: "ann", Methods: []string{"pwd"}, Channel: lanyard.ChannelToken, Request: r, Device: "Ann's phone"})
		if err != nil {
			t.Fatal(err)
		}
		d := w.record(g.Session.SID()).Device
		if len(d.UserAgent) > 512 || strings.Contains(d.UserAgent, "\x1b") || d.IP != wantIP || d.Label != "Ann's phone" {
			t.Errorf("device %+v", d)
		}
		claims := w.rawClaims(g)
		if strings.Contains(claims, "203.0.113") || strings.Contains(claims, "aaaa") || strings.Contains(claims, "phone") {
			t.Errorf("device facts in the token: %s", claims)
		}
	}
}

// rawClaims is the payload of a grant's access token.
func (w *world) rawClaims(g *lanyard.Grant) string {
	w.t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(strings.Split(g.Access.Reveal(), ".")[1])
	if err != nil {
		w.t.Fatal(err)
	}
	return string(raw)
}

// A grant is written as what it is, whatever session it is of.
func TestWriteSendsTokensAsTokensAndTouchesNoCookie(t *testing.T) {
	w := newWorld(t)
	cookie := w.startCookie()
	drawn, err := w.AccessToken(t.Context(), cookie.Session, "orders")
	if err != nil {
		t.Fatal(err)
	}
	program, err := w.ProgramToken(t.Context(), "robot", []string{"orders"}, "read")
	if err != nil {
		t.Fatal(err)
	}
	for name, g := range map[string]*lanyard.Grant{"drawn": drawn, "program": program, "pair": w.startToken()} {
		a := httptest.NewRecorder()
		if err := w.Write(a, get("/"), g); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if len(setCookies(a)) > 0 {
			t.Errorf("%s: %q", name, setCookies(a))
		}
		if !strings.Contains(a.Body.String(), g.Access.Reveal()) || a.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %v %s", name, a.Header(), a.Body)
		}
		if strings.Contains(a.Body.String(), "refresh_token") != !g.Refresh.IsZero() {
			t.Errorf("%s: %s", name, a.Body)
		}
	}
}

// What a token was narrowed to cannot be widened by drawing another from it.
//
// req: REFRESH-9
func TestTokenDrawnWithANarrowTokenIsNoWider(t *testing.T) {
	w := newWorld(t)
	g := w.startToken()
	narrow, err := w.Renew(t.Context(), g.Refresh.Reveal(), lanyard.Renewal{Scope: "read", UserAgent: phone, IP: homeIP})
	if err != nil {
		t.Fatal(err)
	}
	s, err := w.Check(bearer(get("/"), narrow.Access.Reveal()))
	if err != nil {
		t.Fatal(err)
	}
	drawn, err := w.AccessToken(t.Context(), s, "")
	if err != nil {
		t.Fatal(err)
	}
	if drawn.Scope != "read" || !strings.Contains(w.rawClaims(drawn), `"scope":"read"`) {
		t.Errorf("scope %q: %s", drawn.Scope, w.rawClaims(drawn))
	}
}
