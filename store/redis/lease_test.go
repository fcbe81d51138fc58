package redis_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/internal/engines"
	"github.com/lanyard-go/lanyard/store/redis"
)

func (s *two) leaser() lanyard.Leaser { return s.next().(lanyard.Leaser) }

func (s *two) Covers(have, want string) (bool, error) {
	return s.next().(lanyard.Comparer).Covers(have, want)
}

func (s *two) SetLease(ctx context.Context, node, value string) error {
	return s.leaser().SetLease(ctx, node, value)
}

func (s *two) DropLease(ctx context.Context, node, value string) error {
	return s.leaser().DropLease(ctx, node, value)
}

func (s *two) Leases(ctx context.Context) (map[string]string, string, error) {
	return s.leaser().Leases(ctx)
}

// held sets two leases and returns them with the incarnation.
func held(t testing.TB, s *redis.Store) (map[string]string, string) {
	t.Helper()
	want := map[string]string{"a": "1", "b": "2"}
	for node, value := range want {
		if err := s.SetLease(ctx, node, value); err != nil {
			t.Fatal(err)
		}
	}
	leases, word, err := s.Leases(ctx)
	if err != nil || !maps.Equal(leases, want) {
		t.Fatalf("leases %v, %v, want %v", leases, err, want)
	}
	return want, word
}

// wantAnother waits for the leases to be read again, and expects an incarnation
// that is not among those of before.
func wantAnother(t testing.TB, s *redis.Store, want map[string]string, before ...string) string {
	t.Helper()
	var word string
	eventually(t, 20*time.Second, func(ctx context.Context) error {
		leases, now, err := s.Leases(ctx)
		if err == nil && !maps.Equal(leases, want) {
			t.Fatalf("leases %v, want %v", leases, want)
		}
		word = now
		return err
	})
	for _, old := range before {
		if word == old {
			t.Errorf("the incarnation is %q once more", word)
		}
	}
	return word
}

// req: STORE-4
func TestLeasesSurviveAKilledServerWhoseIncarnationIsAnother(t *testing.T) {
	for name, engine := range map[string]func(testing.TB, ...string) *engines.RedisServer{"Redis": engines.Redis, "Valkey": engines.Valkey} {
		t.Run(name, func(t *testing.T) {
			server := engine(t, "appendonly=yes", "appendfsync=always")
			s := newStore(t, connect(t, server.URL()), "lanyard")
			want, before := held(t, s)
			if _, word, err := newStore(t, connect(t, server.URL()), "lanyard").Leases(ctx); word != before || err != nil {
				t.Errorf("another client says %q, %v, want %q", word, err, before)
			}
			server.Kill(t)
			if err := server.Start(); err != nil {
				t.Fatal(err)
			}
			wantAnother(t, s, want, before)
		})
	}
}

// A server that was replaced and took over again was never restarted: its run id
// is the one of before, and what it was told since was lost.
func TestEachFailoverIsAnotherIncarnation(t *testing.T) {
	cluster := engines.RedisClusterOf(t, 3, 1)
	s := newStore(t, connect(t, cluster.URL()), "lanyard")
	want, first := held(t, s)
	slot := cluster.Nodes[0].Command(t, "CLUSTER", "KEYSLOT", "lanyard:{00}:m")
	var old *engines.RedisServer
	for _, node := range cluster.Nodes {
		if strings.Contains(node.Command(t, "ROLE"), "master") && node.Command(t, "CLUSTER", "COUNTKEYSINSLOT", slot) != "0" {
			old = node
		}
	}
	heir := cluster.ReplicaOf(t, old)
	promote(t, heir)
	second := wantAnother(t, s, want, first)
	promote(t, old)
	wantAnother(t, s, want, first, second)
}

// promote has a replica take over, and waits until the one before follows it.
func promote(t testing.TB, replica *engines.RedisServer) {
	t.Helper()
	asked := time.Time{}
	eventually(t, 30*time.Second, func(context.Context) error {
		if role := replica.Command(t, "ROLE"); strings.Contains(role, "master") {
			if strings.Contains(replica.Command(t, "INFO", "replication"), "connected_slaves:1") {
				return nil
			}
			return errors.New("nobody follows the new primary")
		}
		if time.Since(asked) > 6*time.Second { // a server gives up after five
			asked = time.Now()
			replica.Command(t, "CLUSTER", "FAILOVER")
		}
		return errors.New("the replica has not taken over")
	})
}

func TestALeaseIsReplacedWhileTheMemoryIsFull(t *testing.T) {
	server := engines.Redis(t)
	s := newStore(t, connect(t, server.URL()), "lanyard")
	held(t, s)
	server.Command(t, "CONFIG", "SET", "maxmemory", "1mb")
	_, err := s.Create(ctx, session("alice", 1), lanyard.Limit{})
	wantSays(t, "a login", err, "maxmemory")
	if err := s.SetLease(ctx, "a", "3"); err != nil {
		t.Error(err)
	}
	if err := s.DropLease(ctx, "b", "2"); err != nil {
		t.Error(err)
	}
	if leases, _, err := s.Leases(ctx); err != nil || !maps.Equal(leases, map[string]string{"a": "3"}) {
		t.Errorf("leases %v, %v", leases, err)
	}
}

func TestLeasesOfOtherDataAreRefused(t *testing.T) {
	server := engines.Redis(t)
	s := newStore(t, connect(t, server.URL()), "lanyard")
	held(t, s)
	server.Command(t, "HSET", "lanyard:{00}:m", "id", "0123456789abcdef")
	for name, call := range map[string]func() error{
		"SetLease":  func() error { return s.SetLease(ctx, "a", "1") },
		"DropLease": func() error { return s.DropLease(ctx, "a", "1") },
		"Leases":    func() error { _, _, err := s.Leases(ctx); return err },
	} {
		if err := call(); !errors.Is(err, redis.ErrLost) {
			t.Errorf("%s: %v, want %v", name, err, redis.ErrLost)
		}
	}
}

// No server is asked, and of two cursors neither may cover the other.
func TestCursorsAreComparedPartitionByPartition(t *testing.T) {
	server := engines.Redis(t)
	one, other := newStore(t, connect(t, server.URL()), "lanyard"), newStore(t, connect(t, server.URL()), "lanyard")
	foreign := newStore(t, connect(t, server.URL()), "foreign")
	end := func(s *redis.Store, subject string, n int) string {
		t.Helper()
		e := logout(start(t, s, session(subject, n)).SID)
		e.Now += lanyard.Time(n)
		done, err := s.Revoke(ctx, e)
		if err != nil {
			t.Fatal(err)
		}
		return done.Cursor
	}
	if lanyard.SubjectPartition("alice") == lanyard.SubjectPartition("bob") {
		t.Fatal("both are in one partition")
	}
	alice, bob := end(one, "alice", 1), end(other, "bob", 2)
	alsoAlice, stranger := end(one, "alice", 3), end(foreign, "alice", 4)
	_, all, err := other.Revocations(ctx, "", 10)
	if err != nil {
		t.Fatal(err)
	}
	server.Shutdown(t)
	for _, tt := range []struct {
		name, have, want string
		covers           bool
		err              error
	}{
		{"the same", alice, alice, true, nil},
		{"a later one of its partition", alsoAlice, alice, true, nil},
		{"an earlier one of its partition", alice, alsoAlice, false, nil},
		{"one ahead in another partition", alice, bob, false, nil},
		{"and the other way round", bob, alice, false, nil},
		{"all that was", all, alsoAlice, true, nil},
		{"part of all that was", alsoAlice, all, false, nil},
		{"none", "", alice, false, nil},
		{"none is wanted", alice, "", true, nil},
		{"one of other data", stranger, alice, false, lanyard.ErrBadCursor},
		{"one of other data is wanted", alice, stranger, false, lanyard.ErrBadCursor},
	} {
		if got, err := one.Covers(tt.have, tt.want); got != tt.covers || !errors.Is(err, tt.err) {
			t.Errorf("%s: %t, %v, want %t, %v", tt.name, got, err, tt.covers, tt.err)
		}
	}
}

func TestAServerThatHidesItsIncarnationGivesNone(t *testing.T) {
	server := engines.Redis(t)
	c := connect(t, server.URL())
	hides := false
	s, err := redis.New(ctx, redis.Config{Do: func(ctx context.Context, cmd []string, key int) (any, error) {
		reply, err := c.Do(ctx, cmd, key)
		if list, ok := reply.([]any); ok && hides && len(list) > 1 {
			list[1] = ""
		}
		return reply, err
	}})
	if err != nil {
		t.Fatal(err)
	}
	hides = true
	leases, word, err := s.Leases(ctx)
	wantSays(t, "Leases", err, "run_id")
	if leases != nil || word != "" {
		t.Error(fmt.Sprint("beside the error there are ", leases, word))
	}
}

// A shard that has no leases has entries of the feed, which its failover may lose.
func TestTheIncarnationOfAClusterIsThatOfEachShard(t *testing.T) {
	cluster := engines.RedisClusterOf(t, 3, 1)
	s := newStore(t, connect(t, cluster.URL()), "lanyard")
	whole := func() string {
		word, err := s.Incarnation(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return word
	}
	first := whole()
	if again := whole(); again != first {
		t.Fatalf("the incarnation is %q and then %q", first, again)
	}
	_, leases := held(t, s)
	slot := cluster.Nodes[0].Command(t, "CLUSTER", "KEYSLOT", "lanyard:{00}:m")
	for _, node := range cluster.Nodes {
		if !strings.Contains(node.Command(t, "ROLE"), "master") || node.Command(t, "CLUSTER", "COUNTKEYSINSLOT", slot) != "0" {
			continue
		}
		promote(t, cluster.ReplicaOf(t, node))
		break
	}
	eventually(t, 30*time.Second, func(context.Context) error {
		word, err := s.Incarnation(ctx)
		if err == nil && word == first {
			err = errors.New("another shard failed over, and the incarnation is as before")
		}
		return err
	})
	if _, word, err := s.Leases(ctx); err != nil || word != leases {
		t.Errorf("the incarnation of the leases is %q, %v, want %q: another shard's was meant to change", word, err, leases)
	}
}
