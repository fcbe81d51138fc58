package postgres

import "github.com/lanyard-go/lanyard"

var _ lanyard.Comparer = (*Store)(nil)

// Covers implements [lanyard.Comparer]. Cursors have no mark of their database:
// those of another one, or from before a restore, are compared by their places.
// The global epoch leads them, and a restored backup is put above every epoch
// ever used, so its places are behind all of before.
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
