package redis_test

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/internal/engines"
	"github.com/lanyard-go/lanyard/store/redis"
)

// keysBut returns all keys except those of Once, which the engine forgets.
func keysBut(t testing.TB, server *engines.RedisServer) []string {
	t.Helper()
	keys := strings.Fields(server.Command(t, "KEYS", "*"))
	slices.Sort(keys)
	return slices.DeleteFunc(keys, func(key string) bool { return strings.Contains(key, ":k:") })
}

// req: STORE-12
func TestALifeLeavesNothingBehind(t *testing.T) {
	server := engines.Redis(t)
	c := connect(t, server.URL())
	s := newStore(t, c, "lanyard")
	// remaining is how long the engine keeps a key, in milliseconds.
	remaining := func(key string) int64 {
		left, err := c.Do(ctx, []string{"PTTL", key}, 1)
		if err != nil {
			t.Fatal(err)
		}
		return left.(int64)
	}
	empty := keysBut(t, server)
	if want := 2 * lanyard.Partitions; len(empty) != want {
		t.Fatalf("an empty store has %d keys, want %d", len(empty), want)
	}
	size := strings.Fields(server.Command(t, "MEMORY", "USAGE", empty[0]))[0]

	live(t, s)
	for _, key := range keysBut(t, server) {
		kind := strings.Split(key, ":")[2]
		if kind != "r" && kind != "u" && kind != "h" && kind != "o" {
			continue
		}
		// The engine's own expiry is there, and no sooner than it should be.
		if left := remaining(key); left < (48 * time.Hour).Milliseconds() {
			t.Fatalf("%s: kept for %d ms more", key, left)
		}
	}
	for _, key := range strings.Fields(server.Command(t, "KEYS", "*:k:*")) {
		if left := remaining(key); left <= 0 || left > 61_000 {
			t.Fatalf("%s: kept for %d ms more, want a minute", key, left)
		}
	}

	end := lanyard.Prune{Now: base + 50_000_000, Forget: base + 50_000_000, Limit: 100}
	for more := true; more; {
		done, err := s.Prune(ctx, end)
		if err != nil {
			t.Fatal(err)
		}
		more = done.More
	}
	// What ended in the last call was removed in it, or is in another one.
	if _, err := s.Prune(ctx, end); err != nil {
		t.Fatal(err)
	}
	if left := keysBut(t, server); !slices.Equal(left, empty) {
		t.Errorf("left behind: %v", slices.DeleteFunc(left, func(k string) bool { return slices.Contains(empty, k) }))
	}
	if now := strings.Fields(server.Command(t, "MEMORY", "USAGE", empty[0]))[0]; len(now) > len(size)+1 {
		t.Errorf("%s takes %s bytes, took %s", empty[0], now, size)
	}
	if n, err := s.Count(ctx, base); n != 0 || err != nil {
		t.Errorf("%d sessions, error %v", n, err)
	}
}

// live does everything that leaves something in the store.
func live(t *testing.T, s *redis.Store) {
	for n := range 900 {
		r := session(subjectOf(n%150), n)
		if n >= 600 { // handed off from an older one, or from one that was itself
			r.Origin = session(r.Subject, n-300).SID
		}
		if _, err := s.Create(ctx, r, lanyard.Limit{Max: 4, Now: base, Until: base + 20}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Once(ctx, fmt.Sprint("key", n), base, base+1000); err != nil {
			t.Fatal(err)
		}
		switch n % 5 {
		case 0:
			if _, err := s.Revoke(ctx, logout(r.SID)); err != nil {
				t.Fatal(err)
			}
		case 1:
			r.LastActive += 1000
			err := s.Update(ctx, r, lanyard.Entry{Kind: lanyard.EntryGeneration, SID: r.SID, Generation: 2, Until: base + 30})
			if err != nil {
				t.Fatal(err)
			}
		}
		if n%60 == 59 {
			e := logout(lanyard.SID{})
			e.Subject = r.Subject
			if _, err := s.Revoke(ctx, e); err != nil {
				t.Fatal(err)
			}
		}
		if n == 400 {
			if _, err := s.Revoke(ctx, lanyard.End{All: true, Reason: lanyard.ReasonAdmin, Until: base + 20}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := s.Revoke(ctx, lanyard.End{Key: "k1", Until: base + 20}); err != nil {
		t.Fatal(err)
	}
}

// A record that the engine has removed leaves its places in the indexes, and
// Prune meets them there.
func TestTheEnginesOwnExpiryLeavesNothingBehind(t *testing.T) {
	server := engines.Redis(t)
	s := newStore(t, connect(t, server.URL()), "lanyard")
	empty := keysBut(t, server)
	live, over := start(t, s, session("alice", 1)), start(t, s, session("alice", 2))
	if _, err := s.Revoke(ctx, logout(over.SID)); err != nil {
		t.Fatal(err)
	}
	for _, key := range keysBut(t, server) {
		if server.Command(t, "PTTL", key) != "-1" {
			server.Command(t, "DEL", key) // as the engine does, all at their time
		}
	}
	page, err := s.List(ctx, lanyard.Query{})
	if err != nil || len(page.Records) != 0 {
		t.Errorf("%d records, error %v", len(page.Records), err)
	}
	done, err := s.Prune(ctx, lanyard.Prune{Now: live.ExpiresAt, Forget: live.ExpiresAt, Limit: 10})
	if err != nil || len(done.Records) != 0 {
		t.Errorf("%d ended, error %v", len(done.Records), err)
	}
	if left := keysBut(t, server); !slices.Equal(left, empty) {
		t.Errorf("left behind: %v", left)
	}
}

func TestOriginReachesThroughARecordThatWasForgotten(t *testing.T) {
	server := engines.Redis(t)
	s := newStore(t, connect(t, server.URL()), "lanyard")
	origin, phone, watch, strap := session("alice", 1), session("alice", 2), session("alice", 3), session("alice", 4)
	phone.Origin, phone.IdleExpiresAt = origin.SID, base+5
	watch.Origin, watch.IdleExpiresAt = phone.SID, base+6
	strap.Origin = watch.SID
	for _, r := range []*lanyard.Record{origin, phone, watch, strap} {
		start(t, s, r)
	}
	for _, now := range []lanyard.Time{base + 5, base + 6} { // each ends one and forgets it
		if _, err := s.Prune(ctx, lanyard.Prune{Now: now, Forget: now, Limit: 10}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Prune(ctx, lanyard.Prune{Now: now, Forget: now, Limit: 10}); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range []*lanyard.Record{phone, watch} {
		if _, err := s.Get(ctx, r.SID); !errors.Is(err, lanyard.ErrNotFound) {
			t.Fatalf("one in between: error %v, want %v", err, lanyard.ErrNotFound)
		}
	}
	if err := s.Update(ctx, strap); err != nil {
		t.Errorf("Update of one whose origin is gone: %v", err)
	}
	if _, err := s.Revoke(ctx, logout(origin.SID)); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Get(ctx, strap.SID); err != nil || got.EndReason != lanyard.ReasonLinked || got.Origin != watch.SID {
		t.Errorf("the last in the chain: %q, origin %s, error %v", got.EndReason, got.Origin, err)
	}
}

func TestWhatPlacesARecordCannotBeWrong(t *testing.T) {
	server := engines.Redis(t)
	c := connect(t, server.URL())
	elsewhere := func(sid lanyard.SID) lanyard.SID {
		sid[7] ^= 1 << 6 // the lowest bit of the shard tag
		return sid
	}
	for _, test := range []struct {
		name  string
		wrong func(*lanyard.Record)
	}{
		{"no sid", func(r *lanyard.Record) { r.SID = lanyard.SID{} }},
		{"a sid of another partition than the subject's", func(r *lanyard.Record) { r.SID = elsewhere(r.SID) }},
		{"an origin of another partition", func(r *lanyard.Record) { r.Origin = elsewhere(r.SID) }},
		{"ended at its creation", func(r *lanyard.Record) { r.EndReason = lanyard.ReasonLogout }},
		{"larger than a record may be", func(r *lanyard.Record) { r.Data = make([]byte, lanyard.MaxRecordSize) }},
		{"a time before 1970", func(r *lanyard.Record) { r.LastActive = -1 }},
		{"a time that a script cannot keep", func(r *lanyard.Record) { r.ExpiresAt = 1 << 53 }},
	} {
		t.Run("Create refuses "+test.name, func(t *testing.T) {
			s, r := newStore(t, c, server.Prefix()), session("alice", 1)
			test.wrong(r)
			if _, err := s.Create(ctx, r, lanyard.Limit{}); err == nil {
				t.Error("created")
			}
			if n, err := s.Count(ctx, base); n != 0 || err != nil {
				t.Errorf("%d records, error %v", n, err)
			}
		})
	}
	for _, test := range []struct {
		name  string
		wrong func(*lanyard.Record)
	}{
		{"another subject", func(r *lanyard.Record) { r.Subject = "mallory" }},
		{"another origin", func(r *lanyard.Record) { r.Origin = r.SID }},
		{"a later subject epoch", func(r *lanyard.Record) { r.SubjectEpoch++ }},
		{"a later global epoch", func(r *lanyard.Record) { r.GlobalEpoch++ }},
	} {
		t.Run("Update refuses "+test.name, func(t *testing.T) {
			s := newStore(t, c, server.Prefix())
			r := start(t, s, session("alice", 1))
			test.wrong(r)
			if err := s.Update(ctx, r); err == nil {
				t.Error("updated")
			}
			if got, err := s.Get(ctx, r.SID); err != nil || got.Version != 1 || got.Subject != "alice" {
				t.Errorf("stored: %+v, error %v", got, err)
			}
		})
	}
}

func TestARecordThatIsNotTheOneAskedForIsRefused(t *testing.T) {
	server := engines.Redis(t)
	s := newStore(t, connect(t, server.URL()), "lanyard")
	one, two := start(t, s, session("alice", 1)), start(t, s, session("alice", 2))
	part := fmt.Sprintf("lanyard:{%02d}:r:", one.SID.Partition())
	server.Command(t, "COPY", part+one.SID.String(), part+two.SID.String(), "REPLACE")
	if _, err := s.Get(ctx, two.SID); !errors.Is(err, lanyard.ErrBadRecord) {
		t.Errorf("error %v, want %v", err, lanyard.ErrBadRecord)
	}
	server.Command(t, "SET", part+two.SID.String(), "rubbish")
	if _, err := s.Get(ctx, two.SID); !errors.Is(err, lanyard.ErrBadRecord) {
		t.Errorf("error %v, want %v", err, lanyard.ErrBadRecord)
	}
	if err := s.Update(ctx, two); !errors.Is(err, lanyard.ErrBadRecord) {
		t.Errorf("Update: error %v, want %v", err, lanyard.ErrBadRecord)
	}
	// It stands in nobody's way.
	e := logout(lanyard.SID{})
	e.Subject = "alice"
	if _, err := s.Revoke(ctx, e); err != nil {
		t.Errorf("a logout everywhere: %v", err)
	}
	if got, err := s.Get(ctx, one.SID); err != nil || !got.Ended() {
		t.Errorf("the other record: ended is %v, error %v", got.Ended(), err)
	}
}

// A call that ended in the middle is completed by the next Prune.
func TestPruneCompletesAnEndOfEverythingThatWasCutShort(t *testing.T) {
	server := engines.Redis(t)
	s := newStore(t, connect(t, server.URL()), "lanyard")
	r := start(t, s, session("alice", 1))
	server.Command(t, "SET", "lanyard:{00}:g", "5") // decided, and brought to nobody yet
	if got, err := s.Get(ctx, r.SID); err != nil || got.Ended() {
		t.Fatalf("before: ended is %v, error %v", got.Ended(), err)
	}
	done, err := s.Prune(ctx, lanyard.Prune{Now: base + 10, Limit: 10})
	if err != nil || len(done.Records) != 1 || done.Records[0].EndReason != lanyard.ReasonRevokedAll {
		t.Errorf("%d ended, error %v", len(done.Records), err)
	}
	if next := start(t, s, session("bob", 2)); next.GlobalEpoch != 5 {
		t.Errorf("stamped epoch %d, want 5", next.GlobalEpoch)
	}
}

// The number of docs/redis.md.
func TestALiveSessionTakesAboutAKilobyte(t *testing.T) {
	server := engines.Redis(t)
	s := newStore(t, connect(t, server.URL()), "lanyard")
	used := func() int {
		_, after, _ := strings.Cut(server.Command(t, "INFO", "memory"), "used_memory:")
		n, err := strconv.Atoi(strings.Fields(after)[0])
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	const sessions = 5000
	before := used()
	var all sync.WaitGroup
	for w := range 10 {
		all.Go(func() {
			for n := w; n < sessions; n += 10 {
				if _, err := s.Create(ctx, session(subjectOf(n), n), lanyard.Limit{}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	each := (used() - before) / sessions
	t.Logf("%d bytes for each session, %s of them stored for one", each, server.Command(t, "STRLEN",
		fmt.Sprintf("lanyard:{%02d}:r:%s", lanyard.SubjectPartition(subjectOf(0)), session(subjectOf(0), 0).SID)))
	if each < 500 || each > 1400 {
		t.Errorf("%d bytes for each session, want at most 1400", each)
	}
}
