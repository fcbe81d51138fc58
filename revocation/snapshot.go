package revocation

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"time"
)

// A snapshot is snapshotMagic, issuer, instance and cursor, each behind its
// length in two bytes, then records, and the SHA-256 of all that. A record starts
// with its kind; numbers are big-endian, times are in seconds:
//
//	1 session     SID 16, time left 4
//	2 generation  SID 16, generation 4, time left 4
//	3 subject     length 1, subject, epoch 8, time left 4
//	4 all         epoch 8
//	5 key         length 1, key, time left 4
//	0 end         number of records before it 8
//
// Why and when an entry was made is not in it.
const snapshotMagic = "lanyard revocations 1\n"

const (
	// DefaultMaxEntries is how many entries a snapshot may have by default.
	DefaultMaxEntries = 8_000_000

	endOfRecords = 0
	maxRecord    = 1 + 1 + MaxText + 8 + 4
	chunkSize    = 256 << 10
)

// ErrSnapshot is wrapped by whatever is wrong with a snapshot: it was cut,
// altered, is too large or none at all.
var ErrSnapshot = errors.New("revocation: bad snapshot")

// SnapshotHead says what a snapshot is of.
type SnapshotHead struct {
	Issuer   string
	Instance string // of the node that wrote it
	Cursor   string // the snapshot has everything before it
}

func (h *SnapshotHead) check() error {
	switch {
	case h.Issuer == "" || len(h.Issuer) > maxName:
		return fmt.Errorf("%w: issuer: want 1 to %d bytes", ErrSnapshot, maxName)
	case h.Instance == "" || len(h.Instance) > maxName:
		return fmt.Errorf("%w: instance: want 1 to %d bytes", ErrSnapshot, maxName)
	}
	if err := checkCursor(h.Cursor); err != nil {
		return fmt.Errorf("%w: cursor: %w", ErrSnapshot, err)
	}
	return nil
}

// Snapshot is one that was read whole and found to be sound.
type Snapshot struct {
	SnapshotHead
	chunks [][]byte // records, none of them across two chunks
	count  int
}

// Len returns the number of entries.
func (s *Snapshot) Len() int { return s.count }

// All yields the entries. Their Keep counts from now on: they are for applying at
// once.
func (s *Snapshot) All() iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		for _, b := range s.chunks {
			for len(b) > 0 {
				var e Entry
				n, _ := e.decode(b)
				if b = b[n:]; !yield(e) {
					return
				}
			}
		}
	}
}

// errShort means that a record goes on behind the bytes that there are.
var errShort = errors.New("cut off")

// decode reads the record at the beginning of b and returns its length.
func (e *Entry) decode(b []byte) (int, error) {
	d := decoder{b: b}
	e.Kind = Kind(d.uint(1))
	switch e.Kind {
	case KindSession, KindGeneration:
		copy(e.SID[:], d.bytes(len(e.SID)))
		if e.Kind == KindGeneration {
			e.Generation = uint32(d.uint(4))
		}
	case KindSubject:
		e.Subject = string(d.bytes(int(d.uint(1))))
		e.Epoch = d.uint(8)
	case KindAll:
		e.Epoch = d.uint(8)
	case KindKey:
		e.Key = string(d.bytes(int(d.uint(1))))
	}
	if e.Kind != KindAll {
		e.Keep = time.Duration(d.uint(4)) * time.Second
	}
	if d.short {
		return 0, errShort
	}
	return d.at, e.Check()
}

// decoder takes fields off b, zeros once it is too short.
type decoder struct {
	b     []byte
	at    int
	short bool
}

func (d *decoder) bytes(n int) []byte {
	if d.short = d.short || len(d.b)-d.at < n; d.short {
		return nil
	}
	d.at += n
	return d.b[d.at-n : d.at]
}

func (d *decoder) uint(n int) uint64 {
	var room [8]byte
	copy(room[8-n:], d.bytes(n))
	return binary.BigEndian.Uint64(room[:])
}
