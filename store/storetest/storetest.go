// Package storetest is the contract of [lanyard.Store] in executable form: one
// case for each promise on the interface, in the order of the interface, and
// contention cases for those that only concurrent callers can break.
//
// A store's whole test is three calls:
//
//	func TestContract(t *testing.T)   { storetest.Run(t, open) }
//	func TestContention(t *testing.T) { storetest.Contend(t, open, 10_000) }
//	func TestModel(t *testing.T)      { storetest.Model(t, open, 1, 50_000) }
//
//	func open(t *testing.T) lanyard.Store {
//		s, err := mystore.New(t.TempDir())
//		if err != nil {
//			t.Fatal(err)
//		}
//		t.Cleanup(func() { s.Close() })
//		return s
//	}
//
// Open returns an empty store of its own for each case. For a store that has
// several nodes it may return one that spreads its calls over clients of
// several nodes: every promise holds across them.
//
// Of the optional abilities, such as [lanyard.Noter] and [lanyard.Importer],
// those are checked that the store has; the cases of the others are skipped.
// [Observe] records what concurrent callers heard, for a checker of
// linearisability.
//
// The package asks nothing of a store beyond the interfaces. How it behaves when
// its engine is killed, full, locked or away is for the store's own tests.
package storetest

import (
	"bytes"
	"testing"

	"github.com/lanyard-go/lanyard"
)

// Case is one promise. Check reports through t what the empty store s does
// against it; it does not use s after it has returned.
//
// Most users call [Run] and [Contend]. Cases are for tests of the suite itself,
// which run them with a recording t on a store that breaks a promise.
type Case struct {
	Name  string // the promise in short
	Check func(t testing.TB, s lanyard.Store)
}

// Run checks every promise of the interface as a subtest, each on a store of
// its own.
func Run(t *testing.T, open func(t *testing.T) lanyard.Store) {
	t.Helper()
	run(t, open, Cases())
}

// Contend checks the promises that concurrent callers could break, as subtests
// on stores of their own. The work of each case grows with rounds, which is at
// least 1; ten thousand take some seconds in memory, and a store that waits for
// a disk wants fewer. Run it with the race detector too.
func Contend(t *testing.T, open func(t *testing.T) lanyard.Store, rounds int) {
	t.Helper()
	run(t, open, ContentionCases(rounds))
}

func run(t *testing.T, open func(t *testing.T) lanyard.Store, cases []Case) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) { c.Check(t, open(t)) })
	}
}

// Cases returns the cases of [Run].
func Cases() []Case {
	var all []Case
	for _, topic := range [...][]Case{
		clockCases, createCases, limitCases, getCases, updateCases, listCases,
		revokeCases, revokeManyCases, feedCases, onceCases, pruneCases,
		abilityCases, comparerCases, noteCases, leaseCases, engineCases, importCases,
	} {
		all = append(all, topic...)
	}
	return all
}

func compareSID(a, b lanyard.SID) int { return bytes.Compare(a[:], b[:]) }
