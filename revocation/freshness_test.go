package revocation

import (
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// hands is a clock whose two hands the test moves.
type hands struct{ instant }

func (h *hands) move(mono, wall time.Duration) { h.mono += mono; h.wall += wall }

func TestFreshnessByBothHandsOfTheClock(t *testing.T) {
	const s = time.Second
	type move struct{ mono, wall time.Duration }
	for _, c := range []struct {
		name  string
		moves []move
		want  State
	}{
		{"nothing passes", nil, Fresh},
		{"half of the lease", []move{{s, s}}, Fresh},
		{"more than half", []move{{s + 1, s + 1}}, Stale},
		{"nearly all of it", []move{{2*s - 1, 2*s - 1}}, Stale},
		{"all of it", []move{{2 * s, 2 * s}}, Blind},
		{"the machine slept: only the wall clock goes on", []move{{0, 2 * s}}, Blind},
		{"the wall clock jumps ahead", []move{{1, time.Hour}}, Blind},
		{"it jumps ahead and is put back", []move{{1, time.Hour}, {1, -time.Hour}}, Blind},
		{"the wall clock is set back", []move{{s + 1, -time.Hour}}, Stale},
		{"the wall clock is set back, and the lease is over", []move{{2 * s, -time.Hour}}, Blind},
		{"a clock without monotonic reading is set back", []move{{-s, -s}}, Blind},
		{"it is set back and comes again", []move{{-s, -s}, {s + 1, s + 1}}, Blind},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := &hands{}
			f := newFreshness(func() instant { return h.instant })
			if state, _, _ := f.state(); state != Blind {
				t.Fatalf("%v before the first lease", state)
			}
			h.move(5*s, 5*s)
			if !f.extend(f.ask(), 2*s) {
				t.Fatal("no lease")
			}
			var got State
			for _, m := range append([]move{{}}, c.moves...) {
				h.move(m.mono, m.wall)
				got, _, _ = f.state()
			}
			if got != c.want {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}

func TestAnswersCountFromTheirOwnSending(t *testing.T) {
	h := &hands{}
	f := newFreshness(func() instant { return h.instant })
	left := func() time.Duration { _, _, left := f.state(); return left }
	first := f.ask()
	h.move(time.Second, time.Second)
	second := f.ask()
	h.move(time.Second/2, time.Second/2)
	if !f.extend(second, 2*time.Second) || left() != 1500*time.Millisecond {
		t.Errorf("the second: %v left", left())
	}
	if !f.extend(first, 2*time.Second) || left() != 1500*time.Millisecond {
		t.Errorf("the first, late, shortened the lease to %v", left())
	}
	if !f.extend(first, 4*time.Second) || left() != 2500*time.Millisecond {
		t.Errorf("a longer one: %v left", left())
	}
	late := f.ask()
	h.move(3*time.Second, 3*time.Second)
	if f.extend(late, 3*time.Second) || left() != 0 {
		t.Errorf("an answer that came when its lease was over gave %v", left())
	}
}

// The process was stopped and the wall clock corrected twice while an answer was
// on its way: what was asked before the jump is worth nothing after it.
func TestAnswerToAQuestionFromBeforeAJumpOfTheClock(t *testing.T) {
	h := &hands{}
	f := newFreshness(func() instant { return h.instant })
	f.extend(f.ask(), 2*time.Second)
	q := f.ask()
	h.move(0, time.Hour)
	if s, _, _ := f.state(); s != Blind {
		t.Fatal(s)
	}
	h.move(0, -time.Hour)
	if f.extend(q, 2*time.Second) {
		t.Error("the answer counted")
	}
	if !f.extend(f.ask(), 2*time.Second) {
		t.Error("a new question's answer does not count")
	}
}

// setClock replaces the follower's clock, before it runs.
func (w *feedWorld) setClock(read func() instant) {
	w.f.read, w.f.fresh.read, w.f.troubles.read = read, read, read
}

// The clock goes on while the process is stopped, its timers do not.
func TestPausedProcessIsBlindWhenItWakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node := newFakeNode("one")
		w := newFeedWorld(t, FollowerConfig{}, node)
		var stopped atomic.Int64
		read := w.f.read
		w.setClock(func() instant {
			i, d := read(), time.Duration(stopped.Load())
			return instant{i.mono + d, i.wall + d}
		})
		w.start()
		defer w.end()
		w.after(3 * time.Second)
		node.change(func() { node.delay = 100 * time.Millisecond })
		w.after(feedBound/4 + 50*time.Millisecond) // an acknowledgement is under way
		w.want(Fresh)
		stopped.Store(int64(10 * time.Second))
		// The first thing that happens is a check, before any timer or answer.
		w.wantCheck(badge(1), ErrBlind)
		// Heartbeats, and the answer to what was sent before the pause, are in the
		// buffers.
		node.last().send(Event{Name: EventHeartbeat, Cursor: "c0", Issuer: feedIssuer, Instance: "one"})
		w.after(50 * time.Millisecond)
		w.want(Blind)
		w.after(feedBound/4 + 100*time.Millisecond) // the next answer
		w.want(Fresh)
	})
}

func TestClocksTooFarApartAreBlind(t *testing.T) {
	for _, c := range []struct {
		name string
		off  time.Duration
		want State
	}{
		{"the same", 0, Fresh},
		{"the issuer a minute ahead", time.Minute, Fresh},
		{"a minute behind", -time.Minute, Fresh},
		{"a minute behind when the request was sent", -time.Minute - 200*time.Millisecond, Fresh},
		{"more than a minute ahead", time.Minute + time.Second, Blind},
		{"more than a minute behind", -time.Minute - time.Second, Blind},
		{"a year ahead", 365 * 24 * time.Hour, Blind},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				node := newFakeNode("one")
				w := newFeedWorld(t, FollowerConfig{}, node).start()
				defer w.end()
				w.after(time.Second)
				w.want(Fresh)
				node.change(func() {
					node.delay = 300 * time.Millisecond
					node.onAck = func(_ *followerAck, a map[string]any) string {
						a["now"] = a["now"].(int64) + 300 + c.off.Milliseconds()
						return ""
					}
				})
				w.after(time.Second)
				w.want(c.want)
				met := w.f.Status().Troubles[TroubleClock]
				if (met > 0) != (c.want == Blind) {
					t.Errorf("met %d times", met)
				}
				node.change(func() { node.onAck = nil })
				w.after(time.Second)
				w.want(Fresh)
				if n := w.f.Status().Connections; n != 1 {
					t.Errorf("%d connections", n)
				}
			})
		})
	}
}

func TestStateNames(t *testing.T) {
	if s := Fresh.String() + Stale.String() + Blind.String(); s != "freshstaleblind" {
		t.Error(s)
	}
	if err := (RevokedError{KindKey}); !errors.Is(err, ErrRevoked) || errors.Is(err, ErrBlind) {
		t.Error(err)
	}
}
