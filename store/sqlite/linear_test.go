package sqlite_test

import (
	"testing"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/internal/linear"
	"github.com/lanyard-go/lanyard/store/sqlite"
	"github.com/lanyard-go/lanyard/store/storetest"
)

// req: STORE-3, STORE-4, LIFE-20
func TestCallsAtOnceAreLinearisable(t *testing.T) {
	rounds := 30
	if soak() {
		rounds = 2000
	}
	for name, s := range map[string]lanyard.Store{
		"one process":            open(t, sqlite.Config{}),
		"the only process":       open(t, sqlite.Config{Exclusive: true}),
		"two stores on one file": openPair(t),
	} {
		t.Run(name, func(t *testing.T) {
			for _, calls := range storetest.Observe(t, s, 1, 6, rounds) {
				if err := linear.Check(calls); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}
