package revmodel

const (
	waitNode  = 1
	waitGhost = 2
)

// revokerSteps emits what the first node does for the strict end.
func (m *model) revokerSteps(s *state) {
	if s.node[revoker].status == down {
		return
	}
	switch s.rev.phase {
	case unasked:
		t := *s
		if !m.has(AppendFirst) {
			m.firstLook(&t, place(s.life, 3))
			t.rev.phase = leasesRead
			m.emit(t, step{op: opFirstLook})
			return
		}
		m.append(&t)
		m.emit(t, step{op: opAppend})
	case leasesRead:
		t := *s
		m.append(&t)
		m.read(&t, revoker)
		t.rev.phase = waiting
		m.emit(t, step{op: opAppend})
	case appended:
		t := *s
		m.read(&t, revoker)
		t.rev.phase = applied
		if s.life != s.rev.ended.life() && m.has(SameLifeAtEnd) {
			t.rev.phase, t.rev.ended = unasked, 0
		}
		m.emit(t, step{op: opApply})
	case applied:
		t := *s
		m.firstLook(&t, s.rev.ended)
		m.emit(t, step{op: opFirstLook})
	case waiting:
		m.look(s)
	}
}

// append puts the end into the feed, or finds it there.
func (m *model) append(s *state) {
	r := &s.rev
	r.phase = appended
	if s.end[s.life] == 0 {
		s.head++
		s.end[s.life] = s.head
	} else if !m.has(EndedWaits) {
		r.phase = done
		return
	}
	r.ended = place(s.life, s.end[s.life])
}

// firstLook reads the leases for the first time and starts the clock.
func (m *model) firstLook(s *state, ended cursor) {
	r := &s.rev
	r.phase = waiting
	r.wait = 0
	if l := s.lease[1]; l.there == 1 && !m.covers(l.covers, ended) {
		r.wait |= waitNode
	}
	if s.ghost.there == 1 && !m.covers(s.ghost.covers, ended) {
		r.wait |= waitGhost
	}
	r.left = m.bound
	if m.has(RevokerAllowance) {
		r.left++
	}
	if !m.has(RevokerWaits) {
		r.left = 0
	}
	r.full = 0
	if r.newFor > 0 && m.has(FullWait) {
		r.full = 1
	}
}

// look emits a further reading of the leases and what comes of it. The first
// reading and this one may fall together: no time has to pass between.
func (m *model) look(s *state) {
	t := *s
	r := &t.rev
	if s.life != r.ended.life() && m.has(SameLifeAtEnd) {
		r.phase, r.wait, r.full, r.left, r.ended = unasked, 0, 0, 0, 0
		m.emit(t, step{op: opAgain})
		return
	}
	if l := s.lease[1]; l.there == 1 && m.covers(l.covers, r.ended) {
		r.wait &^= waitNode
	}
	if s.ghost.there == 1 && m.covers(s.ghost.covers, r.ended) {
		r.wait &^= waitGhost
	}
	if r.left == 0 || r.wait == 0 && r.full == 0 && !m.blocked(s, revoker) {
		r.phase = done
		m.emit(t, step{op: opSuccess})
		return
	}
	if t != *s {
		m.emit(t, step{op: opLook})
	}
}

// storeSteps emits what the store and strangers do.
func (m *model) storeSteps(s *state) {
	if m.Elsewhere && s.end[s.life] == 0 {
		t := *s
		t.head++
		t.end[t.life] = t.head
		m.emit(t, step{op: opElsewhere})
	}
	if !m.Failover || s.life == 1 {
		return
	}
	for head := range s.head + 1 {
		end := s.end[0]
		if end > head {
			if s.rev.phase == done {
				continue // what has been reported as ended stays so
			}
			end = 0
		}
		// Some leases lost and others kept lie between these two.
		for lost := range uint8(2) {
			t := *s
			t.life, t.head, t.end[1] = 1, head, end
			if m.has(NewForBound) {
				// The first node may see it later, and then waits longer.
				t.rev.newFor = m.bound + 1
			}
			if lost == 1 {
				t.lease, t.ghost = [nodes]lease{}, lease{}
			}
			m.emit(t, step{op: opFailover, a: s.head - head, b: lost})
		}
	}
}
