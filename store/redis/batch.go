package redis

import (
	"context"
	"errors"
	"slices"
	"sync"
)

const (
	// maxBatch bounds the creations that share a step, by what each may cost the
	// server: one without a limit some twenty microseconds, so that the server is
	// never held for more than about a millisecond.
	maxBatch = 48

	// maxFlying is how many steps of a lane are on their way at once: the server
	// has the next one at hand when it is done with the one before.
	maxFlying = 2
)

// creation is a call of Create that is to be put into a step.
type creation struct {
	part   int
	args   []string // what create.lua needs for it
	weight int      // of maxBatch

	batch *batch // that has it
	done  chan struct{}

	// Valid once done is closed. Until then the epochs are those that it is
	// likely to get.
	raised, epoch uint64
	seq           int64 // of the last entry it appended
	ended         []any
	err           error
}

// lane lets creations that are asked for while steps are on their way share the
// next one. Nobody waits on purpose: who finds the way free goes at once and
// alone.
type lane struct {
	mu     sync.Mutex
	flying int
	queue  []*creation
}

// batch is what shares a step. It is given up when nobody waits for it any more.
type batch struct {
	all     []*creation
	waiting int
	cancel  context.CancelFunc
}

// create takes the step for c, alone or with others. When ctx ends it returns at
// once; whether c happens then is not known, unless it was still in the queue.
func (s *Store) create(ctx context.Context, doing string, c *creation) error {
	l := &s.lanes[0]
	if s.slots {
		l = &s.lanes[c.part] // the keys of a step have to be in one slot
	}
	l.mu.Lock()
	if l.flying < maxFlying {
		l.flying++
		l.mu.Unlock()
		defer func() {
			if b, ctx := l.land(); b != nil {
				go s.fly(ctx, l, doing, b)
			}
		}()
		s.createAll(ctx, doing, []*creation{c})
		return c.err
	}
	c.done = make(chan struct{})
	l.queue = append(l.queue, c)
	l.mu.Unlock()
	select {
	case <-c.done:
		return c.err
	case <-ctx.Done():
		l.leave(c)
		return explain(doing, ctx.Err())
	}
}

// fly takes steps for those who wait, as long as there are any.
func (s *Store) fly(ctx context.Context, l *lane, doing string, b *batch) {
	for ; b != nil; b, ctx = l.land() {
		s.createAll(ctx, doing, b.all)
		b.cancel()
		for _, c := range b.all {
			close(c.done)
		}
	}
}

// land ends a step and returns the next one, for those who have waited longest,
// or nil if nobody waits. Its context ends when all of them have left.
func (l *lane) land() (*batch, context.Context) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, weight := 0, 0
	for n < len(l.queue) && (n == 0 || weight+l.queue[n].weight <= maxBatch) {
		weight += l.queue[n].weight
		n++
	}
	if n == 0 {
		l.flying--
		return nil, nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	b := &batch{all: l.queue[:n:n], waiting: n, cancel: cancel}
	for _, c := range b.all {
		c.batch = b
	}
	l.queue = slices.Clone(l.queue[n:])
	return b, ctx
}

// leave takes c out of the queue, or out of those for whom its batch goes on.
func (l *lane) leave(c *creation) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := c.batch
	if b == nil {
		i := slices.Index(l.queue, c)
		l.queue = slices.Delete(l.queue, i, i+1)
		return
	}
	if b.waiting--; b.waiting == 0 {
		b.cancel()
	}
}

// createAll takes one step for all and writes down what became of each.
func (s *Store) createAll(ctx context.Context, doing string, all []*creation) {
	slices.SortStableFunc(all, func(a, b *creation) int { return a.part - b.part })
	metas := make([]string, 0, len(all))
	args := make([]string, 0, 11*len(all))
	for rest := all; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n].part == rest[0].part {
			n++
		}
		metas = append(metas, s.keys[rest[0].part].meta())
		args = append(args, number(n))
		for _, c := range rest[:n] {
			args = append(args, c.args...)
		}
		rest = rest[n:]
	}
	answer, err := s.runOn(ctx, doing, stepCreate, metas, args)
	if err == nil {
		err = deal(doing, all, answer)
	}
	if err != nil {
		for _, c := range all {
			c.err = err
		}
	}
}

// deal gives each creation its part of the answer: a code and what follows it.
func deal(doing string, all []*creation, answer []any) error {
	for _, c := range all {
		if len(answer) == 0 {
			return badReply(doing, answer)
		}
		code, ok := answer[0].(int64)
		if !ok {
			return badReply(doing, answer[0])
		}
		switch answer = answer[1:]; code {
		case replyGuessed:
		case replyRefused:
			if len(answer) == 0 {
				return badReply(doing, answer)
			}
			why, _ := answer[0].(string)
			c.err, answer = explain(doing, errors.New(why)), answer[1:]
		case replyOK:
			head, rest, err := numbers(doing, answer, 4)
			if err != nil {
				return err
			}
			n := head[3]
			if n < 0 || n > int64(len(rest)) {
				return badReply(doing, answer)
			}
			c.raised, c.epoch, c.seq = uint64(head[0]), uint64(head[1]), head[2]
			c.ended, answer = rest[:n], rest[n:]
		default:
			c.err = verdict(doing, code)
		}
	}
	return nil
}
