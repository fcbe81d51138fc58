package postgres_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/internal/engines"
	"github.com/lanyard-go/lanyard/store/postgres"
)

type queryer interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func contains(s, part string) bool { return strings.Contains(s, part) }

// The server is killed in the middle of a stream of logins and logouts, several
// times. What was acknowledged is there afterwards, through the same Store.
//
// req: STORE-4
func TestAKilledServerLosesNothingItAcknowledged(t *testing.T) {
	server := engines.Postgres(t, "fsync=on")
	s := openAt(t, openDB(t, server.Database(t)), postgres.Config{})
	var mu sync.Mutex
	ended := make(map[lanyard.SID]bool) // acknowledged: whether it was ended
	unsure := make(map[lanyard.SID]bool)
	kills := 3
	if soak() {
		kills = 30
	}
	for kill := range kills {
		var acknowledged atomic.Int64
		enough := make(chan struct{})
		ctx, stop := context.WithCancel(t.Context())
		var busy sync.WaitGroup
		for w := range 8 {
			busy.Go(func() {
				for ctx.Err() == nil {
					r := record(fmt.Sprint("user", w))
					if _, err := s.Create(ctx, r, lanyard.Limit{}); err != nil {
						continue
					}
					mu.Lock()
					ended[r.SID] = false
					mu.Unlock()
					if acknowledged.Add(1) == 100 {
						close(enough)
					}
					if r.SID[15]%2 == 0 {
						continue
					}
					_, err := s.Revoke(ctx, lanyard.End{SID: r.SID, Reason: lanyard.ReasonLogout, Now: now, Until: until})
					mu.Lock()
					ended[r.SID], unsure[r.SID] = err == nil, err != nil
					mu.Unlock()
				}
			})
		}
		<-enough
		server.Kill(t)
		stop()
		busy.Wait()
		if err := server.Start(); err != nil {
			t.Fatal(err)
		}
		announced := make(map[lanyard.SID]int)
		for cursor := ""; ; {
			page, next, err := s.Revocations(t.Context(), cursor, 1000)
			if err != nil {
				t.Fatalf("after kill %d: %v", kill, err)
			}
			if len(page) == 0 {
				break
			}
			for _, e := range page {
				announced[e.SID]++
			}
			cursor = next
		}
		for sid, over := range ended {
			switch r, err := s.Get(t.Context(), sid); {
			case err != nil:
				t.Errorf("acknowledged login %s: %v", sid, err)
			case over && !r.Ended():
				t.Errorf("acknowledged end of %s is undone", sid)
			case !over && !unsure[sid] && r.Ended():
				t.Errorf("login %s ended, and nobody asked for it", sid)
			case r.Ended() && announced[sid] != 1, !r.Ended() && announced[sid] != 0:
				t.Errorf("session %s, ended %t, has %d entries in the feed", sid, r.Ended(), announced[sid])
			}
		}
	}
	t.Logf("%d sessions over %d kills", len(ended), kills)
}

// calls is one call of each kind.
func calls(s *postgres.Store, r *lanyard.Record) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"Create": func(ctx context.Context) error {
			_, err := s.Create(ctx, record("bob"), lanyard.Limit{Max: 1, Now: now})
			return err
		},
		"Get":    func(ctx context.Context) error { _, err := s.Get(ctx, r.SID); return err },
		"Update": func(ctx context.Context) error { return s.Update(ctx, r.Clone()) },
		"List":   func(ctx context.Context) error { _, err := s.List(ctx, lanyard.Query{}); return err },
		"Revoke": func(ctx context.Context) error {
			_, err := s.Revoke(ctx, lanyard.End{SID: unknown(r), Reason: lanyard.ReasonLogout})
			return err
		},
		"Revoke of a subject": func(ctx context.Context) error {
			_, err := s.Revoke(ctx, lanyard.End{Subject: "nobody", Reason: lanyard.ReasonLogout})
			return err
		},
		"Revocations": func(ctx context.Context) error { _, _, err := s.Revocations(ctx, "", 1); return err },
		"Once":        func(ctx context.Context) error { _, err := s.Once(ctx, "k", now, until); return err },
		"Prune": func(ctx context.Context) error {
			_, err := s.Prune(ctx, lanyard.Prune{Now: 1, Limit: 1})
			return err
		},
		"SetLease":  func(ctx context.Context) error { return s.SetLease(ctx, "node", "value") },
		"DropLease": func(ctx context.Context) error { return s.DropLease(ctx, "node", "value") },
		"Leases":    func(ctx context.Context) error { _, _, err := s.Leases(ctx); return err },
		"Ping":      s.Ping,
	}
}

// unknown names a session that is not there.
func unknown(r *lanyard.Record) lanyard.SID {
	sid := r.SID
	sid[15] ^= 0xff
	return sid
}

// req: STORE-7
func TestCallsEndAtTheirDeadlineWhileTheServerHangs(t *testing.T) {
	server := engines.Postgres(t)
	s := openAt(t, openDB(t, server.Database(t)), postgres.Config{Timeout: 2 * time.Second})
	r := create(t, s, "alice")
	server.Pause(t)
	var all sync.WaitGroup
	for name, call := range calls(s, r) {
		all.Go(func() {
			start := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			if err := call(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: %v, want the deadline's error", name, err)
			}
			if took := time.Since(start); took > 3*time.Second {
				t.Errorf("%s returned %v after its deadline", name, took)
			}
		})
	}
	all.Wait()
	server.Continue(t)
	recovers(t, s, r)
}

// recovers expects the store to work again by itself.
func recovers(t *testing.T, s *postgres.Store, r *lanyard.Record) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		got, err := s.Get(ctx, r.SID)
		if err == nil && got.Live(now) {
			break
		}
		if ctx.Err() != nil {
			t.Fatalf("the store does not recover: %v", err)
		}
		<-tick.C
	}
	over := create(t, s, "carol")
	revoke(t, s, lanyard.End{SID: over.SID})
}

// req: STORE-7
func TestTheStoreRecoversWithoutBeingMadeAnew(t *testing.T) {
	server := engines.Postgres(t)
	url := server.Database(t)
	s := openAt(t, openDB(t, url), postgres.Config{})
	r := create(t, s, "alice")
	t.Run("connections cut", func(t *testing.T) {
		server.Exec(t, "postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'test1'")
		recovers(t, s, r)
	})
	t.Run("restart", func(t *testing.T) {
		server.Shutdown(t)
		for name, call := range calls(s, r) {
			err := call(t.Context())
			if !errors.Is(err, postgres.ErrUnavailable) {
				t.Errorf("%s with the server away: %v, want ErrUnavailable", name, err)
			}
		}
		if err := server.Start(); err != nil {
			t.Fatal(err)
		}
		recovers(t, s, r)
	})
}

func TestOneBadCallDoesNotFailTheOthers(t *testing.T) {
	schema := newSchema()
	db := openDB(t, shared.Get(t).URL("postgres"))
	s := openAt(t, db, postgres.Config{Schema: schema})
	t.Cleanup(func() { drop(t, db, schema) })
	for _, text := range []string{
		`CREATE FUNCTION ` + schema + `.choke() RETURNS trigger LANGUAGE plpgsql AS $$
			BEGIN IF NEW.subject = 'poison' THEN RAISE EXCEPTION 'choked' USING ERRCODE = '22000'; END IF; RETURN NEW; END $$`,
		`CREATE TRIGGER choke BEFORE INSERT ON ` + schema + `.sessions FOR EACH ROW EXECUTE FUNCTION ` + schema + `.choke()`,
	} {
		if _, err := db.Exec(text); err != nil {
			t.Fatal(err)
		}
	}
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() {
			subject := fmt.Sprint("user", i)
			if i%20 == 0 {
				subject = "poison"
			}
			_, err := s.Create(t.Context(), record(subject), lanyard.Limit{})
			if bad := subject == "poison"; bad != (err != nil) {
				t.Errorf("%s: %v", subject, err)
			}
		})
	}
	all.Wait()
}

// Everything at once, on two nodes, over few subjects: the order of the locks
// leaves no cycle, so the server never has to break one.
func TestMixedContentionMakesNoDeadlocks(t *testing.T) {
	server := engines.Postgres(t, "deadlock_timeout=10ms")
	url := server.Database(t)
	var nodes []*postgres.Store
	for range 2 {
		nodes = append(nodes, openAt(t, openDB(t, url), postgres.Config{}))
	}
	each := 60
	if soak() {
		each = 5000
	}
	var all sync.WaitGroup
	for w := range 16 {
		s := nodes[w%2]
		all.Go(func() {
			var last *lanyard.Record
			for i := range each {
				subject := fmt.Sprint("user", (w*7+i)%5)
				r := record(subject)
				if last != nil && last.Subject == subject {
					r.Origin = last.SID
				}
				_, err := s.Create(t.Context(), r, lanyard.Limit{Max: 3, Action: lanyard.LimitAction(i % 2), Now: now, Until: until})
				if err == nil {
					r.IdleExpiresAt += lanyard.Time(i)
					err = s.Update(t.Context(), r, lanyard.Entry{Kind: lanyard.EntryGeneration, SID: r.SID, Generation: 2, Until: until})
				}
				switch {
				case err != nil && !errors.Is(err, lanyard.ErrEnded) && !errors.Is(err, lanyard.ErrConflict):
				case i%7 == 0:
					_, err = s.Revoke(t.Context(), lanyard.End{Subject: subject, Reason: lanyard.ReasonUser, Now: now, Until: until})
				case i%11 == 0:
					_, err = s.Prune(t.Context(), lanyard.Prune{Now: now + hour, Forget: now, Limit: 20})
				case i%29 == 0:
					_, err = s.Revoke(t.Context(), lanyard.End{All: true, Reason: lanyard.ReasonUser, Now: now, Until: until})
				case i%2 == 0:
					_, err = s.Revoke(t.Context(), lanyard.End{SID: r.SID, Reason: lanyard.ReasonUser, Now: now, Until: until})
				default:
					err = nil
				}
				if err != nil && !errors.Is(err, lanyard.ErrNotFound) {
					t.Errorf("step %d of %d: %v", i, w, err)
				}
				last = r
			}
		})
	}
	all.Wait()
	if n := server.Exec(t, "postgres", "SELECT pg_stat_force_next_flush()", "SELECT deadlocks FROM pg_stat_database WHERE datname = 'test1'"); strings.TrimSpace(n) != "0" {
		t.Errorf("the server had to break deadlocks: %s", n)
	}
	if strings.Contains(server.Log(), "deadlock detected") {
		t.Error("the server's log tells of a deadlock")
	}
}

func TestPruneNeverWaitsForARow(t *testing.T) {
	schema := newSchema()
	db := openDB(t, shared.Get(t).URL("postgres"))
	s := openAt(t, db, postgres.Config{Schema: schema})
	t.Cleanup(func() { drop(t, db, schema) })
	held, free := create(t, s, "alice"), create(t, s, "bob")
	other, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Rollback()
	if _, err := other.Exec(`UPDATE `+schema+`.sessions SET version = version WHERE sid = $1`, held.SID[:]); err != nil {
		t.Fatal(err)
	}
	prune := func() []*lanyard.Record {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		done, err := s.Prune(ctx, lanyard.Prune{Now: now + 2*hour, Limit: 10})
		if err != nil {
			t.Fatal(err)
		}
		return done.Records
	}
	if got := prune(); len(got) != 1 || got[0].SID != free.SID {
		t.Errorf("ended %v, want only the one that nobody holds", got)
	}
	if err := other.Rollback(); err != nil {
		t.Fatal(err)
	}
	if got := prune(); len(got) != 1 || got[0].SID != held.SID {
		t.Errorf("ended %v, want the other one later", got)
	}
}

// Activity writes no index: the touch of a session is a heap-only update.
func TestATouchWritesNoIndex(t *testing.T) {
	server := engines.Postgres(t)
	db := openDB(t, server.Database(t))
	db.SetMaxOpenConns(1) // its statistics are flushed by itself
	s := openAt(t, db, postgres.Config{})
	const touches = 200
	r := create(t, s, "alice")
	for range touches {
		r.LastActive++
		r.IdleExpiresAt++
		if err := s.Update(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	db.Close() // a backend that ends has flushed its statistics
	var hot, all int
	line := server.Exec(t, "test1", "SELECT pg_sleep(0.2)", "SELECT n_tup_hot_upd || ' ' || n_tup_upd FROM pg_stat_user_tables WHERE relname = 'sessions'")
	if _, err := fmt.Sscanf(strings.TrimSpace(line), "%d %d", &hot, &all); err != nil || all != touches || hot < all*9/10 {
		t.Errorf("%d of %d updates wrote no index (%q, %v), want nearly all of %d", hot, all, line, err, touches)
	}
}

func TestARowUnderAnotherKeyOpensNothing(t *testing.T) {
	schema := newSchema()
	db := openDB(t, shared.Get(t).URL("postgres"))
	s := openAt(t, db, postgres.Config{Schema: schema})
	t.Cleanup(func() { drop(t, db, schema) })
	mine, theirs := create(t, s, "alice"), create(t, s, "bob")
	_, err := db.Exec(`UPDATE `+schema+`.sessions SET body = (SELECT body FROM `+schema+`.sessions WHERE sid = $1) WHERE sid = $2`,
		theirs.SID[:], mine.SID[:])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get(t.Context(), mine.SID); !errors.Is(err, lanyard.ErrBadRecord) {
		t.Errorf("got %v, want ErrBadRecord", err)
	}
	// It can be ended all the same.
	if done := revoke(t, s, lanyard.End{Subject: "alice"}); len(done.Records) != 1 || done.Records[0].SID != mine.SID {
		t.Errorf("ended %v", done.Records)
	}
}

// A refusal changes nothing, also where something still names what is gone.
func TestEndingWhatIsNotThereEndsNothingElse(t *testing.T) {
	s := open(t)
	gone := record("alice")
	phone := record("alice")
	phone.Origin = gone.SID
	if _, err := s.Create(t.Context(), phone, lanyard.Limit{}); err != nil {
		t.Fatal(err)
	}
	_, err := s.Revoke(t.Context(), lanyard.End{SID: gone.SID, Reason: lanyard.ReasonLogout, Now: now, Until: until})
	if !errors.Is(err, lanyard.ErrNotFound) || !get(t, s, phone.SID).Live(now) {
		t.Errorf("got %v, and the phone is live: %t; want ErrNotFound and a live phone", err, get(t, s, phone.SID).Live(now))
	}
}
