package revocation

import (
	"context"
	"errors"
	"io"
	"iter"
	"math"
	"net/http"
	"time"
)

// place returns the cursor up to which everything is in the set, empty when a
// snapshot is due.
func (f *Follower) place() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.cursor
}

// forgetPlace makes a snapshot due. What is in the set stays.
func (f *Follower) forgetPlace() { f.advance("") }

// advance notes that everything up to a cursor is in the set.
func (f *Follower) advance(cursor string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cursor = cursor
}

func (f *Follower) setConnection(c connection) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.conn = c
}

// apply takes in a batch: first the set, then those who watch, then whoever asked
// for it, and only then the place, which is what is acknowledged.
func (f *Follower) apply(entries []Entry, cursor string) error {
	if n := f.set.Len() + len(entries); n > f.cfg.MaxEntries {
		return faultf(TroubleFull, "the feed would hold %d entries here; MaxEntries is %d", n, f.cfg.MaxEntries)
	}
	news := f.news(entries)
	f.set.Apply(f.read().mono, kept(entries)...)
	seen := f.cfg.Now().UnixMilli()
	f.bury(f.watchers.touched(entries))
	if f.cfg.Apply != nil {
		f.cfg.Apply(entries, cursor)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cursor = cursor
	f.totals.batches++
	f.totals.entries += uint64(len(entries))
	for _, e := range news {
		f.lags.note(e, seen)
	}
	return nil
}

// kept returns the entries with some time on top, because a token is judged by
// this machine's clocks: the wall clock may be behind the issuer's, and the
// monotonic one, which the set goes by, may be fast.
func kept(entries []Entry) []Entry {
	long := make([]Entry, len(entries))
	for i, e := range entries {
		e.Keep += e.Keep/64 + clockTolerance
		long[i] = e
	}
	return long
}

// news returns the entries that say something new. A node sends some again after
// a connection broke, and those were not late.
func (f *Follower) news(entries []Entry) (found []*Entry) {
	for i := range entries {
		e := &entries[i]
		// A badge that nothing but an entry at least as strong as e kills.
		b := Badge{GlobalEpoch: math.MaxUint64, SubjectEpoch: math.MaxUint64, Generation: math.MaxUint32}
		switch e.Kind {
		case KindSession:
			b.SID = e.SID
		case KindGeneration:
			b.SID, b.Generation = e.SID, e.Generation-1
		case KindSubject:
			b.Subject, b.SubjectEpoch = e.Subject, e.Epoch-1
		case KindAll:
			b.GlobalEpoch = e.Epoch - 1
		case KindKey:
			b.Key = e.Key
		}
		if _, known := f.set.Dead(&b); !known {
			found = append(found, e)
		}
	}
	return found
}

// snapshotLimit is how long reading a snapshot may take.
const snapshotLimit = 2 * time.Minute

// restart takes a snapshot and puts the follower's place behind it. It was read
// whole and found to be sound before anything of it counts. Entries are added to
// those in force, never taken away.
func (f *Follower) restart(ctx context.Context, at endpoint, patience time.Duration) error {
	ctx, broken := context.WithCancelCause(ctx)
	defer broken(nil)
	limit := time.AfterFunc(snapshotLimit, func() { broken(faultf(TroubleSnapshot, "not read within %v", snapshotLimit)) })
	defer limit.Stop()
	idle := time.AfterFunc(patience, func() { broken(faultf(TroubleUnreachable, "no snapshot within %v", patience)) })
	defer idle.Stop()
	req, err := f.request(ctx, http.MethodGet, at.snapshot, nil)
	if err != nil {
		return err
	}
	res, err := f.send(req, "application/octet-stream")
	if err != nil {
		return because(ctx, err)
	}
	defer res.Body.Close()
	s, err := ReadSnapshot(&lively{res.Body, idle}, f.cfg.MaxEntries)
	switch {
	case err != nil && context.Cause(ctx) != nil:
		return because(ctx, err)
	case errors.Is(err, ErrSnapshot):
		return &fault{TroubleSnapshot, err}
	case err != nil:
		return &fault{TroubleUnreachable, err}
	case s.Issuer != f.cfg.Issuer:
		return faultf(TroubleIssuer, "the snapshot is that of %.200q, not of %q", s.Issuer, f.cfg.Issuer)
	case s.Cursor == "":
		return faultf(TroubleSnapshot, "it has no cursor")
	}
	now := f.read().mono
	for batch := range batches(s.All()) {
		f.set.Apply(now, kept(batch)...)
	}
	f.bury(f.watchers.every())
	if f.cfg.Restart != nil {
		f.cfg.Restart(s)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cursor = s.Cursor
	f.totals.snapshots++
	return nil
}

// batches cuts a sequence into slices of [MaxBatch], each valid until the next.
func batches(all iter.Seq[Entry]) iter.Seq[[]Entry] {
	return func(yield func([]Entry) bool) {
		batch := make([]Entry, 0, MaxBatch)
		for e := range all {
			if batch = append(batch, e); len(batch) == MaxBatch {
				if !yield(batch) {
					return
				}
				batch = batch[:0]
			}
		}
		if len(batch) > 0 {
			yield(batch)
		}
	}
}

// lively puts off an alarm whenever something was read.
type lively struct {
	r     io.Reader
	alarm *time.Timer
}

func (l *lively) Read(b []byte) (int, error) {
	n, err := l.r.Read(b)
	if n > 0 {
		l.alarm.Reset(mostPatience)
	}
	return n, err
}
