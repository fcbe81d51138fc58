package revocation

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"io"
	"math"
)

// ReadSnapshot reads a snapshot to its end, which must be that of r too. If it is
// cut, altered or malformed, or has more than maxEntries entries (zero means
// [DefaultMaxEntries]) or more bytes than such entries commonly need, 64 for each,
// the error wraps [ErrSnapshot] and nothing else is returned. Errors of r are
// passed on.
//
// The sum at the end finds accidents. Who wrote it is for the connection to know.
func ReadSnapshot(r io.Reader, maxEntries int) (*Snapshot, error) {
	if maxEntries <= 0 {
		maxEntries = DefaultMaxEntries
	}
	in := &snapshotReader{in: bufio.NewReaderSize(r, 64<<10), sum: sha256.New()}
	s := new(Snapshot)
	if err := in.head(&s.SnapshotHead); err != nil {
		return nil, err
	}
	if err := in.records(s, maxEntries); err != nil {
		return nil, err
	}
	if err := in.end(s); err != nil {
		return nil, err
	}
	return s, nil
}

type snapshotReader struct {
	in  *bufio.Reader
	sum hash.Hash // of what was read
}

func (r *snapshotReader) head(h *SnapshotHead) error {
	magic, err := r.take(len(snapshotMagic))
	if err != nil {
		return err
	}
	if string(magic) != snapshotMagic {
		return fmt.Errorf("%w: it does not begin like one", ErrSnapshot)
	}
	for _, text := range []*string{&h.Issuer, &h.Instance, &h.Cursor} {
		size, err := r.take(2)
		if err != nil {
			return err
		}
		b, err := r.take(int(binary.BigEndian.Uint16(size)))
		if err != nil {
			return err
		}
		*text = string(b)
	}
	return h.check()
}

// take reads n bytes of the head, all or an error.
func (r *snapshotReader) take(n int) ([]byte, error) {
	b := make([]byte, n)
	if _, err := io.ReadFull(r.in, b); err == io.EOF || err == io.ErrUnexpectedEOF {
		return nil, fmt.Errorf("%w: %w", ErrSnapshot, errShort)
	} else if err != nil {
		return nil, err
	}
	r.sum.Write(b)
	return b, nil
}

// records reads up to the record that ends them. Records are kept as they came, a
// fifth of the size of entries.
func (r *snapshotReader) records(s *Snapshot, maxEntries int) error {
	var chunk []byte
	room := min(maxEntries, math.MaxInt/128)*64 + chunkSize
	for {
		b, err := r.in.Peek(maxRecord)
		if err != nil && err != io.EOF {
			return err
		}
		if len(b) > 0 && b[0] == endOfRecords {
			break
		}
		var e Entry
		n, err := e.decode(b)
		if err != nil {
			return fmt.Errorf("%w: entry %d: %w", ErrSnapshot, s.count, err)
		}
		if room -= n; room < 0 || s.count == maxEntries {
			return fmt.Errorf("%w: more than %d entries, or longer than 64 bytes for each", ErrSnapshot, maxEntries)
		}
		s.count++
		if len(chunk)+n > chunkSize {
			r.sum.Write(chunk)
			s.chunks = append(s.chunks, chunk)
			chunk = make([]byte, 0, chunkSize)
		}
		chunk = append(chunk, b[:n]...)
		r.in.Discard(n)
	}
	r.sum.Write(chunk)
	s.chunks = append(s.chunks, chunk)
	return nil
}

// end reads what stands behind the records.
func (r *snapshotReader) end(s *Snapshot) error {
	b, err := r.take(1 + 8)
	if err != nil {
		return err
	}
	if n := binary.BigEndian.Uint64(b[1:]); n != uint64(s.count) {
		return fmt.Errorf("%w: %d entries, and it speaks of %d", ErrSnapshot, s.count, n)
	}
	want := r.sum.Sum(nil)
	got, err := r.take(len(want))
	if err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("%w: the sum does not fit", ErrSnapshot)
	}
	if _, err := r.in.ReadByte(); err == nil {
		return fmt.Errorf("%w: data behind the end", ErrSnapshot)
	} else if err != io.EOF {
		return err
	}
	return nil
}
