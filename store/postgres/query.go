package postgres

import (
	"context"
	"fmt"
)

// The statements. Only the name of the schema, which was checked against a fixed
// alphabet, is ever put into their text.
const (
	// A standby gives no epoch, in a row that is there whatever else is not: what
	// it says of a session may be old, and even that there is none.
	sqlGet = `SELECT coalesce(s.version, 0), s.subject_epoch, s.global_epoch, s.ended_at, s.end_reason, s.ended_by,
			coalesce(s.body, ''::bytea), CASE WHEN NOT pg_is_in_recovery() THEN m.global_epoch END
		FROM {schema}.meta m LEFT JOIN {schema}.sessions s ON s.sid = $1 WHERE m.id = 1`
	sqlListColumns = `SELECT coalesce(s.version, 0), s.subject_epoch, s.global_epoch, s.ended_at, s.end_reason, s.ended_by,
			coalesce(s.body, ''::bytea), CASE WHEN NOT pg_is_in_recovery() THEN m.global_epoch END, s.sid
		FROM {schema}.meta m LEFT JOIN LATERAL (SELECT * FROM {schema}.sessions `
	sqlListEnd     = ` ORDER BY sid DESC LIMIT $2) s ON true WHERE m.id = 1 ORDER BY s.sid DESC`
	sqlList        = sqlListColumns + `WHERE sid < $1` + sqlListEnd
	sqlListSubject = sqlListColumns + `WHERE subject = $3 AND subject <> ''::bytea AND sid < $1` + sqlListEnd
	sqlListLive    = sqlListColumns + `WHERE subject = $3 AND subject <> ''::bytea AND sid < $1 AND ended_at IS NULL` + sqlListEnd
	// The head of the feed is in each row, and alone in the only row when there
	// are no entries. One statement sees both at one moment.
	sqlFeed = `SELECT CASE WHEN NOT pg_is_in_recovery() THEN h.epoch END, h.seq, f.epoch, f.seq, f.kind, f.sid, f.generation, f.subject, f.below, f.key, f.reason, f.at, f.until
		FROM (SELECT epoch, seq FROM {schema}.feed ORDER BY epoch DESC, seq DESC LIMIT 1) h
		LEFT JOIN LATERAL (
			SELECT * FROM {schema}.feed WHERE (epoch, seq) > ($1::bigint, $2::bigint) AND kind <> 0
			ORDER BY epoch, seq LIMIT $3
		) f ON true ORDER BY f.epoch, f.seq`

	sqlCreate = `SELECT * FROM {schema}.create_sessions($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`
	sqlUpdate = `SELECT * FROM {schema}.update_sessions($1, $2, $3, $4, $5, $6, $7, $8, $9,
		$10, $11, $12, $13, $14, $15, $16, $17, $18)`
	sqlEnd        = `SELECT * FROM {schema}.end_sessions($1, $2, $3, $4, $5, $6)`
	sqlEndSubject = `SELECT * FROM {schema}.end_subject($1, $2, $3, $4, $5, $6)`
	sqlEndAll     = `SELECT raised, epoch, seq FROM {schema}.end_all($1, $2, $3, $4)`
	sqlAppend     = `SELECT epoch, seq FROM {schema}.append_feed($1, $2, $3, $4, $5, $6, $7, $8, $9)`
	sqlTake       = `SELECT n FROM {schema}.take_keys($1, $2, $3) n`
	sqlPrune      = `SELECT * FROM {schema}.prune($1, $2, $3)`
	sqlNote       = `SELECT {schema}.note($1, $2, $3)`
	sqlImport     = `SELECT {schema}.import_sessions($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14,
		$15, $16, $17, $18, $19, $20, $21, $22, $23, $24)`

	sqlEpoch = `SELECT CASE WHEN NOT pg_is_in_recovery() THEN global_epoch END FROM {schema}.meta WHERE id = 1`
	// Exact while there are few; beyond, what the last analyze or vacuum found.
	sqlCount = `SELECT count(*), (SELECT reltuples::bigint FROM pg_class WHERE oid = '{schema}.sessions_due'::regclass)
		FROM (SELECT 1 FROM {schema}.sessions s WHERE s.due IS NOT NULL AND s.deadline > $1
			AND s.global_epoch >= (SELECT global_epoch FROM {schema}.meta WHERE id = 1) LIMIT $2) l`
	sqlClock = `SELECT clock_timestamp()`
	// Without a flush of the log: it is only a hint.
	sqlNotify = `SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, '')`
)

// queries are the statements for one schema.
type queries struct {
	get, list, listSubject, listLive, feed            string
	create, update, end, endSubject, endAll, announce string
	take, prune, note, importAll                      string
	setLease, dropLease, leases                       string
	epoch, count, clock, notify                       string
	channel                                           string // of notifications
}

func newQueries(schema string) queries {
	in := func(text string) string { return inSchema(text, schema) }
	return queries{
		get: in(sqlGet), list: in(sqlList), listSubject: in(sqlListSubject), listLive: in(sqlListLive), feed: in(sqlFeed),
		create: in(sqlCreate), update: in(sqlUpdate), end: in(sqlEnd), endSubject: in(sqlEndSubject),
		endAll: in(sqlEndAll), announce: in(sqlAppend),
		take: in(sqlTake), prune: in(sqlPrune), note: in(sqlNote), importAll: in(sqlImport),
		setLease: in(sqlSetLease), dropLease: in(sqlDropLease), leases: in(sqlLeases),
		epoch: in(sqlEpoch), count: in(sqlCount), clock: sqlClock, notify: sqlNotify,
		channel: schema + "_feed",
	}
}

func (q *queries) all() []string {
	return []string{
		q.get, q.list, q.listSubject, q.listLive, q.feed, q.create, q.update, q.end, q.endSubject, q.endAll, q.announce,
		q.take, q.prune, q.note, q.importAll, q.setLease, q.dropLease, q.leases, q.epoch, q.count, q.clock, q.notify,
	}
}

// checkStatements has the server parse every statement, so that a table or a
// function that is missing or has another shape is found before the first call.
func (s *Store) checkStatements(ctx context.Context) error {
	for _, text := range s.query.all() {
		stmt, err := s.db.PrepareContext(ctx, text)
		if err == nil {
			err = stmt.Close()
		}
		switch sqlState(err) {
		case stateUndefinedTable, stateUndefinedColumn, stateUndefinedFunction, stateDatatypeMismatch:
			return fmt.Errorf("%w (%w)", ErrForeign, err)
		}
		if err != nil {
			return fmt.Errorf("checking the statements: %w", explain(err))
		}
	}
	return nil
}
