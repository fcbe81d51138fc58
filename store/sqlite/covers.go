package sqlite

import "github.com/lanyard-go/lanyard"

var _ lanyard.Comparer = (*Store)(nil)

// Covers implements [lanyard.Comparer]. Cursors have no mark of their file:
// those of another one, or of an older copy, are compared by their places. The
// global epoch leads them, and a restored copy is put above every epoch ever
// used, so its places are behind all of before.
func (s *Store) Covers(have, want string) (bool, error) {
	reached, err := parsePlace(have)
	if err != nil {
		return false, err
	}
	asked, err := parsePlace(want)
	if err != nil {
		return false, err
	}
	return !asked.after(reached), nil
}
