package server

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/revocation/statuslist"
)

// Whatever way sessions end at one node, the list says so that any other node
// serves, one that was started later too, and it says nothing of those that go on.
//
// req: REVOKE-21
func TestEndsAtOneNodeShowInTheListsOfEveryOther(t *testing.T) {
	o := lanyard.EndOptions{Reason: lanyard.ReasonAdmin, By: "system"}
	for name, c := range map[string]struct {
		end   func(t *testing.T, n *listNode, g *lanyard.Grant) error
		stays bool // another session of the subject
		spare bool // another subject's
	}{
		"one session": {func(t *testing.T, n *listNode, g *lanyard.Grant) error {
			return n.m.End(t.Context(), g.Session.SID(), o)
		}, true, true},
		"all of a subject's": {func(t *testing.T, n *listNode, g *lanyard.Grant) error {
			_, err := n.m.EndAll(t.Context(), "ada", o)
			return err
		}, false, true},
		"all but one": {func(t *testing.T, n *listNode, g *lanyard.Grant) error {
			page, err := n.line.Store.List(t.Context(), lanyard.Query{Subject: "ada"})
			if err != nil {
				return err
			}
			o := o
			for _, rec := range page.Records {
				if rec.SID != g.Session.SID() {
					o.Except = rec.SID
				}
			}
			_, err = n.m.EndAll(t.Context(), "ada", o)
			return err
		}, true, true},
		"everything": {func(t *testing.T, n *listNode, g *lanyard.Grant) error {
			_, err := n.m.EndEverything(t.Context(), 0, o)
			return err
		}, false, false},
		"a refresh token that came back": {func(t *testing.T, n *listNode, g *lanyard.Grant) error {
			next, err := n.m.Renew(t.Context(), g.Refresh.Reveal(), lanyard.Renewal{})
			if err == nil {
				_, err = n.m.Renew(t.Context(), next.Refresh.Reveal(), lanyard.Renewal{})
			}
			if err == nil {
				n.m.Renew(t.Context(), g.Refresh.Reveal(), lanyard.Renewal{})
			}
			return err
		}, true, true},
		"the limit of sessions": {func(t *testing.T, n *listNode, g *lanyard.Grant) error {
			few := n.world.node(func(c *lanyard.Config) { c.Policy.MaxSessions = 2 })
			few.login("ada") // the oldest makes way
			return nil
		}, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			x := newListWorld(t)
			a, b := x.node(), x.node()
			g, gone := a.login("ada")
			x.clock.advance(time.Millisecond) // so that it is the oldest
			_, stays := a.login("ada")
			_, spare := b.login("bob")
			b.shows("before", gone, statuslist.Valid)
			if err := c.end(t, a, g); err != nil {
				t.Fatal(err)
			}
			x.clock.advance(listRebuild)
			status := map[bool]byte{true: statuslist.Valid, false: statuslist.Invalid}
			for who, n := range map[string]*listNode{"the one": a, "the other": b, "a new one": x.node()} {
				n.shows("ended, at "+who, gone, statuslist.Invalid)
				n.shows("the subject's other, at "+who, stays, status[c.stays])
				n.shows("another subject's, at "+who, spare, status[c.spare])
			}
			_, later := b.login("ada")
			a.shows("a later one", later, statuslist.Valid)
		})
	}
}

// Whoever fetches a list at any moment, from any node or a cache that keeps it up
// to its end, and goes by it as long as it says, accepts no longer after an end
// than the delay that is told.
//
// req: REVOKE-20
func TestNoListIsBelievedLongerThanTheDelay(t *testing.T) {
	x := newListWorld(t)
	for step := range 20 {
		a, b := x.node(), x.node()
		g, ref := a.login("ada")
		believed := time.Time{} // until when somebody may accept
		fetch := func() (ended bool) {
			for _, n := range []*listNode{a, b} {
				list, err := n.fetch(ref)
				if err != nil {
					t.Fatal(err)
				}
				if list.TTL != listTTL {
					t.Fatalf("the ttl is %v", list.TTL)
				}
				if status, err := list.List.Get(ref.Index); err != nil {
					t.Fatal(err)
				} else if status != statuslist.Valid {
					return true
				}
				if list.Expiry.After(believed) {
					believed = list.Expiry
				}
			}
			return false
		}
		for range step { // the feed was last read at another moment before the end each time
			fetch()
			x.clock.advance(170 * time.Millisecond)
		}
		if err := b.m.End(t.Context(), g.Session.SID(), lanyard.EndOptions{Reason: lanyard.ReasonLogout, By: "ada"}); err != nil {
			t.Fatal(err)
		}
		end := x.clock.Now()
		for !fetch() {
			if x.clock.advance(50 * time.Millisecond); x.clock.Now().Sub(end) > time.Minute {
				t.Fatal("the end never shows")
			}
		}
		if late := believed.Sub(end); late > listDelay(listTTL) {
			t.Errorf("step %d: a list without the end is believed until %v after it, and %v is told", step, late, listDelay(listTTL))
		}
		x.clock.advance(time.Duration(step) * 37 * time.Millisecond)
	}
}

// A store that takes long to answer does not make a list younger: what has ended
// while its answer was on the way counts from then.
//
// req: REVOKE-20
func TestASlowReadingIsPartOfTheDelay(t *testing.T) {
	x := newListWorld(t)
	a, b := x.node(), x.node()
	g, ref := a.login("ada")
	b.shows("before", ref, statuslist.Valid)
	x.clock.advance(listRebuild)
	var end time.Time
	b.line.during = func() {
		if end.IsZero() {
			if err := a.m.End(t.Context(), g.Session.SID(), lanyard.EndOptions{Reason: lanyard.ReasonLogout, By: "ada"}); err != nil {
				t.Error(err)
			}
			end = x.clock.Now()
			x.clock.advance(4 * time.Second)
		}
	}
	list, err := b.fetch(ref)
	if err != nil {
		t.Fatal(err)
	}
	if late := list.Expiry.Sub(end); late > listDelay(listTTL) {
		t.Errorf("a list without the end is believed until %v after it", late)
	}
	b.shows("after the slow answer", ref, statuslist.Invalid)
}

// A node that cannot know says so, whatever it knew before, and what it has heard
// meanwhile is not lost.
func TestAListThatCannotBeKnownIsNotServed(t *testing.T) {
	for name, away := range map[string]func(*listStore, bool){
		"the feed cannot be read":    func(s *listStore, on bool) { s.noFeed.Store(on) },
		"the records cannot be read": func(s *listStore, on bool) { s.noRecords.Store(on) },
	} {
		x := newListWorld(t)
		a, b := x.node(), x.node()
		g, ref := a.login("ada")
		other, second := a.login("bob")
		b.shows("before", ref, statuslist.Valid)
		away(b.line, true)
		for i, end := range []func() error{
			func() error {
				return a.m.End(t.Context(), g.Session.SID(), lanyard.EndOptions{Reason: lanyard.ReasonLogout, By: "ada"})
			},
			func() error {
				_, err := a.m.EndAll(t.Context(), other.Session.Subject(), lanyard.EndOptions{Reason: lanyard.ReasonUser, By: "bob"})
				return err
			},
		} {
			if err := end(); err != nil {
				t.Fatal(err)
			}
			for range 3 {
				x.clock.advance(listRebuild)
				if list, err := b.fetch(ref); err == nil {
					t.Errorf("%s, after end %d: a list of %v is served", name, i, list.IssuedAt)
				}
			}
		}
		away(b.line, false)
		b.shows(name+", and then can", ref, statuslist.Invalid)
		b.shows(name+", and then can", second, statuslist.Invalid)
		x.node().shows(name+", to another node", second, statuslist.Invalid)
	}
}

// One record that nobody can read any more holds lists up while tokens of its
// session may be alive, and no longer.
func TestASessionThatIsNeverFoundHoldsListsUpForALimitedTime(t *testing.T) {
	x := newListWorld(t)
	a, b := x.node(), x.node()
	g, _ := a.login("ada")
	if err := a.m.End(t.Context(), g.Session.SID(), lanyard.EndOptions{Reason: lanyard.ReasonLogout, By: "ada"}); err != nil {
		t.Fatal(err)
	}
	b.line.noRecords.Store(true)
	_, other := a.login("bob")
	if _, err := b.fetch(other); err == nil {
		t.Error("a list is served although an ended session was not found")
	}
	x.clock.advance(a.m.Policy().AccessTokenTTL + time.Minute)
	b.shows("once its tokens have expired", other, statuslist.Valid)
}

// Whoever waits for a list waits no longer than he wants.
func TestWaitingForAListEndsWithTheRequest(t *testing.T) {
	x := newListWorld(t)
	n := x.node()
	_, ref := n.login("ada")
	n.lists.turn <- struct{}{}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	id, _ := n.lists.names.parse(strings.TrimPrefix(ref.URI, listIssuer+statusListPath))
	if _, err := n.lists.list(ctx, id); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	n.lists.give()
	n.shows("afterwards", ref, statuslist.Valid)
}

// Sessions begin and end on all nodes while third parties read: an end that was
// over a reading ago shows in every list.
func TestNoEndIsMissedUnderContention(t *testing.T) {
	x := newListWorld(t)
	nodes := []*listNode{x.node(), x.node(), x.node()}
	ctx, stop := context.WithCancel(t.Context())
	var running, working sync.WaitGroup
	for _, n := range nodes {
		running.Go(func() { n.lists.run(ctx) })
	}
	for i := range 6 {
		working.Go(func() {
			for round := range 20 {
				own := nodes[(i+round)%3]
				g, ref := own.login("ada")
				_, stays := own.login("bob")
				if err := own.m.End(t.Context(), g.Session.SID(), lanyard.EndOptions{Reason: lanyard.ReasonLogout, By: "ada"}); err != nil {
					t.Error(err)
				}
				x.clock.advance(listRebuild)
				for _, n := range nodes {
					for ref, want := range map[statuslist.Reference]byte{ref: statuslist.Invalid, stays: statuslist.Valid} {
						list, err := n.fetch(ref)
						if err != nil {
							t.Error(err)
							return
						}
						if got, err := list.List.Get(ref.Index); err != nil || got != want {
							t.Errorf("worker %d, round %d: status %d, %v, want %d", i, round, got, err, want)
						}
					}
				}
			}
		})
	}
	working.Wait()
	stop()
	running.Wait()
}

// What is kept does not grow with the sessions that ever ended, asked for or not.
func TestEndsAreForgottenOnceTheirTokensHaveExpired(t *testing.T) {
	x := newListWorld(t)
	n := x.node()
	g, ref := n.login("ada")
	if err := n.m.End(t.Context(), g.Session.SID(), lanyard.EndOptions{Reason: lanyard.ReasonLogout, By: "ada"}); err != nil {
		t.Fatal(err)
	}
	n.shows("ended", ref, statuslist.Invalid)
	life := n.m.Policy().AccessTokenTTL
	x.clock.advance(life)
	n.shows("while a token may be left", ref, statuslist.Invalid)
	x.clock.advance(time.Minute + listSweep)
	if err := n.lists.resolve(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(n.lists.ended) > 0 || len(n.lists.pending) > 0 {
		t.Errorf("%d lists and %d entries are still kept", len(n.lists.ended), len(n.lists.pending))
	}
}

// A list is signed whoever has ended in it: in the worst case it compresses badly.
func TestEveryListCanBeSigned(t *testing.T) {
	x := newListWorld(t)
	n := x.node()
	index, err := n.lists.Draw()
	if err != nil {
		t.Fatal(err)
	}
	id := listID{list: index.List}
	half := make([]byte, listSize)
	if _, err := rand.Read(half); err != nil {
		t.Fatal(err)
	}
	until := x.clock.Now().Add(time.Hour)
	n.lists.ended[id] = make(map[uint32]time.Time)
	for i, b := range half {
		if b&1 == 0 {
			n.lists.ended[id][uint32(i)] = until
		}
	}
	ref := statuslist.Reference{URI: n.lists.uri(id)}
	list, err := n.fetch(ref)
	if err != nil {
		t.Fatal(err)
	}
	for i, b := range half {
		if got, err := list.List.Get(i); err != nil || got != 1-b&1 {
			t.Fatalf("the status of %d is %d, %v", i, got, err)
		}
	}
	if list.List.Len() != listSize {
		t.Errorf("the list has %d indices", list.List.Len())
	}
}
