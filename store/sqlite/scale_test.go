package sqlite_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/store/sqlite"
	"github.com/lanyard-go/lanyard/token"
)

// fillWith imports n live token records of n/4 subjects and returns their SIDs.
func fillWith(t testing.TB, s *sqlite.Store, n int, change func(int, *lanyard.Record)) []lanyard.SID {
	t.Helper()
	sids := make([]lanyard.SID, 0, n)
	batch := make([]*lanyard.Record, 0, 2000)
	for i := range n {
		r := record(fmt.Sprintf("user%07d", i%max(n/4, 1)))
		r.Version, r.Channel, r.Handle, r.ClientID = 1, lanyard.ChannelToken, lanyard.Digest{}, "shop"
		r.Refresh = &lanyard.Refresh{Digest: sha256.Sum256(r.SID[:])}
		r.ExpiresAt, r.IdleExpiresAt = now+1000*hour, now+1000*hour
		if change != nil {
			change(i, r)
		}
		sids, batch = append(sids, r.SID), append(batch, r)
		if len(batch) == cap(batch) || i == n-1 {
			if _, err := s.Import(t.Context(), batch, nil); err != nil {
				t.Fatal(err)
			}
			batch = batch[:0]
		}
	}
	return sids
}

// median runs f and returns the median of how long it took.
func median(t *testing.T, runs int, f func(i int) error) time.Duration {
	t.Helper()
	took := make([]time.Duration, runs)
	for i := range took {
		start := time.Now()
		if err := f(i); err != nil {
			t.Fatal(err)
		}
		took[i] = time.Since(start)
	}
	slices.Sort(took)
	return took[runs/2]
}

func TestScaleOfAMillionSessions(t *testing.T) {
	if !soak() {
		t.Skip("fills a file with 1 000 000 sessions; LANYARD_SOAK=1 runs it")
	}
	small, large := measure(t, 10_000), measure(t, 1_000_000)
	for i, m := range small {
		ratio := float64(large[i].took) / float64(m.took)
		t.Logf("%-22s %10v at 10 000  %10v at 1 000 000  x%.2f", m.what, m.took, large[i].took, ratio)
		if ratio > 2 {
			t.Errorf("%s takes %.2f times as long with a hundred times the sessions, at most 2", m.what, ratio)
		}
	}
}

type measured struct {
	what string
	took time.Duration
}

func measure(t *testing.T, n int) []measured {
	t.Helper()
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "sessions.db")
	s := openAt(t, path, sqlite.Config{Exclusive: true})
	start := time.Now()
	sids := fillWith(t, s, n, nil)
	took := time.Since(start).Round(time.Millisecond)
	copied := filepath.Join(t.TempDir(), "copy.db") // without what is still in the log
	if err := s.Backup(ctx, copied); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(copied)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d sessions: imported in %v, %d bytes each", n, took, info.Size()/int64(n))
	shared := openAt(t, path, sqlite.Config{})
	some := func(i int) lanyard.SID { return sids[i*7919%n] }
	get := func(s *sqlite.Store) func(int) error {
		return func(i int) error {
			_, err := s.Get(ctx, some(i))
			return err
		}
	}
	for i := range 500 {
		_ = get(s)(i) // so that the one below finds them in memory
	}
	return []measured{
		{"check, from memory", median(t, 500, get(s))},
		{"check, from the file", median(t, 2000, get(shared))},
		{"create, limit 5", median(t, 500, func(i int) error {
			r := record(fmt.Sprintf("user%07d", i*31%(n/4)))
			_, err := s.Create(ctx, r, lanyard.Limit{Max: 5, Now: now, Until: until})
			return err
		})},
		{"rotate", median(t, 500, func(i int) error {
			r, err := s.Get(ctx, some(i))
			if err != nil || r.Ended() {
				return err
			}
			f := r.Refresh
			f.Counter++
			f.Predecessor, f.Digest = f.Digest, sha256.Sum256(f.Digest[:])
			r.LastActive, r.IdleExpiresAt = now+1, now+999*hour+lanyard.Time(i)
			return s.Update(ctx, r)
		})},
		{"list of a subject", median(t, 500, func(i int) error {
			_, err := s.List(ctx, lanyard.Query{Subject: fmt.Sprintf("user%07d", i*17%(n/4))})
			return err
		})},
		{"a page of all", median(t, 100, func(i int) error {
			_, err := s.List(ctx, lanyard.Query{After: some(i).String(), Limit: 50})
			return err
		})},
		{"revoke", median(t, 500, func(i int) error {
			_, err := s.Revoke(ctx, lanyard.End{SID: some(i), Reason: lanyard.ReasonLogout, Now: now, Until: until})
			return err
		})},
		{"revoke of a subject", median(t, 300, func(i int) error {
			_, err := s.Revoke(ctx, lanyard.End{Subject: fmt.Sprintf("user%07d", i*13%(n/4)), Reason: lanyard.ReasonLogout, Now: now, Until: until})
			return err
		})},
	}
}

// A manager prunes while requests come. None of them waits long, unless the disk
// does so by itself: how little a call of Prune does is another test's.
func TestScaleOfPruningBesideRequests(t *testing.T) {
	sessions, rest := 5_000, 200*time.Millisecond
	if soak() {
		sessions, rest = 1_000_000, 3*time.Second
	}
	expired := sessions / 10
	s := open(t, sqlite.Config{Exclusive: true})
	sids := fillWith(t, s, sessions, func(i int, r *lanyard.Record) {
		if i%10 == 0 {
			r.IdleExpiresAt = now
		}
	})
	var ended expiries
	m := managerOf(t, s, &ended)
	pause := func() { <-time.After(rest) }
	// Beside nothing, to know the machine: its disk, and who else works on it.
	before := beside(t, s, sids, pause)
	start := time.Now()
	pruning := beside(t, s, sids, func() {
		if err := m.Prune(t.Context()); err != nil {
			t.Error(err)
		}
	})
	t.Logf("%d pruned in %v", ended.Load(), time.Since(start).Round(time.Millisecond))
	after := beside(t, s, sids, pause)
	t.Logf("beside nothing: %s", told(before))
	t.Logf("beside a prune: %s", told(pruning))
	t.Logf("beside nothing: %s", told(after))
	if ended.Load() != int64(expired) {
		t.Errorf("%d sessions were pruned, want %d", ended.Load(), expired)
	}
	if !soak() {
		return // so few are pruned within one or two syncs of a slow disk
	}
	const allowed = 50 * time.Millisecond
	worst, noise := pruning[len(pruning)-1], max(before[len(before)-1], after[len(after)-1])
	if worst > allowed {
		t.Errorf("a request took %v beside a prune, at most %v; beside nothing %v", worst, allowed, noise)
	}
}

// expiries counts the sessions that a manager ended for their idle limit.
type expiries struct{ atomic.Int64 }

func (e *expiries) Count(name, outcome string) {
	if name == "session_ended" && outcome == string(lanyard.ReasonIdle) {
		e.Add(1)
	}
}

// managerOf is a manager on s whose clock starts at now and runs.
func managerOf(t *testing.T, s *sqlite.Store, metrics lanyard.Metrics) *lanyard.Manager {
	t.Helper()
	start := time.Now()
	clock := func() time.Time { return now.Time().Add(time.Since(start)) }
	keys, err := lanyard.RandomKeys()
	if err != nil {
		t.Fatal(err)
	}
	key, err := token.GenerateKey(token.ES256, clock())
	if err != nil {
		t.Fatal(err)
	}
	set, err := token.NewKeySet(token.KeysConfig{Now: clock}, key)
	if err != nil {
		t.Fatal(err)
	}
	m, err := lanyard.New(s, lanyard.Config{Issuer: "https://app.example", Keys: keys, TokenKeys: set, Now: clock, Metrics: metrics})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func told(took []time.Duration) string {
	n := len(took)
	return fmt.Sprintf("%d requests, median %v, 99%% %v, 99.9%% %v, worst %v", n, took[n/2], took[n*99/100], took[n*999/1000], took[n-1])
}

// beside sends requests while work runs and returns how long each took, sorted.
func beside(t *testing.T, s *sqlite.Store, sids []lanyard.SID, work func()) []time.Duration {
	t.Helper()
	var stop atomic.Bool
	var callers sync.WaitGroup
	took := make([][]time.Duration, 4)
	for c := range took {
		callers.Go(func() {
			pace := time.NewTicker(2 * time.Millisecond)
			defer pace.Stop()
			for i := c; !stop.Load(); i++ {
				start := time.Now()
				if err := request(t.Context(), s, c, sids[i*7919%(len(sids)/10)*10+c]); err != nil {
					t.Error(err)
					return
				}
				took[c] = append(took[c], time.Since(start))
				<-pace.C
			}
		})
	}
	work()
	stop.Store(true)
	callers.Wait()
	all := slices.Concat(took...)
	slices.Sort(all)
	return all
}

// request is a check, a login, a touch or a logout, by the number of the caller.
func request(ctx context.Context, s *sqlite.Store, caller int, sid lanyard.SID) error {
	switch caller {
	case 1:
		_, err := s.Create(ctx, record("somebody"), lanyard.Limit{})
		return err
	case 2:
		r, err := s.Get(ctx, sid)
		if err != nil || r.Ended() || r.Expired(now) != "" {
			return err
		}
		r.IdleExpiresAt++
		return s.Update(ctx, r)
	case 3:
		_, err := s.Revoke(ctx, lanyard.End{SID: sid, Reason: lanyard.ReasonLogout, Now: now, Until: until})
		return err
	}
	_, err := s.Get(ctx, sid)
	return err
}
