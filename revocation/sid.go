package revocation

import (
	"encoding/base32"
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
// session has exactly one name.
func ParseSID(text string) (SID, error) {
	var room [17]byte // 26 digits hold two bits more than a SID
	if len(text) != sidTextLen {
		return SID{}, ErrBadSID
	}
	// The decoder skips line breaks and ignores the bits behind the last byte, so
	// the way back decides.
	b, err := sidEncoding.AppendDecode(room[:0], []byte(text))
	if err != nil || len(b) != len(SID{}) || sidEncoding.EncodeToString(b) != text {
		return SID{}, ErrBadSID
	}
	return SID(b), nil
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
