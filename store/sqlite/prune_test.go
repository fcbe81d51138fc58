package sqlite_test

import (
	"testing"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/store/sqlite"
)

// Whoever writes waits behind a whole call of Prune, so none may do much, however
// much it is asked for.
func TestOneCallOfPruneDoesLittle(t *testing.T) {
	const few, many = 48, 120
	endEach := func(t *testing.T, s *sqlite.Store, sids []lanyard.SID) {
		for _, sid := range sids {
			revoke(t, s, lanyard.End{SID: sid})
		}
	}
	live := func(t *testing.T, s *sqlite.Store) (int, error) { return s.Count(t.Context(), now) }
	for _, row := range []struct {
		name  string
		begin func(*testing.T, *sqlite.Store, []lanyard.SID)
		prune lanyard.Prune
		left  func(*testing.T, *sqlite.Store) (int, error)
	}{
		{"sessions past their limits", func(*testing.T, *sqlite.Store, []lanyard.SID) {}, lanyard.Prune{Now: now + 1001*hour}, live},
		{"sessions from before an end of everything", func(t *testing.T, s *sqlite.Store, _ []lanyard.SID) {
			revoke(t, s, lanyard.End{All: true})
		}, lanyard.Prune{Now: now}, live},
		{"sessions to forget", endEach, lanyard.Prune{Now: now, Forget: now}, func(t *testing.T, s *sqlite.Store) (int, error) {
			page, err := s.List(t.Context(), lanyard.Query{Limit: 2 * many})
			return len(page.Records), err
		}},
		{"entries of the feed", endEach, lanyard.Prune{Now: until}, func(t *testing.T, s *sqlite.Store) (int, error) {
			entries, _, err := s.Revocations(t.Context(), "", 2*many)
			return len(entries), err
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := open(t, sqlite.Config{})
			row.begin(t, s, fillWith(t, s, many, nil))
			row.prune.Limit = 500
			done, err := s.Prune(t.Context(), row.prune)
			if err != nil {
				t.Fatal(err)
			}
			left, err := row.left(t, s)
			if err != nil || left != many-few || !done.More {
				t.Errorf("%d of %d are left, and it says %t that more is; want %d and true; %v", left, many, done.More, many-few, err)
			}
		})
	}
}
