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
	faults := slices.Concat(faults, revokeFaults, raceFaults, keepFaults, abilityFaults)
	cases := make(map[string]storetest.Case)
	for _, c := range slices.Concat(storetest.Cases(), storetest.ContentionCases(60)) {
		cases[c.Name] = c
	}
	catches := make(map[string]bool)
	for _, f := range faults {
		c, ok := cases[f.caughtBy]
		if !ok {
			t.Errorf("%s: there is no case %q", f.name, f.caughtBy)
			continue
		}
		catches[c.Name] = true
		if complaint(c, newBroken(f.seed)) == "" {
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
