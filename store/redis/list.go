package redis

import (
	"context"
	"slices"
	"strings"

	"github.com/lanyard-go/lanyard"
)

const (
	// maxExamined bounds the work of one page of a query that matches little.
	maxExamined = 4096
	// maxListed is how many records one command reads.
	maxListed = 128
)

// found is a record that a walk has come to, in stored form. It is empty if the
// record was removed since its SID was read.
type found struct{ sid, stored string }

// List implements [lanyard.Store].
func (s *Store) List(ctx context.Context, q lanyard.Query) (lanyard.Page, error) {
	if q.After != "" {
		if _, err := lanyard.ParseSID(q.After); err != nil {
			return lanyard.Page{}, lanyard.ErrBadCursor
		}
	}
	walk := s.walkAll
	if q.Subject != "" {
		walk = func(ctx context.Context, after string, want int) ([]found, []uint64, bool, error) {
			return s.walkSubject(ctx, q.Subject, after, want)
		}
	}
	var page lanyard.Page
	after := q.After
	for examined := 0; ; {
		batch, epochs, last, err := walk(ctx, after, min(q.PageSize()-len(page.Records), maxListed))
		if err != nil {
			return lanyard.Page{}, err
		}
		for i, f := range batch {
			if len(page.Records) == q.PageSize() || examined == maxExamined {
				page.Next = after
				return page, nil
			}
			examined++
			after = f.sid
			if f.stored == "" {
				continue
			}
			sid, err := lanyard.ParseSID(f.sid)
			if err != nil {
				return lanyard.Page{}, err
			}
			rec, err := decode(f.stored, sid, epochs[i])
			if err != nil {
				return lanyard.Page{}, err
			}
			if q.Match(rec) {
				page.Records = append(page.Records, rec)
			}
		}
		if last {
			return page, nil
		}
	}
}

// walkSubject returns the subject's next records that are older than after, with
// the global epoch for each, and whether there are no others.
func (s *Store) walkSubject(ctx context.Context, subject, after string, want int) ([]found, []uint64, bool, error) {
	const doing = "listing sessions"
	part := lanyard.SubjectPartition(subject)
	want = max(want, 1)
	answer, err := s.run(ctx, doing, stepSubjectList, part, digest(subject), after, number(want))
	if err != nil {
		return nil, nil, false, err
	}
	head, pairs, err := numbers(doing, answer, 1)
	if err != nil || len(pairs)%2 != 0 {
		return nil, nil, false, badReply(doing, answer)
	}
	var batch []found
	var epochs []uint64
	for pair := range slices.Chunk(pairs, 2) {
		sid, _ := pair[0].(string)
		stored, _ := pair[1].(string)
		batch, epochs = append(batch, found{sid, stored}), append(epochs, uint64(head[0]))
	}
	return batch, epochs, len(batch) < want, nil
}

// walkAll does the same for all records: the next few SIDs of every partition
// are read at once and merged.
func (s *Store) walkAll(ctx context.Context, after string, want int) ([]found, []uint64, bool, error) {
	const doing = "listing sessions"
	few := 2*want/lanyard.Partitions + 8
	from := "+"
	if after != "" {
		from = "(" + after
	}
	var sids [lanyard.Partitions][]string
	err := each(ctx, func(ctx context.Context, part int) error {
		reply, err := s.send(ctx, doing, []string{
			"ZRANGE", s.keys[part].all(), from, "-", "BYLEX", "REV", "LIMIT", "0", number(few),
		}, 1)
		if err != nil {
			return err
		}
		values, ok := reply.([]any)
		if !ok {
			return badReply(doing, reply)
		}
		for _, v := range values {
			sid, _ := v.(string)
			sids[part] = append(sids[part], sid)
		}
		return nil
	})
	if err != nil {
		return nil, nil, false, err
	}
	// A partition that was cut says nothing about what is older than its last
	// SID, so the merge goes no further than the newest of those.
	var next []string
	horizon, last := "", true
	for _, some := range sids {
		next = append(next, some...)
		if len(some) == few {
			horizon, last = max(horizon, some[few-1]), false
		}
	}
	slices.SortFunc(next, func(a, b string) int { return strings.Compare(b, a) })
	for i, sid := range next {
		if sid < horizon {
			next = next[:i]
			break
		}
	}
	if len(next) > want && want > 0 {
		next, last = next[:want], false
	}
	batch, epochs, err := s.load(ctx, next)
	return batch, epochs, last, err
}

// load reads the records of all partitions at once.
func (s *Store) load(ctx context.Context, sids []string) ([]found, []uint64, error) {
	const doing = "listing sessions"
	batch, epochs := make([]found, len(sids)), make([]uint64, len(sids))
	var at [lanyard.Partitions][]int // places in batch
	for i, text := range sids {
		sid, err := lanyard.ParseSID(text)
		if err != nil {
			return nil, nil, badReply(doing, text)
		}
		batch[i].sid = text
		at[sid.Partition()] = append(at[sid.Partition()], i)
	}
	err := each(ctx, func(ctx context.Context, part int) error {
		if len(at[part]) == 0 {
			return nil
		}
		cmd := []string{"MGET", s.keys[part].epoch()}
		for _, i := range at[part] {
			cmd = append(cmd, string(s.keys[part])+"r:"+sids[i])
		}
		reply, err := s.send(ctx, doing, cmd, 1)
		if err != nil {
			return err
		}
		values, _ := reply.([]any)
		if len(values) != len(at[part])+1 {
			return badReply(doing, reply)
		}
		epoch, err := epochOf(doing, values[0])
		if err != nil {
			return err
		}
		for n, i := range at[part] {
			batch[i].stored, _ = values[n+1].(string)
			epochs[i] = epoch
		}
		return nil
	})
	return batch, epochs, err
}
