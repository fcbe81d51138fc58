package memory_test

import (
	"os"
	"slices"
	"testing"

	"github.com/lanyard-go/lanyard/internal/linear"
	"github.com/lanyard-go/lanyard/store/memory"
	"github.com/lanyard-go/lanyard/store/storetest"
)

// req: STORE-3, LIFE-20
func TestLinearisable(t *testing.T) {
	rounds := 500
	if os.Getenv("LANYARD_SOAK") == "1" {
		rounds = 20_000
	}
	for _, calls := range storetest.Observe(t, memory.New(), 1, 6, rounds) {
		if err := linear.Check(calls); err != nil {
			t.Fatal(err)
		}
	}
}

// Faults that only callers at once bring out are found this way too.
func TestLinearisabilityFindsRaces(t *testing.T) {
	for _, name := range []string{
		"Create reads the global epoch now and then", "Update looks first and writes then",
		"Update touches what ended meanwhile", "Revoke looks first and ends then",
	} {
		i := slices.IndexFunc(raceFaults, func(f fault) bool { return f.name == name })
		found := false
		for seed := uint64(0); seed < 50 && !found; seed++ {
			for _, calls := range storetest.Observe(t, newBroken(raceFaults[i].seed), seed, 6, 20) {
				found = found || linear.Check(calls) != nil
			}
		}
		if !found {
			t.Errorf("not found in 1000 rounds: %s", name)
		}
	}
}
