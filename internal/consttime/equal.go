// Package consttime compares secrets in time that depends on their length alone,
// a word at a time: crypto/subtle goes byte by byte, which showed in the check of
// every request.
package consttime

import (
	"crypto/subtle"
	"encoding/binary"
)

// Equal reports whether a and b are the same bytes. The time it takes depends on
// their lengths only.
func Equal(a, b []byte) bool {
	if len(a) != len(b) {
		return false
	}
	var differ uint64
	for len(a) >= 8 {
		differ |= binary.LittleEndian.Uint64(a) ^ binary.LittleEndian.Uint64(b)
		a, b = a[8:], b[8:]
	}
	for i := range a {
		differ |= uint64(a[i] ^ b[i])
	}
	return Zero(differ)
}

// Zero reports whether w is zero, in one time for all words. A caller that has
// its texts in words ORs together in w where they differ.
func Zero(w uint64) bool {
	// Folded so that the standard library makes the decision.
	w |= w >> 32
	return subtle.ConstantTimeEq(int32(uint32(w)), 0) == 1
}
