package revmodel

// followerSteps emits what follower f and node n may do with each other.
func (m *model) followerSteps(s *state, f, n uint8) {
	self, hub := &s.follow[f], &s.node[n]
	x := self.with[n]
	if x.phase == answerOnWay && (m.covers(self.at, x.seen) || !m.has(NewestApplied)) {
		t := *s
		p := &t.follow[f]
		p.left, p.with[n] = max(p.left, x.left), exchange{}
		m.emit(t, step{op: opAnswerUsed, a: f, b: n})
	}
	if !m.has(AnswersOnly) && self.beat == 1 {
		t := *s
		t.follow[f].beat, t.follow[f].left = 0, m.bound
		m.emit(t, step{op: opBeatUsed, a: f})
	}
	if hub.status == down {
		return
	}
	if x.phase == 0 && (m.Overlap || self.with[1-n].phase == 0) && m.useful(s, f, n) {
		t := *s
		t.follow[f].with[n] = exchange{phase: ackOnWay, seen: self.at, left: m.bound}
		if m.safe(self) {
			// Its way takes no time: one that comes late says what one that is
			// sent late would say, and nobody waits for the answer.
			m.answer(&t, f, n)
		} else {
			m.emit(t, step{op: opAckSent, a: f, b: n})
		}
	}
	if x.phase == ackOnWay {
		m.answer(s, f, n)
	}
	sameLife := self.at.life() == hub.at.life() || !m.has(CursorsOfOneLife)
	if sameLife && self.at.entries() < hub.at.entries() {
		t := *s
		p := &t.follow[f]
		p.at = place(hub.at.life(), self.at.entries()+1)
		if p.at.entries() == s.end[hub.at.life()] {
			p.knows = 1
		}
		m.emit(t, step{op: opEvent, a: f, b: n})
	}
	// A snapshot may be taken at any time; one that changes nothing is left out.
	t := *s
	p := &t.follow[f]
	p.at = hub.at
	p.knows |= hub.knows
	if !m.has(SnapshotAdds) {
		p.knows = hub.knows
	}
	if t != *s {
		m.emit(t, step{op: opSnapshot, a: f, b: n})
	}
	if !m.has(AnswersOnly) && self.beat == 0 && hub.left > 0 {
		t := *s
		t.follow[f].beat = 1
		m.emit(t, step{op: opBeatSent, a: f, b: n})
	}
}

// useful reports whether an acknowledgement can change more than make node n
// wait longer for follower f, which makes nobody accept.
func (m *model) useful(s *state, f, n uint8) bool {
	if m.safe(&s.follow[f]) {
		return s.passed(n) && s.node[n].acked[f] == 0
	}
	return s.follow[f].left < m.bound && !m.harmless(s, n)
}

// answer emits what comes of an acknowledgement that reaches node n.
func (m *model) answer(s *state, f, n uint8) {
	t := *s
	p, x := &t.node[n], &t.follow[f].with[n]
	passed := s.passed(n)
	if life := p.at.life(); passed && m.covers(x.seen, place(life, s.end[life])) {
		p.acked[f] = 1
		if !m.has(OwnNames) {
			p.acked = [followers]uint8{1, 1}
		}
	}
	grant := p.left
	if grant > 0 && !m.has(GrantWithinLease) {
		grant = m.bound
	}
	if m.safe(&t.follow[f]) {
		grant = 0
	}
	// What the follower will have is the grant less what has passed since the
	// sending.
	age := m.bound - x.left
	switch {
	case grant == 0:
		*x = exchange{}
	case m.has(FromSending):
		*x = exchange{answerOnWay, p.at, grant - min(grant, age)}
	default:
		*x = exchange{answerOnWay, p.at, grant}
	}
	if grant > 0 && !passed {
		// A grant that names the end, or what is behind it, blocks nothing:
		// whoever uses it has applied the end.
		if m.has(NodeAllowance) {
			grant++
		}
		p.block[f] = max(p.block[f], grant)
	}
	if grant > 0 && passed && !m.has(EveryGrant) {
		p.block[f] = 0
	}
	m.emit(t, step{op: opAnswered, a: f, b: n})
}
