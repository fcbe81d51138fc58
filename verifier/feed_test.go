package verifier_test

import (
	"context"
	"crypto/elliptic"
	"encoding/base64"
	"errors"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/verifier"
)

// Each way to end something at the issuer is heard of within the bound, while
// nobody asks the issuer, and whoever signs in afterwards is not meant.
//
// req: REVOKE-3, JWT-15
func TestEachKindOfEndReachesAVerifier(t *testing.T) {
	for _, test := range []struct {
		name string
		end  func(t *testing.T, h *home, g *lanyard.Grant) error
		kind string
		eve  bool // is refused as well
	}{
		{"a session", func(t *testing.T, h *home, g *lanyard.Grant) error {
			return h.m.End(t.Context(), g.Session.SID(), lanyard.EndOptions{Reason: lanyard.ReasonLogout})
		}, "session", false},
		{"all of a person", func(t *testing.T, h *home, g *lanyard.Grant) error {
			_, err := h.m.EndAll(t.Context(), "ann", lanyard.EndOptions{Reason: lanyard.ReasonAdmin})
			return err
		}, "subject", false},
		{"everything", func(t *testing.T, h *home, g *lanyard.Grant) error {
			_, err := h.m.EndEverything(t.Context(), 0, lanyard.EndOptions{Reason: lanyard.ReasonAdmin})
			return err
		}, "all", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := newHome(t)
			v := h.run(h.config())
			ann, eve := h.login("ann"), h.token("eve")
			raw := ann.Access.Reveal()
			for _, raw := range []string{raw, eve} {
				if c := settled(t, v, raw); c != "" {
					t.Fatalf("before: %s", c)
				}
			}
			if err := test.end(t, h, ann); err != nil {
				t.Fatal(err)
			}
			h.within(homeBound, "the end is heard of", func() bool { return judged(t, v, raw) != "" })
			_, err := v.Verify(t.Context(), raw)
			if cause(err) != verifier.CauseRevoked || !errors.Is(err, verifier.ErrRevoked) || !strings.HasSuffix(err.Error(), "of kind "+test.kind) {
				t.Errorf("refused for %v", err)
			}
			if c := judged(t, v, eve); (c == verifier.CauseRevoked) != test.eve {
				t.Errorf("somebody else: %q", c)
			}
			if c := settled(t, v, h.token("ann")); c != "" {
				t.Errorf("after signing in anew: %s", c)
			}
			if n := h.inquiry.Load(); n != 0 {
				t.Errorf("the issuer was asked %d times", n)
			}
		})
	}
}

// req: FIX-3, JWT-15
func TestATokenOfAnOldGenerationIsRefused(t *testing.T) {
	h := newHome(t)
	v := h.run(h.config())
	old := h.token("ann")
	s, _, err := h.m.CheckAccess(t.Context(), old)
	if err != nil {
		t.Fatal(err)
	}
	g, err := h.m.Elevate(t.Context(), s, lanyard.Elevation{Methods: []string{"otp"}})
	if err != nil {
		t.Fatal(err)
	}
	h.within(homeBound, "the old token is refused", func() bool { return judged(t, v, old) == verifier.CauseRevoked })
	if c := settled(t, v, g.Access.Reveal()); c != "" {
		t.Errorf("the new token: %s", c)
	}
}

func TestAProgramsTokenDiesWithEverythingAndWithItsKey(t *testing.T) {
	for _, test := range []struct {
		name string
		end  lanyard.End
	}{
		{"everything", lanyard.End{All: true}},
		{"its key", lanyard.End{Key: "set below"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := newHome(t)
			v := h.run(h.config())
			g, err := h.m.ProgramToken(t.Context(), "batch", nil, "")
			if err != nil {
				t.Fatal(err)
			}
			raw := g.Access.Reveal()
			h.end("batch")
			if c := settled(t, v, raw); c != "" {
				t.Fatalf("before: %s", c)
			}
			test.end.Reason = lanyard.ReasonAdmin
			if test.end.Key != "" {
				test.end.Key = h.keys.List(time.Now())[0].ID
			}
			if _, err := h.m.Revoke(t.Context(), test.end, true); err != nil {
				t.Fatal(err)
			}
			if c := settled(t, v, raw); c != verifier.CauseRevoked {
				t.Errorf("after: %q", c)
			}
		})
	}
}

// The feed refuses the key while the cached key set still has it, and the set is
// fetched anew.
//
// req: KEY-11
func TestAWithdrawnKeyIsRefusedThoughTheCachedSetHasIt(t *testing.T) {
	h := newHome(t)
	v := h.run(h.config())
	raw := h.token("ann")
	if c := settled(t, v, raw); c != "" {
		t.Fatal(c)
	}
	before := h.fetched.Load()
	// Only the feed says so: the published set still has the key.
	kid := h.keys.List(time.Now())[0].ID
	if err := h.m.AnnounceKey(t.Context(), kid, lanyard.EndOptions{Reason: lanyard.ReasonAdmin}); err != nil {
		t.Fatal(err)
	}
	h.within(homeBound, "the key is refused", func() bool { return judged(t, v, raw) == verifier.CauseRevoked })
	h.within(patience, "the key set is fetched anew", func() bool { return h.fetched.Load() == before+1 })
	if c := settled(t, v, raw); c != verifier.CauseRevoked {
		t.Errorf("with a new set that has the key: %q", c)
	}
	// One that starts now hears of it in a snapshot.
	if c := settled(t, h.run(h.config()), raw); c != verifier.CauseRevoked {
		t.Errorf("at a service that has just started: %q", c)
	}
	// The successor signs at once, and nobody has to wait for it.
	if err := h.keys.Withdraw(kid); err != nil {
		t.Fatal(err)
	}
	if c := settled(t, v, h.token("ann")); c != "" {
		t.Errorf("under the next key: %s", c)
	}
}

// A signature (r, s) of ECDSA has a twin (r, n-s). The token with the twin is
// another text with the same meaning, and has to die with the session.
//
// req: REVOKE-4
func TestTheTwinOfARevokedTokenIsRefused(t *testing.T) {
	h := newHome(t)
	v := h.run(h.config())
	raw := h.token("ann")
	dot := strings.LastIndexByte(raw, '.')
	sig, err := base64.RawURLEncoding.DecodeString(raw[dot+1:])
	if err != nil || len(sig) != 64 {
		t.Fatal(len(sig), err)
	}
	s := new(big.Int).SetBytes(sig[32:])
	s.Sub(elliptic.P256().Params().N, s).FillBytes(sig[32:])
	twin := raw[:dot+1] + base64.RawURLEncoding.EncodeToString(sig)
	if c := settled(t, v, raw); c != "" {
		t.Fatal(c)
	}
	if c := settled(t, v, twin); c != "" {
		t.Fatalf("the twin before the end: %s; the test shows nothing", c)
	}
	h.end("ann")
	for name, raw := range map[string]string{"the token": raw, "its twin": twin} {
		h.within(homeBound, name+" is refused", func() bool { return judged(t, v, raw) == verifier.CauseRevoked })
	}
	// Met for the first time after the end.
	if c := settled(t, h.run(h.config()), twin); c != verifier.CauseRevoked {
		t.Errorf("the twin at a service that has just started: %q", c)
	}
}

func TestReadySaysWhatIsInTheWay(t *testing.T) {
	h := newHome(t)
	other := newHome(t)
	limit, now := 2*time.Second, time.Now
	for _, test := range []struct {
		name   string
		change func(*verifier.Config)
		want   string
	}{
		{"all right", func(*verifier.Config) {}, ""},
		{"a node that is gone, and another", func(c *verifier.Config) { c.Feeds = []string{c.Feed}; c.Feed = "http://127.0.0.1:1/feed" }, ""},
		{"wrong credentials", func(c *verifier.Config) { c.Credentials.Secret = "wrong" }, "credentials ("},
		{"no credentials", func(c *verifier.Config) { c.Credentials = verifier.Credentials{} }, "credentials ("},
		{"nobody there", func(c *verifier.Config) { c.Feed = "http://127.0.0.1:1/feed" }, "unreachable ("},
		{"the feed of another issuer", func(c *verifier.Config) { c.Feed, c.Transport = other.url+"/feed", other }, "issuer ("},
		{"a clock that is two minutes ahead", func(c *verifier.Config) {
			c.Now = func() time.Time { return now().Add(2 * time.Minute) }
		}, "clock ("},
		{"a clock that is two minutes behind", func(c *verifier.Config) {
			c.Now = func() time.Time { return now().Add(-2 * time.Minute) }
		}, "clock ("},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel() // it is mostly waiting
			var log diary
			cfg := h.config()
			test.change(&cfg)
			cfg.Logger = log.logger()
			if test.want != "" {
				cfg.Timeout = limit
			}
			if strings.HasPrefix(test.want, "issuer") {
				cfg.JWKSURL = h.url + "/jwks" // which the other's transport carries as well
			}
			v := h.begin(cfg)
			err := v.Ready(t.Context())
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if test.want == "" {
				return
			}
			if c := judged(t, v, h.token("ann")); c == "" {
				t.Error("a token was accepted")
			}
			word, _, _ := strings.Cut(test.want, " ")
			if n := strings.Count(log.String(), "trouble="+word); n != 1 {
				t.Errorf("the log names it %d times:\n%s", n, &log)
			}
		})
	}
	cfg := h.config()
	cfg.Timeout = limit
	if err := open(t, cfg).Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "does Run go on?") {
		t.Errorf("without Run: %v", err)
	}
}

func TestOnlyOneRunGoesOn(t *testing.T) {
	h := newHome(t)
	v := h.run(h.config())
	if err := v.Run(t.Context()); err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("a second Run: %v", err)
	}
}

// Two issuers behind one address: whichever answers, nothing that the other says
// counts.
func TestTwoIssuersOnOneFeedAddress(t *testing.T) {
	h, other := newHome(t), newHome(t)
	var turn int
	both := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if turn++; turn%2 == 0 { // one follower makes one request for the stream at a time
			r.URL.Host, r.Host = strings.TrimPrefix(other.url, "http://"), ""
			r.URL.Scheme, r.RequestURI = "http", ""
			res, err := http.DefaultTransport.RoundTrip(r)
			if err != nil {
				w.WriteHeader(http.StatusBadGateway)
				return
			}
			defer res.Body.Close()
			w.Header().Set("Content-Type", res.Header.Get("Content-Type"))
			copyStream(w, res.Body)
			return
		}
		// This one's own stream is over soon, so that the other gets its turn.
		hello(w, h.url, "a")
	})
	h.stream.Store(&both)
	var log diary
	cfg := h.config()
	cfg.Logger, cfg.Timeout = log.logger(), time.Second
	v := h.begin(cfg)
	if err := v.Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "issuer (") {
		t.Errorf("got %v", err)
	}
	if c := judged(t, v, h.token("ann")); c != verifier.CauseRevocation {
		t.Errorf("a token: %q", c)
	}
	if !strings.Contains(log.String(), "trouble=issuer") {
		t.Errorf("the log says\n%s", &log)
	}
}
