package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/lanyard-go/lanyard"
)

// maxPruned bounds the rows that one call of Prune changes, and with them how long
// the calls behind it wait: a few milliseconds.
const maxPruned = 48

// Prune implements [lanyard.Store]. It changes at most p.Limit rows of whatever
// kind a call, and not more than 48 however high that is. A record that is both fenced and past a deadline ends as
// fenced. When a record is removed, those handed off from it count as handed
// off from its own origin, so that ending that one still reaches them.
func (s *Store) Prune(ctx context.Context, p lanyard.Prune) (lanyard.Ended, error) {
	if p.Limit < 1 {
		return lanyard.Ended{}, fmt.Errorf("sqlite: pruning: Prune.Limit is %d, at least 1 is needed", p.Limit)
	}
	p.Limit = min(p.Limit, maxPruned)
	var ended lanyard.Ended
	err := s.commit(ctx, "pruning", func(t *tx) error {
		ended = lanyard.Ended{}
		for _, step := range []func(*tx, *lanyard.Prune, *lanyard.Ended) error{
			(*tx).endOverdue, (*tx).endFenced, (*tx).removeEnded, (*tx).removeUsed,
		} {
			if err := step(t, &p, &ended); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return lanyard.Ended{}, err
	}
	if ended.More && s.prunes.Add(1)%4 == 0 {
		s.copyLog(ctx)
	}
	return ended, nil
}

// copyLog copies the log into the file. SQLite leaves that to whoever writes when
// the log has grown enough, and it takes long after rows all over the file have
// changed: better whoever prunes waits, on a connection that reads. A failure is
// of no account, the log is only longer then.
func (s *Store) copyLog(ctx context.Context) {
	_ = s.read(ctx, "copying the log", func(c *connection) error {
		_, err := c.conn.ExecContext(ctx, "PRAGMA wal_checkpoint(PASSIVE)")
		return err
	})
}

func (t *tx) endOverdue(p *lanyard.Prune, ended *lanyard.Ended) error {
	rows, err := t.rows(sqlOverdue, int64(p.Now), p.Limit)
	if err != nil {
		return err
	}
	for i := range rows {
		if err := t.endPruned(t.record(&rows[i]), p, ended); err != nil {
			return err
		}
	}
	ended.More = ended.More || len(rows) == p.Limit
	return nil
}

func (t *tx) endPruned(rec *lanyard.Record, p *lanyard.Prune, ended *lanyard.Ended) error {
	if err := t.end(rec, rec.Expired(p.Now), system, p.Now); err != nil {
		return err
	}
	// Nobody asks for it soon: it need not take another's place in memory.
	t.changes[len(t.changes)-1].body = ""
	ended.Records = append(ended.Records, rec)
	return nil
}

// endFenced walks the records that existed when the global epoch was raised, a
// stretch a call. An index on the epoch would make each login dearer for the
// sake of an emergency.
func (t *tx) endFenced(p *lanyard.Prune, ended *lanyard.Ended) error {
	if t.sweep == nil {
		return nil
	}
	var fenced []row
	room := p.Limit - len(ended.Records)
	looked, next := 0, t.sweep
	err := t.query(sqlSweep, func(rows *sql.Rows) error {
		if len(fenced) == room {
			return nil // seen, but left for the next call
		}
		var r row
		var id string
		var endedAt sql.NullInt64
		var epoch uint64
		if err := rows.Scan(&id, &r.version, &r.subject, &endedAt, &r.body, &epoch); err != nil {
			return err
		}
		r.sid = sidOf(id)
		looked++
		next = r.sid[:]
		if !endedAt.Valid && epoch < t.epoch {
			fenced = append(fenced, r)
		}
		return nil
	}, t.sweep, scanRows)
	if err != nil {
		return err
	}
	for i := range fenced {
		if err := t.endPruned(t.record(&fenced[i]), p, ended); err != nil {
			return err
		}
	}
	if len(fenced) == room || looked == scanRows {
		ended.More = true
	} else {
		next = nil
	}
	t.sweep, t.dirty = next, true
	return nil
}

func (t *tx) removeEnded(p *lanyard.Prune, ended *lanyard.Ended) error {
	type link struct{ sid, origin []byte }
	var gone []link
	err := t.query(sqlForgotten, func(rows *sql.Rows) error {
		var l link
		err := rows.Scan(&l.sid, &l.origin)
		gone = append(gone, l)
		return err
	}, int64(p.Forget), p.Limit)
	if err != nil {
		return err
	}
	left := make(map[string][]byte, len(gone)) // origins of those removed so far
	for _, l := range gone {
		if _, err := t.exec(sqlDelete, l.sid); err != nil {
			return err
		}
		// What is linked to this one is linked to its origin from now on, or if
		// that went before it, to what took its place.
		origin := l.origin
		for next, ok := left[string(origin)]; ok; next, ok = left[string(origin)] {
			origin = next
		}
		left[string(l.sid)] = origin
		if origin != nil {
			if _, err := t.exec(sqlInherit, origin, l.sid); err != nil {
				return err
			}
		}
		t.note(sidOf(string(l.sid)), 0, nil)
	}
	ended.More = ended.More || len(gone) == p.Limit
	return nil
}

// removeUsed removes keys of Once and feed entries whose time is over.
func (t *tx) removeUsed(p *lanyard.Prune, ended *lanyard.Ended) error {
	for _, text := range []string{sqlPruneOnce, sqlPruneFeed} {
		n, err := t.exec(text, int64(p.Now), p.Limit)
		if err != nil {
			return err
		}
		ended.More = ended.More || n == int64(p.Limit)
	}
	return nil
}
