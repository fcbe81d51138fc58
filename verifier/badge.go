package verifier

import (
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
	var err error
	b.SID, err = revocation.ParseSID(c.SID)
	return b, err == nil && !b.SID.IsZero() // the zero SID names no session
}
