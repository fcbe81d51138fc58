package dpop_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard/dpop"
)

// shared is the memory of two nodes, with a switch for an outage.
type shared struct {
	mu    sync.Mutex
	until map[string]time.Time
	away  bool
}

func (s *shared) Once(_ context.Context, key string, now, until time.Time) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away {
		return false, errors.New("connection refused")
	}
	if at, ok := s.until[key]; ok && !now.After(at) {
		return false, nil
	}
	s.until[key] = until
	return true, nil
}

// req: DPOP-14
func TestProofIsAcceptedOnce(t *testing.T) {
	now := start
	clock := func() time.Time { return now }
	memory := &shared{until: map[string]time.Time{}}
	nodes := []*dpop.Checker{checker(t, dpop.Config{Memory: memory, Now: clock}), checker(t, dpop.Config{Memory: memory, Now: clock})}
	prover, err := dpop.NewProver(ecKey(t), func() time.Time { return start.Add(5 * time.Second) }) // as far ahead as may be
	if err != nil {
		t.Fatal(err)
	}
	text, err := prover.Proof("GET", here, "", "")
	if err != nil {
		t.Fatal(err)
	}
	check := func(node int) dpop.Cause {
		_, err := nodes[node].Check(t.Context(), []string{text}, dpop.Request{Method: "GET", URL: here})
		return why(t, err)
	}
	if got := check(0); got != "" {
		t.Fatalf("the first time: %q", got)
	}
	for ; !now.After(start.Add(65 * time.Second)); now = now.Add(500 * time.Millisecond) {
		for node := range nodes {
			if got := check(node); got != dpop.Replayed {
				t.Fatalf("%v later, at node %d: %q", now.Sub(start), node, got)
			}
		}
	}
	if got := check(1); got != dpop.WrongTime {
		t.Errorf("past the window: %q", got)
	}
	for key := range memory.until {
		if len(key) > 64 {
			t.Errorf("a key of %d bytes", len(key))
		}
	}
}

// TestIdentifierOfAnotherKeyIsAnother: nobody can use up what others will send.
func TestIdentifierOfAnotherKeyIsAnother(t *testing.T) {
	check := checker(t, dpop.Config{})
	for range 2 {
		key := ecKey(t)
		header, claims := good(key)
		_, err := check.Check(t.Context(), []string{forge(t, key, header, claims.with(object{"jti": "the same"}))}, dpop.Request{Method: "GET", URL: here})
		if got := why(t, err); got != "" {
			t.Fatal(got)
		}
	}
}

// req: DPOP-14
func TestRefusedProofIsNotUsedUp(t *testing.T) {
	prover, err := dpop.NewProver(ecKey(t), func() time.Time { return start })
	if err != nil {
		t.Fatal(err)
	}
	text, err := prover.Proof("GET", here, "token", "")
	if err != nil {
		t.Fatal(err)
	}
	check := checker(t, dpop.Config{})
	for _, r := range []dpop.Request{
		{Method: "POST", URL: here, Token: "token"},
		{Method: "GET", URL: here + "/x", Token: "token"},
		{Method: "GET", URL: here, Token: "other"},
		{Method: "GET", URL: here, Token: "token", Thumbprint: "other"},
	} {
		if _, err := check.Check(t.Context(), []string{text}, r); err == nil {
			t.Fatalf("%+v passed", r)
		}
	}
	if _, err := check.Check(t.Context(), []string{text}, dpop.Request{Method: "GET", URL: here, Token: "token"}); err != nil {
		t.Error(err)
	}
}

// req: DPOP-15
func TestUnknownIsNoRefusal(t *testing.T) {
	memory := &shared{until: map[string]time.Time{}, away: true}
	check := checker(t, dpop.Config{Memory: memory})
	prover, err := dpop.NewProver(ecKey(t), func() time.Time { return start })
	if err != nil {
		t.Fatal(err)
	}
	text, err := prover.Proof("GET", here, "", "")
	if err != nil {
		t.Fatal(err)
	}
	_, err = check.Check(t.Context(), []string{text}, dpop.Request{Method: "GET", URL: here})
	if _, refused := errors.AsType[*dpop.Refused](err); refused || !errors.Is(err, dpop.ErrMemory) {
		t.Fatalf("got %v", err)
	}
	memory.away = false
	if _, err := check.Check(t.Context(), []string{text}, dpop.Request{Method: "GET", URL: here}); err != nil {
		t.Errorf("the same proof after the outage: %v", err)
	}
}

// req: DPOP-14
func TestOneOfManyCallersWins(t *testing.T) {
	memory, err := dpop.NewLocalMemory(4096)
	if err != nil {
		t.Fatal(err)
	}
	for round := range 200 {
		var won atomic.Int32
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				first, err := memory.Once(t.Context(), strconv.Itoa(round), start, start.Add(time.Minute))
				if err != nil {
					t.Error(err)
				}
				if first {
					won.Add(1)
				}
			})
		}
		all.Wait()
		if won.Load() != 1 {
			t.Fatalf("%d callers were first", won.Load())
		}
	}
}

func TestLocalMemoryForgetsAndIsBounded(t *testing.T) {
	memory, err := dpop.NewLocalMemory(1024)
	if err != nil {
		t.Fatal(err)
	}
	fill := func(now time.Time) (kept int) {
		for i := range 4096 {
			first, err := memory.Once(t.Context(), strconv.Itoa(i)+now.String(), now, now.Add(time.Minute))
			switch {
			case err == nil && first:
				kept++
			case !errors.Is(err, dpop.ErrFull):
				t.Fatalf("%v %v", first, err)
			}
		}
		return kept
	}
	if kept := fill(start); kept < 900 || kept > 1024 {
		t.Errorf("%d were kept of a memory for 1024", kept)
	}
	if kept := fill(start.Add(59 * time.Second)); kept > 0 {
		t.Errorf("%d more fitted while all still counted", kept)
	}
	if kept := fill(start.Add(2 * time.Minute)); kept < 900 {
		t.Errorf("%d fitted after all had been forgotten", kept)
	}
	if _, err := dpop.NewLocalMemory(10); err == nil || !strings.Contains(err.Error(), "1024") {
		t.Errorf("got %v", err)
	}
}

// forgetful lets everything pass.
type forgetful struct{}

func (forgetful) Once(context.Context, string, time.Time, time.Time) (bool, error) { return true, nil }
