package main

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard/revocation"
)

// TestServicesHearOfRevocationsWithinTheBound ends sessions at a steady pace while
// all their badges are checked. Nodes refuse each when its call has returned, and
// services when the bound is over. How late services heard is logged.
//
// req: REVOKE-3
func TestServicesHearOfRevocationsWithinTheBound(t *testing.T) {
	onBothEngines(t, func(t *testing.T, store, directory string) {
		services, checks, revocations, length := 4, 200, 20, 5*time.Second
		if soak() {
			services, checks, revocations, length = 16, 2000, 50, 30*time.Second
		}
		f := startFleet(t, 3, services, store, directory)
		defer f.finish(t)
		total := revocations * int(length/time.Second)
		// Each session is checked for a second or so before it ends.
		waiting := make(chan *holder, revocations)
		var all sync.WaitGroup
		for i := range 4 {
			all.Go(func() {
				for n := i; n < total; n += 4 {
					h, err := f.signIn(f.node(n), fmt.Sprintf("user%d", n), withToken<<(n%4/3)) // every fourth with a cookie
					if err != nil {
						f.report("%v", err)
						return
					}
					waiting <- h
				}
			})
		}
		stop := f.hammer(checks, 2)
		begun := f.clock()
		tick := time.NewTicker(time.Second / time.Duration(revocations))
		defer tick.Stop()
		ended := make([]*holder, 0, total)
		for n := range total {
			<-tick.C
			var h *holder
			select {
			case h = <-waiting:
			case <-time.After(patience):
				t.Fatal("no session was started")
			}
			ended = append(ended, h)
			all.Go(func() {
				if _, _, _, err := f.surelyEnd(f.node(n+1), h, "fast"); err != nil {
					f.report("a revocation: %v", err)
				}
			})
		}
		all.Wait()
		lasted := f.clock() - begun
		stop()
		n := f.accepted.Load() + f.refused.Load() + f.unsure.Load()
		t.Logf("%.0f revocations and %.0f checks a second", float64(total)/lasted.Seconds(), float64(n)/lasted.Seconds())

		// Wherever somebody was not checked in time, he is now.
		for _, h := range ended[len(ended)-20:] {
			f.until(t, h, http.StatusUnauthorized)
		}
		var lags revocation.Lags
		for _, s := range f.services {
			v := s.status(t)
			for i, n := range v.Lag {
				lags[i] += n
			}
			if v.Lag.Count() == 0 {
				t.Errorf("%s has heard of nothing", s.name)
			}
		}
		t.Logf("%d services heard of %d ends: lag p50 %v, p99 %v, p99.9 %v, longest %v", services, total,
			lags.Quantile(.5), lags.Quantile(.99), lags.Quantile(.999), lags.Quantile(1))
	})
}
