package token

import (
	"strings"
	"time"
)

// Claims is what an access token says. Times are whole seconds in UTC.
//
// Claims returned by [Verifier.Verify] are shared between callers and read-only,
// the slices and maps in them included.
type Claims struct {
	Issuer       string         // iss; with Subject the only stable name of a user
	Subject      string         // sub
	Audience     []string       // aud
	ClientID     string         // client_id
	ID           string         // jti
	SID          string         // sid: the public id of the session
	Generation   uint32         // gen: generation of the session
	SubjectEpoch uint64         // sep: epoch of the subject
	GlobalEpoch  uint64         // gep: epoch of everything
	IssuedAt     time.Time      // iat
	NotBefore    time.Time      // nbf, zero if absent
	Expiry       time.Time      // exp; the token is dead at this instant
	AuthTime     time.Time      // auth_time: when the person authenticated, zero if absent
	ACR          string         // acr: class of that authentication
	AMR          []string       // amr: methods of that authentication
	Scope        string         // scope: space-separated, empty if absent
	JKT          string         // cnf.jkt: the token needs a DPoP proof by the key with this thumbprint
	Extra        map[string]any // application claims, issued up to 4 KiB; numbers read back as json.Number

	// KeyID is the kid of the header of a verified token. [Issuer.Issue]
	// ignores it.
	KeyID string
}

// HasScope reports whether the token grants the scope. Scopes are compared
// exactly (RFC 6749 section 3.3).
func (c *Claims) HasScope(scope string) bool {
	if scope == "" {
		return false
	}
	for s := range strings.SplitSeq(c.Scope, " ") {
		if s == scope {
			return true
		}
	}
	return false
}

// MaxExtra is the most application claims a token may carry, in bytes of JSON.
const MaxExtra = 4 << 10

// registered are the names Claims has fields for.
var registered = []string{
	"iss", "sub", "aud", "client_id", "jti", "sid", "gen", "sep", "gep", "iat",
	"nbf", "exp", "auth_time", "acr", "amr", "scope", "cnf",
}

// foreign are names by which other kinds of JWT are known (logout tokens,
// security events, proofs, status lists). No access token carries
// them, so that no lax reader takes one for such a kind.
var foreign = []string{"events", "sub_id", "txn", "nonce", "htm", "htu", "ath", "status_list"}

// isReserved reports whether name, in any letter case, is not for applications.
func isReserved(name string) bool {
	for _, list := range [][]string{registered, foreign} {
		for _, r := range list {
			if strings.EqualFold(name, r) {
				return true
			}
		}
	}
	return false
}

// isAccessTokenType compares a typ as RFC 9068 section 4 does.
func isAccessTokenType(typ string) bool {
	typ = strings.ToLower(typ)
	return strings.TrimPrefix(typ, "application/") == accessTokenType
}

// accessTokenType is the typ of RFC 9068 section 2.1.
const accessTokenType = "at+jwt"
