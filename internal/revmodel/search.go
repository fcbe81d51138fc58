package revmodel

import (
	"errors"
	"fmt"
	"slices"
)

// ErrTooLarge: the search has met more states than it may.
var ErrTooLarge = errors.New("revmodel: more states than allowed")

// Result is what a search has found.
type Result struct {
	// States is how many different states were met, Steps how many steps
	// between them were taken, Depth how many steps the farthest is away.
	States, Steps, Depth int
	// Successes is in how many states the strict end has been reported.
	Successes int
	// Trace is empty, or a shortest run at whose end somebody accepts a session
	// that was reported as ended.
	Trace []string
}

// Search walks every state of the configuration, nearest first, and stops at
// the first one that breaks the promise.
func Search(c Config) (*Result, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	m := newModel(c)
	var r Result
	broken := int32(-1)
	seen, err := m.walk(m.starts(), &r, func(at int32, s *state) bool {
		if s.rev.phase == done {
			r.Successes++
			if _, yes := m.accepts(s); yes {
				broken = at
			}
		}
		return broken < 0
	})
	if err != nil {
		return nil, err
	}
	if broken >= 0 {
		r.Trace = m.trace(seen, broken)
	}
	return &r, nil
}

// walk visits every state that can come of the given ones, nearest first, until
// visit returns false.
func (m *model) walk(from []state, r *Result, visit func(int32, *state) bool) (*table, error) {
	var (
		seen   table
		parent = int32(-1)
		more   = true
	)
	m.emit = func(s state, _ step) {
		r.Steps++
		m.settle(&s)
		if at, isNew := seen.add(s.pack(), parent); isNew && more {
			more = visit(at, &s)
		}
	}
	for _, s := range from {
		m.emit(s, step{})
	}
	last := seen.n // state of this depth
	for i := 0; i < seen.n && more; i++ {
		if i == last {
			r.Depth++
			last = seen.n
		}
		if seen.n > m.MaxStates {
			return nil, fmt.Errorf("searching %+v: %w", m.Config, ErrTooLarge)
		}
		parent = int32(i)
		s := seen.entry(parent).key.unpack()
		m.next(&s)
	}
	r.States = seen.n
	return &seen, nil
}

// trace tells the run that led to a state.
func (m *model) trace(seen *table, to int32) []string {
	var path []int32
	for at := to; at >= 0; at = seen.entry(at).parent {
		path = append(path, at)
	}
	slices.Reverse(path)
	lines := []string{" 0  everything is up and nothing has been said"}
	for i, at := range path[1:] {
		line, want := "", seen.entry(at).key
		m.emit = func(s state, st step) {
			told := s
			m.settle(&s)
			if line == "" && s.pack() == want {
				line = fmt.Sprintf("%2d  %s", i+1, st.text(&told))
			}
		}
		s := seen.entry(path[i]).key.unpack()
		m.next(&s)
		lines = append(lines, line)
	}
	s := seen.entry(to).key.unpack()
	who, _ := m.accepts(&s)
	return append(lines, "    and "+who+" still accepts it")
}
