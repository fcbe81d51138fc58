package lanyard

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"
)

// SID is the public identifier of a session record. It appears in lists, logs
// and tokens, and gives no access.
//
// It is time-ordered, so that a store's primary key grows at one end: 48 bits
// of Unix milliseconds, a 10-bit shard tag, and 70 random bits. Its text form
// is 26 characters of lower-case base32hex, which sorts as the bytes do.
//
// The zero SID means none.
type SID [16]byte

const (
	sidTextLen = 26
	shardBits  = 10

	// Partitions is the number of partitions of a store. A record's partition is
	// its shard tag modulo this number; all records of one subject share one.
	Partitions = 64
)

// sidAlphabet is that of base32hex (RFC 4648 section 7) in lower case.
const sidAlphabet = "0123456789abcdefghijklmnopqrstuv"

var sidEncoding = base32.NewEncoding(sidAlphabet).WithPadding(base32.NoPadding)

// ErrBadSID is returned by [ParseSID] for anything but the text form of a SID.
var ErrBadSID = errors.New("lanyard: not a session id (26 characters of 0-9 and a-v)")

// ParseSID reads the text form. Only the canonical spelling is accepted, so a
// session has exactly one name.
func ParseSID(text string) (SID, error) {
	if len(text) != sidTextLen {
		return SID{}, ErrBadSID
	}
	// By hand because it runs with every token: 12, 12 and 2 characters of five
	// bits. A foreign character has bits that no digit has.
	var first, second uint64
	var all byte
	for i := range 12 {
		d, e := sidDigits[text[i]], sidDigits[text[12+i]]
		all |= d | e
		first, second = first<<5|uint64(d&31), second<<5|uint64(e&31)
	}
	d, e := sidDigits[text[24]], sidDigits[text[25]]
	// 26 characters hold two bits more than a SID: they must be clear, so that a
	// session has one spelling only.
	if all|d|e > 31 || e&3 != 0 {
		return SID{}, ErrBadSID
	}
	var s SID
	binary.BigEndian.PutUint64(s[:8], first<<4|second>>56)
	binary.BigEndian.PutUint64(s[8:], second<<8|uint64(d)<<3|uint64(e>>2))
	return s, nil
}

// sidDigits holds the value of each character, 255 for those that are no digit.
var sidDigits = func() (t [256]byte) {
	for c := range t {
		t[c] = 255
	}
	for i, c := range []byte(sidAlphabet) {
		t[c] = byte(i)
	}
	return t
}()

// String returns the text form; the empty string for the zero SID.
func (s SID) String() string {
	if s.IsZero() {
		return ""
	}
	return sidEncoding.EncodeToString(s[:])
}

// IsZero reports whether s names no session.
func (s SID) IsZero() bool { return s == SID{} }

// Time returns the moment at which the SID was made, in whole milliseconds.
func (s SID) Time() time.Time {
	return time.UnixMilli(int64(binary.BigEndian.Uint64(s[:8]) >> 16)).UTC()
}

// Shard returns the 10-bit shard tag.
func (s SID) Shard() uint16 {
	return binary.BigEndian.Uint16(s[6:8]) >> (16 - shardBits)
}

// Partition returns the partition that holds the record: the shard tag modulo
// [Partitions].
func (s SID) Partition() int { return int(s.Shard()) % Partitions }

// SubjectPartition returns the partition that holds every record of a subject.
func SubjectPartition(subject string) int { return int(subjectShard(subject)) % Partitions }

// subjectShard hashes a subject to its shard tag, so that all records of one
// subject land on one partition and an atomic step never leaves one node.
func subjectShard(subject string) uint16 {
	sum := sha256.Sum256([]byte(subject))
	return binary.BigEndian.Uint16(sum[:2]) >> (16 - shardBits)
}

// newSID draws a SID. Anonymous records (no subject) get a random tag: login
// makes a new record anyway, so they need not live near one.
func newSID(rand io.Reader, now Time, subject string) (SID, error) {
	var s SID
	if _, err := io.ReadFull(rand, s[6:]); err != nil {
		return SID{}, fmt.Errorf("drawing a session id: %w", err)
	}
	binary.BigEndian.PutUint32(s[0:4], uint32(now>>16))
	binary.BigEndian.PutUint16(s[4:6], uint16(now))
	if subject != "" {
		const random = 1<<(16-shardBits) - 1
		tail := binary.BigEndian.Uint16(s[6:8]) & random
		binary.BigEndian.PutUint16(s[6:8], subjectShard(subject)<<(16-shardBits)|tail)
	}
	return s, nil
}
