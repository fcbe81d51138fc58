package redis_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/internal/engines"
	"github.com/lanyard-go/lanyard/store/redis"
)

// wantSays expects an error whose text has the word.
func wantSays(t testing.TB, what string, err error, word string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), word) {
		t.Errorf("%s: error %v, want one that says %q", what, err, word)
	}
}

func TestScriptsAreSentAgainAfterTheServerForgotThem(t *testing.T) {
	server := engines.Redis(t)
	s := newStore(t, connect(t, server.URL()), "lanyard")
	r := start(t, s, session("alice", 1))
	server.Command(t, "SCRIPT", "FLUSH")
	if _, err := s.Revoke(ctx, logout(r.SID)); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Get(ctx, r.SID); err != nil || !got.Ended() {
		t.Errorf("ended is %v, error %v", got.Ended(), err)
	}
}

func TestAFullServerRefusesLoginsAndTakesLogouts(t *testing.T) {
	server := engines.Redis(t)
	s := newStore(t, connect(t, server.URL()), "lanyard")
	one, two, three := start(t, s, session("alice", 1)), start(t, s, session("alice", 2)), start(t, s, session("bob", 3))
	server.Command(t, "CONFIG", "SET", "maxmemory", "1mb")
	_, err := s.Create(ctx, session("alice", 4), lanyard.Limit{Max: 1, Now: base + 10})
	wantSays(t, "a login", err, "maxmemory")
	wantSays(t, "a touch", s.Update(ctx, one), "OOM")
	if got, err := s.Get(ctx, one.SID); err != nil || got.Ended() {
		t.Fatalf("after a refused login: %+v, error %v", got, err)
	}
	if _, err := s.Revoke(ctx, logout(one.SID)); err != nil {
		t.Errorf("a logout: %v", err)
	}
	everywhere := logout(lanyard.SID{})
	everywhere.Subject = "alice"
	if done, err := s.Revoke(ctx, everywhere); err != nil || len(done.Records) != 1 || done.Records[0].SID != two.SID {
		t.Errorf("a logout everywhere: %d ended, error %v", len(done.Records), err)
	}
	if _, err := s.Revoke(ctx, lanyard.End{All: true, Reason: lanyard.ReasonAdmin, Now: base + 10}); err != nil {
		t.Errorf("the end of everything: %v", err)
	}
	if done, err := s.Prune(ctx, lanyard.Prune{Now: three.ExpiresAt, Limit: 10}); err != nil || len(done.Records) != 1 {
		t.Errorf("pruning: %d ended, error %v", len(done.Records), err)
	}
	server.Command(t, "CONFIG", "SET", "maxmemory", "0")
	start(t, s, session("alice", 5))
}

func TestAServerWithoutItsReplicasWritesNothing(t *testing.T) {
	server := engines.Redis(t)
	s := newStore(t, connect(t, server.URL()), "lanyard")
	r := start(t, s, session("alice", 1))
	server.Command(t, "CONFIG", "SET", "min-replicas-to-write", "1")
	_, err := s.Create(ctx, session("alice", 2), lanyard.Limit{})
	wantSays(t, "a login", err, "min-replicas-to-write")
	_, err = s.Revoke(ctx, logout(r.SID))
	wantSays(t, "a logout", err, "min-replicas-to-write")
	if got, err := s.Get(ctx, r.SID); err != nil || got.Ended() {
		t.Errorf("after a refused logout: ended is %v, error %v", got.Ended(), err)
	}
	server.Command(t, "CONFIG", "SET", "min-replicas-to-write", "0")
	if done, err := s.Revoke(ctx, logout(r.SID)); err != nil || len(done.Records) != 1 {
		t.Errorf("%d ended, error %v", len(done.Records), err)
	}
}

func TestPruneTellsOfAllThatItEndedAlthoughAPartitionIsAway(t *testing.T) {
	server := engines.Redis(t)
	c := connect(t, server.URL())
	away := fmt.Sprintf("lanyard:{%02d}:", lanyard.SubjectPartition("alice"))
	var cut atomic.Bool
	s, err := redis.New(ctx, redis.Config{Do: func(ctx context.Context, cmd []string, key int) (any, error) {
		if cut.Load() && strings.HasPrefix(cmd[key], away) {
			return nil, errors.New("CLUSTERDOWN Hash slot not served")
		}
		return c.Do(ctx, cmd, key)
	}})
	if err != nil {
		t.Fatal(err)
	}
	alice := start(t, s, session("alice", 1))
	for n := range 20 {
		start(t, s, session(fmt.Sprint("bob", n), 2+n))
	}
	elsewhere := 0
	for n := range 20 {
		if lanyard.SubjectPartition(fmt.Sprint("bob", n)) != alice.SID.Partition() {
			elsewhere++
		}
	}
	p := lanyard.Prune{Now: base + 50_000_000, Limit: 100}
	cut.Store(true)
	if done, err := s.Prune(ctx, p); err != nil || len(done.Records) != elsewhere || !done.More {
		t.Errorf("%d ended, more is %v, error %v, want %d", len(done.Records), done.More, err, elsewhere)
	}
	_, err = s.Prune(ctx, p)
	wantSays(t, "a call that ends nothing", err, "CLUSTERDOWN")
	cut.Store(false)
	if done, err := s.Prune(ctx, p); err != nil || len(done.Records) != 21-elsewhere || done.More {
		t.Errorf("%d ended, more is %v, error %v, want %d", len(done.Records), done.More, err, 21-elsewhere)
	}
}

func TestAServerThatReadsItsDataIsAwayForAWhile(t *testing.T) {
	server := engines.Redis(t, "key-load-delay=10000", "loading-process-events-interval-bytes=1024")
	s := newStore(t, connect(t, server.URL()), "lanyard")
	r := start(t, s, session("alice", 1))
	server.Command(t, "SAVE")
	server.Restart(t)
	var said atomic.Bool
	eventually(t, 20*time.Second, func(ctx context.Context) error {
		_, err := s.Get(ctx, r.SID)
		if err != nil && strings.Contains(err.Error(), "reading its data") {
			said.Store(true)
		}
		if errors.Is(err, lanyard.ErrNotFound) {
			t.Error("a session counts as unknown while the server is loading")
		}
		return err
	})
	if !said.Load() {
		t.Error("no error said that the server was loading")
	}
}

func TestAReplicaIsNotTaken(t *testing.T) {
	primary, replica := engines.Redis(t), engines.Redis(t)
	writable := connect(t, replica.URL())
	early := newStore(t, writable, "lanyard")
	newStore(t, connect(t, primary.URL()), "lanyard")
	host, port, _ := strings.Cut(primary.Addr, ":")
	replica.Command(t, "REPLICAOF", host, port)
	_, err := redis.New(ctx, redis.Config{Do: writable.Do})
	wantSays(t, "New on a replica", err, "replica")
	// One that became a replica later.
	eventually(t, 10*time.Second, func(ctx context.Context) error {
		_, err := early.Create(ctx, session("alice", 1), lanyard.Limit{})
		switch {
		case err == nil:
			t.Fatal("created on a replica")
		case errors.Is(err, redis.ErrLost):
			return nil // it has the other store's data by now
		case !strings.Contains(err.Error(), "READONLY") && !strings.Contains(err.Error(), "LOADING"):
			t.Fatalf("created on a replica: error %v", err)
		}
		return err
	})
}

func TestWritesToAReplicaSaySo(t *testing.T) {
	primary, replica := engines.Redis(t), engines.Redis(t)
	s := newStore(t, connect(t, primary.URL()), "lanyard")
	start(t, s, session("alice", 1))
	host, port, _ := strings.Cut(replica.Addr, ":")
	replica.Command(t, "REPLICAOF", strings.Split(primary.Addr, ":")[0], strings.Split(primary.Addr, ":")[1])
	eventually(t, 10*time.Second, func(context.Context) error {
		if !strings.Contains(replica.Command(t, "INFO", "replication"), "master_link_status:up") {
			return errors.New("the replica does not follow")
		}
		return nil
	})
	replica.Command(t, "REPLICAOF", "NO", "ONE")
	primary.Command(t, "REPLICAOF", host, port)
	_, err := s.Create(ctx, session("alice", 2), lanyard.Limit{})
	wantSays(t, "a login at the former primary", err, "READONLY")
}

func TestAWrongPasswordNamesTheCause(t *testing.T) {
	server := engines.Redis(t, "requirepass=secret")
	c := connect(t, strings.Replace(server.URL(), "redis://", "redis://:secret@", 1))
	newStore(t, c, "lanyard")
	for _, code := range []string{"WRONGPASS invalid username-password pair", "NOAUTH Authentication required.", "NOPERM no permissions"} {
		_, err := redis.New(ctx, redis.Config{Do: func(context.Context, []string, int) (any, error) { return nil, errors.New(code) }})
		wantSays(t, "New", err, map[byte]string{'W': "password is wrong", 'N': "the server"}[code[0]])
	}
}

func TestServersThatWillNotDoAreRefused(t *testing.T) {
	server := engines.Redis(t)
	c := connect(t, server.URL())
	with := func(old, new string) redis.Command {
		return func(ctx context.Context, cmd []string, key int) (any, error) {
			reply, err := c.Do(ctx, cmd, key)
			if text, ok := reply.(string); ok && cmd[0] == "INFO" {
				reply = strings.ReplaceAll(text, old, new)
			}
			return reply, err
		}
	}
	for _, test := range []struct {
		name, old, new, want string
	}{
		{"an old version", "redis_version:7", "redis_version:6", "version 7 or later"},
		{"no version at all", "redis_version:7", "other:7", "version 7 or later"},
		{"one that evicts", "maxmemory:0\r\nmaxmemory_human:0B\r\nmaxmemory_policy:noeviction", "maxmemory:9\r\nmaxmemory_policy:allkeys-lru", "noeviction"},
		{"a replica", "role:master", "role:slave", "replica"},
	} {
		_, err := redis.New(ctx, redis.Config{Do: with(test.old, test.new)})
		wantSays(t, test.name, err, test.want)
	}
}

func TestKeysOfSomethingElseAreLeftAlone(t *testing.T) {
	server := engines.Redis(t)
	c := connect(t, server.URL())
	for prefix, set := range map[string][]string{
		"a": {"SET", "a:{00}:m", "a counter"},
		"b": {"HSET", "b:{00}:m", "name", "value"},
		"c": {"HSET", "c:{00}:m", "format", "2"},
		"d": {"SET", "d:{00}:g", "7"},
	} {
		server.Command(t, set...)
		_, err := redis.New(ctx, redis.Config{Do: c.Do, Prefix: prefix})
		if err == nil {
			t.Errorf("%v: taken", set)
		}
		if keys := server.Command(t, "KEYS", prefix+":*"); keys != set[1] {
			t.Errorf("%v: written to: %s", set, keys)
		}
	}
}

func TestDataThatIsReplacedIsNoticed(t *testing.T) {
	server := engines.Redis(t)
	s := newStore(t, connect(t, server.URL()), "lanyard")
	r := start(t, s, session("alice", 1))
	_, cursor, err := s.Revocations(ctx, "", 10)
	if err != nil {
		t.Fatal(err)
	}
	server.Command(t, "FLUSHALL")
	if _, err := s.Get(ctx, r.SID); !errors.Is(err, redis.ErrLost) {
		t.Errorf("Get: error %v, want %v", err, redis.ErrLost)
	}
	if _, err := s.Create(ctx, session("alice", 2), lanyard.Limit{}); !errors.Is(err, redis.ErrLost) {
		t.Errorf("Create: error %v, want %v", err, redis.ErrLost)
	}
	if err := s.Ping(ctx); !errors.Is(err, redis.ErrLost) {
		t.Errorf("Ping: error %v, want %v", err, redis.ErrLost)
	}
	again := newStore(t, connect(t, server.URL()), "lanyard")
	if _, _, err := again.Revocations(ctx, cursor, 10); !errors.Is(err, lanyard.ErrBadCursor) {
		t.Errorf("a cursor of the data before: error %v, want %v", err, lanyard.ErrBadCursor)
	}
	if _, err := s.Create(ctx, session("alice", 2), lanyard.Limit{}); !errors.Is(err, redis.ErrLost) {
		t.Errorf("Create on other data: error %v, want %v", err, redis.ErrLost)
	}
}

func TestACursorAheadOfTheFeedIsRefused(t *testing.T) {
	server := engines.Redis(t)
	s := newStore(t, connect(t, server.URL()), "lanyard")
	r := start(t, s, session("alice", 1))
	done, err := s.Revoke(ctx, logout(r.SID))
	if err != nil {
		t.Fatal(err)
	}
	server.Command(t, "HSET", fmt.Sprintf("lanyard:{%02d}:m", r.SID.Partition()), "seq", "0") // as a failover leaves it
	if _, _, err := s.Revocations(ctx, done.Cursor, 10); !errors.Is(err, lanyard.ErrBadCursor) {
		t.Errorf("error %v, want %v", err, lanyard.ErrBadCursor)
	}
}

func TestAStepIsNotRepeatedWhenItsAnswerIsLost(t *testing.T) {
	server := engines.Redis(t)
	c := connect(t, server.URL())
	var lose atomic.Bool
	var sent atomic.Int64
	s, err := redis.New(ctx, redis.Config{Do: func(ctx context.Context, cmd []string, key int) (any, error) {
		reply, err := c.Do(ctx, cmd, key)
		if lose.Load() {
			sent.Add(1)
			return nil, io.ErrUnexpectedEOF
		}
		return reply, err
	}})
	if err != nil {
		t.Fatal(err)
	}
	start(t, s, session("alice", 2)) // so that the server has the script
	lose.Store(true)
	r := session("alice", 1)
	if _, err := s.Create(ctx, r, lanyard.Limit{}); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("error %v, want the client's", err)
	}
	if sent.Load() != 1 {
		t.Errorf("sent %d times", sent.Load())
	}
	lose.Store(false)
	if _, err := s.Get(ctx, r.SID); err != nil {
		t.Errorf("the step itself: %v", err)
	}
}

// req: STORE-7
func TestAConnectionThatHangsEndsWithTheCall(t *testing.T) {
	server := engines.Redis(t)
	p := newProxy(t, server.Addr)
	s := newStore(t, connect(t, "redis://"+p.listener.Addr().String()), "lanyard")
	r := start(t, s, session("alice", 1))
	p.hang(true)
	for range 3 {
		call, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
		began := time.Now()
		_, err := s.Get(call, r.SID)
		if took := time.Since(began); err == nil || took > time.Second {
			t.Errorf("after %s: error %v", took, err)
		}
		if errors.Is(err, lanyard.ErrNotFound) {
			t.Error("the session counts as unknown")
		}
		cancel()
	}
	p.hang(false)
	p.cut()
	eventually(t, 10*time.Second, func(ctx context.Context) error {
		_, err := s.Get(ctx, r.SID)
		return err
	})
}

// req: STORE-7
func TestAServerThatIsKilledComesBackWithEverything(t *testing.T) {
	server := engines.Redis(t, "appendonly=yes", "appendfsync=always")
	s := newStore(t, connect(t, server.URL()), "lanyard")
	live, over := start(t, s, session("alice", 1)), start(t, s, session("alice", 2))
	if _, err := s.Revoke(ctx, logout(over.SID)); err != nil {
		t.Fatal(err)
	}
	server.Kill(t)
	if _, err := s.Get(ctx, live.SID); err == nil || errors.Is(err, lanyard.ErrNotFound) {
		t.Errorf("with the server away: error %v", err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	for _, r := range []*lanyard.Record{live, over} {
		eventually(t, 10*time.Second, func(ctx context.Context) error {
			got, err := s.Get(ctx, r.SID)
			if err == nil && got.Ended() != (r == over) {
				t.Errorf("%s: ended is %v", r.SID, got.Ended())
			}
			return err
		})
	}
	start(t, s, session("alice", 3))
}

// A server that was emptied and is used by others again is not this store.
func TestPingMissesDataThatWasReplaced(t *testing.T) {
	server := engines.Redis(t)
	conn, prefix := connect(t, server.URL()), server.Prefix()
	s := newStore(t, conn, prefix)
	if err := s.Ping(ctx); err != nil {
		t.Fatal(err)
	}
	server.Command(t, "flushall")
	if err := s.Ping(ctx); !errors.Is(err, redis.ErrLost) {
		t.Errorf("Ping of an empty server: %v, want %v", err, redis.ErrLost)
	}
	newStore(t, conn, prefix) // another node makes the store anew
	if err := s.Ping(ctx); !errors.Is(err, redis.ErrLost) {
		t.Errorf("Ping of other data: %v, want %v", err, redis.ErrLost)
	}
}

// A primary that becomes a replica refuses writes by itself. Reads would show
// what it has heard so far.
//
// req: STORE-4
func TestNothingIsReadFromAPrimaryThatBecameAReplica(t *testing.T) {
	first, second := engines.Redis(t), engines.Redis(t)
	s := newStore(t, connect(t, first.URL()), first.Prefix())
	if err := s.Ping(ctx); err != nil {
		t.Fatal(err)
	}
	host, port, _ := strings.Cut(second.Addr, ":")
	first.Command(t, "replicaof", host, port)
	deadline := time.Now().Add(time.Minute)
	for {
		_, err := s.Get(ctx, lanyard.SID{1})
		if err != nil && strings.Contains(err.Error(), "READONLY") {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("a replica still answers: %v", err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}
