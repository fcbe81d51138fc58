package sqlite

import (
	"context"
	"errors"
	"fmt"

	"github.com/lanyard-go/lanyard"
)

// Import implements [lanyard.Importer], in one transaction: a thousand records a
// call are a good size. The epochs that the entries speak of are raised too. A
// record that came back fenced from where it was is refused: it has ended, and
// only its importer can say when and write that down.
func (s *Store) Import(ctx context.Context, records []*lanyard.Record, entries []lanyard.Entry) (stored int, err error) {
	bodies := make([][]byte, len(records))
	for i, rec := range records {
		if bodies[i], err = importable(rec); err != nil {
			return 0, fmt.Errorf("sqlite: importing session %s: %w", rec.SID, err)
		}
	}
	for i := range entries {
		if entries[i].Epoch > maxInteger {
			return 0, fmt.Errorf("sqlite: importing feed entry %d: Entry.Epoch is %d, at most %d", i, entries[i].Epoch, uint64(maxInteger))
		}
	}
	err = s.commit(ctx, "importing sessions", func(t *tx) error {
		stored = 0
		for i, rec := range records {
			inserted, err := t.importRecord(rec, bodies[i])
			if err != nil {
				return err
			}
			stored += inserted
		}
		return t.importEntries(entries)
	})
	if err != nil {
		return 0, err
	}
	return stored, nil
}

func importable(rec *lanyard.Record) (body []byte, err error) {
	switch {
	case rec.SID.IsZero():
		return nil, errors.New("Record.SID is zero")
	case rec.Fenced:
		return nil, errors.New("Record.Fenced is set: give it its EndReason and EndedAt first")
	case rec.Version == 0 || rec.Version > maxInteger:
		return nil, fmt.Errorf("Record.Version is %d, want 1 to %d", rec.Version, uint64(maxInteger))
	case rec.SubjectEpoch > maxInteger || rec.GlobalEpoch > maxInteger:
		return nil, fmt.Errorf("an epoch is over %d", uint64(maxInteger))
	}
	return rec.AppendBinary(nil)
}

func (t *tx) importRecord(rec *lanyard.Record, body []byte) (inserted int, err error) {
	var endedAt any
	if rec.EndReason != "" {
		endedAt = int64(rec.EndedAt)
	}
	n, err := t.exec(sqlImport, rec.SID[:], int64(rec.Version), rec.Subject, int64(rec.GlobalEpoch),
		deadline(rec), endedAt, key(rec.Origin), body)
	if err != nil {
		return 0, err
	}
	if n > 0 {
		t.note(rec.SID, int64(rec.Version), body)
		if rec.EndReason == "" && rec.GlobalEpoch < t.epoch {
			t.sweepAgain() // fenced, and maybe behind where Prune is
		}
	}
	t.raiseGlobal(rec.GlobalEpoch)
	return int(n), t.raiseSubject(rec.Subject, rec.SubjectEpoch)
}

func (t *tx) importEntries(entries []lanyard.Entry) error {
	for i := range entries {
		switch e := &entries[i]; e.Kind {
		case lanyard.EntryAll:
			t.raiseGlobal(e.Epoch)
		case lanyard.EntrySubject:
			if err := t.raiseSubject(e.Subject, e.Epoch); err != nil {
				return err
			}
		}
	}
	for i := range entries {
		if _, err := t.announce(&entries[i]); err != nil {
			return err
		}
	}
	return nil
}

// raiseGlobal raises the global epoch to at least the given one.
func (t *tx) raiseGlobal(epoch uint64) {
	if epoch > t.epoch {
		t.epoch = epoch
		t.sweepAgain()
	}
}

// raiseSubject raises the epoch of a subject to at least the given one.
func (t *tx) raiseSubject(subject string, epoch uint64) error {
	if subject == "" || epoch == 0 {
		return nil
	}
	_, err := t.exec(sqlRaiseTo, subject, int64(epoch))
	return err
}
