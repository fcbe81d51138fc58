package redis

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"

	"github.com/lanyard-go/lanyard"
)

// place is a position in the feed: how far each partition has been read.
type place [lanyard.Partitions]uint64

// cursor writes a place down, behind the identity of the data it belongs to.
func (s *Store) cursor(p *place) string {
	b, _ := hex.DecodeString(s.id)
	for _, n := range p {
		b = binary.AppendUvarint(b, n)
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// place is the inverse of cursor, and accepts only what that writes. The empty
// cursor is before everything.
func (s *Store) place(cursor string) (*place, error) {
	p := new(place)
	if cursor == "" {
		return p, nil
	}
	rest, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(rest) < len(s.id)/2 {
		return nil, lanyard.ErrBadCursor
	}
	rest = rest[len(s.id)/2:]
	for i := range p {
		n, size := binary.Uvarint(rest)
		if size <= 0 || n > maxNumber {
			return nil, lanyard.ErrBadCursor
		}
		p[i], rest = n, rest[size:]
	}
	if s.cursor(p) != cursor { // of other data, or spelt in another way
		return nil, lanyard.ErrBadCursor
	}
	return p, nil
}

// heard notes how far the partition's feed has grown; 0 means nothing was
// appended.
func (s *Store) heard(part int, seq int64) {
	if seq > 0 {
		s.heads[part].Store(uint64(seq))
	}
}

// behind returns the cursor of an entry that was just appended, or the empty one
// for seq 0. It is behind everything that this process has heard of, and so
// never behind an entry that is still to come.
func (s *Store) behind(part int, seq int64) string {
	if seq == 0 {
		return ""
	}
	var p place
	for i := range p {
		p[i] = s.heads[i].Load()
	}
	p[part] = uint64(seq)
	return s.cursor(&p)
}
