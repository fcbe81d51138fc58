package redis_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/internal/engines"
	"github.com/lanyard-go/lanyard/store/redis"
)

// ledger is what a store has acknowledged while something happened to it.
type ledger struct {
	mu      sync.Mutex
	records map[lanyard.SID]*acknowledged
	failed  atomic.Int64 // calls without an answer
	done    atomic.Int64
}

type acknowledged struct {
	version uint64
	ended   bool
	unsure  bool // a write had no answer
}

// work creates, updates and ends sessions until stop is closed.
func (l *ledger) work(t testing.TB, s lanyard.Store, stop chan struct{}) {
	var all sync.WaitGroup
	var made atomic.Int64
	for range 6 {
		all.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					n := int(made.Add(1))
					l.one(t, s, session(subjectOf(n%200), n))
				}
			}
		})
	}
	all.Wait()
}

// one takes a session through its life.
func (l *ledger) one(t testing.TB, s lanyard.Store, r *lanyard.Record) {
	call, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if _, err := s.Create(call, r, lanyard.Limit{}); err != nil {
		l.failed.Add(1)
		return
	}
	state := &acknowledged{version: 1}
	l.mu.Lock()
	l.records[r.SID] = state
	l.mu.Unlock()
	for range 2 {
		r.LastActive++
		switch err := s.Update(call, r); {
		case err == nil:
			state.version = r.Version
		case errors.Is(err, lanyard.ErrNotFound), errors.Is(err, lanyard.ErrEnded), errors.Is(err, lanyard.ErrConflict):
			t.Errorf("%s at version %d: %v", r.SID, r.Version, err)
			return
		default:
			l.failed.Add(1)
			state.unsure = true
			return
		}
	}
	if r.SID[15]%2 == 0 {
		switch done, err := s.Revoke(call, logout(r.SID)); {
		case err == nil && len(done.Records) == 1:
			state.ended = true
		case err == nil || errors.Is(err, lanyard.ErrNotFound):
			t.Errorf("%s ended: %d records, error %v", r.SID, len(done.Records), err)
		default:
			l.failed.Add(1)
			state.unsure = true
			return
		}
	}
	l.done.Add(1)
}

// check expects everything that was acknowledged to be there, and the feed to
// have each end.
func (l *ledger) check(t testing.TB, s lanyard.Store) {
	t.Helper()
	told := make(map[lanyard.SID]bool)
	for cursor := ""; ; {
		entries, next, err := s.Revocations(ctx, cursor, 1000)
		if err != nil {
			t.Fatal(err)
		}
		if cursor = next; len(entries) == 0 {
			break
		}
		for _, e := range entries {
			told[e.SID] = true
		}
	}
	for sid, state := range l.records {
		got, err := s.Get(ctx, sid)
		if err != nil {
			t.Errorf("%s: %v", sid, err)
			continue
		}
		if got.Version < state.version || state.ended && !got.Ended() || got.Ended() && !state.ended && !state.unsure {
			t.Errorf("%s: version %d, ended %v, acknowledged were %d and %v", sid, got.Version, got.Ended(), state.version, state.ended)
		}
		if got.Ended() != told[sid] {
			t.Errorf("%s: ended is %v, in the feed %v", sid, got.Ended(), told[sid])
		}
	}
	t.Logf("%d sessions lived as they should, %d calls had no answer", l.done.Load(), l.failed.Load())
}

// wantWhole prunes everything away and expects that nothing is left: a step
// that had happened in part would leave a key or a place in an index.
func wantWhole(t testing.TB, s *redis.Store, nodes []*engines.RedisServer) {
	t.Helper()
	for range 1000 {
		done, err := s.Prune(ctx, lanyard.Prune{Now: base + 50_000_000, Forget: base + 50_000_000, Limit: 1000})
		if err != nil {
			t.Fatal(err)
		}
		if !done.More && len(done.Records) == 0 {
			break
		}
	}
	var left []string
	for _, node := range nodes {
		for _, key := range strings.Fields(node.Command(t, "KEYS", "lanyard:*")) {
			if !strings.HasSuffix(key, ":m") && !strings.HasSuffix(key, ":g") {
				left = append(left, key)
			}
		}
	}
	if len(left) > 0 {
		t.Errorf("%d keys are left: %v", len(left), left[:min(10, len(left))])
	}
}

// moveSlot takes a slot from one node to another as redis-cli does, a few keys
// at a time.
func moveSlot(t testing.TB, slot string, from, to *engines.RedisServer) {
	t.Helper()
	fromID, toID := from.Command(t, "CLUSTER", "MYID"), to.Command(t, "CLUSTER", "MYID")
	to.Command(t, "CLUSTER", "SETSLOT", slot, "IMPORTING", fromID)
	from.Command(t, "CLUSTER", "SETSLOT", slot, "MIGRATING", toID)
	host, port, _ := net.SplitHostPort(to.Addr)
	for {
		keys := strings.Fields(from.Command(t, "CLUSTER", "GETKEYSINSLOT", slot, "5"))
		if len(keys) == 0 {
			break
		}
		if out := from.Command(t, append([]string{"MIGRATE", host, port, "", "0", "5000", "KEYS"}, keys...)...); out != "OK" && out != "NOKEY" {
			t.Fatalf("MIGRATE: %s", out)
		}
	}
	for _, node := range []*engines.RedisServer{to, from} {
		node.Command(t, "CLUSTER", "SETSLOT", slot, "NODE", toID)
	}
}

func TestSlotsMoveUnderLoad(t *testing.T) {
	cluster := engines.RedisClusterOf(t, 3, 0)
	s := newStore(t, connect(t, cluster.URL()), "lanyard")
	l := &ledger{records: make(map[lanyard.SID]*acknowledged)}
	stop, finished := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(finished)
		l.work(t, s, stop)
	}()
	moved := 0
	for part := range lanyard.Partitions {
		key := fmt.Sprintf("lanyard:{%02d}:m", part)
		slot := cluster.Nodes[0].Command(t, "CLUSTER", "KEYSLOT", key)
		if cluster.Nodes[0].Command(t, "CLUSTER", "COUNTKEYSINSLOT", slot) == "0" || moved == 6 {
			continue
		}
		moveSlot(t, slot, cluster.Nodes[0], cluster.Nodes[1])
		moved++
	}
	close(stop)
	<-finished
	if moved == 0 {
		t.Fatal("no slot was moved")
	}
	if l.done.Load() == 0 {
		t.Fatal("nothing was done meanwhile")
	}
	l.check(t, s)
	wantWhole(t, s, cluster.Nodes)
}

// Half of a slot's keys are elsewhere for a moment. A step that writes some of
// them and then meets one that is gone would have happened in part.
func TestAStepWhileItsSlotMovesHappensWholeOrNotAtAll(t *testing.T) {
	cluster := engines.RedisClusterOf(t, 3, 0)
	s := newStore(t, connect(t, cluster.URL()), "lanyard")
	key := fmt.Sprintf("lanyard:{%02d}:", lanyard.SubjectPartition("alice"))
	r, earlier := start(t, s, session("alice", 1)), start(t, s, session("alice", 2))
	if _, err := s.Revoke(ctx, logout(earlier.SID)); err != nil { // so that there is a feed
		t.Fatal(err)
	}
	var from, to *engines.RedisServer
	slot := cluster.Nodes[0].Command(t, "CLUSTER", "KEYSLOT", key)
	for _, node := range cluster.Nodes {
		if node.Command(t, "CLUSTER", "COUNTKEYSINSLOT", slot) != "0" {
			from = node
		} else {
			to = node
		}
	}
	to.Command(t, "CLUSTER", "SETSLOT", slot, "IMPORTING", from.Command(t, "CLUSTER", "MYID"))
	from.Command(t, "CLUSTER", "SETSLOT", slot, "MIGRATING", to.Command(t, "CLUSTER", "MYID"))
	host, port, _ := net.SplitHostPort(to.Addr)
	for _, gone := range []string{"f", "m"} { // the feed first, then what leads to the other node
		if out := from.Command(t, "MIGRATE", host, port, key+gone, "0", "5000"); out != "OK" {
			t.Fatalf("MIGRATE: %s", out)
		}
		// Its end falls into a pause between two tries, also on a busy machine.
		call, cancel := context.WithTimeout(ctx, time.Second)
		e := logout(r.SID)
		e.KeepLinked = true // or it would look for those first, before it writes
		_, err := s.Revoke(call, e)
		cancel()
		wantSays(t, "Revoke", err, "moving the slot")
		call, cancel = context.WithTimeout(ctx, 200*time.Millisecond)
		if got, err := s.Get(call, r.SID); err == nil && got.Ended() || errors.Is(err, lanyard.ErrNotFound) {
			t.Errorf("after a refused step: %+v, error %v", got, err)
		}
		cancel()
	}
	moveSlot(t, slot, from, to)
	done, err := s.Revoke(ctx, logout(r.SID))
	if err != nil || len(done.Records) != 1 {
		t.Errorf("after the move: %d ended, error %v", len(done.Records), err)
	}
	if entries, _, err := s.Revocations(ctx, "", 10); err != nil || len(entries) != 2 {
		t.Errorf("%d entries, error %v", len(entries), err)
	}
}

func TestACleanFailoverLosesNothing(t *testing.T) {
	cluster := engines.RedisClusterOf(t, 3, 1)
	s := newStore(t, connect(t, cluster.URL()), "lanyard")
	l := &ledger{records: make(map[lanyard.SID]*acknowledged)}
	stop, finished := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(finished)
		l.work(t, s, stop)
	}()
	old := cluster.Nodes[0]
	heir := cluster.ReplicaOf(t, old)
	done := l.done.Load()
	eventually(t, 10*time.Second, func(context.Context) error {
		if l.done.Load() < done+100 {
			return errors.New("no load")
		}
		return nil
	})
	asked := time.Time{}
	eventually(t, 30*time.Second, func(context.Context) error {
		if strings.Contains(heir.Command(t, "ROLE"), "master") {
			return nil
		}
		if time.Since(asked) > 6*time.Second { // a server gives up after five
			asked = time.Now()
			heir.Command(t, "CLUSTER", "FAILOVER")
		}
		return errors.New("the replica has not taken over")
	})
	old.Shutdown(t)
	done = l.done.Load()
	eventually(t, 15*time.Second, func(ctx context.Context) error {
		if _, err := s.GlobalEpoch(ctx); err != nil {
			return err
		}
		if l.done.Load() < done+100 {
			return errors.New("the load has not recovered")
		}
		return nil
	})
	close(stop)
	<-finished
	l.check(t, s)
	newStore(t, connect(t, cluster.URL()), "lanyard") // also with a node away
	var primaries []*engines.RedisServer
	for _, node := range cluster.Nodes[1:] {
		if strings.Contains(node.Command(t, "ROLE"), "master") {
			primaries = append(primaries, node)
		}
	}
	wantWhole(t, s, primaries)
}

func TestSentinelPromotesTheReplica(t *testing.T) {
	sentinel := engines.Sentinel(t)
	s := newStore(t, connect(t, sentinel.URL()), "lanyard")
	live, over := start(t, s, session("alice", 1)), start(t, s, session("alice", 2))
	if _, err := s.Revoke(ctx, logout(over.SID)); err != nil {
		t.Fatal(err)
	}
	eventually(t, 10*time.Second, func(context.Context) error {
		primary, replica := sentinel.Primary.Command(t, "DBSIZE"), sentinel.Replica.Command(t, "DBSIZE")
		if primary != replica {
			return fmt.Errorf("the replica has %s keys of %s", replica, primary)
		}
		return nil
	})
	sentinel.Primary.Shutdown(t)
	eventually(t, 20*time.Second, func(ctx context.Context) error {
		_, err := s.Create(ctx, session("alice", 3), lanyard.Limit{})
		if errors.Is(err, lanyard.ErrExists) { // by a call whose answer was lost
			return nil
		}
		return err
	})
	for _, r := range []*lanyard.Record{live, over} {
		if got, err := s.Get(ctx, r.SID); err != nil || got.Ended() != (r == over) {
			t.Errorf("%s: %+v, error %v", r.SID, got, err)
		}
	}
}
