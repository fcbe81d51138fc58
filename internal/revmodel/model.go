package revmodel

import "fmt"

// Config says what the model holds and what may happen in it. The zero value of
// each field but Bound leaves something out.
type Config struct {
	// Bound is the lease of a node in ticks, 2 to 4.
	Bound int
	// Followers is 0 to 2.
	Followers int
	// Noise puts another entry into the feed before anything happens.
	Noise bool
	// Failover lets the store fail over once. It may forget leases, and entries
	// of which no strict end has reported success.
	Failover bool
	// Restart is 1 more than the index of a node that may crash, and then start
	// again once, or 0.
	Restart int
	// WallSteps lets wall clocks be set forward, by any amount at any time.
	WallSteps bool
	// Elsewhere lets somebody end the session in the ordinary way.
	Elsewhere bool
	// Home keeps the followers at the second node.
	Home bool
	// Overlap lets a follower ask both nodes at the same time.
	Overlap bool
	// Still stops all clocks, to see what can happen without waiting.
	Still bool
	// Removed is a rule to do without.
	Removed Rule
	// MaxStates ends a search that grows beyond it with an error; 0 is 20 million.
	MaxStates int
}

func (c Config) check() error {
	switch {
	case c.Bound < 2 || c.Bound > 4:
		return fmt.Errorf("revmodel: Bound %d is not 2 to 4", c.Bound)
	case c.Followers < 0 || c.Followers > followers:
		return fmt.Errorf("revmodel: Followers %d is not 0 to 2", c.Followers)
	case c.Restart < 0 || c.Restart > nodes:
		return fmt.Errorf("revmodel: Restart %d is not 0 to 2", c.Restart)
	case c.Removed >= rules:
		return fmt.Errorf("revmodel: Removed %d is not a rule", c.Removed)
	case c.MaxStates < 0:
		return fmt.Errorf("revmodel: MaxStates %d is negative", c.MaxStates)
	}
	return nil
}

// model makes the steps of a configuration.
type model struct {
	Config
	bound uint8
	emit  func(state, step)
}

func newModel(c Config) *model {
	if c.MaxStates == 0 {
		c.MaxStates = 20_000_000
	}
	return &model{Config: c, bound: uint8(c.Bound)}
}

// has reports whether the rule is followed.
func (m *model) has(r Rule) bool { return m.Removed != r }

// starts returns the states in which a run may begin: everything is up, nothing
// has been said, and the next tick that may be missed is any number of ticks away.
func (m *model) starts() []state {
	var all []state
	for skip := range m.bound + 1 {
		s := state{skip: skip}
		if m.Noise { // nobody has the other entry, or everybody
			s.head = 1
			ahead := s
			for n := range ahead.node {
				ahead.node[n].at = place(0, 1)
			}
			for f := range m.Followers {
				ahead.follow[f].at = place(0, 1)
			}
			all = append(all, ahead)
		}
		all = append(all, s)
	}
	return all
}

// next emits every state that can come right after s.
func (m *model) next(s *state) {
	if m.quiet(s) {
		return
	}
	for n := range uint8(nodes) {
		m.nodeSteps(s, n)
		if n == revoker && m.Home {
			continue
		}
		for f := range uint8(m.Followers) {
			m.followerSteps(s, f, n)
		}
	}
	m.revokerSteps(s)
	m.storeSteps(s)
	if !m.Still {
		m.tick(s)
	}
	if m.WallSteps {
		m.setClocks(s)
	}
}

// accepts names somebody who would accept the session now, the followers first.
func (m *model) accepts(s *state) (string, bool) {
	for f := range m.Followers {
		if s.follow[f].knows == 0 && s.follow[f].left > 0 {
			return followerName(uint8(f)), true
		}
	}
	for n := range s.node {
		if s.node[n].knows == 0 && s.node[n].left > 0 {
			return nodeName(uint8(n)), true
		}
	}
	return "", false
}

// covers reports whether a reader at have has seen what one at want has.
func (m *model) covers(have, want cursor) bool {
	if have.life() != want.life() && m.has(CursorsOfOneLife) {
		return want.entries() == 0 && want.life() == 0
	}
	return have.entries() >= want.entries()
}

// safe reports whether the follower has the end and so never accepts again.
func (m *model) safe(f *follower) bool { return f.knows == 1 && m.has(SnapshotAdds) }

// final reports whether the feed cannot lose the end any more.
func (m *model) final(s *state) bool { return !m.Failover || s.life == 1 || s.rev.phase == done }

// harmless reports whether node n has numbered the end for good: it does not
// accept, and who uses its grants has applied the end first.
func (m *model) harmless(s *state, n uint8) bool {
	return s.passed(n) && m.final(s) && s.node[n].at.life() == s.life && s.node[n].knows == 1 &&
		m.has(NewestApplied) && m.has(SnapshotAdds) && m.has(CursorsOfOneLife) && m.has(AnswersOnly) && m.has(EveryGrant)
}

// quiet reports whether nobody can accept any more, whatever is reported.
func (m *model) quiet(s *state) bool {
	if m.Still || !m.final(s) || s.end[s.life] == 0 || m.Restart > 0 && s.node[m.Restart-1].status != again {
		return false
	}
	for f := range m.Followers {
		if !m.safe(&s.follow[f]) {
			return false
		}
	}
	for n := range s.node {
		if s.node[n].knows == 0 {
			return false
		}
	}
	return true
}

// settle forgets what can make no difference any more, so that fewer states
// have to be walked. Each line says why.
func (m *model) settle(s *state) {
	for i := range s.follow {
		f := &s.follow[i]
		safe := m.safe(f)
		if safe {
			f.left, f.beat = 0, 0
		}
		for j := range f.with {
			x := &f.with[j]
			if safe || x.left == 0 || m.harmless(s, uint8(j)) && (x.phase == ackOnWay || x.seen == s.node[j].at) || x.phase == answerOnWay && x.left <= f.left {
				*x = exchange{} // run out, or the answer would change nothing
			}
		}
	}
	for i := range s.node {
		n := &s.node[i]
		for f := range n.block {
			if n.acked[f] == 1 {
				n.block[f] = 0 // asked for only of those that have not acknowledged
			}
		}
	}
	for i := range s.node {
		n := &s.node[i]
		if !m.keepsLease(uint8(i)) {
			s.lease[i], n.says = lease{}, 0
			if n.cycle == sent {
				n.cycle = written
			}
		}
		if m.harmless(s, uint8(i)) {
			n.left, n.pending = 0, 0
		}
		if n.cycle == written && n.pending == 0 {
			n.cycle = idle // the lease is over before it is used
		}
	}
	if s.life == 1 && m.has(CursorsOfOneLife) && m.has(SameLifeAtEnd) {
		m.settleOldLife(s)
	}
	if s.rev.phase == done { // nobody reads these any more
		s.rev = revoke{phase: done}
		s.ghost = lease{}
		s.lease = [nodes]lease{}
		for i := range s.node {
			n := &s.node[i]
			n.says, n.block, n.acked = 0, [followers]uint8{}, [followers]uint8{}
		}
	}
}

// settleOldLife forgets what cursors of the first incarnation said, once they
// are good for nothing.
func (m *model) settleOldLife(s *state) {
	if r := &s.rev; r.ended != 0 && r.ended.life() == 0 {
		*r = revoke{newFor: r.newFor} // it will begin again
	}
	for n := range s.node {
		if l := &s.lease[n]; l.covers.life() == 0 {
			l.covers = 0
		}
		if p := &s.node[n]; p.says.life() == 0 {
			p.says = 0
		}
	}
	if s.ghost.covers.life() == 0 {
		s.ghost.covers = 0
	}
	for n := range s.node {
		if s.node[n].status != down && s.node[n].at.life() == 0 {
			return // it may still serve what it has
		}
	}
	s.end[0] = 0
	for i := range s.follow {
		f := &s.follow[i]
		if f.at.life() == 0 && !f.awaits(0) {
			f.at = 0
		}
	}
}

// awaits reports whether an answer that names entries of an incarnation is on
// its way to the follower.
func (f *follower) awaits(life uint8) bool {
	for _, x := range f.with {
		if x.phase == answerOnWay && x.seen.life() == life && x.seen.entries() > 0 {
			return true
		}
	}
	return false
}
