package dpop

import (
	"time"

	"github.com/lanyard-go/lanyard/internal/jose"
)

var payloadLimits = jose.Limits{Bytes: MaxProof, Depth: 4, Members: 32}

// names are the claims with a meaning here, refused in any other letter case.
var names = []string{"jti", "htm", "htu", "iat", "ath", "nonce"}

// claims are those of section 4.2. Absent ones are empty.
type claims struct {
	id, method, url, token, nonce string
	issued                        time.Time
}

// parseClaims reads a payload whose signature has been checked. Claims it does
// not know are passed over (section 4.2).
func parseClaims(payload string) (c claims, err error) {
	var buf [12]jose.Member
	members, err := jose.ParseObject(buf[:0], payload, payloadLimits)
	if err != nil {
		return c, refuse(Malformed, err)
	}
	for _, m := range members {
		ok := true
		switch m.Name {
		case "jti":
			c.id, ok = m.Value.Str()
		case "htm":
			c.method, ok = m.Value.Str()
		case "htu":
			c.url, ok = m.Value.Str()
		case "ath":
			c.token, ok = m.Value.Str()
		case "nonce":
			c.nonce, ok = m.Value.Str()
		case "iat":
			c.issued, ok = m.Value.Date()
		default:
			ok = !jose.Folds(m.Name, names)
		}
		if !ok {
			return c, refuse(ClaimAbsent, nil)
		}
	}
	if c.id == "" || len(c.id) > MaxID || c.method == "" || c.url == "" || c.issued.IsZero() {
		return c, refuse(ClaimAbsent, nil)
	}
	return c, nil
}
