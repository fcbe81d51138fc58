package memory

import (
	"context"
	"errors"
	"iter"
	"slices"

	"github.com/lanyard-go/lanyard"
)

const (
	// maxExamined bounds the work of one page of a query that matches little.
	maxExamined = 4096
	// walkChunk is how many SIDs are taken from a partition at a time.
	walkChunk = 32
)

// List implements [lanyard.Store].
func (s *Store) List(ctx context.Context, q lanyard.Query) (lanyard.Page, error) {
	var after lanyard.SID
	if q.After != "" {
		var err error
		if after, err = lanyard.ParseSID(q.After); err != nil {
			return lanyard.Page{}, lanyard.ErrBadCursor
		}
	}
	walk := s.walkAll(after)
	if q.Subject != "" {
		walk = s.walkSubject(q.Subject, after)
	}
	var page lanyard.Page
	examined := 0
	for sid := range walk {
		if len(page.Records) == q.PageSize() || examined == maxExamined {
			page.Next = after.String()
			break
		}
		examined++
		after = sid
		rec, err := s.Get(ctx, sid)
		if errors.Is(err, lanyard.ErrNotFound) {
			continue // removed since
		}
		if err != nil {
			return lanyard.Page{}, err
		}
		if q.Match(rec) {
			page.Records = append(page.Records, rec)
		}
	}
	return page, nil
}

// walkSubject yields the subject's SIDs older than after, newest first. The
// zero SID is newer than all.
func (s *Store) walkSubject(subject string, after lanyard.SID) iter.Seq[lanyard.SID] {
	return func(yield func(lanyard.SID) bool) {
		p := &s.parts[lanyard.SubjectPartition(subject)]
		key := keyOf(subject)
		p.mu.RLock()
		sids := append(p.active.of(key), p.ended.of(key)...)
		p.mu.RUnlock()
		slices.SortFunc(sids, compareSID)
		for _, sid := range slices.Backward(sids) {
			if (after.IsZero() || compareSID(sid, after) < 0) && !yield(sid) {
				return
			}
		}
	}
}

// walkAll does the same for all records: a merge of the partitions, each of
// which is locked only while the next few of its SIDs are copied.
func (s *Store) walkAll(after lanyard.SID) iter.Seq[lanyard.SID] {
	return func(yield func(lanyard.SID) bool) {
		var heads [lanyard.Partitions][]lanyard.SID
		for i := range heads {
			heads[i] = s.parts[i].before(after)
		}
		for {
			newest := -1
			for i, head := range heads {
				if len(head) > 0 && (newest < 0 || compareSID(head[0], heads[newest][0]) > 0) {
					newest = i
				}
			}
			if newest < 0 {
				return
			}
			sid := heads[newest][0]
			if !yield(sid) {
				return
			}
			if heads[newest] = heads[newest][1:]; len(heads[newest]) == 0 {
				heads[newest] = s.parts[newest].before(sid)
			}
		}
	}
}

// before returns the next SIDs older than after, newest first. It takes the
// lock itself.
func (p *partition) before(after lanyard.SID) []lanyard.SID {
	p.mu.RLock()
	defer p.mu.RUnlock()
	end := len(p.records.sids)
	if !after.IsZero() {
		end = p.records.position(after)
	}
	chunk := slices.Clone(p.records.sids[max(0, end-walkChunk):end])
	slices.Reverse(chunk)
	return chunk
}
