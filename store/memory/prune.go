package memory

import (
	"context"
	"errors"
	"fmt"

	"github.com/lanyard-go/lanyard"
)

// Prune implements [lanyard.Store]. What it removes is not limited, as removing
// is cheap; it holds one partition at a time.
func (s *Store) Prune(_ context.Context, q lanyard.Prune) (lanyard.Ended, error) {
	if q.Limit < 1 {
		return lanyard.Ended{}, fmt.Errorf("pruning: a limit of %d, at least 1", q.Limit)
	}
	s.feed.prune(q.Now)
	s.once.prune(q.Now)
	var done lanyard.Ended
	for i := range s.parts {
		p := &s.parts[i]
		p.mu.Lock()
		err := s.prunePartition(p, q, &done)
		p.mu.Unlock()
		if err != nil {
			return done, fmt.Errorf("pruning: %w", err)
		}
	}
	return done, nil
}

func (s *Store) prunePartition(p *partition, q lanyard.Prune, done *lanyard.Ended) error {
	epoch := s.epoch.Load()
	if err := p.pruneFenced(q, epoch, done); err != nil {
		return err
	}
	if err := p.pruneDue(q, epoch, done); err != nil {
		return err
	}
	for key, e := range p.epochs {
		if e.until <= q.Now {
			// The epoch of a subject never falls: all others start from here now.
			p.floor = max(p.floor, e.epoch)
			delete(p.epochs, key)
		}
	}
	return p.forget(q.Forget)
}

// sweep is how far the walk over records older than a global epoch has come.
type sweep struct {
	epoch uint64
	from  lanyard.SID // where to go on; records before it have ended
	done  bool
}

// pruneFenced walks the records older than the global epoch, from where the
// call before had to stop. No such record can appear behind it.
func (p *partition) pruneFenced(q lanyard.Prune, epoch uint64, done *lanyard.Ended) error {
	if p.sweep.epoch != epoch {
		p.sweep = sweep{epoch: epoch}
	}
	if p.sweep.done {
		return nil
	}
	from := p.records.position(p.sweep.from)
	for _, sid := range p.records.sids[from:] {
		p.sweep.from = sid
		rec, err := p.load(sid, epoch)
		if err != nil {
			return err
		}
		if !rec.Fenced {
			continue
		}
		if full(q, done) {
			return nil
		}
		if err := p.end(rec, lanyard.ReasonRevokedAll, q.Now, done); err != nil {
			return err
		}
	}
	p.sweep.done = true
	return nil
}

// pruneDue ends the records whose deadlines have come.
func (p *partition) pruneDue(q lanyard.Prune, epoch uint64, done *lanyard.Ended) error {
	for {
		sid, ok := p.due.due(q.Now)
		if !ok {
			return nil
		}
		rec, err := p.load(sid, epoch)
		switch {
		case errors.Is(err, lanyard.ErrNotFound):
			p.due.pop()
			continue
		case err != nil:
			return err
		case rec.EndReason != "":
			p.due.pop()
			continue
		}
		reason := rec.Expired(q.Now)
		if reason == "" { // it was used since
			p.due.pop()
			p.due.push(deadline(rec), sid)
			continue
		}
		if full(q, done) {
			return nil
		}
		if err := p.end(rec, reason, q.Now, done); err != nil {
			return err
		}
		p.due.pop()
	}
}

// full reports whether one more record may not be ended in this call, and notes
// in done that there is one.
func full(q lanyard.Prune, done *lanyard.Ended) bool {
	if len(done.Records) < q.Limit {
		return false
	}
	done.More = true
	return true
}

func (p *partition) end(rec *lanyard.Record, reason lanyard.Reason, now lanyard.Time, done *lanyard.Ended) error {
	var e ending
	if err := e.add(rec, reason, system, now); err != nil {
		return err
	}
	p.commit(&e)
	done.Records = append(done.Records, rec)
	return nil
}

// forget removes the records that ended at or before the given time.
func (p *partition) forget(before lanyard.Time) error {
	var removed []lanyard.SID
	for {
		sid, ok := p.gone.due(before)
		if !ok {
			break
		}
		rec, err := p.load(sid, 0)
		if err != nil {
			return err
		}
		p.gone.pop()
		p.unindex(rec)
		removed = append(removed, sid)
	}
	if len(removed) > 0 {
		p.records.remove(removed)
	}
	return nil
}
