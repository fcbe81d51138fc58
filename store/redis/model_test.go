package redis_test

import (
	"os"
	"testing"

	"github.com/lanyard-go/lanyard/internal/engines"
	"github.com/lanyard-go/lanyard/internal/linear"
	"github.com/lanyard-go/lanyard/store/storetest"
)

// soak reports whether long runs are wanted.
func soak() bool { return os.Getenv("LANYARD_SOAK") == "1" }

// TestModel compares random operations, of callers with stale copies, with a
// sequential model.
func TestModel(t *testing.T) {
	single, clustered := 15_000, 5_000
	if soak() {
		single, clustered = 400_000, 200_000
	}
	t.Run("one server", func(t *testing.T) { storetest.Model(t, opener(t, engines.Redis(t)), 7000, single) })
	t.Run("cluster", func(t *testing.T) {
		storetest.Model(t, opener(t, engines.RedisClusterOf(t, 3, 0)), 7500, clustered)
	})
}

// req: LIFE-20, REVOKE-14
func TestHistoriesAreLinearisable(t *testing.T) {
	rounds := 20
	if soak() {
		rounds = 1000
	}
	open := opener(t, engines.RedisClusterOf(t, 3, 1))
	for _, calls := range storetest.Observe(t, open(t), 1, 6, rounds) {
		if err := linear.Check(calls); err != nil {
			t.Fatal(err)
		}
	}
}
