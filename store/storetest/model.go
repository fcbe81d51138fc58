package storetest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard"
)

// stretch is how many operations one store of [Model] sees. By then every record
// has come and gone a few times.
const stretch = 10_000

// Model compares the store with a simple model of what it should do, in so many
// random operations: six callers take turns, each with copies of records,
// places in lists and cursors of the feed that the others have made stale, so
// that writes come late and are tried again. Every answer is compared. Each ten
// thousand operations are a subtest on a store of their own, named after the
// seed that repeats it.
//
// When an answer differs, Model leaves out operations for as long as an answer
// still differs, and reports the few that are left.
func Model(t *testing.T, open func(t *testing.T) lanyard.Store, seed uint64, ops int) {
	t.Helper()
	for ; ops > 0; ops, seed = ops-stretch, seed+1 {
		steps := make([]int, min(ops, stretch))
		for i := range steps {
			steps[i] = i
		}
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			at, complaint, history := perform(open(t), seed, steps)
			if complaint == "" {
				return
			}
			short := shorten(steps[:at+1], func(steps []int) int {
				at, found, said := perform(open(t), seed, steps)
				if found == "" {
					return -1
				}
				complaint, history = found, said
				return at
			})
			t.Errorf("seed %d: operation %d of %d: %s\nshortened to %d operations:\n%s",
				seed, at, len(steps), complaint, len(short), strings.Join(history, "\n"))
		})
	}
}

// ModelCase is one stretch of [Model] as a [Case], without the shortening.
func ModelCase(seed uint64, ops int) Case {
	return Case{fmt.Sprintf("the model agrees (seed %d)", seed), func(t testing.TB, s lanyard.Store) {
		steps := make([]int, ops)
		for i := range steps {
			steps[i] = i
		}
		if at, complaint, history := perform(s, seed, steps); complaint != "" {
			t.Errorf("operation %d: %s\n%s", at, complaint, strings.Join(history, "\n"))
		}
	}}
}

// shorten returns steps with as many as possible left out. Try returns the index
// of the step at which they fail, or -1.
func shorten(steps []int, try func([]int) int) []int {
	deadline := time.Now().Add(20 * time.Second)
	for size := len(steps) / 2; size > 0; size /= 2 {
		for from := 0; from+size < len(steps); {
			if time.Now().After(deadline) {
				return steps
			}
			left := append(steps[:from:from], steps[from+size:]...)
			if at := try(left); at >= 0 {
				steps = left[:at+1]
			} else {
				from += size
			}
		}
	}
	try(steps) // so that what it tells last is about these
	return steps
}

// play is a run of the model beside a store.
type play struct {
	ctx     context.Context
	store   lanyard.Store
	model   *reference
	callers [6]caller
	clock   lanyard.Time
	step    int
	who     *caller // whose turn it is
	history []string
	wrong   string // the first answer that differs
}

// caller is one of those who take turns.
type caller struct {
	copies []*lanyard.Record // some stale
	cursor string            // in the feed
	unseen []line            // behind the cursor
	again  map[lanyard.Entry]bool
	walk   *walk // a list half read
	note   string
}

// perform runs the steps and returns at which one an answer differed, how, and
// the last operations before it.
func perform(s lanyard.Store, seed uint64, steps []int) (at int, complaint string, history []string) {
	p := &play{ctx: context.Background(), store: s, model: newReference(), clock: base}
	for at, p.step = range steps {
		d := diceFor(seed, p.step)
		if p.clock += lanyard.Time(1 + d.below(4000)); d.below(400) == 0 {
			p.clock += 45 * minute // many are over at once
		}
		n := d.below(len(p.callers))
		p.who = &p.callers[n]
		p.note("%d at %s, caller %d:", p.step, time.Duration(p.clock-base)*time.Millisecond, n)
		p.act(d)
		if p.wrong != "" {
			return at, p.wrong, p.history
		}
	}
	return 0, "", nil
}

// act does one operation. How often each comes decides how many sessions there
// are: some tens of each subject.
func (p *play) act(d *dice) {
	switch n := d.below(1000); {
	case n < 200:
		p.create(d)
	case n < 350:
		p.get(d)
	case n < 600:
		p.update(d)
	case n < 680:
		p.revokeSID(d)
	case n < 695:
		p.revokeSubject(d)
	case n < 698:
		p.revokeAll(d)
	case n < 703:
		p.revokeKey()
	case n < 763:
		p.list(d)
	case n < 813:
		p.walkOn(d)
	case n < 913:
		p.readFeed(d)
	case n < 953:
		p.useOnce(d)
	case n < 963:
		p.takeNote(d)
	default:
		p.prune(d)
	}
}

func (p *play) note(format string, args ...any) {
	if len(p.history) == 200 {
		p.history = append(p.history[:0], p.history[100:]...)
	}
	p.history = append(p.history, fmt.Sprintf(format, args...))
}

// did completes the line of this step.
func (p *play) did(format string, args ...any) {
	p.history[len(p.history)-1] += " " + fmt.Sprintf(format, args...)
}

func (p *play) fail(format string, args ...any) {
	if p.wrong == "" {
		p.wrong = fmt.Sprintf(format, args...)
	}
}

// keep gives the caller a copy, in place of another when it has enough.
func (p *play) keep(d *dice, r *lanyard.Record) {
	if len(p.who.copies) < 5 {
		p.who.copies = append(p.who.copies, r)
	} else {
		p.who.copies[d.below(5)] = r
	}
}

// anySID returns one of a record that the caller knows, of any record, of one
// that was forgotten, or of none.
func (p *play) anySID(d *dice) lanyard.SID {
	switch n := d.below(10); {
	case n < 5 && len(p.who.copies) > 0:
		return one(d, p.who.copies).SID
	case n < 8 && len(p.model.order) > 0:
		return one(d, p.model.order)
	case n < 9 && len(p.model.gone) > 0:
		return one(d, p.model.gone)
	}
	return sid("alice", p.clock, 1<<50+uint64(p.step))
}
