package verifier_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/verifier"
)

// routes is a service with routes of each freshness and one that nobody guards.
// Without live there is no route that asks.
func routes(v *verifier.Verifier, live bool) http.Handler {
	mux := http.NewServeMux()
	ok := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c := verifier.From(r.Context()); c.SignedIn() {
			w.Write([]byte(c.Subject()))
		}
	})
	mux.Handle("/open", ok)
	mux.Handle("/bounded", v.Require(verifier.Need{}, ok))
	mux.Handle("/local", v.Require(verifier.Need{Freshness: verifier.Local}, ok))
	mux.Handle("/old", v.Require(verifier.Need{Freshness: verifier.Local, MaxAge: time.Nanosecond}, ok))
	if live {
		mux.Handle("/live", v.Require(verifier.Need{Freshness: verifier.Live}, ok))
	}
	return v.Handler(mux)
}

// answer is what a route says: its status and who it takes the caller for.
type answer struct {
	status int
	who    string
}

func (h *home) answers(service http.Handler, raw string, want map[string]answer) {
	h.t.Helper()
	for path, want := range want {
		w := call(service, path, "Bearer "+raw)
		got := answer{w.Code, w.Body.String()}
		if w.Code != 200 {
			got.who = ""
			var body struct{ Error string }
			if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
				h.t.Errorf("%s: %s", path, w.Body)
			}
			if retry := w.Header().Get("Retry-After"); (w.Code == 503) != (retry == "1" && body.Error == "temporarily_unavailable") {
				h.t.Errorf("%s: %d with Retry-After %q and %s", path, w.Code, retry, body.Error)
			}
		}
		if got != want {
			h.t.Errorf("%s: %v, want %v", path, got, want)
		}
	}
}

// req: REVOKE-12
func TestWhatIsAnsweredWhileTheFeedIsOutOfReach(t *testing.T) {
	ann, nobody, gone, blind := answer{200, "ann"}, answer{200, ""}, answer{401, ""}, answer{503, ""}
	all := map[string]answer{"/open": ann, "/bounded": ann, "/local": ann, "/live": ann}
	for _, test := range []struct {
		name  string
		local bool
		live  bool
		cut   map[string]answer // with a token that is good
		ended map[string]answer // with one that ended meanwhile
		away  map[string]answer // and while nobody can be asked either
	}{
		{"a service with routes of each kind", true, true,
			map[string]answer{"/open": nobody, "/bounded": blind, "/local": ann, "/live": ann, "/old": gone},
			map[string]answer{"/open": nobody, "/bounded": blind, "/local": ann, "/live": gone},
			map[string]answer{"/open": nobody, "/bounded": blind, "/local": ann, "/live": blind}},
		{"a service that has said nothing of local", false, true,
			map[string]answer{"/open": nobody, "/bounded": blind, "/local": blind, "/live": ann, "/old": blind},
			map[string]answer{"/open": nobody, "/bounded": blind, "/local": blind, "/live": gone},
			map[string]answer{"/open": nobody, "/bounded": blind, "/local": blind, "/live": blind}},
		{"a service that wants the bound alone", false, false,
			map[string]answer{"/open": blind, "/bounded": blind, "/local": blind},
			map[string]answer{"/open": blind, "/bounded": blind, "/local": blind},
			map[string]answer{"/open": blind, "/bounded": blind, "/local": blind}},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := newHome(t)
			var later atomic.Int64
			cfg := h.config()
			cfg.AllowLocal = test.local
			cfg.Now = func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
			v := h.run(cfg)
			service := routes(v, test.live)
			raw, ending, before := h.token("ann"), h.token("ann"), h.token("ann")
			s, _, err := h.m.CheckAccess(t.Context(), before)
			if err != nil {
				t.Fatal(err)
			}
			if err := h.m.End(t.Context(), s.SID(), lanyard.EndOptions{Reason: lanyard.ReasonAdmin}); err != nil {
				t.Fatal(err)
			}
			h.within(homeBound, "an end is heard of", func() bool { return judged(t, v, before) == verifier.CauseRevoked })
			full := map[string]answer{}
			for path, want := range all {
				if test.live || path != "/live" {
					full[path] = want
				}
			}
			h.answers(service, raw, full)

			h.cutOff()
			h.within(2*homeBound, "the service is blind", func() bool { return isBlind(v) })
			h.answers(service, raw, test.cut)
			// What was known before is not forgotten.
			h.answers(service, before, map[string]answer{"/open": gone, "/bounded": gone, "/local": gone})
			s, _, err = h.m.CheckAccess(t.Context(), ending)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := h.m.Revoke(t.Context(), lanyard.End{SID: s.SID(), Reason: lanyard.ReasonAdmin}, true); err != nil {
				t.Fatal(err)
			}
			h.answers(service, ending, test.ended)
			h.away.Store(true)
			h.answers(service, ending, test.away)
			h.away.Store(false)
			if !test.local {
				// No token is accepted, but one that does not hold is still named.
				h.answers(service, "x", map[string]answer{"/open": gone, "/local": gone})
			}

			h.cut.Store(false)
			h.within(patience, "the service is back", func() bool { return !isBlind(v) })
			h.answers(service, raw, full)
			h.answers(service, ending, map[string]answer{"/open": gone, "/bounded": gone, "/local": gone})

			if test.local {
				h.cutOff()
				h.within(2*homeBound, "the service is blind again", func() bool { return isBlind(v) })
				h.answers(service, raw, map[string]answer{"/local": ann})
				later.Store(int64(5*time.Minute + 11*time.Second))
				h.answers(service, raw, map[string]answer{"/local": gone, "/bounded": gone})
			}
		})
	}
}

// A live check asks each time, and not before it is called.
func TestLiveAsksEachTime(t *testing.T) {
	h := newHome(t)
	v := h.run(h.config())
	raw := h.token("ann")
	for n := range int64(3) {
		if _, err := v.VerifyWith(t.Context(), raw, verifier.Live); err != nil || h.inquiry.Load() != n+1 {
			t.Fatalf("%v, after %d questions", err, h.inquiry.Load())
		}
	}
	service := routes(v, true)
	if w := call(service, "/live", "Bearer "+raw); w.Code != 200 || h.inquiry.Load() != 4 {
		t.Errorf("over HTTP: %d, after %d questions", w.Code, h.inquiry.Load())
	}
	if w := call(service, "/bounded", "Bearer "+raw); w.Code != 200 || h.inquiry.Load() != 4 {
		t.Errorf("a bounded route: %d, after %d questions", w.Code, h.inquiry.Load())
	}
	h.end("ann")
	if _, err := v.VerifyWith(t.Context(), raw, verifier.Live); cause(err) != verifier.CauseRevoked {
		t.Errorf("after the end: %v", err)
	}
}

func TestLiveWhereNobodyCanBeAskedIsRefused(t *testing.T) {
	h := newHome(t)
	cfg := h.config()
	cfg.Keys = h.keys // and so no metadata that say where to ask
	v := h.run(cfg)
	raw := h.token("ann")
	if c := settled(t, v, raw); c != "" {
		t.Fatal(c)
	}
	w := call(routes(v, true), "/live", "Bearer "+raw)
	if _, err := v.VerifyWith(t.Context(), raw, verifier.Live); cause(err) != verifier.CauseRevocation || w.Code != 503 {
		t.Errorf("%v, over HTTP %d", err, w.Code)
	}
}

// Somebody accepted at the beginning of a request, or of a connection, is judged
// again where it is asked what he may do.
func TestMeetsHearsOfAnEndSinceTheRequestCame(t *testing.T) {
	h := newHome(t)
	v := h.run(h.config())
	c, err := v.Check(t.Context(), http.Header{"Authorization": {"Bearer " + h.token("ann")}})
	if err != nil {
		t.Fatal(err)
	}
	meets := func(f verifier.Freshness) verifier.Cause {
		return cause(c.Meets(t.Context(), verifier.Need{Freshness: f}))
	}
	if meets(verifier.Bounded) != "" || meets(verifier.Live) != "" {
		t.Fatal("refused before the end")
	}
	h.end("ann")
	h.within(homeBound, "the end is heard of", func() bool { return meets(verifier.Bounded) == verifier.CauseRevoked })
	for _, f := range []verifier.Freshness{verifier.Local, verifier.Live} {
		if got := meets(f); got != verifier.CauseRevoked {
			t.Errorf("%v: %q", f, got)
		}
	}
}

func TestAdmitIsCheckAndMeets(t *testing.T) {
	h := newHome(t)
	cfg := h.config()
	cfg.AllowLocal = true
	v := h.run(cfg)
	header := http.Header{"Authorization": {"Bearer " + h.token("ann")}}
	admit := func(h http.Header, need verifier.Need) verifier.Cause {
		c, err := v.Admit(t.Context(), h, need)
		if (err == nil) != c.SignedIn() {
			t.Errorf("%v comes with %v", err, c.Subject())
		}
		return cause(err)
	}
	live := verifier.Need{Freshness: verifier.Live}
	for _, test := range []struct {
		name   string
		header http.Header
		need   verifier.Need
		want   verifier.Cause
	}{
		{"somebody", header, verifier.Need{}, ""},
		{"nobody", nil, verifier.Need{}, verifier.CauseNone},
		{"nobody by another scheme", http.Header{"Authorization": {"Basic eDp5"}}, verifier.Need{}, verifier.CauseNone},
		{"two", http.Header{"Authorization": {"Bearer x", "Bearer y"}}, verifier.Need{}, verifier.CauseAmbiguous},
		{"a bad token", http.Header{"Authorization": {"Bearer x"}}, verifier.Need{}, verifier.CauseBadToken},
		{"a scope is missing", header, verifier.Need{Scope: "orders:write"}, verifier.CauseScope},
		{"live", header, live, ""},
		{"live, where a scope is missing", header, verifier.Need{Freshness: verifier.Live, Scope: "orders:write"}, verifier.CauseScope},
	} {
		if got := admit(test.header, test.need); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
	if n := h.inquiry.Load(); n != 1 {
		t.Errorf("the issuer was asked %d times", n)
	}
	h.cutOff()
	h.within(2*homeBound, "the service is blind", func() bool { return isBlind(v) })
	for f, want := range map[verifier.Freshness]verifier.Cause{verifier.Bounded: verifier.CauseRevocation, verifier.Local: "", verifier.Live: ""} {
		if got := admit(header, verifier.Need{Freshness: f}); got != want {
			t.Errorf("cut off, %v: %q, want %q", f, got, want)
		}
	}
	h.end("ann")
	if got := admit(header, live); got != verifier.CauseRevoked {
		t.Errorf("cut off, live, after the end: %q", got)
	}
}

// What a handler answers while it is blind must not depend on a caller whom
// nobody has accepted.
func TestAnUndecidedCallerIsNobodyToHandlers(t *testing.T) {
	h := newHome(t)
	cfg := h.config()
	cfg.AllowLocal = true
	v := h.run(cfg)
	raw := h.token("ann")
	if c := settled(t, v, raw); c != "" {
		t.Fatal(c)
	}
	h.cutOff()
	h.within(2*homeBound, "the service is blind", func() bool { return isBlind(v) })
	v.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := verifier.From(r.Context())
		if c.SignedIn() || c.Program() || c.Subject() != "" || c.SID() != "" {
			t.Errorf("a handler sees %q", c.Subject())
		}
		for f, want := range map[verifier.Freshness]verifier.Cause{verifier.Bounded: verifier.CauseRevocation, verifier.Local: "", verifier.Live: ""} {
			ctx, stop := c.WatchWith(r.Context(), f)
			if got := cause(c.Meets(r.Context(), verifier.Need{Freshness: f})); got != want || cause(context.Cause(ctx)) != want {
				t.Errorf("%v: %q, and to watch %v", f, got, context.Cause(ctx))
			}
			stop()
		}
	})).ServeHTTP(httptest.NewRecorder(), authorized(raw))
}

func authorized(raw string) *http.Request {
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Authorization", "Bearer "+raw)
	return r
}
