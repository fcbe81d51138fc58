package verifier_test

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lanyard-go/lanyard/revocation"
	"github.com/lanyard-go/lanyard/token"
	"github.com/lanyard-go/lanyard/verifier"
)

// checked is the caller with a token.
func checked(t *testing.T, v *verifier.Verifier, raw string) *verifier.Caller {
	t.Helper()
	c, err := v.Check(t.Context(), http.Header{"Authorization": {"Bearer " + raw}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// ends waits for a context to end, and returns why it did.
func (h *home) ends(d time.Duration, ctx context.Context) error {
	h.t.Helper()
	select {
	case <-ctx.Done():
	case <-time.After(d):
		h.t.Fatalf("it goes on after %v", d)
	}
	return context.Cause(ctx)
}

func TestAWatchEndsWithItsSession(t *testing.T) {
	h := newHome(t)
	v := h.run(h.config())
	ann, stop := checked(t, v, h.token("ann")).Watch(t.Context())
	defer stop()
	other, stopOther := checked(t, v, h.token("eve")).Watch(t.Context())
	defer stopOther()
	if n := v.Status().Watchers; n != 2 {
		t.Errorf("%d watchers", n)
	}
	h.end("ann")
	if err := h.ends(homeBound, ann); cause(err) != verifier.CauseRevoked || !errors.Is(err, verifier.ErrRevoked) {
		t.Errorf("ended for %v", err)
	}
	if other.Err() != nil {
		t.Errorf("somebody else's ended: %v", context.Cause(other))
	}
	stopOther()
	if err := context.Cause(other); err != context.Canceled {
		t.Errorf("stopped for %v", err)
	}
	h.within(patience, "nobody watches any more", func() bool { return v.Status().Watchers == 0 })
}

func TestAWatchOfTheDeadHasEnded(t *testing.T) {
	h := newHome(t)
	v := h.run(h.config())
	c := checked(t, v, h.token("ann"))
	h.end("ann")
	h.within(homeBound, "the end is heard of", func() bool { return cause(c.Meets(t.Context(), verifier.Need{})) == verifier.CauseRevoked })
	for _, f := range []verifier.Freshness{verifier.Bounded, verifier.Local, verifier.Live} {
		ctx, stop := c.WatchWith(t.Context(), f)
		if got := cause(context.Cause(ctx)); got != verifier.CauseRevoked {
			t.Errorf("%v: %q", f, got)
		}
		stop()
	}
}

// A connection does not outlive the bound, unless its route is local.
func TestAWatchEndsWhenTheServiceIsBlind(t *testing.T) {
	for _, local := range []bool{false, true} {
		h := newHome(t)
		cfg := h.config()
		cfg.AllowLocal = local
		v := h.run(cfg)
		c := checked(t, v, h.token("ann"))
		bounded, stop := c.Watch(t.Context())
		defer stop()
		loose, stopLoose := c.WatchWith(t.Context(), verifier.Local)
		defer stopLoose()
		live, stopLive := c.WatchWith(t.Context(), verifier.Live)
		defer stopLive()
		h.cutOff()
		if err := h.ends(3*homeBound, bounded); cause(err) != verifier.CauseRevocation || !errors.Is(err, revocation.ErrBlind) {
			t.Errorf("ended for %v", err)
		}
		// Connections end one after another.
		if !local {
			if err := h.ends(3*homeBound, loose); !errors.Is(err, revocation.ErrBlind) {
				t.Errorf("without local routes a local one ended for %v", err)
			}
		} else if loose.Err() != nil {
			t.Errorf("a local one ended for %v", context.Cause(loose))
		}
		if live.Err() != nil {
			t.Errorf("a live one ended for %v", context.Cause(live))
		}
		h.end("ann")
		h.cut.Store(false)
		if err := h.ends(patience, live); cause(err) != verifier.CauseRevoked {
			t.Errorf("with the news a live one ended for %v", err)
		}
	}
}

func TestAWatchEndsWhenTheTokenExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := newIssuer(t, token.KeysConfig{})
		cfg := i.config()
		cfg.Leeway = 10 * time.Second
		v := open(t, cfg)
		start := time.Now().Truncate(time.Second)
		ctx, stop := checked(t, v, i.token(i.claims(start))).Watch(t.Context())
		defer stop()
		stopped, stopNow := checked(t, v, i.token(i.claims(start))).Watch(t.Context())
		stopNow()
		<-ctx.Done()
		if d := time.Since(start); d != 5*time.Minute+10*time.Second {
			t.Errorf("it ended after %v", d)
		}
		refused := context.Cause(ctx)
		if bad, ok := errors.AsType[*token.Error](refused); cause(refused) != verifier.CauseBadToken || !ok || bad.Cause != token.CauseExpired {
			t.Errorf("ended for %v", refused)
		}
		if err := context.Cause(stopped); err != context.Canceled {
			t.Errorf("the one that was stopped ended for %v", err)
		}
	})
}

// The wall clock counts: timers stand still while a machine sleeps.
func TestAWatchNoticesThatTheMachineSlept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := newIssuer(t, token.KeysConfig{})
		var slept atomic.Int64
		cfg := i.config()
		cfg.Now = func() time.Time { return time.Now().Add(time.Duration(slept.Load())) }
		ctx, stop := checked(t, open(t, cfg), i.token(i.claims(time.Now()))).Watch(t.Context())
		defer stop()
		time.Sleep(90 * time.Second)
		slept.Store(int64(time.Hour))
		woke := time.Now()
		<-ctx.Done()
		if d := time.Since(woke); d > time.Minute {
			t.Errorf("it ended %v later", d)
		}
	})
}

func TestNobodysWatchEndsWithItsContextAlone(t *testing.T) {
	ctx, stop := verifier.From(t.Context()).Watch(t.Context())
	if ctx.Err() != nil {
		t.Errorf("it has ended: %v", context.Cause(ctx))
	}
	stop()
	if ctx.Err() == nil {
		t.Error("it goes on when it was stopped")
	}
}
