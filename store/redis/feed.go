package redis

import (
	"context"

	"github.com/lanyard-go/lanyard"
)

// maxFeedPage bounds what one call reads of the feed.
const maxFeedPage = 1000

// stretch is the next part of a partition's feed.
type stretch struct {
	entries []lanyard.Entry
	seqs    []uint64
	head    uint64 // of the partition's feed
	cut     bool   // there is more than was read
}

// Revocations implements [lanyard.Store]. The partitions are read at once, each
// in one step, and merged by the time of their entries; entries of one subject
// are in the order in which they were appended. A limit over 1000 means 1000. A
// cursor ahead of the feed, as it is left over when a failover or a restored
// backup lost entries, gives [lanyard.ErrBadCursor].
func (s *Store) Revocations(ctx context.Context, after string, limit int) ([]lanyard.Entry, string, error) {
	p, err := s.place(after)
	if err != nil {
		return nil, "", err
	}
	if limit < 1 {
		return nil, s.cursor(p), nil
	}
	limit = min(limit, maxFeedPage)
	share := min(limit, limit/8+8) // from each partition: a page is rarely of one alone
	var read [lanyard.Partitions]stretch
	err = each(ctx, func(ctx context.Context, part int) (err error) {
		read[part], err = s.readFeed(ctx, part, p[part], share)
		return err
	})
	if err != nil {
		return nil, "", err
	}
	return merge(&read, p, limit), s.cursor(p), nil
}

func (s *Store) readFeed(ctx context.Context, part int, after uint64, limit int) (stretch, error) {
	var read stretch
	answer, err := s.run(ctx, "reading the feed", stepFeed, part, number(after), number(limit))
	if err != nil {
		return read, err
	}
	head, lines, err := numbers("reading the feed", answer, 1)
	if err != nil {
		return read, err
	}
	read.head, read.cut = uint64(head[0]), len(lines) == limit
	s.heads[part].Store(read.head)
	for _, line := range lines {
		stored, ok := line.(string)
		if !ok {
			return read, badReply("reading the feed", line)
		}
		seq, entry, err := decodeEntry(stored)
		if err != nil {
			return read, err
		}
		read.seqs, read.entries = append(read.seqs, seq), append(read.entries, entry)
	}
	return read, nil
}

// merge takes at most limit entries, the earliest first, and moves the place
// behind those it took: to the partition's head where nothing was left.
func merge(read *[lanyard.Partitions]stretch, p *place, limit int) []lanyard.Entry {
	var taken []lanyard.Entry
	for len(taken) < limit {
		first := -1
		for part := range read {
			if r := &read[part]; len(r.entries) > 0 && (first < 0 || r.entries[0].At < read[first].entries[0].At) {
				first = part
			}
		}
		if first < 0 {
			break
		}
		r := &read[first]
		taken, p[first] = append(taken, r.entries[0]), r.seqs[0]
		r.entries, r.seqs = r.entries[1:], r.seqs[1:]
	}
	for part := range read {
		if r := &read[part]; len(r.entries) == 0 && !r.cut {
			p[part] = r.head
		}
	}
	return taken
}
