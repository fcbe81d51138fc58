package redis

import (
	"errors"
	"fmt"
	"math"
	"sync/atomic"

	"github.com/lanyard-go/lanyard"
)

// A stored record is a head that the scripts read and write, with everything
// that a step decides by, and the body, which is theirs to keep. Where both say
// something, the head is right: format, eight numbers of seven bytes, five texts
// with their lengths before them.
const (
	headFormat = 1
	headFixed  = 1 + 8*7
)

// maxNumber is the largest integer that is exact in a script.
const maxNumber = 1<<53 - 1

// decode reads a stored record. It has to be the one that was asked for, unless
// sid is zero.
func decode(stored string, sid lanyard.SID, epoch uint64) (*lanyard.Record, error) {
	if len(stored) < headFixed || stored[0] != headFormat {
		return nil, fmt.Errorf("redis: reading a session: %w: no head", lanyard.ErrBadRecord)
	}
	at := func(i int) uint64 {
		var n uint64
		for _, c := range []byte(stored[1+7*i : 8+7*i]) {
			n = n<<8 | uint64(c)
		}
		return n
	}
	var texts [5]string // subject, origin, via, reason, by
	rest := stored[headFixed:]
	for i := range texts {
		size, width := 0, 1
		if i == len(texts)-1 {
			width = 2
		}
		if len(rest) < width {
			return nil, fmt.Errorf("redis: reading a session: %w: head cut short", lanyard.ErrBadRecord)
		}
		for _, c := range []byte(rest[:width]) {
			size = size<<8 | int(c)
		}
		if rest = rest[width:]; len(rest) < size {
			return nil, fmt.Errorf("redis: reading a session: %w: head cut short", lanyard.ErrBadRecord)
		}
		texts[i], rest = rest[:size], rest[size:]
	}
	rec, err := lanyard.DecodeRecord(rest, at(0))
	if err != nil {
		return nil, fmt.Errorf("redis: reading a session: %w", err)
	}
	if !sid.IsZero() && rec.SID != sid {
		return nil, fmt.Errorf("redis: reading session %s: %w: it is %s", sid, lanyard.ErrBadRecord, rec.SID)
	}
	rec.GlobalEpoch, rec.SubjectEpoch = at(1), at(2)
	rec.EndedAt, rec.EndReason, rec.EndedBy = lanyard.Time(at(7)), lanyard.Reason(texts[3]), texts[4]
	rec.Fenced = rec.EndReason == "" && rec.GlobalEpoch < epoch
	return rec, nil
}

// stamp is what a partition gave a record last.
type stamp struct{ raised, epoch atomic.Uint64 }

// appendStamp appends the start of a new record's head: format, version 1, and
// the epochs that it is likely to get.
func appendStamp(b []byte, epoch, raised uint64) []byte {
	b = append(b, headFormat)
	for _, n := range [...]uint64{1, epoch, raised} {
		b = appendNumber(b, n)
	}
	return b
}

// appendTimes appends the numbers of a live record's head that the caller
// decides: created, active, idle, expires, ended.
func appendTimes(b []byte, rec *lanyard.Record) []byte {
	for _, t := range [...]lanyard.Time{rec.CreatedAt, rec.LastActive, rec.IdleExpiresAt, rec.ExpiresAt, 0} {
		b = appendNumber(b, uint64(t))
	}
	return b
}

func appendNumber(b []byte, n uint64) []byte {
	return append(b, byte(n>>48), byte(n>>40), byte(n>>32), byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
}

// appendTexts appends the texts of a new record's head. Both are short: a digest
// and a SID.
func appendTexts(b []byte, subject, origin string) []byte {
	b = append(append(b, byte(len(subject))), subject...)
	b = append(append(b, byte(len(origin))), origin...)
	return append(b, 0, 0, 0, 0) // via, reason and by are empty
}

// decodeEnded reads the records that a step has ended. One whose body is damaged
// has ended like the others; nothing else is known of it.
func decodeEnded(values []any) ([]*lanyard.Record, error) {
	var ended []*lanyard.Record
	for _, v := range values {
		stored, ok := v.(string)
		if !ok {
			return ended, badReply("ending sessions", v)
		}
		rec, err := decode(stored, lanyard.SID{}, 0)
		if err != nil {
			continue
		}
		ended = append(ended, rec)
	}
	return ended, nil
}

// lifetime is how long the engine keeps a record written now, in milliseconds.
// It counts from the record's last activity, which is as good as now and needs
// no clock.
func (s *Store) lifetime(rec *lanyard.Record) int64 {
	left := rec.ExpiresAt.Sub(max(rec.LastActive, rec.CreatedAt))
	return (max(left, 0) + s.cfg.Backstop).Milliseconds() + 1
}

// storable refuses numbers that a script would not keep exactly.
func storable(rec *lanyard.Record) error {
	for _, t := range [...]lanyard.Time{rec.CreatedAt, rec.LastActive, rec.IdleExpiresAt, rec.ExpiresAt, rec.EndedAt} {
		if t < 0 || t > maxNumber {
			return fmt.Errorf("a time of %d, want 0 to %d", t, int64(maxNumber))
		}
	}
	if rec.Version > maxNumber || rec.GlobalEpoch > maxNumber || rec.SubjectEpoch > maxNumber {
		return fmt.Errorf("a version or epoch over %d", int64(maxNumber))
	}
	return nil
}

// placed refuses a record that the scripts would not find again.
func placed(rec *lanyard.Record) error {
	switch part := rec.SID.Partition(); {
	case rec.SID.IsZero():
		return errors.New("it has no sid")
	case rec.Subject != "" && part != lanyard.SubjectPartition(rec.Subject):
		return fmt.Errorf("sid %s is not of its subject's partition", rec.SID)
	case !rec.Origin.IsZero() && part != rec.Origin.Partition():
		return fmt.Errorf("sid %s is not of its origin's partition", rec.SID)
	}
	return nil
}

// times refuses what a caller's time cannot be.
func times(all ...lanyard.Time) error {
	for _, t := range all {
		if t < 0 || t > maxNumber {
			return fmt.Errorf("a time of %d, want 0 to %d", t, int64(maxNumber))
		}
	}
	return nil
}

// maxBy bounds who may be named as having ended a record, in bytes.
const maxBy = math.MaxUint16
