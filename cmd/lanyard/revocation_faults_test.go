package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard/internal/engines"
)

// fault is something that happens while sessions are ended strictly by the first
// node. It returns what undoes it.
type fault struct {
	name   string
	strike func(t *testing.T, f *fleet) (undo func())
	store  bool // the call may have to wait for the store
}

// signal sends a signal to a process.
func (p *process) signal(t *testing.T, sig syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

// halt stops processes and returns what continues them.
func halt(t *testing.T, all ...*process) (undo func()) {
	t.Helper()
	for _, p := range all {
		p.signal(t, syscall.SIGSTOP)
	}
	return func() {
		for _, p := range all {
			p.signal(t, syscall.SIGCONT)
		}
	}
}

// faults are those that can be had with any store.
var faults = []fault{
	{name: "services that are stopped", strike: func(t *testing.T, f *fleet) func() {
		return halt(t, f.services[1].process, f.services[3].process)
	}},
	{name: "a service that is stopped for a moment", strike: func(t *testing.T, f *fleet) func() {
		undo := halt(t, f.services[1].process)
		timer := time.AfterFunc(f.bound/4, undo)
		return func() {
			if timer.Stop() {
				undo()
			}
		}
	}},
	{name: "a service on a line that swallows everything", strike: func(t *testing.T, f *fleet) func() {
		f.services[1].set(stalled)
		return func() { f.services[1].set(whole) }
	}},
	{name: "a service that is cut off", strike: func(t *testing.T, f *fleet) func() {
		f.services[1].set(cut)
		return func() { f.services[1].set(whole) }
	}},
	{name: "a node that is killed", strike: func(t *testing.T, f *fleet) func() {
		old := f.node(1)
		old.crash(t)
		return func() {
			p := start(t, f.data, append(f.args, "--listen", strings.TrimPrefix(old.url, "http://"))...)
			f.nodes.mu.Lock()
			defer f.nodes.mu.Unlock()
			f.each[1] = p
		}
	}},
	{name: "a node that is killed and started again at once", strike: func(t *testing.T, f *fleet) func() {
		f.replace(t, 2)
		return func() {}
	}},
	{name: "a node that is stopped", strike: func(t *testing.T, f *fleet) func() {
		return halt(t, f.node(1))
	}},
}

// TestStrictRevocationsHoldWhateverHappens ends sessions strictly while services,
// nodes, lines and stores fail. A call that returns keeps its promise, and none
// takes longer than the bound and what the store needs; while the store is away
// the answer is 503.
//
// req: REVOKE-12
func TestStrictRevocationsHoldWhateverHappens(t *testing.T) {
	t.Parallel()
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		db := engines.Postgres(t, "fsync=on")
		f := startFleet(t, 3, 4, db.Database(t), "sqlite")
		f.strictThrough(t, append(faults[:len(faults):len(faults)], fault{"a store that is killed", func(t *testing.T, f *fleet) func() {
			db.Kill(t)
			return again(t, db.Start)
		}, true})...)
	})
	t.Run("a Redis Cluster", func(t *testing.T) {
		t.Parallel()
		c := engines.RedisClusterOf(t, 3, 1, "appendonly=yes", "appendfsync=always")
		f := startFleet(t, 3, 4, c.URL(), "sqlite")
		all := faults[:len(faults):len(faults)]
		for i, primary := range c.Nodes[:3] {
			if i > 0 && !soak() {
				break
			}
			all = append(all, fault{fmt.Sprintf("a store that loses primary %d", i), func(t *testing.T, f *fleet) func() {
				time.Sleep(time.Second) // replicas are at most this far behind here
				primary.Kill(t)
				return func() {
					startAgain(t, primary.Start)
					if err := c.Await(3, patience); err != nil {
						t.Error(err)
					}
				}
			}, true})
		}
		f.strictThrough(t, all...)
	})
}

// again starts something a second from now. What it returns waits for that.
func again(t *testing.T, start func() error) (wait func()) {
	done := make(chan struct{})
	time.AfterFunc(time.Second, func() {
		defer close(done)
		startAgain(t, start)
	})
	return func() { <-done }
}

func (f *fleet) strictThrough(t *testing.T, faults ...fault) {
	defer f.finish(t)
	f.settle(t)
	defer f.hammer(200, 1)()
	rounds := 1
	if soak() {
		rounds = 10
	}
	for _, x := range faults {
		for round := range rounds {
			if x.store && round > 0 {
				break
			}
			f.strictDuring(t, x, fmt.Sprintf("%s, %d", x.name, round))
		}
	}
}

// strictDuring ends the sessions of some people while a fault goes on. Whoever was
// stopped finds requests waiting that were sent after the end.
func (f *fleet) strictDuring(t *testing.T, x fault, name string) {
	t.Helper()
	const people = 3
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var all [people]*holder
	for i := range all {
		h, err := f.signIn(f.node(i), fmt.Sprintf("%s, %d", name, i), withToken|withCookie)
		if err != nil {
			t.Fatal(err)
		}
		f.until(t, h, http.StatusOK)
		all[i] = h
	}
	undo := x.strike(t, f)
	var calls, later sync.WaitGroup
	var took, waited [people]times
	away := 0
	for i, h := range all {
		calls.Go(func() {
			var err error
			if _, took[i], waited[i], err = f.surelyEnd(f.node(0), h, "strict"); err != nil {
				f.report("%s: a strict revocation: %v", name, err)
				return
			}
			later.Go(func() { f.everywhere(ctx, h) })
		})
	}
	calls.Wait()
	undo()
	later.Wait()
	for _, calls := range took {
		away += len(calls) - 1
	}
	longest := merged(took[:]).at(1)
	t.Logf("%s: %d answers of 503, the longest call took %v, of which it waited %v for others",
		name, away, longest.Round(time.Millisecond), merged(waited[:]).at(1))
	if limit := f.bound + f.bound/100 + 200*time.Millisecond; soak() && !raceEnabled() && !x.store && longest > limit {
		t.Errorf("%s: a call took %v, want %v at most", name, longest, limit)
	}
	for _, h := range all {
		f.until(t, h, http.StatusUnauthorized)
	}
}
