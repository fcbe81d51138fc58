package postgres

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/lanyard-go/lanyard"
)

// importRows bounds the records and entries that one transaction imports.
const importRows = 1000

// Import implements [lanyard.Importer]. It stores a thousand records a
// transaction; the entries come last.
func (s *Store) Import(ctx context.Context, records []*lanyard.Record, news []lanyard.Entry) (stored int, err error) {
	if err := importable(records, news); err != nil {
		return 0, fmt.Errorf("postgres: importing: %w", err)
	}
	least := leastEpoch(records, news)
	for part := range slices.Chunk(records, importRows) {
		n, err := s.importPart(ctx, least, part, nil)
		stored += n
		if err != nil {
			return stored, err
		}
	}
	for part := range slices.Chunk(news, importRows) {
		if _, err := s.importPart(ctx, least, nil, part); err != nil {
			return stored, err
		}
	}
	if len(news) > 0 {
		if err := s.enter(); err == nil {
			s.notify()
			s.calls.Done()
		}
	}
	return stored, nil
}

// importable refuses what the columns cannot keep.
func importable(records []*lanyard.Record, news []lanyard.Entry) error {
	for _, rec := range records {
		switch {
		case rec.SID.IsZero():
			return errors.New("Record.SID is zero")
		case rec.Version < 1 || rec.Version >= math.MaxInt64 || rec.SubjectEpoch > math.MaxInt64 || rec.GlobalEpoch >= math.MaxInt64:
			return fmt.Errorf("record %s has version %d and epochs %d and %d, want a version from 1 and none over %d",
				rec.SID, rec.Version, rec.SubjectEpoch, rec.GlobalEpoch, uint64(math.MaxInt64))
		}
	}
	for i := range news {
		if news[i].Epoch > math.MaxInt64 {
			return fmt.Errorf("Entry.Epoch is %d, at most %d", news[i].Epoch, uint64(math.MaxInt64))
		}
	}
	return nil
}

// leastEpoch is what the global epoch has to be at least: no record is above it,
// one that was fenced is below it, and so are tokens that an entry is about.
func leastEpoch(records []*lanyard.Record, news []lanyard.Entry) (epoch uint64) {
	for _, rec := range records {
		epoch = max(epoch, rec.GlobalEpoch)
		if rec.Fenced {
			epoch = max(epoch, rec.GlobalEpoch+1)
		}
	}
	for i := range news {
		if news[i].Kind == lanyard.EntryAll {
			epoch = max(epoch, news[i].Epoch)
		}
	}
	return epoch
}

func (s *Store) importPart(ctx context.Context, least uint64, records []*lanyard.Record, part []lanyard.Entry) (stored int, err error) {
	var sids, versions, subjects, subjectEpochs, globalEpochs, created, active, deadlines, expires, origins,
		ended, reasons, bys, bodies array
	for _, rec := range records {
		open := *rec // the end is kept in columns
		open.EndReason, open.EndedBy, open.EndedAt = "", "", 0
		body, err := open.AppendBinary(nil)
		if err != nil {
			return 0, fmt.Errorf("importing: %w", err)
		}
		sids.bytes(rec.SID[:])
		versions.integer(int64(rec.Version))
		subjects.string(rec.Subject)
		subjectEpochs.integer(int64(rec.SubjectEpoch))
		globalEpochs.integer(int64(rec.GlobalEpoch))
		created.integer(int64(rec.CreatedAt))
		active.integer(int64(rec.LastActive))
		deadlines.integer(deadline(rec))
		expires.integer(int64(rec.ExpiresAt))
		origins.sid(rec.Origin)
		if rec.EndReason == "" {
			ended.null()
			reasons.null()
			bys.null()
		} else {
			ended.integer(int64(rec.EndedAt))
			reasons.string(string(rec.EndReason))
			bys.string(rec.EndedBy)
		}
		bodies.bytes(body)
	}
	var news entries
	for i := range part {
		news.add(&part[i])
	}
	args := append([]any{
		sids.String(), versions.String(), subjects.String(), subjectEpochs.String(), globalEpochs.String(),
		created.String(), active.String(), deadlines.String(), expires.String(), origins.String(),
		ended.String(), reasons.String(), bys.String(), bodies.String(), int64(least),
	}, news.args()...)
	err = s.scan(ctx, "importing", s.query.importAll, args, &stored)
	return stored, err
}
