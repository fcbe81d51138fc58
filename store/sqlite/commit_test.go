package sqlite_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/store/sqlite"
)

// together runs the calls so that they meet in one transaction, and returns
// their errors.
func together(s *sqlite.Store, calls ...func() error) []error {
	release := s.Hold()
	errs := make([]error, len(calls))
	var wg sync.WaitGroup
	for i, call := range calls {
		wg.Go(func() { errs[i] = call() })
		s.AwaitQueue(i + 1) // in this order
	}
	release()
	wg.Wait()
	return errs
}

func TestARefusalLeavesTheOthersOfItsTransactionAlone(t *testing.T) {
	for _, cfg := range configs {
		s := open(t, cfg)
		first := create(t, s, "alice")
		stale := first.Clone()
		fresh, twin := record("alice"), record("alice")
		twin.SID = fresh.SID
		limited, unknown := record("alice"), record("alice")
		unknown.Version = 1
		large := record("alice")
		large.Data = make([]byte, lanyard.MaxRecordSize)
		errs := together(s,
			func() error { return s.Update(t.Context(), first) },
			func() error { return s.Update(t.Context(), stale) },
			func() error { _, err := s.Create(t.Context(), fresh, lanyard.Limit{}); return err },
			func() error { _, err := s.Create(t.Context(), twin, lanyard.Limit{}); return err },
			func() error {
				_, err := s.Create(t.Context(), limited, lanyard.Limit{Max: 2, Action: lanyard.LimitRefuse, Now: now})
				return err
			},
			func() error { return s.Update(t.Context(), unknown) },
			func() error {
				if _, err := s.Create(t.Context(), large, lanyard.Limit{}); err == nil {
					return errors.New("a record beyond the size limit was created")
				}
				return nil
			},
			func() error {
				_, err := s.Revoke(t.Context(), lanyard.End{SID: first.SID, Reason: lanyard.ReasonAdmin, Now: now})
				return err
			},
			func() error { return s.Update(t.Context(), first) },
		)
		for i, want := range []error{
			nil, lanyard.ErrConflict, nil, lanyard.ErrExists, lanyard.ErrLimit, lanyard.ErrNotFound, nil, nil, lanyard.ErrEnded,
		} {
			if !errors.Is(errs[i], want) {
				t.Errorf("call %d got %v, want %v", i, errs[i], want)
			}
		}
		if got := get(t, s, first.SID); got.Version != 3 || !got.Ended() {
			t.Errorf("the first record is at version %d, ended %t, want 3, true", got.Version, got.Ended())
		}
		if got := get(t, s, fresh.SID); !got.Live(now) {
			t.Error("the new record is not live")
		}
		if err := s.Check(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

func TestACallThatGivesUpInTheQueueDoesNothing(t *testing.T) {
	s := open(t, sqlite.Config{})
	ctx, giveUp := context.WithCancel(t.Context())
	release := s.Hold()
	lost, kept := record("alice"), record("alice")
	outcome := make(chan error, 1)
	go func() {
		_, err := s.Create(ctx, lost, lanyard.Limit{})
		outcome <- err
	}()
	s.AwaitQueue(1)
	go func() {
		_, err := s.Create(t.Context(), kept, lanyard.Limit{})
		outcome <- err
	}()
	s.AwaitQueue(2)
	giveUp()
	if err := <-outcome; !errors.Is(err, context.Canceled) {
		t.Errorf("the call that gave up got %v", err)
	}
	release()
	if err := <-outcome; err != nil {
		t.Errorf("the call behind it got %v", err)
	}
	if _, err := s.Get(t.Context(), lost.SID); !errors.Is(err, lanyard.ErrNotFound) {
		t.Errorf("Get of what was given up: %v, want ErrNotFound", err)
	}
	get(t, s, kept.SID)
}

func TestALockHeldElsewhereIsAClearError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sessions.db")
	impatient := strings.Replace(sqlite.DSN(path), "busy_timeout(5000)", "busy_timeout(20)", 1)
	s, err := sqlite.New(t.Context(), openDB(t, impatient), sqlite.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	before := create(t, s, "alice")
	unlock := startHelper(t, "lock", path)
	errs := together(s,
		func() error { _, err := s.Create(t.Context(), record("bob"), lanyard.Limit{}); return err },
		func() error { return s.Update(t.Context(), before.Clone()) },
	)
	for _, err := range errs {
		if !errors.Is(err, sqlite.ErrLocked) {
			t.Errorf("got %v, want ErrLocked", err)
		}
	}
	if got := get(t, s, before.SID); got.Version != 1 {
		t.Errorf("a refused update left version %d", got.Version)
	}
	unlock()
	create(t, s, "carol")
	if page, err := s.List(t.Context(), lanyard.Query{}); err != nil || len(page.Records) != 2 {
		t.Errorf("%d records, %v, want the 2 that were acknowledged", len(page.Records), err)
	}
}

func TestACallerMayGiveUpWhileTheLockIsHeldElsewhere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sessions.db")
	s := openAt(t, path, sqlite.Config{})
	startHelper(t, "lock", path)
	ctx, giveUp := context.WithCancel(t.Context())
	r := record("alice")
	outcome := make(chan error)
	go func() {
		_, err := s.Create(ctx, r, lanyard.Limit{})
		outcome <- err
	}()
	s.AwaitQueue(1)
	giveUp() // five seconds before the lock's own timeout
	if err := <-outcome; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
	if _, err := s.Get(t.Context(), r.SID); !errors.Is(err, lanyard.ErrNotFound) {
		t.Errorf("Get: %v, want ErrNotFound", err)
	}
}
