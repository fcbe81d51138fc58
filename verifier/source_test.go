package verifier_test

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lanyard-go/lanyard/token"
	"github.com/lanyard-go/lanyard/verifier"
)

// bubble runs a test in which time passes by sleeping and takes none.
func bubble(name string, t *testing.T, f func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { synctest.Test(t, f) })
}

func TestKeySetIsFetchedOnceAndKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := newIssuer(t, token.KeysConfig{})
		v := open(t, i.config())
		if n := i.asked.Load(); n != 0 {
			t.Fatalf("New made %d requests", n)
		}
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				if err := i.good(v); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if n := i.asked.Load(); n != 1 {
			t.Errorf("100 requests at once made %d fetches", n)
		}
		time.Sleep(3 * time.Minute)
		if err := i.good(v); err != nil || i.asked.Load() != 1 {
			t.Errorf("after three minutes: %v, %d fetches", err, i.asked.Load())
		}
	})
}

func TestOverdueKeySetIsFetchedBeforeItIsUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := newIssuer(t, token.KeysConfig{})
		v := open(t, i.config())
		if err := i.good(v); err != nil {
			t.Fatal(err)
		}
		old := i.token(i.claims(time.Now().Add(5 * time.Minute)))
		info := i.keys.List(time.Now())
		if err := i.keys.Withdraw(info[0].ID); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Minute)
		if _, err := v.Verify(t.Context(), old); cause(err) != verifier.CauseBadToken {
			t.Errorf("a token under a key withdrawn five minutes ago: %v", err)
		}
	})
}

// Beside the requests, the set is fetched before it is overdue, so that none of
// them waits.
func TestKeySetIsFetchedAheadOfItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := newIssuer(t, token.KeysConfig{})
		v := open(t, i.config())
		if err := i.good(v); err != nil {
			t.Fatal(err)
		}
		slow := func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(4 * time.Second)
			i.answer(w, r, keysAddress)
		}
		i.instead[keysAddress] = slow
		for range 600 {
			time.Sleep(time.Second)
			before := time.Now()
			if err := i.good(v); err != nil {
				t.Fatal(err)
			}
			if waited := time.Since(before); waited != 0 {
				t.Fatalf("a request waited %v", waited)
			}
		}
		synctest.Wait()
		if n := i.asked.Load(); n < 3 || n > 4 {
			t.Errorf("%d fetches in ten minutes", n)
		}
	})
}

func TestRunKeepsTheKeySetFresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := newIssuer(t, token.KeysConfig{})
		v := open(t, i.config())
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- v.Run(ctx) }()
		time.Sleep(time.Hour + time.Second)
		n := i.asked.Load()
		if n < 12 || n > 19 {
			t.Errorf("%d fetches in an hour", n)
		}
		if err := i.good(v); err != nil || i.asked.Load() != n {
			t.Errorf("%v, and %d fetches more", err, i.asked.Load()-n)
		}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Run ended with %v", err)
		}
	})
}

func TestCacheControlIsHonouredWithinBounds(t *testing.T) {
	for _, test := range []struct {
		name, header, age string
		fresh, overdue    time.Duration // ages at which the set is used, and is not
	}{
		{"a shorter time", "max-age=60", "", 40 * time.Second, time.Minute},
		{"a longer time ends at CacheTime", "max-age=86400", "", 3 * time.Minute, 5 * time.Minute},
		{"nothing said", "", "", 3 * time.Minute, 5 * time.Minute},
		{"no caching wanted is ten seconds", "no-store", "", 6 * time.Second, 10 * time.Second},
		{"no-cache among others", "max-age=100, No-Cache", "", 6 * time.Second, 10 * time.Second},
		{"nonsense is ten seconds", "max-age=soon", "", 6 * time.Second, 10 * time.Second},
		{"time spent in a cache counts", "max-age=300", "240", 40 * time.Second, time.Minute},
		{"an age beyond all measure", "max-age=300", "999999999", 6 * time.Second, 10 * time.Second},
	} {
		bubble(test.name, t, func(t *testing.T) {
			i := newIssuer(t, token.KeysConfig{})
			i.instead[keysAddress] = func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.Header().Set("Cache-Control", test.header)
				w.Header().Set("Age", test.age)
				w.Write(i.keys.JWKS(time.Now()))
			}
			v := open(t, i.config())
			if err := v.Ready(t.Context()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(test.fresh)
			if err := v.Ready(t.Context()); err != nil || i.asked.Load() != 1 {
				t.Errorf("after %v: %v, %d fetches", test.fresh, err, i.asked.Load())
			}
			time.Sleep(test.overdue - test.fresh)
			if err := v.Ready(t.Context()); err != nil || i.asked.Load() != 2 {
				t.Errorf("after %v: %v, %d fetches", test.overdue, err, i.asked.Load())
			}
		})
	}
}

func TestUnchangedKeySetIsNotSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := newIssuer(t, token.KeysConfig{})
		full := 0
		i.instead[keysAddress] = func(w http.ResponseWriter, r *http.Request) {
			tag := `"` + strconv.Itoa(len(i.keys.JWKS(time.Now()))) + `"`
			w.Header().Set("Etag", tag)
			if r.Header.Get("If-None-Match") == tag {
				w.WriteHeader(http.StatusNotModified)
				return
			}
			full++
			i.answer(w, r, keysAddress)
		}
		v := open(t, i.config())
		for range 4 {
			if err := i.good(v); err != nil {
				t.Fatal(err)
			}
			time.Sleep(5 * time.Minute)
		}
		if full != 1 {
			t.Errorf("the whole set came %d times", full)
		}
		if _, err := i.keys.Rotate(); err != nil {
			t.Fatal(err)
		}
		if err := i.good(v); err != nil || full != 2 {
			t.Errorf("after a change: %v, the whole set came %d times", err, full)
		}
	})
}

// req: JWT-30
func TestFloodOfUnknownKeysFetchesOncePerInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := newIssuer(t, token.KeysConfig{})
		cfg := i.config()
		cfg.UnknownKeyInterval = 10 * time.Second
		v := open(t, cfg)
		if err := i.good(v); err != nil {
			t.Fatal(err)
		}
		forger := stranger(t)
		bad := forger.token(forger.claims(time.Now()))
		for second := range 60 {
			var all sync.WaitGroup
			for range 50 {
				all.Go(func() {
					if _, err := v.Verify(t.Context(), bad); cause(err) != verifier.CauseBadToken {
						t.Error(err)
					}
				})
			}
			all.Wait()
			if n := i.asked.Load(); n > 2+int64(second)/10 {
				t.Fatalf("%d fetches in %d seconds", n, second)
			}
			if err := i.good(v); err != nil {
				t.Fatalf("a good token in the flood: %v", err)
			}
			time.Sleep(time.Second)
		}
	})
}

// A signing key withdrawn in an emergency is replaced by one that nobody has
// announced: the first token under it makes the verifier look.
func TestKeyThatSignsAtOnceIsLookedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := newIssuer(t, token.KeysConfig{})
		v := open(t, i.config())
		if err := i.good(v); err != nil {
			t.Fatal(err)
		}
		old := i.token(i.claims(time.Now()))
		time.Sleep(20 * time.Second)
		if err := i.keys.Withdraw(i.keys.List(time.Now())[0].ID); err != nil {
			t.Fatal(err)
		}
		if err := i.good(v); err != nil {
			t.Errorf("a token under the new key: %v", err)
		}
		if _, err := v.Verify(t.Context(), old); cause(err) != verifier.CauseBadToken {
			t.Errorf("a token under the withdrawn key: %v", err)
		}
	})
}

// req: JWT-30
func TestStaleKeySetIsUsedUpToAnAgeAndThenRefused(t *testing.T) {
	for _, background := range []bool{false, true} {
		bubble(map[bool]string{false: "on demand", true: "in the background"}[background], t, func(t *testing.T) {
			i := newIssuer(t, token.KeysConfig{})
			v := open(t, i.config())
			if background {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				go v.Run(ctx)
			}
			if err := i.good(v); err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			i.down.Store(true)
			for time.Since(start) < 14*time.Minute {
				time.Sleep(10 * time.Second)
				if err := i.good(v); err != nil {
					t.Fatalf("%v after the issuer went: %v", time.Since(start), err)
				}
			}
			forger := stranger(t)
			if _, err := v.Verify(t.Context(), forger.token(forger.claims(time.Now()))); cause(err) != verifier.CauseKeys {
				t.Errorf("an unknown key while nobody can be asked: %v", err)
			}
			time.Sleep(time.Minute + time.Second)
			err := i.good(v)
			if cause(err) != verifier.CauseKeys {
				t.Errorf("past MaxStale: %v", err)
			}
			if status, _, _ := err.(*verifier.Refused).Public(); status != http.StatusServiceUnavailable {
				t.Errorf("status %d", status)
			}
			i.down.Store(false)
			time.Sleep(time.Minute) // the pause after a failure
			if err := i.good(v); err != nil {
				t.Errorf("the issuer is back: %v", err)
			}
		})
	}
}

func TestPausesGrowWhileTheIssuerIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := newIssuer(t, token.KeysConfig{})
		var tries atomic.Int64
		i.instead[keysAddress] = func(w http.ResponseWriter, r *http.Request) {
			tries.Add(1)
			w.WriteHeader(http.StatusInternalServerError)
		}
		v := open(t, i.config())
		for range 600 {
			if err := i.good(v); cause(err) != verifier.CauseKeys {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		// 1, 2, 4, 8, 16, 30, 30 ... seconds, each shortened by up to a half.
		if n := tries.Load(); n < 20 || n > 45 {
			t.Errorf("%d tries in ten minutes", n)
		}
	})
}

func TestRequestThatIsGivenUpStopsWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := newIssuer(t, token.KeysConfig{})
		i.instead[keysAddress] = func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(3 * time.Second)
			i.answer(w, r, keysAddress)
		}
		v := open(t, i.config())
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := v.Ready(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		// The fetch went on for others.
		if err := v.Ready(t.Context()); err != nil || i.asked.Load() != 1 {
			t.Errorf("then %v, %d fetches", err, i.asked.Load())
		}
	})
}

func TestCrowdThatWaitsIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := newIssuer(t, token.KeysConfig{})
		i.instead[keysAddress] = func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(3 * time.Second)
			i.answer(w, r, keysAddress)
		}
		v := open(t, i.config())
		var all sync.WaitGroup
		var crowded atomic.Int64
		for range 1500 {
			all.Go(func() {
				if err := v.Ready(t.Context()); err != nil {
					if !strings.Contains(err.Error(), "too many requests") {
						t.Error(err)
					}
					crowded.Add(1)
				}
			})
		}
		all.Wait()
		if n := crowded.Load(); n != 1500-1024 {
			t.Errorf("%d were turned away", n)
		}
	})
}

// Keys may have moved: after a failure the metadata are read again.
func TestKeysThatMovedAreFoundAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := newIssuer(t, token.KeysConfig{})
		v := open(t, i.config())
		if err := v.Ready(t.Context()); err != nil {
			t.Fatal(err)
		}
		const moved = testIssuer + "/new/keys"
		i.instead[metadataAddress] = say(`{"issuer":"` + testIssuer + `","jwks_uri":"` + moved + `"}`)
		i.instead[moved] = func(w http.ResponseWriter, r *http.Request) { i.answer(w, r, keysAddress) }
		i.instead[keysAddress] = http.NotFound
		time.Sleep(5 * time.Minute)
		if err := v.Ready(t.Context()); err != nil {
			t.Errorf("while the old set may be used: %v", err)
		}
		time.Sleep(time.Second)
		if err := v.Ready(t.Context()); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		delete(i.instead, metadataAddress)
		i.down.Store(true)
		time.Sleep(13 * time.Minute) // more than is left of the first set
		if err := v.Ready(t.Context()); err != nil {
			t.Errorf("the set was not fetched from its new place: %v", err)
		}
	})
}
