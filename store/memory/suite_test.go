package memory_test

import (
	"slices"
	"testing"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/store/memory"
	"github.com/lanyard-go/lanyard/store/storetest"
)

// Each seeded fault is caught by the case that is named after the promise it
// breaks, and every case catches some fault: none is there for show.
//
// req: STORE-3
func TestSuiteFindsSeededFaults(t *testing.T) {
	faults := slices.Concat(faults, revokeFaults, raceFaults, keepFaults, abilityFaults, leaseFaults)
	cases, races := make(map[string]storetest.Case), make(map[string]bool)
	for _, c := range storetest.Cases() {
		cases[c.Name] = c
	}
	for _, c := range storetest.ContentionCases(60) {
		cases[c.Name], races[c.Name] = c, true
	}
	catches := make(map[string]bool)
	for _, f := range faults {
		c, ok := cases[f.caughtBy]
		if !ok {
			t.Errorf("%s: there is no case %q", f.name, f.caughtBy)
			continue
		}
		catches[c.Name] = true
		caught := false
		for try := 0; try < 100 && !caught; try++ { // callers at once do not meet at each try
			caught = complaint(c, newBroken(f.seed)) != ""
			if !races[c.Name] {
				break
			}
		}
		if !caught {
			t.Errorf("%s: not caught by the case %q", f.name, f.caughtBy)
		}
	}
	for name, c := range cases {
		if !catches[name] {
			t.Errorf("no fault is caught by the case %q", name)
		}
		for _, s := range []lanyard.Store{memory.New(), newBroken(func(*broken) {})} {
			if said := complaint(c, s); said != "" {
				t.Errorf("%s: complains without a fault: %s", name, said)
			}
		}
	}
	t.Logf("%d faults, %d cases", len(faults), len(cases))
}
