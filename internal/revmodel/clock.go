package revmodel

// tick lets time go on by one tick. Processes are numbered: nodes, followers.
func (m *model) tick(s *state) {
	processes := nodes + m.Followers
	missed := uint8(0)
	if s.skip == 0 {
		for p := range processes {
			if s.runs(p) {
				missed |= 1 << p
			}
		}
	}
	// Every subset of those that have something running may miss the tick.
	for slow := missed; ; slow = (slow - 1) & missed {
		t := *s
		if t.skip == 0 {
			t.skip = m.bound
		} else {
			t.skip--
		}
		for p := range processes {
			if slow>>p&1 == 0 {
				m.advance(&t, p)
			}
		}
		m.emit(t, step{op: opTick, a: slow})
		if slow == 0 {
			return
		}
	}
}

// runs reports whether the clock of process p matters now.
func (s *state) runs(p int) bool {
	if p >= nodes {
		f := &s.follow[p-nodes]
		return f.left > 0 || f.with[0].left > 0 || f.with[1].left > 0
	}
	n := &s.node[p]
	return n.left > 0 || n.pending > 0 || n.block[0] > 0 || n.block[1] > 0 ||
		p == revoker && (s.rev.left > 0 || s.rev.newFor > 0)
}

// advance lets the clock of process p go on by one tick.
func (m *model) advance(s *state, p int) {
	if p >= nodes {
		f := &s.follow[p-nodes]
		if m.has(FollowerStops) {
			down1(&f.left)
		}
		for i := range f.with {
			if f.with[i].phase == ackOnWay || m.has(FromSending) {
				down1(&f.with[i].left)
			}
		}
		return
	}
	n := &s.node[p]
	if m.has(NodeStops) {
		down1(&n.left)
	}
	if n.cycle != fed {
		down1(&n.pending)
	}
	for f := range n.block {
		down1(&n.block[f])
	}
	if p == revoker {
		down1(&s.rev.left)
		down1(&s.rev.newFor)
	}
}

func down1(v *uint8) {
	if *v > 0 {
		*v--
	}
}

// setClocks emits the states in which one process's wall clock has been set
// forward by more than the bound. What it may use is over, because it stops by
// whichever clock is ahead; what it waits for is not.
func (m *model) setClocks(s *state) {
	for p := range nodes + m.Followers {
		t := *s
		if p >= nodes {
			f := &t.follow[p-nodes]
			f.left = 0
			for i := range f.with {
				f.with[i].left = 0
			}
		} else {
			n := &t.node[p]
			n.left, n.pending = 0, 0
			if !m.has(MonotonicWaits) {
				n.block = [followers]uint8{}
				if p == revoker {
					t.rev.left, t.rev.newFor = 0, 0
				}
			}
		}
		if t != *s {
			m.emit(t, step{op: opSetClock, a: uint8(p)})
		}
	}
}
