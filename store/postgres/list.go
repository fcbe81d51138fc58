package postgres

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"

	"github.com/lanyard-go/lanyard"
)

// scanRows bounds the rows that one call of List looks at, so that a rare match
// does not read the whole table.
const scanRows = 2000

// List implements [lanyard.Store]. Records come in descending order of SID; a
// query by subject uses an index, any other looks at up to 2000 records a call.
func (s *Store) List(ctx context.Context, q lanyard.Query) (lanyard.Page, error) {
	// Longer than a SID and as high as one can be: above them all.
	from := bytes.Repeat([]byte{0xff}, len(lanyard.SID{})+1)
	if q.After != "" {
		sid, err := lanyard.ParseSID(q.After)
		if err != nil {
			return lanyard.Page{}, lanyard.ErrBadCursor
		}
		from = sid[:]
	}
	if err := s.enter(); err != nil {
		return lanyard.Page{}, fmt.Errorf("listing sessions: %w", err)
	}
	defer s.calls.Done()
	// A plain page needs no more rows than it returns, and one to know that
	// there is another.
	look := scanRows
	if (q == lanyard.Query{Subject: q.Subject, After: q.After, Limit: q.Limit}) {
		look = q.PageSize() + 1
	}
	text, args := s.query.list, []any{from, look}
	if q.Subject != "" {
		text, args = s.query.listSubject, append(args, []byte(q.Subject))
		if q.LiveAt != 0 {
			text = s.query.listLive
		}
	}
	rows, err := s.db.QueryContext(ctx, text, args...)
	if err != nil {
		return lanyard.Page{}, fmt.Errorf("listing sessions: %w", explain(err))
	}
	defer rows.Close()
	page, err := readPage(rows, &q, look)
	if err != nil {
		return lanyard.Page{}, fmt.Errorf("listing sessions: %w", explain(err))
	}
	return page, nil
}

func readPage(rows *sql.Rows, q *lanyard.Query, look int) (page lanyard.Page, err error) {
	var last lanyard.SID
	looked := 0
	for rows.Next() {
		if len(page.Records) == q.PageSize() {
			page.Next = last.String() // this row begins the next page
			return page, nil
		}
		var key []byte
		var global epoch
		var r row
		err := rows.Scan(&r.version, &r.subjectEpoch, &r.globalEpoch, &r.endedAt, &r.reason, &r.by, &r.body, &global, &key)
		if err != nil {
			return page, err
		}
		if key == nil {
			break // the row of an empty page
		}
		last = sidOf(key)
		looked++
		rec, err := r.record(last, uint64(global))
		if err != nil {
			return page, err
		}
		if q.Match(rec) {
			page.Records = append(page.Records, rec)
		}
	}
	if looked == look {
		page.Next = last.String()
	}
	return page, rows.Err()
}
