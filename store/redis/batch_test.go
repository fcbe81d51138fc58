package redis_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/internal/engines"
	"github.com/lanyard-go/lanyard/store/redis"
)

// gate holds commands that take a step back while it is shut.
type gate struct {
	do    redis.Command
	steps atomic.Int64 // that came to the gate

	mu   sync.Mutex
	shut chan struct{} // nil: open
}

func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = make(chan struct{})
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.shut)
	g.shut = nil
}

func (g *gate) Do(ctx context.Context, cmd []string, key int) (any, error) {
	if cmd[0] == "EVALSHA" {
		g.mu.Lock()
		shut := g.shut
		g.mu.Unlock()
		g.steps.Add(1)
		if shut != nil {
			select {
			case <-shut:
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
	}
	return g.do(ctx, cmd, key)
}

// until waits for something that other goroutines are about to do.
func until(t testing.TB, what string, done func() bool) {
	t.Helper()
	eventually(t, 20*time.Second, func(context.Context) error {
		if !done() {
			return errors.New(what + ": not yet")
		}
		return nil
	})
}

// flights is how many steps fill the way, so that others wait.
const flights = 2

// login is one creation of a pile.
type login struct {
	rec   *lanyard.Record
	limit lanyard.Limit
	ctx   context.Context

	ended    []*lanyard.Record
	err      error
	answered atomic.Bool
}

// piled is a store behind a gate, with creations that wait for a shared step.
type piled struct {
	*redis.Store
	gate *gate
	all  sync.WaitGroup
}

// pile opens a store, fills its way with steps that hang, and lets all logins
// wait behind them.
func pile(t testing.TB, do redis.Command, prepare func(*redis.Store), logins []*login) *piled {
	t.Helper()
	p := &piled{gate: &gate{do: do}}
	var err error
	if p.Store, err = redis.New(ctx, redis.Config{Do: p.gate.Do}); err != nil {
		t.Fatal(err)
	}
	start(t, p.Store, session("zoe", 900)) // so that the server has the script
	if prepare != nil {
		prepare(p.Store)
	}
	p.gate.close()
	p.gate.steps.Store(0)
	for n := range flights {
		p.all.Go(func() {
			_, err := p.Create(ctx, session("zoe", 901+n), lanyard.Limit{})
			if err != nil && !strings.Contains(err.Error(), "maxmemory") {
				t.Errorf("one before: %v", err)
			}
		})
	}
	until(t, "the way is full", func() bool { return p.gate.steps.Load() == flights })
	for _, l := range logins {
		if l.ctx == nil {
			l.ctx = ctx
		}
		p.all.Go(func() {
			l.ended, l.err = p.Create(l.ctx, l.rec, l.limit)
			l.answered.Store(true)
		})
	}
	until(t, "all wait", func() bool { return p.Waiting() == len(logins) })
	return p
}

// finish opens the gate and waits for all.
func (p *piled) finish() {
	p.gate.open()
	p.all.Wait()
}

// One creation that fails leaves those that share its step alone.
func TestAStepIsSharedAndNobodyInItHurtsOthers(t *testing.T) {
	server := engines.Redis(t)
	part := func(subject string) string {
		return fmt.Sprintf("lanyard:{%02d}:", lanyard.SubjectPartition(subject))
	}
	gone := "dave" // whose partition loses a key
	for n := 0; slices.Contains([]string{part("alice"), part("carol"), part("zoe"), part("bob")}, part(gone)); n++ {
		gone = fmt.Sprint("dave", n)
	}
	foreign := "erin" // whose partition was overwritten
	for n := 0; slices.Contains([]string{part("alice"), part("carol"), part("zoe"), part("bob"), part(gone)}, part(foreign)); n++ {
		foreign = fmt.Sprint("erin", n)
	}
	taken, over, damaged, lost, linked := &login{rec: session("alice", 1)}, &login{rec: session("alice", 3), limit: lanyard.Limit{Max: 1, Action: lanyard.LimitRefuse, Now: base}},
		&login{rec: session("carol", 4)}, &login{rec: session(gone, 5)}, &login{rec: session("bob", 6)}
	linked.rec.Origin = session("bob", 1).SID
	overwritten := &login{rec: session(foreign, 7)}
	logins := []*login{taken, over, damaged, lost, linked, overwritten}
	var good []*login
	for n := range 20 {
		subject := subjectOf(n % 12)
		if part(subject) == part(gone) || part(subject) == part(foreign) {
			subject = "alice"
		}
		l := &login{rec: session(subject, 10+n)}
		good, logins = append(good, l), append(logins, l)
	}
	p := pile(t, connect(t, server.URL()).Do, func(s *redis.Store) {
		start(t, s, session("alice", 1))
		start(t, s, session("carol", 2))
		for _, key := range strings.Fields(server.Command(t, "KEYS", part("carol")+"u:*")) {
			server.Command(t, "SET", key, "something else")
		}
		server.Command(t, "SET", part("bob")+"o:"+linked.rec.Origin.String(), "something else")
		server.Command(t, "DEL", part(gone)+"g")
		server.Command(t, "SET", part(foreign)+"m", "something else")
	}, logins)
	p.finish()
	if n := p.gate.steps.Load() - flights; n != 1 {
		t.Errorf("%d steps for %d creations, want 1", n, len(logins))
	}
	if !errors.Is(taken.err, lanyard.ErrExists) {
		t.Errorf("a sid that is taken: %v, want %v", taken.err, lanyard.ErrExists)
	}
	if !errors.Is(over.err, lanyard.ErrLimit) {
		t.Errorf("one too many: %v, want %v", over.err, lanyard.ErrLimit)
	}
	if !errors.Is(lost.err, redis.ErrLost) {
		t.Errorf("in a partition that was lost: %v, want %v", lost.err, redis.ErrLost)
	}
	wantSays(t, "a subject whose index is something else", damaged.err, "Config.Prefix")
	wantSays(t, "an origin whose index is something else", linked.err, "Config.Prefix")
	wantSays(t, "in a partition that was overwritten", overwritten.err, "Config.Prefix")
	for _, l := range []*login{over, damaged, linked} {
		if _, err := p.Get(ctx, l.rec.SID); !errors.Is(err, lanyard.ErrNotFound) {
			t.Errorf("a record that was refused (%v): %v", l.err, err)
		}
	}
	for _, l := range good {
		if l.err != nil || l.rec.Version != 1 {
			t.Errorf("a neighbour: version %d, error %v", l.rec.Version, l.err)
			continue
		}
		if got, err := p.Get(ctx, l.rec.SID); err != nil || got.Subject != l.rec.Subject {
			t.Errorf("a neighbour: %+v, error %v", got, err)
		}
	}
}

// Records get the epochs of the moment, whatever their callers had heard before.
func TestEpochsInASharedStepAreThoseOfTheMoment(t *testing.T) {
	server := engines.Redis(t)
	c := connect(t, server.URL())
	logins := []*login{{rec: session("alice", 1)}, {rec: session("alice", 2)}, {rec: session("bob", 3)}}
	p := pile(t, c.Do, nil, logins)
	other := newStore(t, c, "lanyard")
	if _, err := other.Revoke(ctx, lanyard.End{All: true, Reason: lanyard.ReasonAdmin, Now: base}); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Revoke(ctx, lanyard.End{Subject: "alice", Reason: lanyard.ReasonAdmin, Now: base, Until: base + 10}); err != nil {
		t.Fatal(err)
	}
	p.finish()
	for _, l := range logins {
		want := uint64(0)
		if l.rec.Subject == "alice" {
			want = 1
		}
		got, err := p.Get(ctx, l.rec.SID)
		if err != nil || l.err != nil {
			t.Fatal(l.err, err)
		}
		for _, r := range []*lanyard.Record{l.rec, got} {
			if r.GlobalEpoch != 1 || r.SubjectEpoch != want || r.Fenced {
				t.Errorf("%s: epochs %d and %d, fenced %v, want 1 and %d", r.Subject, r.GlobalEpoch, r.SubjectEpoch, r.Fenced, want)
			}
		}
	}
}

func TestALimitHoldsInASharedStep(t *testing.T) {
	const callers, most = 30, 3
	for name, action := range map[string]lanyard.LimitAction{"the oldest ends": lanyard.LimitEndOldest, "the new one is refused": lanyard.LimitRefuse} {
		t.Run(name, func(t *testing.T) {
			var logins []*login
			for n := range callers {
				logins = append(logins, &login{rec: session("alice", n), limit: lanyard.Limit{Max: most, Action: action, Now: base + 100, Until: base + 200}})
			}
			p := pile(t, connect(t, engines.Redis(t).URL()).Do, nil, logins)
			p.finish()
			ended, refused := make(map[lanyard.SID]bool), 0
			for _, l := range logins {
				switch {
				case errors.Is(l.err, lanyard.ErrLimit):
					refused++
				case l.err != nil:
					t.Error(l.err)
				}
				for _, r := range l.ended {
					if ended[r.SID] || r.EndReason != lanyard.ReasonLimit {
						t.Errorf("%s ended with reason %q, before: %v", r.SID, r.EndReason, ended[r.SID])
					}
					ended[r.SID] = true
				}
			}
			if len(ended)+refused != callers-most || (action == lanyard.LimitRefuse) != (refused > 0) {
				t.Errorf("%d ended and %d refused, want %d in all", len(ended), refused, callers-most)
			}
			entries, _, err := p.Revocations(ctx, "", 1000)
			if err != nil || len(entries) != len(ended) {
				t.Errorf("%d entries in the feed, error %v, want %d", len(entries), err, len(ended))
			}
			page, err := p.List(ctx, lanyard.Query{Subject: "alice", LiveAt: base + 100})
			if err != nil || len(page.Records) != most {
				t.Errorf("%d are live, error %v, want %d", len(page.Records), err, most)
			}
			// One that was stored and ended in the same step has no deadline any more.
			if n, err := p.Count(ctx, base); err != nil || n != most+1+flights {
				t.Errorf("%d have a deadline, error %v, want %d", n, err, most+1+flights)
			}
		})
	}
}

func TestWhoLeavesAStepLeavesTheOthersAlone(t *testing.T) {
	call, cancel := context.WithCancel(ctx)
	early, stays := &login{rec: session("alice", 1), ctx: call}, &login{rec: session("alice", 2)}
	p := pile(t, connect(t, engines.Redis(t).URL()).Do, nil, []*login{early, stays})
	cancel()
	until(t, "one has left", func() bool { return p.Waiting() == 1 })
	p.finish()
	if !errors.Is(early.err, context.Canceled) {
		t.Errorf("who left: %v", early.err)
	}
	if _, err := p.Get(ctx, early.rec.SID); !errors.Is(err, lanyard.ErrNotFound) {
		t.Errorf("the record of who left before the step began: %v", err)
	}
	if stays.err != nil {
		t.Error(stays.err)
	}
}

func TestWhoLeavesAStepOnItsWayWaitsNoLonger(t *testing.T) {
	for _, leave := range []int{1, 2} {
		t.Run(fmt.Sprintf("%d of 2", leave), func(t *testing.T) {
			calls, leaves := context.WithCancel(ctx)
			hung := make(chan context.Context, 1)
			release := make(chan struct{})
			c := connect(t, engines.Redis(t).URL())
			var hang atomic.Bool
			logins := []*login{{rec: session("alice", 1), ctx: calls}, {rec: session("alice", 2)}}
			if leave == 2 {
				logins[1].ctx = calls
			}
			p := pile(t, func(ctx context.Context, cmd []string, key int) (any, error) {
				if hang.Load() && cmd[0] == "EVALSHA" && len(cmd) > 20 { // the shared one
					hung <- ctx
					select {
					case <-release:
					case <-ctx.Done():
						return nil, ctx.Err()
					}
				}
				return c.Do(ctx, cmd, key)
			}, func(*redis.Store) { hang.Store(true) }, logins)
			p.gate.open()
			step := <-hung
			leaves()
			if leave == 2 { // then it is given up
				<-step.Done()
			}
			until(t, "who left has an answer", logins[0].answered.Load)
			close(release)
			p.all.Wait()
			for i, l := range logins {
				if i < leave != errors.Is(l.err, context.Canceled) || i >= leave && l.err != nil {
					t.Errorf("login %d: %v", i, l.err)
				}
			}
		})
	}
}

func TestAFullServerRefusesAWholeStep(t *testing.T) {
	server := engines.Redis(t)
	var logins []*login
	for n := range 20 {
		l := &login{rec: session(subjectOf(n%5), n)}
		if n%2 == 0 {
			l.limit = lanyard.Limit{Max: 1, Now: base + 50, Until: base + 60}
		}
		logins = append(logins, l)
	}
	p := pile(t, connect(t, server.URL()).Do, func(s *redis.Store) { start(t, s, session(subjectOf(0), 800)) }, logins)
	before := server.Command(t, "DBSIZE")
	server.Command(t, "CONFIG", "SET", "maxmemory", "1mb")
	p.finish()
	for _, l := range logins {
		wantSays(t, "a login", l.err, "maxmemory")
	}
	if after := server.Command(t, "DBSIZE"); after != before {
		t.Errorf("%s keys, before %s", after, before)
	}
	server.Command(t, "CONFIG", "SET", "maxmemory", "0")
	start(t, p.Store, logins[0].rec)
}

// Whatever a step had not written when the server died is not there at all.
func TestAServerKilledInTheMidstOfStepsKeepsWholeSessions(t *testing.T) {
	server := engines.Redis(t, "appendonly=yes", "appendfsync=always")
	s := newStore(t, connect(t, server.URL()), "lanyard")
	var done sync.Map
	var made, stored atomic.Int64
	var all sync.WaitGroup
	for range 48 {
		all.Go(func() {
			for {
				n := int(made.Add(1))
				r := session(subjectOf(n%100), n)
				if _, err := s.Create(ctx, r, lanyard.Limit{}); err != nil {
					return
				}
				done.Store(r.SID, true)
				stored.Add(1)
			}
		})
	}
	until(t, "some hundreds are stored", func() bool { return stored.Load() > 500 })
	server.Kill(t)
	all.Wait()
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, 20*time.Second, s.Ping)
	for sid := range done.Range {
		if _, err := s.Get(ctx, sid.(lanyard.SID)); err != nil {
			t.Errorf("a session that was acknowledged: %v", err)
		}
	}
	wantWhole(t, s, []*engines.RedisServer{server})
}
