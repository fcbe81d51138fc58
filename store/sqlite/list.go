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
	var page lanyard.Page
	err := s.read(ctx, "listing sessions", func(c *connection) error {
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
		page, err = readPage(rows, &q)
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
