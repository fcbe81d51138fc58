package verifier

import (
	"encoding/binary"
	"errors"

	"github.com/lanyard-go/lanyard/revocation"
	"github.com/lanyard-go/lanyard/token"
)

// errBadSID is why a token is refused that names its session in a way in which
// the feed names none: no entry could ever end it.
var errBadSID = errors.New("its sid is no session id of the feed")

// badge is what a token says of itself that entries can name; false if its sid is
// none. It is made anew at each check: that costs less than keeping it.
func badge(c *token.Claims) (revocation.Badge, bool) {
	b := revocation.Badge{
		Generation: c.Generation, Subject: c.Subject, SubjectEpoch: c.SubjectEpoch, GlobalEpoch: c.GlobalEpoch, Key: c.KeyID,
	}
	if c.SID == "" {
		return b, true // a program's
	}
	var ok bool
	b.SID, ok = parseSID(c.SID)
	return b, ok
}

// parseSID is [revocation.ParseSID] for the path of each request: without an
// allocation, and eight digits at a time. It takes the same texts.
func parseSID(text string) (sid revocation.SID, ok bool) {
	padded := [32]byte{26: '0', '0', '0', '0', '0', '0'}
	if copy(padded[:], text) != 26 || len(text) != 26 {
		return sid, false
	}
	a, okA := digits(binary.BigEndian.Uint64(padded[:]))
	b, okB := digits(binary.BigEndian.Uint64(padded[8:]))
	c, okC := digits(binary.BigEndian.Uint64(padded[16:]))
	d, okD := digits(binary.BigEndian.Uint64(padded[24:]))
	// Of the last digits eight bits count, and what is behind them has to be zero.
	if !okA || !okB || !okC || !okD || d<<32 != 0 {
		return sid, false
	}
	binary.BigEndian.PutUint64(sid[:8], a<<24|b>>16)
	binary.BigEndian.PutUint64(sid[8:], b<<48|c<<8|d>>32)
	return sid, sid != revocation.SID{}
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
