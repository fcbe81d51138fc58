package revmodel

// nodeSteps emits what node n may do by itself.
func (m *model) nodeSteps(s *state, n uint8) {
	self := s.node[n]
	if self.cycle == sent { // the network's step, also when the node is down
		t := *s
		t.lease[n] = lease{1, self.says}
		t.node[n].says = 0
		t.node[n].cycle = written
		if self.status == down {
			t.node[n].cycle, t.node[n].pending = idle, 0
		}
		m.emit(t, step{op: opLeaseWritten, a: n})
	}
	if self.cycle == sent && (self.pending == 0 || self.status == down) {
		t := *s
		t.node[n].cycle, t.node[n].pending, t.node[n].says = idle, 0, 0
		m.emit(t, step{op: opLeaseLost, a: n})
	}
	if n+1 == uint8(m.Restart) {
		m.restart(s, n)
	}
	if self.status == down {
		return
	}
	switch self.cycle {
	case idle:
		if !m.worthwhile(s, n) {
			break
		}
		t := *s
		if !m.has(HeadAfterLease) {
			m.read(&t, n)
		}
		p := &t.node[n]
		p.cycle, p.pending, p.says = sent, m.bound, m.covered(&t, n)
		m.emit(t, step{op: opLeaseSent, a: n})
	case written:
		t := *s
		if m.has(HeadAfterLease) {
			m.read(&t, n)
		}
		if !m.has(LeaseFromSending) {
			t.node[n].cycle, t.node[n].pending = fed, m.bound
			m.emit(t, step{op: opRead, a: n})
			break
		}
		m.use(t, n)
	case fed:
		m.use(*s, n)
	}
	if self.at != place(s.life, s.head) {
		t := *s
		m.read(&t, n)
		m.emit(t, step{op: opRead, a: n})
	}
}

// worthwhile reports whether a new lease of node n would change anything.
func (m *model) worthwhile(s *state, n uint8) bool {
	if s.node[n].left < m.bound && !m.harmless(s, n) {
		return true
	}
	return m.keepsLease(n) && s.lease[n] != lease{1, m.covered(s, n)}
}

// keepsLease reports whether somebody may read the lease of node n. Of the
// revoker's that is only what comes after it under another name.
func (m *model) keepsLease(n uint8) bool { return n != revoker || m.Restart == revoker+1 }

// use emits that node n may use the lease it has written.
func (m *model) use(t state, n uint8) {
	p := &t.node[n]
	p.left, p.cycle, p.pending = max(p.left, p.pending), idle, 0
	m.emit(t, step{op: opLeaseUsed, a: n})
}

// read takes the feed to its end into the near cache and the hub of node n.
func (m *model) read(s *state, n uint8) {
	p := &s.node[n]
	end := s.end[s.life]
	switch {
	case p.at.life() == s.life:
	case m.has(CursorsOfOneLife):
		// The cursor is refused and everything is read anew, under new numbers:
		// what followers have acknowledged says nothing about these.
		p.at = place(s.life, 0)
		p.acked = [followers]uint8{}
	}
	if end > p.at.entries() {
		p.knows = 1
	}
	p.at = place(s.life, s.head)
}

// passed reports whether the end is among the entries that node n has numbered.
func (s *state) passed(n uint8) bool {
	at := s.node[n].at
	end := s.end[at.life()]
	return end > 0 && end <= at.entries()
}

// blocked reports whether a follower of node n blocks the end.
func (m *model) blocked(s *state, n uint8) bool {
	for f := range m.Followers {
		if s.node[n].block[f] > 0 && s.node[n].acked[f] == 0 {
			return m.has(NodeWaits)
		}
	}
	return false
}

// covered is the cursor that node n may claim for itself and its followers.
func (m *model) covered(s *state, n uint8) cursor {
	at := s.node[n].at
	if s.passed(n) && m.blocked(s, n) {
		return place(at.life(), s.end[at.life()]-1)
	}
	return at
}

// restart emits the crash of node n and its start under another name.
func (m *model) restart(s *state, n uint8) {
	self := s.node[n]
	switch {
	case self.status == up:
		t := *s
		p := &t.node[n]
		*p = node{status: down}
		if self.cycle == sent {
			p.cycle, p.says = sent, self.says
		}
		for f := range t.follow {
			if x := &t.follow[f].with[n]; x.phase == ackOnWay {
				*x = exchange{}
			}
		}
		if n == revoker && s.rev.phase != done {
			t.rev = revoke{newFor: s.rev.newFor}
		}
		if !m.has(LeaseKept) {
			t.lease[n] = lease{}
		}
		m.emit(t, step{op: opCrash, a: n})
	case self.status == down && self.cycle == idle:
		t := *s
		t.node[n].status = again
		if m.has(FreshIdentity) {
			t.ghost, t.lease[n] = s.lease[n], lease{}
			if n != revoker && s.rev.wait&waitNode != 0 { // it waits for a name
				t.rev.wait ^= waitNode | waitGhost
			}
		}
		if n == revoker && s.life > 0 && m.has(NewForBound) {
			t.rev.newFor = m.bound + 1
		}
		m.emit(t, step{op: opRestart, a: n})
	}
}
