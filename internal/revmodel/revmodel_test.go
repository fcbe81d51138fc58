package revmodel

import (
	"errors"
	"os"
	"strings"
	"testing"
)

// TestStrictRevocationHolds walks every state of each configuration and looks
// for somebody who accepts a session that was reported as ended.
func TestStrictRevocationHolds(t *testing.T) {
	tests := []struct {
		name string
		soak bool
		c    Config
	}{
		{"a follower moves between two nodes", false, Config{Bound: 2, Followers: 1}},
		{"with finer time", true, Config{Bound: 3, Followers: 1}},
		{"it asks both nodes at once", false, Config{Bound: 2, Followers: 1, Overlap: true}},
		{"with other entries in the feed", false, Config{Bound: 2, Followers: 1, Noise: true}},
		{"a node crashes and comes back", false, Config{Bound: 2, Followers: 1, Restart: 2}},
		{"the revoker crashes and comes back", false, Config{Bound: 2, Followers: 1, Restart: 1}},
		{"somebody else ends the session", false, Config{Bound: 2, Followers: 1, Elsewhere: true}},
		{"wall clocks are set", false, Config{Bound: 2, Followers: 1, WallSteps: true}},
		{"the store fails over and forgets another entry, seen by nodes", false, Config{Bound: 2, Failover: true, Noise: true}},
		{"the store fails over", false, Config{Bound: 2, Followers: 1, Failover: true, Home: true}},
		{"two followers", true, Config{Bound: 2, Followers: 2}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.soak && os.Getenv("LANYARD_SOAK") == "" {
				t.Skip("set LANYARD_SOAK=1 to search this")
			}
			if underRace && tt.c.Failover && tt.c.Followers > 0 {
				t.Skip("searched without the race detector, in a step of its own of make test")
			}
			r, err := Search(tt.c)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d states, %d steps, the farthest %d steps away", r.States, r.Steps, r.Depth)
			if len(r.Trace) > 0 {
				t.Errorf("a session that was reported as ended is accepted:\n%s", strings.Join(r.Trace, "\n"))
			}
			if r.Successes == 0 {
				t.Error("no run ends with success, so there was nothing to break")
			}
		})
	}
}

// TestEachRuleIsNeeded removes one rule at a time and wants the run that breaks
// the promise.
func TestEachRuleIsNeeded(t *testing.T) {
	// What a rule guards against has to be there. Nothing else has.
	needs := map[Rule]Config{
		FreshIdentity:    {Followers: 1, Restart: 2},
		LeaseKept:        {Followers: 1, Restart: 2},
		FullWait:         {Failover: true},
		NewForBound:      {Failover: true},
		CursorsOfOneLife: {Failover: true, Noise: true},
		SameLifeAtEnd:    {Failover: true},
		EndedWaits:       {Elsewhere: true},
		MonotonicWaits:   {WallSteps: true},
		OwnNames:         {Followers: 2},
	}
	for rule := NoRule + 1; rule < rules; rule++ {
		t.Run(rule.String(), func(t *testing.T) {
			c, special := needs[rule]
			if !special {
				c.Followers = 1
			}
			c.Bound, c.Removed = 2, rule
			r, err := Search(c)
			if err != nil {
				t.Fatal(err)
			}
			if len(r.Trace) == 0 {
				t.Fatalf("without it the promise holds in all %d states", r.States)
			}
			t.Logf("found after %d states:\n%s", r.States, strings.Join(r.Trace, "\n"))
		})
	}
}

// TestHealthyRevocationDoesNotWait begins where both nodes hold leases and the
// follower a fresh grant of the other node, and stops all clocks. A success is
// then one for which no lease had to run out.
func TestHealthyRevocationDoesNotWait(t *testing.T) {
	m := newModel(Config{Bound: 3, Followers: 1, Still: true})
	s := state{lease: [nodes]lease{{}, {there: 1}}}
	s.node[0].left, s.node[1].left, s.follow[0].left = 3, 3, 3
	s.node[1].block[0] = 4
	succeeds := false
	var r Result
	if _, err := m.walk([]state{s}, &r, func(_ int32, s *state) bool {
		if s.rev.phase == waiting && s.rev.left != m.bound+1 {
			t.Fatalf("the revoker waits %d ticks where no tick passes", s.rev.left)
		}
		succeeds = succeeds || s.rev.phase == done && s.follow[0].knows == 1
		return true
	}); err != nil {
		t.Fatal(err)
	}
	if !succeeds {
		t.Errorf("in %d states with every clock stopped no strict end returns", r.States)
	}
}

// TestRevocationEnds takes every state in which the revoker waits and leaves it
// alone with its clock and the store: it is done when the bound and the
// allowance have passed.
func TestRevocationEnds(t *testing.T) {
	m := newModel(Config{Bound: 2, Followers: 1, Restart: 2})
	var waits []state
	var r Result
	if _, err := m.walk(m.starts(), &r, func(_ int32, s *state) bool {
		if s.rev.phase == waiting {
			waits = append(waits, *s)
		}
		return true
	}); err != nil {
		t.Fatal(err)
	}
	if len(waits) == 0 {
		t.Fatal("the revoker never waits")
	}
	for _, s := range waits {
		begun, ended := s, false
		for ticks := uint8(0); !ended; ticks++ {
			if ticks > m.bound+1 {
				t.Fatalf("not done after %d ticks: %+v", ticks, begun)
			}
			next := s
			m.emit = func(s state, _ step) { next = s }
			m.look(&s)
			s, ended = next, next.rev.phase == done
			m.advance(&s, revoker)
		}
	}
}

func TestSearchNamesABadField(t *testing.T) {
	for _, tt := range []struct {
		field string
		c     Config
	}{
		{"Bound", Config{Bound: 1, Followers: 1}},
		{"Followers", Config{Bound: 2, Followers: 3}},
		{"Restart", Config{Bound: 2, Followers: 1, Restart: 3}},
		{"Removed", Config{Bound: 2, Followers: 1, Removed: rules}},
		{"MaxStates", Config{Bound: 2, Followers: 1, MaxStates: -1}},
	} {
		if _, err := Search(tt.c); err == nil || !strings.HasPrefix(err.Error(), "revmodel: "+tt.field) {
			t.Errorf("error %v, want one that names %s", err, tt.field)
		}
	}
	if _, err := Search(Config{Bound: 2, Followers: 1, MaxStates: 100}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("error %v, want %v", err, ErrTooLarge)
	}
}

// TestStatesSurvivePacking packs and unpacks what the searches pack.
func TestStatesSurvivePacking(t *testing.T) {
	m := newModel(Config{Bound: 4, Followers: 2, Noise: true, Failover: true, Restart: 2})
	var r Result
	_, err := m.walk(m.starts(), &r, func(at int32, s *state) bool {
		if got := s.pack().unpack(); got != *s {
			t.Fatalf("%+v came back as %+v", *s, got)
		}
		return at < 200_000
	})
	if err != nil {
		t.Fatal(err)
	}
}
