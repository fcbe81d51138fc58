package redis_test

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/internal/engines"
	"github.com/lanyard-go/lanyard/store/redis"
)

// An index that went before its records would hide them from a logout
// everywhere, and from the limit.
func TestAnIndexLivesAsLongAsTheLastRecordInIt(t *testing.T) {
	long := func(n int) *lanyard.Record {
		r := session("alice", n)
		r.ExpiresAt += 40_000_000
		return r
	}
	brief := func(n int) *lanyard.Record {
		r := session("alice", n)
		r.ExpiresAt = r.IdleExpiresAt
		return r
	}
	root := session("alice", 1).SID
	from := func(r *lanyard.Record) *lanyard.Record {
		r.Origin = root
		return r
	}
	limit := lanyard.Limit{Max: 10, Now: base, Until: base + 20}
	create := func(t *testing.T, s *redis.Store, r *lanyard.Record, limit lanyard.Limit) {
		t.Helper()
		if _, err := s.Create(ctx, r, limit); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		name  string
		index string
		do    func(*testing.T, *redis.Store)
	}{
		{"of a subject, the long one first", "u", func(t *testing.T, s *redis.Store) {
			create(t, s, long(1), lanyard.Limit{})
			create(t, s, brief(2), lanyard.Limit{})
		}},
		{"of a subject, the long one last", "u", func(t *testing.T, s *redis.Store) {
			create(t, s, brief(1), lanyard.Limit{})
			create(t, s, long(2), lanyard.Limit{})
		}},
		{"of a subject with a limit, the long one first", "u", func(t *testing.T, s *redis.Store) {
			create(t, s, long(1), limit)
			create(t, s, brief(2), limit)
		}},
		{"of a subject with a limit, the long one last", "u", func(t *testing.T, s *redis.Store) {
			create(t, s, brief(1), limit)
			create(t, s, long(2), limit)
		}},
		{"of a subject at its limit", "u", func(t *testing.T, s *redis.Store) {
			full := lanyard.Limit{Max: 2, Now: base, Until: base + 20}
			create(t, s, brief(1), full)
			create(t, s, long(2), full)
			create(t, s, brief(3), full)
		}},
		{"of an origin", "o", func(t *testing.T, s *redis.Store) {
			create(t, s, from(long(2)), lanyard.Limit{})
			create(t, s, from(brief(3)), lanyard.Limit{})
		}},
		{"of a subject whose other record is used", "u", func(t *testing.T, s *redis.Store) {
			create(t, s, long(1), lanyard.Limit{})
			r := brief(2)
			create(t, s, r, lanyard.Limit{})
			if err := s.Update(ctx, r); err != nil {
				t.Fatal(err)
			}
		}},
		{"of a subject whose record lives on", "u", func(t *testing.T, s *redis.Store) {
			r := brief(1)
			create(t, s, r, lanyard.Limit{})
			r.ExpiresAt += 60_000_000
			if err := s.Update(ctx, r); err != nil {
				t.Fatal(err)
			}
		}},
		{"of a subject's ended records", "h", func(t *testing.T, s *redis.Store) {
			for _, r := range []*lanyard.Record{long(1), brief(2)} {
				create(t, s, r, lanyard.Limit{})
				if _, err := s.Revoke(ctx, logout(r.SID)); err != nil {
					t.Fatal(err)
				}
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := engines.Redis(t)
			s := newStore(t, connect(t, server.URL()), "lanyard")
			test.do(t, s)
			// The index first, so that time that passes in between cannot matter.
			part := fmt.Sprintf("lanyard:{%02d}:", root.Partition())
			indexes := strings.Fields(server.Command(t, "KEYS", part+test.index+":*"))
			if len(indexes) != 1 {
				t.Fatalf("indexes: %v", indexes)
			}
			left := remaining(t, server, indexes[0])
			for _, key := range strings.Fields(server.Command(t, "KEYS", part+"r:*")) {
				if record := remaining(t, server, key); left < record {
					t.Errorf("the index lives for %d ms more, a record in it for %d", left, record)
				}
			}
		})
	}
}

// remaining is how long a key lives, in milliseconds; it has to have an end.
func remaining(t *testing.T, server *engines.RedisServer, key string) int {
	t.Helper()
	ms, err := strconv.Atoi(server.Command(t, "PTTL", key))
	if err != nil || ms <= 0 {
		t.Fatalf("%s: lives for %d ms more, error %v", key, ms, err)
	}
	return ms
}

// A caller who has lost the answer of a login asks again and has to learn that
// it is there, also at the limit.
func TestASIDThatIsTakenIsSaidSoAtTheLimit(t *testing.T) {
	s := newStore(t, connect(t, engines.Redis(t).URL()), "lanyard")
	refuse := lanyard.Limit{Max: 1, Action: lanyard.LimitRefuse, Now: base, Until: base + 20}
	if _, err := s.Create(ctx, session("alice", 1), refuse); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Create(ctx, session("alice", 1), refuse); !errors.Is(err, lanyard.ErrExists) {
		t.Errorf("the same once more: %v, want %v", err, lanyard.ErrExists)
	}
	if _, err := s.Create(ctx, session("alice", 2), refuse); !errors.Is(err, lanyard.ErrLimit) {
		t.Errorf("another one: %v, want %v", err, lanyard.ErrLimit)
	}
	// Nor does a login that finds its SID taken end another one.
	oldest := lanyard.Limit{Max: 1, Now: base, Until: base + 20}
	if ended, err := s.Create(ctx, session("alice", 1), oldest); !errors.Is(err, lanyard.ErrExists) || len(ended) > 0 {
		t.Errorf("%d ended, error %v, want %v", len(ended), err, lanyard.ErrExists)
	}
	if got, err := s.Get(ctx, session("alice", 1).SID); err != nil || got.Ended() {
		t.Errorf("the first: ended is %v, error %v", got.Ended(), err)
	}
}

// An attempt with a SID that has ended does not put it back among the live ones.
func TestAnAttemptWithASIDThatIsTakenLeavesNoTrace(t *testing.T) {
	server := engines.Redis(t)
	s := newStore(t, connect(t, server.URL()), "lanyard")
	origin := start(t, s, session("alice", 1))
	r := start(t, s, session("alice", 2))
	if _, err := s.Revoke(ctx, logout(r.SID)); err != nil {
		t.Fatal(err)
	}
	again := session("alice", 2)
	again.Origin = origin.SID
	if _, err := s.Create(ctx, again, lanyard.Limit{}); !errors.Is(err, lanyard.ErrExists) {
		t.Fatalf("error %v, want %v", err, lanyard.ErrExists)
	}
	part := fmt.Sprintf("lanyard:{%02d}:", r.SID.Partition())
	for _, key := range strings.Fields(server.Command(t, "KEYS", part+"u:*")) {
		if live := server.Command(t, "ZRANGE", key, "0", "-1"); live != origin.SID.String() {
			t.Errorf("the live ones are %s, want %s", live, origin.SID)
		}
	}
	if linked := server.Command(t, "KEYS", part+"o:*"); linked != "" {
		t.Errorf("an index of an origin: %s", linked)
	}
}

// Of a single session, of several with a spared one, and of those handed off.
func TestEverySignOutWorksWhileTheServerIsFull(t *testing.T) {
	one, other, third := session("alice", 1), session("alice", 2), session("alice", 3)
	third.Origin = other.SID
	spare := logout(lanyard.SID{})
	spare.Subject, spare.Except = "alice", one.SID
	nobody := logout(lanyard.SID{})
	nobody.Subject = "bob"
	for _, test := range []struct {
		name string
		end  lanyard.End
		want int
	}{
		{"one", logout(one.SID), 1},
		{"one and what was handed off from it", logout(other.SID), 2},
		{"all but one", spare, 2},
		{"everything of somebody who has nothing", nobody, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := engines.Redis(t)
			s := newStore(t, connect(t, server.URL()), "lanyard")
			for _, r := range []*lanyard.Record{one, other, third} {
				start(t, s, r)
			}
			server.Command(t, "CONFIG", "SET", "maxmemory", "1mb")
			done, err := s.Revoke(ctx, test.end)
			if err != nil || len(done.Records) != test.want {
				t.Fatalf("%d ended, error %v, want %d", len(done.Records), err, test.want)
			}
			for _, r := range done.Records {
				if got, err := s.Get(ctx, r.SID); err != nil || !got.Ended() {
					t.Errorf("%s: ended is %v, error %v", r.SID, got.Ended(), err)
				}
			}
		})
	}
}
