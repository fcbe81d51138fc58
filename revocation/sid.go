package revocation

import (
	"encoding/base32"
	"encoding/binary"
	"errors"
)

// SID is the public identifier of a session: 16 bytes, written as 26 characters
// of lower-case base32hex. It gives no access. The zero SID means none.
type SID [16]byte

const sidTextLen = 26

var sidEncoding = base32.NewEncoding("0123456789abcdefghijklmnopqrstuv").WithPadding(base32.NoPadding)

// ErrBadSID is returned by [ParseSID] for anything but the text form of a SID.
var ErrBadSID = errors.New("revocation: not a session id (26 characters of 0-9 and a-v)")

// ParseSID reads the text form. Only the canonical spelling is accepted, so a
// session has exactly one name. It runs with every check of a token, so it takes
// eight digits at a time and allocates nothing.
func ParseSID(text string) (sid SID, err error) {
	padded := [32]byte{26: '0', '0', '0', '0', '0', '0'}
	if len(text) != sidTextLen {
		return SID{}, ErrBadSID
	}
	copy(padded[:], text)
	a, okA := digits(binary.BigEndian.Uint64(padded[:]))
	b, okB := digits(binary.BigEndian.Uint64(padded[8:]))
	c, okC := digits(binary.BigEndian.Uint64(padded[16:]))
	d, okD := digits(binary.BigEndian.Uint64(padded[24:]))
	// Of the last digits eight bits count, and what is behind them has to be zero.
	if !okA || !okB || !okC || !okD || d<<32 != 0 {
		return SID{}, ErrBadSID
	}
	binary.BigEndian.PutUint64(sid[:8], a<<24|b>>16)
	binary.BigEndian.PutUint64(sid[8:], b<<48|c<<8|d>>32)
	return sid, nil
}

// each is a byte in all eight places of a word.
const each = 0x0101010101010101

// digits reads eight digits of lower-case base32hex, the first in the highest
// byte, as 40 bits.
func digits(x uint64) (value uint64, ok bool) {
	letter := x >> 6 & each
	// No byte of these differences borrows from another, since its own highest bit
	// is set. It stays set where the byte lies between '0' and '9', or 'a' and 'v'.
	above := (x | 0x80*each) - ('0'*each + letter*('a'-'0'))
	below := ('9'*each + letter*('v'-'9') | 0x80*each) - x&^(0x80*each)
	if ok = above&below&^x&(0x80*each) == 0x80*each; !ok {
		return 0, false
	}
	x = x - '0'*each - letter*('a'-'0'-10)
	x = x>>3&0x03e003e003e003e0 | x&0x001f001f001f001f
	x = x>>6&0x000ffc00000ffc00 | x&0x000003ff000003ff
	return x>>12&0xfffff00000 | x&0xfffff, true
}

// String returns the text form; the empty string for the zero SID.
func (s SID) String() string {
	if s.IsZero() {
		return ""
	}
	return sidEncoding.EncodeToString(s[:])
}

// IsZero reports whether s names no session.
func (s SID) IsZero() bool { return s == SID{} }
