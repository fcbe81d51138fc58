package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/lanyard-go/lanyard"
)

// place is a position in the feed. SQLite has one writer at a time, so places
// are given in the order of the commits that make them visible.
type place struct{ epoch, seq uint64 }

func (p place) String() string { return fmt.Sprintf("f%x.%x", p.epoch, p.seq) }

func (p place) after(q place) bool {
	return p.epoch > q.epoch || p.epoch == q.epoch && p.seq > q.seq
}

// parsePlace accepts only what String writes.
func parsePlace(cursor string) (place, error) {
	var p place
	if cursor == "" {
		return p, nil
	}
	if _, err := fmt.Sscanf(cursor, "f%x.%x", &p.epoch, &p.seq); err != nil || p.String() != cursor {
		return place{}, lanyard.ErrBadCursor
	}
	if p.epoch > maxInteger || p.seq > maxInteger {
		return place{}, lanyard.ErrBadCursor
	}
	return p, nil
}

// maxInteger is the largest number that SQLite can keep.
const maxInteger = 1<<63 - 1

// Revocations implements [lanyard.Store]. A limit over 1000 means 1000. A cursor
// ahead of the feed, as it is left over when an older copy of the file
// was put in place, gives [lanyard.ErrBadCursor].
func (s *Store) Revocations(ctx context.Context, after string, limit int) (entries []lanyard.Entry, next string, err error) {
	from, err := parsePlace(after)
	if err != nil {
		return nil, "", err
	}
	if limit < 1 {
		return nil, from.String(), nil
	}
	limit = min(limit, 1000)
	err = s.read(ctx, "reading revocations", func(c *connection) error {
		rows, err := c.stmt[sqlFeed].QueryContext(ctx, int64(from.epoch), int64(from.seq), limit)
		if err != nil {
			return err
		}
		defer rows.Close()
		entries, next, err = readEntries(rows, from)
		return err
	})
	if err != nil {
		return nil, "", err
	}
	return entries, next, nil
}

func readEntries(rows *sql.Rows, from place) (entries []lanyard.Entry, next string, err error) {
	for rows.Next() {
		// The head of the feed is in each row, and alone in the only row when
		// there are no entries.
		var head place
		var epoch, seq, kind, generation, below, at, until sql.NullInt64
		var sid, subject, key, reason sql.NullString
		err := rows.Scan(&head.epoch, &head.seq, &epoch, &seq, &kind, &sid, &generation,
			&subject, &below, &key, &reason, &at, &until)
		if err != nil {
			return nil, "", err
		}
		if from.after(head) {
			return nil, "", lanyard.ErrBadCursor
		}
		if !seq.Valid {
			return nil, head.String(), nil
		}
		entries = append(entries, lanyard.Entry{
			Kind:       lanyard.EntryKind(kind.Int64),
			SID:        sidOf(sid.String),
			Generation: uint32(generation.Int64),
			Subject:    subject.String,
			Epoch:      uint64(below.Int64),
			Key:        key.String,
			Reason:     lanyard.Reason(reason.String),
			At:         lanyard.Time(at.Int64),
			Until:      lanyard.Time(until.Int64),
		})
		next = place{uint64(epoch.Int64), uint64(seq.Int64)}.String()
	}
	return entries, next, rows.Err()
}
