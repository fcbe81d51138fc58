package lanyard

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Waited is what a revocation waited for after it had been written down.
type Waited struct {
	For        time.Duration
	Who        []string // nodes, and in strict mode followers, that were not there at once; some of them
	NotCovered []string // followers that have routes without a bound: those may still accept, until a token expires
}

// add adds another round of waiting.
func (w *Waited) add(more Waited) {
	w.For += more.For
	w.Who = append(w.Who, more.Who...)
	w.NotCovered = append(w.NotCovered, more.NotCovered...)
}

// ErrNotSettled means that sessions have ended, for good, but that it is not
// known whether everybody has heard of it: the promise of the mode asked for is
// not given. Whoever asked may ask again.
var ErrNotSettled = errors.New("lanyard: ended, but not known to be noticed everywhere")

// firstLook and lastLook are the shortest and longest pause between two looks at
// the leases.
const (
	firstLook = time.Millisecond
	lastLook  = 16 * time.Millisecond
)

// settle waits, after something was appended to the feed, until no other node
// goes by what was before: each has applied it or its lease has run out. In
// strict mode it waits for the followers of all nodes too. It takes at most the
// longest lease, and 1 % for clocks that go apart.
func (n *node) settle(ctx context.Context, strict bool) (Waited, error) {
	begun := n.now()
	if err := n.catchUp(ctx); err != nil {
		return Waited{}, fmt.Errorf("%w: %w", ErrNotSettled, err)
	}
	goal := n.cursor()
	look := n.readPeers
	if strict {
		look = n.readLife
	}
	peers, steady, err := look(ctx)
	if err != nil {
		return Waited{}, fmt.Errorf("%w: reading the leases of the nodes: %w", ErrNotSettled, err)
	}
	w := &waiting{n: n, goal: goal, strict: strict, since: n.now(), peers: peers, word: n.incarnation()}
	if strict && !steady {
		// What the old engine had been told may be lost, leases too.
		w.atLeast = drifted(w.longest())
	}
	for pause := firstLook; !w.over(); pause = min(2*pause, lastLook) {
		if err := rest(ctx, pause); err != nil {
			return w.result(begun), fmt.Errorf("%w: %w", ErrNotSettled, err)
		}
		if len(w.peers) == 0 {
			continue
		}
		// A reading that fails changes nothing: the leases read before run out.
		if now, _, err := n.readPeers(ctx); err == nil {
			w.heard(now)
		}
	}
	if strict {
		// The end itself may have been lost with the engine that took it.
		if _, _, err := n.readLife(ctx); err != nil {
			return w.result(begun), fmt.Errorf("%w: reading the leases of the nodes: %w", ErrNotSettled, err)
		}
		if n.incarnation() != w.word {
			return w.result(begun), errLife
		}
	}
	return w.result(begun), nil
}

// errLife means that the engine was started again, or replaced, while a strict
// revocation waited.
var errLife = errors.New("lanyard: the session store is another than before")

// waiting is one settling under way.
type waiting struct {
	n       *node
	goal    string
	strict  bool
	since   time.Time        // when the leases were read
	peers   map[string]lease // nodes that are waited for, as first read
	word    string           // the engine's incarnation then
	atLeast time.Duration
	who     []string
	local   []string
}

// longest returns the longest lease that was ever seen.
func (w *waiting) longest() time.Duration {
	w.n.mu.Lock()
	defer w.n.mu.Unlock()
	return w.n.longest
}

// over reports whether nobody is left to wait for.
func (w *waiting) over() bool {
	passed := w.n.now().Sub(w.since)
	for name, l := range w.peers {
		if w.noticed(&l) || passed > drifted(l.length()) {
			w.local = append(w.local, l.Local...)
			delete(w.peers, name)
			continue
		}
		w.await("node " + name)
	}
	return len(w.peers) == 0 && w.own(passed) && passed >= w.atLeast
}

// heard takes newer leases of the nodes that are waited for. How long they run
// stays as it was: what they were given later names a cursor past the goal.
func (w *waiting) heard(now map[string]lease) {
	for name, old := range w.peers {
		if l, ok := now[name]; ok {
			l.Length = old.Length
			w.peers[name] = l
			if w.strict {
				for _, f := range l.Behind {
					w.await(f)
				}
			}
		}
	}
}

// noticed reports whether a node has said that it goes by the goal.
func (w *waiting) noticed(l *lease) bool {
	cursor := l.Applied
	if w.strict {
		cursor = l.Covered
	}
	ok, err := w.n.order.Covers(cursor, w.goal)
	return err == nil && ok
}

// own reports whether the followers of this very node need not be waited for.
func (w *waiting) own(passed time.Duration) bool {
	if !w.strict || w.n.feed == nil {
		return true
	}
	state := w.n.feed.Covered()
	if ok, err := w.n.order.Covers(state.Cursor, w.goal); err == nil && ok || passed > drifted(w.n.bound) {
		w.local = append(w.local, state.Local...)
		return true
	}
	for _, f := range state.Behind {
		w.await(f)
	}
	return false
}

// maxNamed bounds the names in an answer.
const maxNamed = 32

func (w *waiting) await(name string) {
	if len(w.who) < maxNamed && !slices.Contains(w.who, name) {
		w.who = append(w.who, name)
	}
}

func (w *waiting) result(begun time.Time) Waited {
	slices.Sort(w.local)
	return Waited{For: w.n.now().Sub(begun), Who: w.who, NotCovered: slices.Compact(w.local)}
}
