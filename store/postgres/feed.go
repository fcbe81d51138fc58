package postgres

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/lanyard-go/lanyard"
)

// maxInteger is the largest number that a column can keep.
const maxInteger = 1<<63 - 1

// place is a position in the feed. Places are given under a lock that is held
// until the commit, so their order is the order in which entries appear.
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

// Revocations implements [lanyard.Store]. A limit over 1000 means 1000. A cursor
// ahead of the feed, as it is left over when a backup was restored, gives
// [lanyard.ErrBadCursor].
func (s *Store) Revocations(ctx context.Context, after string, limit int) (entries []lanyard.Entry, next string, err error) {
	from, err := parsePlace(after)
	if err != nil {
		return nil, "", err
	}
	if limit < 1 {
		return nil, from.String(), nil
	}
	if err := s.enter(); err != nil {
		return nil, "", fmt.Errorf("reading revocations: %w", err)
	}
	defer s.calls.Done()
	rows, err := s.db.QueryContext(ctx, s.query.feed, int64(from.epoch), int64(from.seq), min(limit, 1000))
	if err != nil {
		return nil, "", fmt.Errorf("reading revocations: %w", explain(err))
	}
	defer rows.Close()
	entries, next, err = readEntries(rows, from)
	if err != nil {
		return nil, "", fmt.Errorf("reading revocations: %w", explain(err))
	}
	return entries, next, nil
}

func readEntries(rows *sql.Rows, from place) (entries []lanyard.Entry, next string, err error) {
	for rows.Next() {
		var head place
		var global epoch
		var under, seq, kind, generation, below, at, until sql.NullInt64
		var sid, subject, key, reason []byte
		err := rows.Scan(&global, &head.seq, &under, &seq, &kind, &sid, &generation,
			&subject, &below, &key, &reason, &at, &until)
		if err != nil {
			return nil, "", err
		}
		head.epoch = uint64(global)
		if from.after(head) {
			return nil, "", lanyard.ErrBadCursor
		}
		if !seq.Valid {
			return nil, head.String(), nil
		}
		entries = append(entries, lanyard.Entry{
			Kind:       lanyard.EntryKind(kind.Int64),
			SID:        sidOf(sid),
			Generation: uint32(generation.Int64),
			Subject:    string(subject),
			Epoch:      uint64(below.Int64),
			Key:        string(key),
			Reason:     lanyard.Reason(reason),
			At:         lanyard.Time(at.Int64),
			Until:      lanyard.Time(until.Int64),
		})
		next = place{uint64(under.Int64), uint64(seq.Int64)}.String()
	}
	if err := rows.Err(); err != nil {
		return nil, "", err
	}
	if next == "" {
		return nil, "", fmt.Errorf("%w: the feed has lost its head", ErrForeign)
	}
	return entries, next, nil
}

// entries are feed entries on their way to the server, as parallel arrays.
type entries struct {
	kinds, sids, generations, subjects, belows, keys, reasons, ats, untils array
}

func (n *entries) add(e *lanyard.Entry) {
	n.kinds.integer(int64(e.Kind))
	n.sids.bytes(e.SID[:])
	n.generations.integer(int64(e.Generation))
	n.subjects.string(e.Subject)
	n.belows.integer(int64(e.Epoch))
	n.keys.string(e.Key)
	n.reasons.string(string(e.Reason))
	n.ats.integer(int64(e.At))
	n.untils.integer(int64(e.Until))
}

func (n *entries) args() []any {
	return []any{
		n.kinds.String(), n.sids.String(), n.generations.String(), n.subjects.String(), n.belows.String(),
		n.keys.String(), n.reasons.String(), n.ats.String(), n.untils.String(),
	}
}
