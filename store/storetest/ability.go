package storetest

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard"
)

// able makes the check of a case about an optional ability. It is skipped on a
// store without it.
func able[A any](f func(*bed, A)) func(testing.TB, lanyard.Store) {
	return check(func(b *bed) {
		a, ok := b.store.(A)
		if !ok {
			b.Skip("the store is no " + reflect.TypeFor[A]().Name())
		}
		f(b, a)
	})
}

// patience bounds the waits for what happens in its own time. It is reached by
// stores that fail only.
const patience = 10 * time.Second

var abilityCases = []Case{
	{"Ping answers while the store can be reached", able(func(b *bed, s lanyard.Pinger) {
		for range 3 {
			if err := s.Ping(b.ctx); err != nil {
				b.Errorf("Ping: %v", err)
			}
			b.start("alice")
		}
	})},
	{"Count counts the live records", able(func(b *bed, s lanyard.Counter) {
		count := func(want int) {
			b.Helper()
			// Exact where nothing is past its deadlines or fenced.
			if n, err := s.Count(b.ctx, now); err != nil || n != want {
				b.Errorf("Count returned %d and %v, want %d", n, err, want)
			}
		}
		count(0)
		for i := range 10 {
			b.start([]string{"alice", "bob", ""}[i%3])
		}
		count(10)
		b.end(lanyard.End{Subject: "alice"})
		count(6)
		b.prune(lanyard.Prune{Now: now, Forget: now, Limit: 100})
		count(6)
		b.prune(lanyard.Prune{Now: idle, Forget: now, Limit: 100})
		count(0)
	})},
	{"GlobalEpoch returns the highest epoch", able(func(b *bed, s lanyard.Epochs) {
		epoch := func(want uint64) {
			b.Helper()
			if got, err := s.GlobalEpoch(b.ctx); err != nil || got != want {
				b.Errorf("GlobalEpoch returned %d and %v, want %d", got, err, want)
			}
		}
		epoch(b.start("alice").GlobalEpoch)
		epoch(b.end(lanyard.End{All: true}).Epoch)
		before, err := s.GlobalEpoch(b.ctx)
		if err != nil {
			b.Fatalf("GlobalEpoch: %v", err)
		}
		b.end(lanyard.End{Subject: "alice"})
		b.end(lanyard.End{SID: b.start("bob").SID})
		epoch(before)
		b.end(lanyard.End{All: true, AtLeast: 40})
		epoch(40)
	})},
	{"Watch wakes its caller and ends with its context", able(watches)},
}

// watches expects at least one call of wake while entries are appended. The
// promise is less, for one entry; a store that never calls it should not have
// the method.
func watches(b *bed, s lanyard.Watcher) {
	ctx, stop := context.WithCancel(b.ctx)
	defer stop()
	woken, ended := make(chan struct{}, 1), make(chan error, 1)
	go func() {
		ended <- s.Watch(ctx, func() {
			select {
			case woken <- struct{}{}:
			default:
			}
		})
	}()
	late := time.After(patience)
	for calls, awake := 0, false; !awake; calls++ {
		b.revoke(lanyard.End{Key: fmt.Sprint("k", calls), Now: now, Until: until})
		select {
		case <-woken:
			awake = true
		case err := <-ended:
			b.Fatalf("Watch returned before its context ended: %v", err)
		case <-late:
			b.Fatalf("Watch did not call wake for any of %d entries", calls)
		case <-time.After(20 * time.Millisecond): // wake may come late or not at all
		}
	}
	stop()
	select {
	case err := <-ended:
		if err == nil {
			b.Error("Watch returned without a reason")
		}
	case <-time.After(patience):
		b.Error("Watch goes on after its context ended")
	}
}

var engineCases = []Case{
	{"Clock tells the engine's time", able(func(b *bed, s lanyard.Clocked) {
		first, err := s.Clock(b.ctx)
		if err != nil {
			b.Fatalf("Clock: %v", err)
		}
		before := time.Now()
		second, err := s.Clock(b.ctx)
		if err != nil {
			b.Fatalf("Clock: %v", err)
		}
		// What it says may be wrong, that is what it is asked for. It has to go.
		if step, most := second.Sub(first), time.Since(before)+time.Minute; step < -time.Second || step > most || first.Year() < 1970 {
			b.Errorf("the engine's clock went from %s to %s", first, second)
		}
	})},
	{"Inspect says what it found in sentences", able(func(b *bed, s lanyard.Inspector) {
		findings, err := s.Inspect(b.ctx)
		if err != nil {
			b.Errorf("Inspect: %v", err)
		}
		for _, f := range findings {
			if !strings.Contains(strings.TrimSpace(f), " ") {
				b.Errorf("%q is no sentence", f)
			}
		}
	})},
}
