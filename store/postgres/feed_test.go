package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/internal/pgconn"
	"github.com/lanyard-go/lanyard/store/postgres"
)

// A number that is given before the commit is the classic way to lose entries: a
// reader passes a place whose entry becomes visible afterwards. One writer is
// held between the two here.
func TestNoReaderPassesAnEntryThatIsNotYetCommitted(t *testing.T) {
	schema := newSchema()
	db := openDB(t, shared.Get(t).URL("postgres"))
	s := openAt(t, db, postgres.Config{Schema: schema})
	t.Cleanup(func() { drop(t, db, schema) })
	first, second := create(t, s, "alice"), create(t, s, "bob")
	_, before, err := s.Revocations(t.Context(), "", 10)
	if err != nil {
		t.Fatal(err)
	}

	slow, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Rollback()
	_, err = slow.Exec(`SELECT * FROM `+schema+`.end_sessions(ARRAY[$1::bytea], ARRAY[false], ARRAY['logout'::bytea], ARRAY['x'::bytea], ARRAY[$2::bigint], ARRAY[$3::bigint])`,
		first.SID[:], int64(now), int64(until))
	if err != nil {
		t.Fatal(err)
	}
	// It has its number and has not committed. A second writer comes.
	done := make(chan error, 1)
	go func() {
		_, err := s.Revoke(context.Background(), lanyard.End{SID: second.SID, Reason: lanyard.ReasonLogout, Now: now, Until: until})
		done <- err
	}()
	awaitWaiter(t, db)
	entries, passed, err := s.Revocations(t.Context(), before, 10)
	if err != nil || len(entries) != 0 {
		t.Fatalf("a reader sees %v, %v while the first writer has not committed", entries, err)
	}
	select {
	case err := <-done:
		t.Fatalf("the second writer overtook the first: %v", err)
	default:
	}
	if err := slow.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	entries, _, err = s.Revocations(t.Context(), passed, 10)
	if err != nil || len(entries) != 2 || entries[0].SID != first.SID || entries[1].SID != second.SID {
		t.Errorf("behind the cursor there are %v, %v, want both ends in the order of their numbers", entries, err)
	}
}

// awaitWaiter returns when somebody waits for an advisory lock of this database.
func awaitWaiter(t *testing.T, db queryer) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for range 2000 {
		var waiting int
		err := db.QueryRowContext(t.Context(), `SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted`).Scan(&waiting)
		if err != nil {
			t.Fatal(err)
		}
		if waiting > 0 {
			return
		}
		<-tick.C
	}
	t.Fatal("nobody waits for the lock")
}

func TestACursorAheadOfARestoredFeedIsRefused(t *testing.T) {
	s, restored := open(t), open(t)
	var ahead string
	for range 3 {
		ahead = revoke(t, s, lanyard.End{SID: create(t, s, "alice").SID}).Cursor
	}
	if _, _, err := restored.Revocations(t.Context(), ahead, 10); !errors.Is(err, lanyard.ErrBadCursor) {
		t.Errorf("got %v, want ErrBadCursor", err)
	}
	// As after a restore, the epoch is put above every one used before.
	raised := revoke(t, restored, lanyard.End{All: true, AtLeast: 7})
	entries, _, err := restored.Revocations(t.Context(), ahead, 10)
	if err != nil || len(entries) != 1 || entries[0].Epoch != raised.Epoch {
		t.Errorf("a follower from before gets %v, %v, want the one entry about everything", entries, err)
	}
}

func TestAnEndOnOneNodeWakesTheOthers(t *testing.T) {
	schema, url := newSchema(), shared.Get(t).URL("postgres")
	cleaner := openDB(t, url)
	t.Cleanup(func() { drop(t, cleaner, schema) })
	cfg := postgres.Config{Schema: schema, Listen: listen(t)}
	here, there := openAt(t, openDB(t, url), cfg), openAt(t, openDB(t, url), cfg)
	r := create(t, here, "alice")
	ctx, stop := context.WithCancel(t.Context())
	woken, ended := make(chan struct{}, 100), make(chan error, 1)
	go func() { ended <- there.Watch(ctx, func() { woken <- struct{}{} }) }()
	<-woken // it listens
	revoke(t, here, lanyard.End{SID: r.SID})
	select {
	case <-woken:
	case <-time.After(10 * time.Second):
		t.Error("an end on one node did not wake the other")
	}
	stop()
	if err := <-ended; err == nil {
		t.Error("Watch returned without a reason")
	}
	quiet := openAt(t, openDB(t, url), postgres.Config{Schema: schema})
	if err := quiet.Watch(t.Context(), func() {}); err == nil {
		t.Error("Watch without Config.Listen returned nil")
	}
}

// Numbers never start again, whatever is pruned in between.
func TestPruningTheWholeFeedKeepsItsNumbers(t *testing.T) {
	s := open(t)
	cursors := map[string]bool{}
	for i := range 5 {
		done := revoke(t, s, lanyard.End{SID: create(t, s, fmt.Sprint("user", i)).SID})
		if cursors[done.Cursor] {
			t.Fatalf("cursor %s was given twice", done.Cursor)
		}
		cursors[done.Cursor] = true
		if _, err := s.Prune(t.Context(), lanyard.Prune{Now: until + 1, Limit: 10}); err != nil {
			t.Fatal(err)
		}
		if entries, _, err := s.Revocations(t.Context(), "", 10); err != nil || len(entries) != 0 {
			t.Errorf("after pruning: %v, %v", entries, err)
		}
	}
}

func TestAListenerThatCannotConnectSaysSoWithoutThePassword(t *testing.T) {
	listen, err := pgconn.Listener("postgres://someone:hunter2@127.0.0.1:1/x?sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	if err := listen(t.Context(), "c", func() {}); err == nil || contains(err.Error(), "hunter2") {
		t.Errorf("got %v", err)
	}
}
