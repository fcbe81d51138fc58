package sqlite

import (
	"errors"
	"testing"

	"github.com/lanyard-go/lanyard"
)

// No step does this; one that did must not leave half of itself behind, nor
// bring down the store.
func TestAStepThatStopsHalfWayIsUndoneWhole(t *testing.T) {
	db, _ := emptyDB(t)
	s, err := New(t.Context(), db, Config{Exclusive: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	half := errors.New("half-way")
	for _, tt := range []struct {
		name string
		stop func() error
	}{
		{"with an error", func() error { return half }},
		{"with a panic", func() error { panic(half) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sid := lanyard.SID{1, 15: 9}
			release := s.Hold()
			outcome := make(chan error)
			go func() {
				outcome <- recovered(func() error {
					return s.commit(t.Context(), "stopping half-way", func(tx *tx) error {
						if err := tx.insertForTest(sid); err != nil {
							return err
						}
						return tt.stop()
					})
				})
			}()
			s.AwaitQueue(1)
			go func() {
				outcome <- recovered(func() error {
					_, err := s.Once(t.Context(), tt.name, 1, 2)
					return err
				})
			}()
			s.AwaitQueue(2)
			release()
			// A panic is heard by the one that leads, which may be either.
			for range 2 {
				if err := <-outcome; !errors.Is(err, half) && !errors.Is(err, errInterrupted) {
					t.Errorf("a call of the transaction got %v", err)
				}
			}
			if _, err := s.Get(t.Context(), sid); !errors.Is(err, lanyard.ErrNotFound) {
				t.Errorf("Get: %v, want ErrNotFound", err)
			}
			if entries, _, err := s.Revocations(t.Context(), "", 10); err != nil || len(entries) != 0 {
				t.Errorf("the feed has %d entries, %v, want none", len(entries), err)
			}
			if first, err := s.Once(t.Context(), tt.name, 1, 2); err != nil || !first {
				t.Errorf("the next call: %t, %v", first, err)
			}
		})
	}
}

func recovered(call func() error) (err error) {
	defer func() {
		if panicked, ok := recover().(error); ok {
			err = panicked
		}
	}()
	return call()
}

// insertForTest writes to the feed, the table and the cache.
func (t *tx) insertForTest(sid lanyard.SID) error {
	if _, err := t.announce(&lanyard.Entry{SID: sid}); err != nil {
		return err
	}
	body, err := (&lanyard.Record{SID: sid}).AppendBinary(nil)
	if err != nil {
		return err
	}
	t.note(sid, 1, body)
	_, err = t.exec(sqlInsert, sid[:], "", 0, 0, nil, body)
	return err
}
