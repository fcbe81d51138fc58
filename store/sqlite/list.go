package sqlite

import (
	"bytes"
	"context"
	"database/sql"

	"github.com/lanyard-go/lanyard"
)

// scanRows bounds the rows that one call of List or one sweep of Prune looks
// at, so that a rare match does not hold a connection for the whole file.
const scanRows = 2000

// List implements [lanyard.Store]. Records come in descending order of SID; a
// query by subject uses an index, and with [Config.Exclusive] what is in memory;
// any other looks at up to 2000 records a call.
func (s *Store) List(ctx context.Context, q lanyard.Query) (lanyard.Page, error) {
	from, err := listFrom(&q)
	if err != nil {
		return lanyard.Page{}, err
	}
	if page, ok := s.listHeld(ctx, &q, from); ok {
		return page, nil
	}
	return s.listFile(ctx, &q, from)
}

// listFrom returns the key that all those of the page are below.
func listFrom(q *lanyard.Query) ([]byte, error) {
	if q.After == "" {
		// Longer than a SID and as high as one can be: above them all.
		return bytes.Repeat([]byte{0xff}, len(lanyard.SID{})+1), nil
	}
	sid, err := lanyard.ParseSID(q.After)
	if err != nil {
		return nil, lanyard.ErrBadCursor
	}
	return sid[:], nil
}

func (s *Store) listFile(ctx context.Context, q *lanyard.Query, from []byte) (page lanyard.Page, err error) {
	err = s.read(ctx, "listing sessions", func(c *connection) error {
		var rows *sql.Rows
		var err error
		if q.Subject != "" {
			rows, err = c.stmt[sqlListSubject].QueryContext(ctx, q.Subject, from, q.LiveAt == 0, scanRows)
		} else {
			rows, err = c.stmt[sqlList].QueryContext(ctx, from, scanRows)
		}
		if err != nil {
			return err
		}
		defer rows.Close()
		page, err = readPage(rows, q)
		return err
	})
	if err != nil {
		return lanyard.Page{}, err
	}
	return page, nil
}

func readPage(rows *sql.Rows, q *lanyard.Query) (page lanyard.Page, err error) {
	var last lanyard.SID
	looked := 0
	for rows.Next() {
		if len(page.Records) == q.PageSize() {
			page.Next = last.String() // this row begins the next page
			return page, nil
		}
		var key, body string
		var version int64
		var epoch uint64
		if err := rows.Scan(&key, &version, &body, &epoch); err != nil {
			return page, err
		}
		last = sidOf(key)
		looked++
		rec, err := decode(last, version, body, epoch)
		if err != nil {
			return page, err
		}
		if q.Match(rec) {
			page.Records = append(page.Records, rec)
		}
	}
	if looked == scanRows {
		page.Next = last.String()
	}
	return page, rows.Err()
}

// listHeld lists a subject's sessions without reading them from the file: an
// index has their SIDs, and Get most records in memory. It answers what one
// moment of the file would, the one in which the index was read: none of the
// records has changed since before, and everything has not ended. Else, or when
// anything goes wrong, ok is false.
func (s *Store) listHeld(ctx context.Context, q *lanyard.Query, from []byte) (page lanyard.Page, ok bool) {
	if s.cache == nil || q.Subject == "" {
		return page, false
	}
	applied, epoch := s.cache.applied.Load(), s.epoch.Load() // in this order: see settle
	most := min(scanRows, 4*q.PageSize())
	var sids []lanyard.SID
	err := s.read(ctx, "listing sessions", func(c *connection) error {
		rows, err := c.stmt[sqlSIDs].QueryContext(ctx, q.Subject, from, q.LiveAt == 0, most)
		if err != nil {
			return err
		}
		defer rows.Close()
		var key sql.RawBytes
		for rows.Next() {
			if err := rows.Scan(&key); err != nil {
				return err
			}
			sids = append(sids, sidOf(string(key)))
		}
		return rows.Err()
	})
	if err != nil {
		return page, false
	}
	looked := 0
	for ; looked < len(sids) && len(page.Records) < q.PageSize(); looked++ {
		rec, err := s.Get(ctx, sids[looked])
		if err != nil {
			return page, false
		}
		if q.Match(rec) {
			page.Records = append(page.Records, rec)
		}
	}
	if looked < len(sids) || looked == most {
		page.Next = sids[looked-1].String()
	}
	for _, sid := range sids[:looked] {
		if !s.cache.unchanged(sid, applied) {
			return page, false
		}
	}
	return page, s.epoch.Load() == epoch
}
