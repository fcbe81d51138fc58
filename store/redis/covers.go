package redis

import "github.com/lanyard-go/lanyard"

var _ lanyard.Comparer = (*Store)(nil)

// Covers implements [lanyard.Comparer]. A cursor covers another if it is as far in
// every partition; of cursors that are ahead of each other in different ones
// neither covers the other. Cursors of other data give [lanyard.ErrBadCursor].
// Those behind entries that a failover has lost do not: numbers are above the
// time of their entries, so that what comes next is behind them all the same.
func (s *Store) Covers(have, want string) (bool, error) {
	reached, err := s.place(have)
	if err != nil {
		return false, err
	}
	asked, err := s.place(want)
	if err != nil {
		return false, err
	}
	for i, n := range reached {
		if n < asked[i] {
			return false, nil
		}
	}
	return true, nil
}
