// Package linear checks that what concurrent callers of a store asked and heard
// fits some order of their calls. It is for tests of stores.
package linear

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/lanyard-go/lanyard/store/storetest"
)

// state is what a record, or a key of Once, is between two calls.
type state struct {
	life          life
	version, data uint64
	due           bool
}

type life uint8

const (
	none life = iota
	live
	fenced // by the end of everything; nobody has written that down yet
	ended
	used // a key
)

// Check returns an error that shows the calls on one object for which there is
// no order, or nil. Each object is judged by itself.
func Check(calls []storetest.Call) error {
	byObject := make(map[string][]storetest.Call)
	for _, c := range calls {
		byObject[c.Object] = append(byObject[c.Object], c)
	}
	for object, calls := range byObject {
		ops := make([]porcupine.Operation, len(calls))
		for i, c := range calls {
			ops[i] = porcupine.Operation{ClientId: c.Caller, Input: c, Call: c.Start, Return: c.Return}
		}
		switch porcupine.CheckOperationsTimeout(model, ops, time.Minute) {
		case porcupine.Illegal:
			return fmt.Errorf("%s: no order of these calls fits their answers:\n%s", object, describe(calls))
		case porcupine.Unknown:
			return fmt.Errorf("%s: no verdict on %d calls within a minute", object, len(calls))
		}
	}
	return nil
}

var model = porcupine.Model{
	Init: func() any { return state{} },
	Step: func(before, asked, _ any) (bool, any) {
		after, ok := step(before.(state), asked.(storetest.Call))
		return ok, after
	},
}

// step returns the state after the call, and whether the call can have been
// answered as it was.
func step(s state, c storetest.Call) (after state, ok bool) {
	over := s.life == fenced || s.life == ended
	switch c.Ask {
	case storetest.AskCreate:
		if c.Answer == storetest.Done {
			return state{live, 1, c.Data, c.Due}, s.life == none
		}
		return s, c.Answer == storetest.Taken && s.life != none
	case storetest.AskGet:
		switch c.Answer {
		case storetest.Absent:
			return s, s.life == none
		case storetest.Done:
			return s, s.life == live && s.version == c.Version && s.data == c.Data
		case storetest.Over:
			return s, over && s.data == c.Data
		}
	case storetest.AskUpdate:
		switch c.Answer {
		case storetest.Done:
			return state{live, c.Raised, c.Data, c.Due}, s.life == live && s.version == c.Version && c.Raised > c.Version
		case storetest.Conflict:
			return s, s.life == live && s.version != c.Version
		case storetest.Over:
			return s, over
		case storetest.Absent:
			return s, s.life == none
		}
	case storetest.AskEnd:
		switch c.Answer {
		case storetest.Done:
			s.life, ok = ended, s.life == live || s.life == fenced
			return s, ok
		case storetest.Not:
			return s, s.life == none || s.life == ended
		case storetest.Absent:
			return s, s.life == none
		}
	case storetest.AskLimit:
		ok = s.life == live
		s.life = ended
		return s, ok
	case storetest.AskFence:
		if s.life == live {
			s.life = fenced
		}
		return s, true
	case storetest.AskPrune:
		ok = s.life == live && s.due || s.life == fenced
		s.life = ended
		return s, ok
	case storetest.AskOnce:
		return state{life: used}, (c.Answer == storetest.Done) == (s.life == none)
	}
	return s, false
}

func describe(calls []storetest.Call) string {
	calls = slices.Clone(calls)
	slices.SortFunc(calls, func(a, b storetest.Call) int { return cmp.Compare(a.Start, b.Start) })
	var b strings.Builder
	for _, c := range calls {
		fmt.Fprintf(&b, "%4d to %4d  caller %d  %s: %s  version %d to %d, data %x, due %v\n",
			c.Start, c.Return, c.Caller, c.Ask, c.Answer, c.Version, c.Raised, c.Data, c.Due)
	}
	return b.String()
}
