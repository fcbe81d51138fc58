package memory

import "github.com/lanyard-go/lanyard"

var _ lanyard.Comparer = (*Store)(nil)

// Covers implements [lanyard.Comparer]. A cursor ahead of the feed is none of
// this store's.
func (s *Store) Covers(have, want string) (bool, error) {
	f := &s.feed
	f.mu.RLock()
	defer f.mu.RUnlock()
	reached, err := f.place(have)
	if err != nil {
		return false, err
	}
	asked, err := f.place(want)
	if err != nil {
		return false, err
	}
	return reached >= asked, nil
}
