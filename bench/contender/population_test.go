package contender

import (
	"testing"
	"time"

	"github.com/lanyard-go/lanyard"
)

func TestPopulationKeepsItsSizeAndItsCookiesGood(t *testing.T) {
	base := bases(t)
	for _, kind := range []Kind{LanyardCookie, LanyardSQLite, LanyardPostgres, LanyardRedis} {
		t.Run(string(kind), func(t *testing.T) {
			const n = 200
			ctx, at := t.Context(), base()
			p, err := NewPopulation(ctx, kind, n, at, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			for range 2 {
				for name, do := range map[string]func() error{
					"rotate": func() error { return p.Rotate(ctx, 2, 10) },
					"list":   func() error { return p.List(ctx, 4, 20) },
					"replace": func() error {
						if err := p.Create(ctx, 4, n/2); err != nil {
							return err
						}
						return p.Revoke(ctx, 4, n/2)
					},
				} {
					if err := do(); err != nil {
						t.Fatalf("%s: %v", name, err)
					}
				}
			}
			cookies := make([]string, 2*n)
			p.Arrive(cookies)
			if err := p.CheckTogether(4, cookies); err != nil {
				t.Errorf("a cookie of a live session: %v", err)
			}
			if err := p.CheckThese(cookies); err != nil {
				t.Errorf("a cookie of a live session: %v", err)
			}
			if live := liveIn(t, p.store); live != p.Size() {
				t.Errorf("%d sessions are live, want %d", live, p.Size())
			}
			// Three that expire are found due, once.
			if err := p.Expiring(ctx, 3, time.Now().Add(-time.Millisecond)); err != nil {
				t.Fatal(err)
			}
			if live := liveIn(t, p.store); live != p.Size() {
				t.Errorf("%d sessions are live with three that have expired, want %d", live, p.Size())
			}
			if p.CheckThese([]string{"nonsense=1"}) == nil || p.CheckTogether(1, []string{"nonsense=1"}) == nil {
				t.Error("a check of another cookie succeeds")
			}
			if kind == LanyardCookie {
				return // nothing stays when the store is closed
			}
			for _, want := range []int{3, 0} {
				if due, err := Due(ctx, kind, at); err != nil || due != want {
					t.Errorf("%d sessions are due, %v; want %d", due, err, want)
				}
			}
		})
	}
}

func liveIn(t *testing.T, store lanyard.Store) (live int) {
	t.Helper()
	for q := (lanyard.Query{LiveAt: lanyard.TimeOf(time.Now())}); ; {
		page, err := store.List(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		live += len(page.Records)
		if q.After = page.Next; q.After == "" {
			return live
		}
	}
}

func TestWeightGrowsWithTheSessions(t *testing.T) {
	base := bases(t)
	for _, kind := range []Kind{LanyardSQLite, LanyardPostgres, LanyardRedis, SCSSQLite, SCSPostgres, SCSRedis} {
		at := base()
		before, err := Weight(t.Context(), kind, at)
		if err != nil {
			t.Fatal(err)
		}
		s, err := Open(t.Context(), kind, 0, at)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		const n = 300
		if err := s.Logins(t.Context(), 1, n); err != nil {
			t.Fatal(err)
		}
		if err := Settle(t.Context(), kind, at); err != nil {
			t.Fatal(err)
		}
		after, err := Weight(t.Context(), kind, at)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %.0f bytes for each session", kind, (after-before)/n)
		if each := (after - before) / n; each < 300 || each > 5000 {
			t.Errorf("%s: %.0f bytes for each session cannot be", kind, each)
		}
	}
}

func TestFloorReadsTheRecordsOfTheSite(t *testing.T) {
	at := bases(t)()
	s, err := Open(t.Context(), LanyardRedis, 5, at)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	f, err := NewRedisFloor(t.Context(), s, at)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Read(t.Context(), 2, 10); err != nil {
		t.Error(err)
	}
	f.keys = []string{"nothing"}
	if err := f.Read(t.Context(), 1, 1); err == nil {
		t.Error("reading nothing is no error")
	}
}
