package main

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard/internal/engines"
)

// onBothEngines runs a test on PostgreSQL and on a Redis Cluster.
func onBothEngines(t *testing.T, test func(t *testing.T, store, directory string)) {
	t.Parallel()
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		db := postgresServer.Get(t)
		test(t, db.Database(t), db.Database(t))
	})
	t.Run("a Redis Cluster", func(t *testing.T) {
		t.Parallel()
		test(t, engines.RedisClusterOf(t, 3, 0).URL(), "sqlite")
	})
}

// TestNobodyAcceptsWhenAStrictRevocationHasReturned ends sessions strictly, by
// all nodes at once, while every service and every node is asked about them all
// the time. No check that begins after the call returned may accept.
//
// req: REVOKE-1, REVOKE-8
func TestNobodyAcceptsWhenAStrictRevocationHasReturned(t *testing.T) {
	onBothEngines(t, func(t *testing.T, store, directory string) {
		revocations, services := 200, 4
		if soak() {
			revocations, services = 10_000, 16
		}
		f := startFleet(t, 3, services, store, directory)
		defer f.finish(t)
		f.settle(t)
		defer f.hammer(300, 1)()
		var number, before, after atomic.Int64
		var took [4]times
		var all sync.WaitGroup
		for i := range took {
			all.Go(func() {
				for n := number.Add(1); n <= int64(revocations); n = number.Add(1) {
					// Both badges of a subject at once, or one session.
					what := withToken | withCookie
					if n%2 == 0 {
						what = withToken << (n / 2 % 2)
					}
					h, err := f.signIn(f.node(int(n)), fmt.Sprintf("user%d", n), what)
					if err != nil {
						f.report("%v", err)
						return
					}
					before.Add(int64(f.everywhere(t.Context(), h)[http.StatusOK]))
					_, calls, _, err := f.surelyEnd(f.node(int(n+1)), h, "strict")
					if err != nil {
						f.report("a strict revocation: %v", err)
						return
					}
					took[i] = append(took[i], calls...)
					after.Add(int64(f.everywhere(t.Context(), h)[http.StatusUnauthorized]))
				}
			})
		}
		all.Wait()
		if least := int64(revocations * (services + 3) / 2); before.Load() < least || after.Load() < least {
			t.Errorf("only %d checks accepted before and %d refused after", before.Load(), after.Load())
		}
		t.Logf("%d strict revocations, four at once: %s", revocations, merged(took[:]))
	})
}

// settle waits until the nodes have known the engine for so long that a strict
// revocation need not wait for what it might have forgotten.
func (f *fleet) settle(t *testing.T) {
	t.Helper()
	for i := range f.each {
		for limit := time.Now().Add(patience); ; {
			h, err := f.signIn(f.node(i), "somebody", withToken)
			if err != nil {
				t.Fatal(err)
			}
			done, _, _, err := f.surelyEnd(f.node(i), h, "strict")
			if err != nil {
				t.Fatal(err)
			}
			if time.Duration(done.WaitedMS)*time.Millisecond < f.bound {
				break
			}
			if time.Now().After(limit) {
				t.Fatalf("node %d always waits the whole bound, the last time for %v", i, done.WaitedFor)
			}
		}
	}
}
