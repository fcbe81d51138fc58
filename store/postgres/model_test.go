package postgres_test

import (
	"testing"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/internal/linear"
	"github.com/lanyard-go/lanyard/store/storetest"
)

// req: STORE-3, STORE-4, LIFE-20
func TestModelAgrees(t *testing.T) {
	ops := 5_000
	if soak() {
		ops = 500_000
	}
	t.Run("one node", func(t *testing.T) {
		storetest.Model(t, func(t *testing.T) lanyard.Store { return open(t) }, 9000, ops)
	})
	t.Run("two nodes", func(t *testing.T) { storetest.Model(t, openPair, 9500, ops/2) })
}

// req: STORE-3, STORE-4, LIFE-20
func TestCallsAtOnceAreLinearisable(t *testing.T) {
	rounds := 20
	if soak() {
		rounds = 2000
	}
	for name, s := range map[string]lanyard.Store{"one node": open(t), "two nodes": openPair(t)} {
		t.Run(name, func(t *testing.T) {
			for _, calls := range storetest.Observe(t, s, 1, 6, rounds) {
				if err := linear.Check(calls); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}
