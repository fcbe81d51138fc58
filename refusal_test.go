package lanyard_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard"
)

// req: HTTP-4, HTTP-5, HTTP-6, JWT-27, JWT-29, JWT-31, LIFE-17
func TestRefusalsSayWhatTheirRFCsSay(t *testing.T) {
	w := newWorld(t)
	cookie := w.start(lanyard.Login{Class: "aal1"})
	tokens := w.startToken()
	gone := w.startToken()
	w.end(gone.Session.SID())
	program, err := w.ProgramToken(t.Context(), "robot", nil, "read")
	if err != nil {
		t.Fatal(err)
	}
	w.clock.advance(2 * time.Minute)
	byCookie := func() *http.Request { return w.withCookie(get("/"), cookie.Handle.Reveal()) }
	byToken := func() *http.Request { return bearer(get("/"), tokens.Access.Reveal()) }

	const weak = `Bearer error="insufficient_user_authentication", error_description="A stronger sign-in is needed", acr_values="`
	const stale = `Bearer error="insufficient_user_authentication", error_description="A more recent sign-in is needed", max_age="`
	for _, row := range []struct {
		name      string
		request   *http.Request
		need      lanyard.Need
		status    int
		code      string
		challenge string
	}{
		{"nothing presented", get("/"), lanyard.Need{}, 401, "unauthorized", "Bearer"},
		{"a dead cookie", w.withCookie(get("/"), "x"), lanyard.Need{}, 401, "unauthorized", "Bearer"},
		{"a token that is none", bearer(get("/"), "x"), lanyard.Need{}, 401, "invalid_token", `Bearer error="invalid_token"`},
		{"a token of an ended session", bearer(get("/"), gone.Access.Reveal()), lanyard.Need{}, 401, "invalid_token", `Bearer error="invalid_token"`},
		{"two tokens", func() *http.Request {
			r := byToken()
			r.Header.Add("Authorization", "Bearer y")
			return r
		}(), lanyard.Need{}, 400, "invalid_request", ""},
		{"too old, cookie", byCookie(), lanyard.Need{MaxAge: time.Minute}, 401, "insufficient_user_authentication", stale + `60"`},
		{"too old, token", byToken(), lanyard.Need{MaxAge: 90 * time.Second}, 401, "insufficient_user_authentication", stale + `90"`},
		{"exactly as old as allowed is too old", byCookie(), lanyard.Need{MaxAge: 2 * time.Minute}, 401, "insufficient_user_authentication", stale + `120"`},
		{"recent enough", byCookie(), lanyard.Need{MaxAge: 2*time.Minute + time.Millisecond}, 200, "", ""},
		{"recent as the policy says", byCookie(), lanyard.Need{MaxAge: lanyard.RecentAuth}, 200, "", ""},
		{"too weak a class", byCookie(), lanyard.Need{Classes: []string{"aal2", "aal3"}}, 401, "insufficient_user_authentication", weak + `aal2 aal3"`},
		{"one of the classes", byCookie(), lanyard.Need{Classes: []string{"aal2", "aal1"}}, 200, "", ""},
		{"a method missing", byToken(), lanyard.Need{Methods: []string{"pwd", "otp"}}, 401, "insufficient_user_authentication", weak + `"`},
		{"the methods there are", byToken(), lanyard.Need{Methods: []string{"pwd"}}, 200, "", ""},
		{"the scope", byToken(), lanyard.Need{Scope: "write read"}, 200, "", ""},
		{"a scope missing", byToken(), lanyard.Need{Scope: "admin"}, 403, "insufficient_scope", `Bearer error="insufficient_scope", scope="admin"`},
		{"a cookie is not asked for scopes", byCookie(), lanyard.Need{Scope: "admin"}, 200, "", ""},
		{"a cookie where a token is wanted", byCookie(), lanyard.Need{Channel: lanyard.ChannelToken}, 401, "invalid_token", "Bearer"},
		{"a token where a cookie is wanted", byToken(), lanyard.Need{Channel: lanyard.ChannelCookie}, 401, "invalid_token", `Bearer error="invalid_token"`},
		{"a program where a person is wanted", bearer(get("/"), program.Access.Reveal()), lanyard.Need{}, 401, "invalid_token", `Bearer error="invalid_token"`},
		{"a program where it may", bearer(get("/"), program.Access.Reveal()), lanyard.Need{Programs: true, Scope: "read"}, 200, "", ""},
		{"a program without the scope", bearer(get("/"), program.Access.Reveal()), lanyard.Need{Programs: true, Scope: "write"}, 403, "insufficient_scope", `Bearer error="insufficient_scope", scope="write"`},
		{"a quote in what a route demands", byToken(), lanyard.Need{Scope: "a\"\r\nSet-Cookie: b\\"}, 403, "insufficient_scope", `Bearer error="insufficient_scope", scope="aSet-Cookie: b"`},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := w.sendNeed(row.request, row.need)
			if s.answer.Code != row.status || s.ran != (row.status == 200) {
				t.Fatalf("answered %d, handler ran: %v", s.answer.Code, s.ran)
			}
			if row.status == 200 {
				return
			}
			if got := s.answer.Header().Get("WWW-Authenticate"); got != row.challenge {
				t.Errorf("challenge %s\nwant      %s", got, row.challenge)
			}
			wantErrorBody(t, s.answer, row.code)
		})
	}
}

// wantErrorBody checks the shape that all error answers have.
func wantErrorBody(t *testing.T, a *httptest.ResponseRecorder, code string) {
	t.Helper()
	var body map[string]string
	if err := json.Unmarshal(a.Body.Bytes(), &body); err != nil {
		t.Fatal(err)
	}
	if body["error"] != code || body["message"] == "" || len(body) > 3 {
		t.Errorf("body %s", a.Body)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/json; charset=utf-8", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
	} {
		if got := a.Header().Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// req: JWT-31
func TestEveryBadTokenIsAnsweredTheSame(t *testing.T) {
	w := newWorld(t)
	live, ended, stepped, late := w.startToken(), w.startToken(), w.startToken(), w.startToken()
	w.end(ended.Session.SID())
	if _, err := w.Elevate(t.Context(), stepped.Session, lanyard.Elevation{Methods: []string{"otp"}}); err != nil {
		t.Fatal(err)
	}
	foreign := newWorld(t, func(c *lanyard.Config) { c.Issuer = "https://other.example" }).startToken()
	unknown := newWorld(t).startToken()
	access := live.Access.Reveal()
	answers := map[string]string{}
	try := func(name, text string) {
		s := w.send(bearer(get("/"), text))
		if s.ran {
			t.Errorf("%s: the handler ran", name)
		}
		answers[s.answer.Result().Status+s.answer.Header().Get("WWW-Authenticate")+s.answer.Body.String()] = name
	}
	try("ended", ended.Access.Reveal())
	try("of an older generation", stepped.Access.Reveal())
	try("of another issuer", foreign.Access.Reveal())
	try("of a record that is not here", unknown.Access.Reveal())
	try("flipped signature", access[:len(access)-4]+"AAAA")
	try("unsigned", access[:strings.LastIndex(access, ".")+1])
	try("garbage", "garbage")
	w.clock.advance(w.Policy().AccessTokenTTL)
	try("expired", late.Access.Reveal())
	if len(answers) != 1 {
		t.Errorf("%d different answers: %q", len(answers), answers)
	}
}

// Whatever failed, the outside learns a fixed sentence, and the log has the rest.
//
// req: HTTP-8
func TestErrorsShownAreGeneric(t *testing.T) {
	w := newWorld(t)
	plain := regexp.MustCompile(`^[A-Za-z0-9 .,;'_-]+$`)
	for _, cause := range []lanyard.Cause{
		lanyard.CauseNone, lanyard.CauseForged, lanyard.CauseUnknown, lanyard.CauseEnded, lanyard.CauseIdle, lanyard.CauseExpired,
		lanyard.CauseOldGeneration, lanyard.CauseMismatch, lanyard.CauseNotSignedIn, lanyard.CauseBadToken, lanyard.CauseAmbiguous,
		lanyard.CauseForgery, lanyard.CauseCSRFToken, lanyard.CauseStale, lanyard.CauseWeak, lanyard.CauseChannel, lanyard.CauseScope,
		lanyard.CauseThrottled, lanyard.CauseStore, lanyard.CauseInsecure, lanyard.CauseReuse, lanyard.CauseClient,
		lanyard.CauseScopeGrown, lanyard.CauseAudience, lanyard.CauseCode, lanyard.CauseDisabled, "a cause of the future",
	} {
		e := &lanyard.Refused{Cause: cause, Err: errEngine}
		status, code, message := e.Public()
		if status < 400 || !regexp.MustCompile(`^[a-z_]+$`).MatchString(code) || !plain.MatchString(message) {
			t.Errorf("%s: %d %q %q", cause, status, code, message)
		}
		a := httptest.NewRecorder()
		w.WriteError(a, get("/"), e)
		if strings.Contains(a.Body.String(), "10.1.2.3") || a.Code != status {
			t.Errorf("%s: %d %s", cause, a.Code, a.Body)
		}
	}
	a := httptest.NewRecorder()
	r := get("/")
	w.WriteError(a, r.WithContext(lanyard.WithRequestID(r.Context(), "req-7")), errors.New("open /etc/lanyard/key: permission denied"))
	if a.Code != 500 || strings.Contains(a.Body.String(), "/etc") || !strings.Contains(a.Body.String(), "req-7") {
		t.Errorf("%d %s", a.Code, a.Body)
	}
	if a.Header().Get("WWW-Authenticate") != "" {
		t.Error("a fault of ours asks for credentials")
	}
}

// req: HTTP-7
func TestNothingOfARequestReachesAHeaderOfItsAnswer(t *testing.T) {
	w := newWorld(t)
	const evil = "evil\"\r\nSet-Cookie: planted=1"
	for name, r := range map[string]*http.Request{
		"token":      bearer(get("/"), evil),
		"scheme":     header(get("/"), "Authorization", evil),
		"cookie":     w.withCookie(get("/"), evil),
		"user agent": header(get("/"), "User-Agent", evil),
		"origin":     header(w.withCookie(bare("POST"), "x"), "Origin", evil),
	} {
		s := w.sendNeed(r, lanyard.Need{})
		for field, values := range s.answer.Header() {
			for _, v := range values {
				if strings.ContainsAny(v, "\r\n") || strings.Contains(v, "evil") || strings.Contains(v, "planted") {
					t.Errorf("%s: %s: %q", name, field, v)
				}
			}
		}
	}
	g := w.startToken()
	_, err := w.Elevate(t.Context(), g.Session, lanyard.Elevation{Methods: []string{"otp"}, Class: evil})
	if err == nil {
		t.Error("a step-up took a class that headers and tokens cannot carry")
	}
}

// A guard told something that makes no sense refuses rather than guards nothing.
//
// req: LIFE-17
func TestGuardWithANegativeAgeDoesNotLetEverybodyIn(t *testing.T) {
	w := newWorld(t)
	g := w.startCookie()
	w.clock.advance(w.Policy().RecentAuth)
	for _, age := range []time.Duration{lanyard.RecentAuth, -time.Second, -time.Hour} {
		if s := w.sendNeed(w.withCookie(get("/"), g.Handle.Reveal()), lanyard.Need{MaxAge: age}); s.ran {
			t.Errorf("%v: let in", age)
		}
		s, err := w.Check(w.withCookie(get("/"), g.Handle.Reveal()))
		if err != nil {
			t.Fatal(err)
		}
		wantCause(t, s.Meets(lanyard.Need{MaxAge: age}), lanyard.CauseStale)
	}
}

// The deadline may pass while a request is being handled.
//
// req: LIFE-17
func TestGuardReadsTheClockAgain(t *testing.T) {
	w := newWorld(t)
	g := w.startCookie()
	s := w.sendTo(w.withCookie(get("/"), g.Handle.Reveal()), func(h http.Handler) http.Handler {
		inner := w.Require(lanyard.Need{MaxAge: time.Minute}, h)
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			w.clock.advance(time.Minute)
			inner.ServeHTTP(rw, r)
		})
	})
	if s.ran {
		t.Error("let in")
	}
}

// req: JWT-10
func TestAudienceAskedForMustBeOneOfTheConfigured(t *testing.T) {
	w := newWorld(t)
	cookie := w.startCookie()
	for _, resource := range []string{"https://evil.example", "orders billing", "Orders", site + "/"} {
		_, err := w.Start(t.Context(), lanyard.Login{Subject: "ann", Methods: []string{"pwd"}, Channel: lanyard.ChannelToken, Resource: resource})
		wantPublic(t, err, http.StatusBadRequest, "invalid_target")
		_, err = w.AccessToken(t.Context(), cookie.Session, resource)
		wantPublic(t, err, http.StatusBadRequest, "invalid_target")
	}
}

// Check judges as Handler does and answers nothing.
func TestCheckReturnsWhatHandlerWouldSay(t *testing.T) {
	w := newWorld(t)
	g := w.startCookie()
	s, err := w.Check(w.withCookie(get("/"), g.Handle.Reveal()))
	if err != nil || s.Subject() != "ann" {
		t.Fatalf("%v", err)
	}
	_, err = w.Check(get("/"))
	wantCause(t, err, lanyard.CauseNone)
	_, err = w.Check(bearer(get("/"), "x"))
	wantCause(t, err, lanyard.CauseBadToken)
	r := w.withCookie(bare("POST"), g.Handle.Reveal())
	_, err = w.Check(r)
	wantCause(t, err, lanyard.CauseForgery)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.Check(w.withCookie(get("/"), g.Handle.Reveal()).WithContext(ctx)); err != nil && lanyard.CauseOf(err) != lanyard.CauseStore {
		t.Errorf("a caller that went away: %v", err)
	}
}
