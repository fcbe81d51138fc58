package postgres

import (
	"context"
	"database/sql"

	"github.com/lanyard-go/lanyard"
)

// outcome is a row of the composite type of that name, see the migrations.
type outcome struct {
	op     int
	status int64
	epoch  uint64
	seq    uint64
	raised uint64          // the epoch that the end of a subject has raised
	ended  *lanyard.Record // nil in a row about the op or the step
}

// outcomes runs a step that answers with outcomes, and calls each for every one.
func (s *Store) outcomes(ctx context.Context, text string, each func(*outcome), args ...any) error {
	rows, err := s.db.QueryContext(ctx, text, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var op, status, epoch, seq, version sql.NullInt64
		var sid, subject []byte
		var r row
		var body sql.NullString
		err := rows.Scan(&op, &status, &epoch, &seq, &sid, &version, &subject,
			&r.subjectEpoch, &r.globalEpoch, &r.endedAt, &r.reason, &r.by, &body)
		if err != nil {
			return err
		}
		o := outcome{op: int(op.Int64), status: status.Int64, epoch: uint64(epoch.Int64), seq: uint64(seq.Int64)}
		if sid == nil {
			o.raised = uint64(r.globalEpoch.Int64)
		} else {
			r.version, r.body = version.Int64, body.String
			o.ended = r.ended(sidOf(sid), string(subject))
		}
		each(&o)
	}
	return rows.Err()
}
