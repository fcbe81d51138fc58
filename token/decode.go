package token

import (
	"time"

	"github.com/lanyard-go/lanyard/internal/jose"
)

// payloadLimits bounds the claims set of a token whose signature was right.
var payloadLimits = jose.Limits{Bytes: 64 << 10, Depth: 8, Members: 256}

// parseClaims reads the payload of a token whose signature has been checked into
// c. It checks types and the presence of the required claims, not their values.
func parseClaims(payload string, c *Claims) error {
	var buf [24]jose.Member
	members, err := jose.ParseObject(buf[:0], payload, payloadLimits)
	if err != nil {
		return refuse(CausePayload)
	}
	for _, m := range members {
		if !c.set(m) {
			return refuse(CauseClaimType)
		}
	}
	if c.Issuer == "" || c.Subject == "" || c.Audience == nil || c.ClientID == "" || c.ID == "" ||
		c.IssuedAt.IsZero() || c.Expiry.IsZero() {
		return refuse(CauseClaimMissing)
	}
	return nil
}

// set stores one member and answers false when its type or range is wrong.
func (c *Claims) set(m jose.Member) (ok bool) {
	v := m.Value
	switch m.Name {
	case "iss":
		c.Issuer, ok = v.Str()
	case "sub":
		c.Subject, ok = v.Str()
	case "aud":
		c.Audience, ok = audience(v)
	case "client_id":
		c.ClientID, ok = v.Str()
	case "jti":
		c.ID, ok = v.Str()
	case "sid":
		c.SID, ok = v.Str()
	case "gen":
		var n uint64
		n, ok = v.Uint(32)
		c.Generation = uint32(n)
	case "sep":
		c.SubjectEpoch, ok = v.Uint(64)
	case "gep":
		c.GlobalEpoch, ok = v.Uint(64)
	case "iat":
		c.IssuedAt, ok = seconds(v)
	case "nbf":
		// The only date that opens rather than closes: a fraction rounds up.
		t, valid := v.Date()
		c.NotBefore, ok = t.Add(time.Second-1).Truncate(time.Second), valid
	case "exp":
		c.Expiry, ok = seconds(v)
	case "auth_time":
		c.AuthTime, ok = seconds(v)
	case "acr":
		c.ACR, ok = v.Str()
	case "amr":
		c.AMR, ok = v.Strings()
	case "scope":
		c.Scope, ok = v.Str()
	case "cnf":
		c.JKT, ok = confirmation(v)
	default:
		if jose.Folds(m.Name, registered) {
			return false
		}
		if c.Extra == nil {
			c.Extra = make(map[string]any)
		}
		c.Extra[m.Name], ok = v.Any(), true
	}
	return ok
}

// audience takes both forms of RFC 7519 section 4.1.3.
func audience(v jose.Value) ([]string, bool) {
	if s, ok := v.Str(); ok {
		return []string{s}, true
	}
	return v.Strings()
}

func seconds(v jose.Value) (time.Time, bool) {
	t, ok := v.Date()
	return time.Unix(t.Unix(), 0).UTC(), ok
}

// confirmation reads cnf (RFC 7800). A method other than jkt would be a demand
// this package cannot meet, and ignoring it would make the token a bearer token,
// so it is refused.
func confirmation(v jose.Value) (string, bool) {
	members, ok := v.Members()
	if !ok || len(members) != 1 || members[0].Name != "jkt" {
		return "", false
	}
	jkt, ok := members[0].Value.Str()
	return jkt, ok && jkt != ""
}
