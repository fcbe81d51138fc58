package token

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/lanyard-go/lanyard/internal/jose"
)

// check refuses claims that a verifier would refuse, or read in more than one way.
func (c *Claims) check(maxLifetime time.Duration) error {
	for _, r := range []struct {
		name, value string
		required    bool
	}{
		{"iss", c.Issuer, true},
		{"sub", c.Subject, true},
		{"client_id", c.ClientID, true},
		{"jti", c.ID, true},
		{"sid", c.SID, false},
		{"acr", c.ACR, false},
		{"cnf.jkt", c.JKT, false},
	} {
		if r.required && r.value == "" {
			return fmt.Errorf("%w: %s is required", ErrClaims, r.name)
		}
		if !utf8.ValidString(r.value) {
			return fmt.Errorf("%w: %s is not UTF-8", ErrClaims, r.name)
		}
	}
	if err := checkList("aud", c.Audience, true); err != nil {
		return err
	}
	if err := checkList("amr", c.AMR, false); err != nil {
		return err
	}
	if err := checkScope(c.Scope); err != nil {
		return err
	}
	if err := c.checkTimes(maxLifetime); err != nil {
		return err
	}
	for name := range c.Extra {
		if name == "" || isReserved(name) {
			return fmt.Errorf("%w: the name %q is not for application claims", ErrClaims, name)
		}
	}
	return nil
}

func checkList(name string, list []string, required bool) error {
	if required && len(list) == 0 {
		return fmt.Errorf("%w: %s is required", ErrClaims, name)
	}
	for i, v := range list {
		if v == "" || !utf8.ValidString(v) || slices.Contains(list[:i], v) {
			return fmt.Errorf("%w: %s has an entry that is empty, repeated or not UTF-8", ErrClaims, name)
		}
	}
	return nil
}

// checkScope holds scope to the grammar of RFC 6749 section 3.3, so that all
// readers split it alike.
func checkScope(scope string) error {
	if scope == "" {
		return nil
	}
	for s := range strings.SplitSeq(scope, " ") {
		if s == "" {
			return fmt.Errorf("%w: scope has an empty entry", ErrClaims)
		}
		for i := range len(s) {
			if b := s[i]; b < 0x21 || b > 0x7e || b == '"' || b == '\\' {
				return fmt.Errorf("%w: scope has a character outside its alphabet", ErrClaims)
			}
		}
	}
	return nil
}

func (c *Claims) checkTimes(maxLifetime time.Duration) error {
	for _, t := range []struct {
		name     string
		value    time.Time
		required bool
	}{
		{"iat", c.IssuedAt, true},
		{"exp", c.Expiry, true},
		{"nbf", c.NotBefore, false},
		{"auth_time", c.AuthTime, false},
	} {
		switch {
		case t.value.IsZero() && t.required:
			return fmt.Errorf("%w: %s is required", ErrClaims, t.name)
		case !t.value.IsZero() && (t.value.Unix() < 0 || t.value.Year() > 9999):
			return fmt.Errorf("%w: %s is out of range", ErrClaims, t.name)
		}
	}
	switch life := c.Expiry.Unix() - c.IssuedAt.Unix(); {
	case life <= 0:
		return fmt.Errorf("%w: exp is not later than iat", ErrClaims)
	case life > int64(maxLifetime/time.Second):
		return fmt.Errorf("%w: a lifetime of %d s exceeds the limit", ErrClaims, life)
	}
	return nil
}

// appendJSON appends the claims set. Optional claims are left out when empty;
// an audience of one is written as a plain string, the shorter of the two forms
// of RFC 7519 section 4.1.3.
func (c *Claims) appendJSON(dst []byte) ([]byte, error) {
	str := func(name, value string) {
		if value != "" {
			dst = append(dst, ',', '"')
			dst = append(append(dst, name...), '"', ':')
			dst = jose.AppendString(dst, value)
		}
	}
	raw := func(name string, value []byte) {
		dst = append(dst, ',', '"')
		dst = append(append(dst, name...), '"', ':')
		dst = append(dst, value...)
	}
	date := func(name string, t time.Time) {
		if !t.IsZero() {
			raw(name, strconv.AppendInt(nil, t.Unix(), 10))
		}
	}
	number := func(name string, n uint64) {
		if n != 0 {
			raw(name, strconv.AppendUint(nil, n, 10))
		}
	}

	dst = append(dst, `{"iss":`...)
	dst = jose.AppendString(dst, c.Issuer)
	str("sub", c.Subject)
	if len(c.Audience) == 1 {
		str("aud", c.Audience[0])
	} else {
		raw("aud", appendStrings(nil, c.Audience))
	}
	str("client_id", c.ClientID)
	str("jti", c.ID)
	str("sid", c.SID)
	number("gen", uint64(c.Generation))
	number("sep", c.SubjectEpoch)
	number("gep", c.GlobalEpoch)
	date("iat", c.IssuedAt)
	date("nbf", c.NotBefore)
	date("exp", c.Expiry)
	date("auth_time", c.AuthTime)
	str("acr", c.ACR)
	if len(c.AMR) > 0 {
		raw("amr", appendStrings(nil, c.AMR))
	}
	str("scope", c.Scope)
	if c.JKT != "" {
		raw("cnf", append(jose.AppendString([]byte(`{"jkt":`), c.JKT), '}'))
	}
	if len(c.Extra) > 0 {
		extra, err := encodeExtra(c.Extra)
		if err != nil {
			return nil, err
		}
		dst = append(append(dst, ','), extra[1:len(extra)-1]...)
	}
	return append(dst, '}'), nil
}

func appendStrings(dst []byte, list []string) []byte {
	dst = append(dst, '[')
	for i, s := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = jose.AppendString(dst, s)
	}
	return append(dst, ']')
}

// extraLimits leave room in the limits of a whole payload for the other claims.
var extraLimits = jose.Limits{Bytes: MaxExtra, Depth: payloadLimits.Depth, Members: payloadLimits.Members - 32}

// encodeExtra writes application claims as an object and reads them back as a
// verifier will, so that nothing is issued which verifiers refuse. A type with
// its own JSON encoding may write anything.
func encodeExtra(extra map[string]any) ([]byte, error) {
	b, err := json.Marshal(extra)
	if err != nil {
		return nil, fmt.Errorf("%w: application claims: %w", ErrClaims, err)
	}
	if _, err := jose.ParseObject(nil, string(b), extraLimits); err != nil {
		return nil, fmt.Errorf("%w: application claims: %w", ErrClaims, err)
	}
	return b, nil
}
