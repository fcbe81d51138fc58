package sqlite_test

import (
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/store/sqlite"
)

// A subject that may have one session has one at every moment, also while one
// takes the place of another.
func TestAListShowsOneMoment(t *testing.T) {
	rounds := 300
	if soak() {
		rounds = 20_000
	}
	s := open(t, sqlite.Config{Exclusive: true})
	limit := lanyard.Limit{Max: 1, Now: now, Until: until}
	if _, err := s.Create(t.Context(), record("alice"), limit); err != nil {
		t.Fatal(err)
	}
	var done atomic.Bool
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for !done.Load() {
				page, err := s.List(t.Context(), lanyard.Query{Subject: "alice", LiveAt: now})
				if err != nil || len(page.Records) != 1 {
					t.Errorf("%d sessions are live, %v; want 1", len(page.Records), err)
					return
				}
			}
		})
	}
	for range rounds {
		if _, err := s.Create(t.Context(), record("alice"), limit); err != nil {
			t.Error(err)
			break
		}
	}
	done.Store(true)
	readers.Wait()
}

// What the store lists from memory is what it lists from the file, page by page.
func TestAListFromMemoryIsThatOfTheFile(t *testing.T) {
	s := open(t, sqlite.Config{Exclusive: true})
	for i := range 60 {
		r := create(t, s, "alice")
		if i%3 == 0 {
			if _, err := s.Revoke(t.Context(), lanyard.End{SID: r.SID, Reason: lanyard.ReasonLogout, Now: now, Until: until}); err != nil {
				t.Fatal(err)
			}
		}
	}
	create(t, s, "bob")
	for _, q := range []lanyard.Query{
		{Subject: "alice"},
		{Subject: "alice", LiveAt: now},
		{Subject: "alice", LiveAt: now + 100*hour}, // all have expired by then
		{Subject: "alice", Limit: 7},
		{Subject: "alice", LiveAt: now, Limit: 20},
		{Subject: "bob"},
		{Subject: "nobody"},
	} {
		t.Run(fmt.Sprintf("%+v", q), func(t *testing.T) {
			held, file := q, q
			for range 30 {
				got, ok := s.ListHeld(t.Context(), held)
				if !ok {
					t.Fatal("it was not listed from memory")
				}
				want := s.ListFile(t, file)
				if !reflect.DeepEqual(got.Records, want.Records) {
					t.Fatalf("%d records from memory, %d from the file, or others", len(got.Records), len(want.Records))
				}
				if got.Next == "" && want.Next == "" {
					return
				}
				held.After, file.After = got.Next, want.Next
			}
			t.Error("the walk does not end")
		})
	}
}

// From before a change is committed until all of it is visible, the file
// answers.
func TestAListLeavesSessionsInChangeToTheFile(t *testing.T) {
	s := open(t, sqlite.Config{Exclusive: true})
	r := create(t, s, "alice")
	other := create(t, s, "bob")
	listed := func() bool {
		_, ok := s.ListHeld(t.Context(), lanyard.Query{Subject: "alice"})
		return ok
	}
	if !listed() {
		t.Error("nothing changes, and the list does not come from memory")
	}
	settle := s.Expect(r.SID)
	if listed() {
		t.Error("a list came from memory while one of its sessions changed")
	}
	settle()
	if !listed() {
		t.Error("all is visible, and the list does not come from memory")
	}
	other.SID[15], other.SID[14] = r.SID[15]+1, r.SID[14]
	defer s.Expect(other.SID)()
	if !listed() {
		t.Error("the list of one subject is held up by the session of another")
	}
}
