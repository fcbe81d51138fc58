package sqlite

import (
	"context"
	"errors"
	"fmt"
)

// maxBatch bounds the calls that share a transaction, and with them how long
// the first of them waits for the last.
const maxBatch = 256

// op is one call that writes.
type op struct {
	run  func(*tx) error
	err  error         // valid once done is closed
	done chan struct{} // closed when the outcome is on the disk
}

var errInterrupted = errors.New("sqlite: the transaction was not finished")

// commit runs one atomic step, in a transaction shared with the calls that
// arrive while another transaction is being synced. Nobody waits on purpose:
// the first caller to find no transaction running leads the next one at once,
// so a lone caller pays for its own transaction and nothing else.
//
// An error of run itself refuses this step alone; run refuses before it writes
// anything. An error of the engine undoes the whole transaction, and each of
// its callers is told.
//
// When ctx ends before the step was taken into a transaction, nothing happens
// and commit returns at once. After that it waits for the outcome, because an
// answer that might be wrong is worth less than a late one.
func (s *Store) commit(ctx context.Context, doing string, run func(*tx) error) error {
	err := s.wait(ctx, run)
	if err != nil {
		return fmt.Errorf("%s: %w", doing, explain(err))
	}
	return nil
}

func (s *Store) wait(ctx context.Context, run func(*tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	o := &op{run: run, done: make(chan struct{})}
	s.mu.Lock()
	s.queue = append(s.queue, o)
	s.mu.Unlock()
	for {
		select {
		case <-o.done: // before leading for others once more
			return o.err
		default:
		}
		select {
		case s.lead <- struct{}{}:
			s.leadBatch(ctx)
			continue
		case <-o.done:
			return o.err
		case <-ctx.Done():
			if s.withdraw(o) {
				return ctx.Err()
			}
		case <-s.closed:
			if s.withdraw(o) {
				return ErrClosed
			}
		}
		// A transaction has it.
		<-o.done
		return o.err
	}
}

// withdraw takes o out of the queue, if it is still there.
func (s *Store) withdraw(o *op) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, queued := range s.queue {
		if queued == o {
			s.queue = append(s.queue[:i], s.queue[i+1:]...)
			return true
		}
	}
	return false
}

// take removes up to n calls from the queue. From then on they get an outcome.
func (s *Store) take(n int) []*op {
	s.mu.Lock()
	defer s.mu.Unlock()
	n = min(n, len(s.queue))
	batch := s.queue[:n:n]
	s.queue = s.queue[n:]
	if len(s.queue) == 0 {
		s.queue = nil
	}
	return batch
}

// leadBatch runs one transaction for whoever is waiting. The caller holds the
// lead; it is handed on when the outcome is known to all.
func (s *Store) leadBatch(ctx context.Context) {
	var batch []*op
	defer func() {
		for _, o := range batch {
			close(o.done)
		}
		<-s.lead
	}()
	s.mu.Lock()
	waiting := len(s.queue)
	s.mu.Unlock()
	if waiting == 0 {
		return // somebody else has done it
	}
	// The calls are taken once the lock is held: while another process has it,
	// each may still give up in its own time, the leader too.
	if err := s.writer.begin(ctx); err != nil {
		if ctx.Err() == nil {
			batch = s.take(waiting)
			setAll(batch, err)
		}
		return
	}
	batch = s.take(maxBatch)
	setAll(batch, errInterrupted) // what they hear should a step panic
	finished := false
	defer func() {
		if !finished {
			// The outcome of a failed commit is known to the disk alone, so
			// the memory forgets what it knew.
			s.writer.undo()
			s.known = nil
			s.cache.clear()
		}
	}()
	t, err := s.writer.start(s.known)
	seq := t.seq
	for i := 0; err == nil && i < len(batch); i++ {
		wrote := t.wrote
		batch[i].err = batch[i].run(t)
		if batch[i].err != nil && (t.broken != nil || t.wrote != wrote) {
			err = batch[i].err
		}
	}
	if err == nil {
		s.cache.expect(t.changes)
		err = t.finish()
	}
	if err != nil {
		setAll(batch, err)
		return
	}
	if s.cache != nil {
		s.known = &t.meta
		s.cache.apply(t.changes)
	}
	s.raiseEpoch(t.epoch) // last: what was written before everything ended is there by now
	s.cache.settle()
	finished = true
	if t.seq != seq {
		s.bell.ring()
	}
}

func setAll(batch []*op, err error) {
	for _, o := range batch {
		o.err = err
	}
}
