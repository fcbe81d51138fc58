package sqlite_test

import (
	"fmt"
	"testing"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/store/storetest"
)

// req: STORE-3, STORE-4, LIFE-20
func TestModelAgrees(t *testing.T) {
	ops := 10_000
	if soak() {
		ops = 500_000
	}
	for i, cfg := range configs {
		t.Run(fmt.Sprintf("exclusive %t", cfg.Exclusive), func(t *testing.T) {
			storetest.Model(t, func(t *testing.T) lanyard.Store { return open(t, cfg) }, uint64(1000*i), ops)
		})
	}
	t.Run("two stores on one file", func(t *testing.T) {
		storetest.Model(t, openPair, 5000, ops/2)
	})
}
