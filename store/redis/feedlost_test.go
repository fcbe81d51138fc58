package redis_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/internal/engines"
)

// A replica takes over that has not received the newest entry. The feed then
// grows past the cursors that were handed out for it, and a follower who comes
// back later must not take the new entries for those it has seen.
func TestAFeedThatLostItsNewestEntryHidesNoneOfTheNext(t *testing.T) {
	server := engines.Redis(t)
	s := newStore(t, connect(t, server.URL()), "lanyard")
	var sids []lanyard.SID
	for n := range 3 {
		sids = append(sids, start(t, s, session("alice", n)).SID)
	}
	end := func(n int) lanyard.Ended {
		t.Helper()
		e := logout(sids[n])
		e.Now += lanyard.Time(n) * 1000
		done, err := s.Revoke(ctx, e)
		if err != nil {
			t.Fatal(err)
		}
		return done
	}
	end(0)
	_, cursor, err := s.Revocations(ctx, "", 10)
	if err != nil {
		t.Fatal(err)
	}
	part := fmt.Sprintf("lanyard:{%02d}:", sids[0].Partition())
	server.Command(t, "HSET", part+"m", "seq", "0")
	server.Command(t, "DEL", part+"f", part+"w")
	end(1)
	end(2)
	entries, _, err := s.Revocations(ctx, cursor, 10)
	if errors.Is(err, lanyard.ErrBadCursor) {
		return // it starts over, and sees both
	}
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 2 {
		t.Errorf("a follower with a cursor from before sees %d of the 2 ends after it: %v", len(entries), entries)
	}
}
