package token

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/lanyard-go/lanyard/internal/jose"
)

// Report is what [Inspect] has to say about a text that should be an access
// token. It is for reading, never for deciding.
type Report struct {
	Header   string    `json:"header"`   // the header, decoded, unprintable characters escaped; empty if unreadable
	Payload  string    `json:"payload"`  // the payload likewise, never verified
	Findings []Finding `json:"findings"` // in the order of the checks
}

// Finding is one remark. It is a problem if a verifier would refuse the token
// for it.
type Finding struct {
	Problem bool   `json:"problem"`
	Text    string `json:"text"`
}

// Problems returns how many findings would make a verifier refuse.
func (r Report) Problems() int {
	n := 0
	for _, f := range r.Findings {
		if f.Problem {
			n++
		}
	}
	return n
}

// String lists the findings, one a line, problems marked with an exclamation
// mark.
func (r Report) String() string {
	var b strings.Builder
	for _, f := range r.Findings {
		mark := "  "
		if f.Problem {
			mark = "! "
		}
		b.WriteString(mark + f.Text + "\n")
	}
	return b.String()
}

// Inspect reads a text without verifying it and tells a person all that is wrong
// with it as an access token at the time now, going on after each problem. It
// needs no key, so it cannot tell whether the signature fits, and it does not know
// whose token it should be. Never use any of it for a decision: that is what
// [Verifier.Verify] is for.
func Inspect(raw string, now time.Time) Report {
	var r Report
	if len(raw) > 4*MaxSize {
		r.problem("it is %d bytes long, a verifier reads at most %d", len(raw), MaxSize)
		return r
	}
	header, payload, ok := r.form(raw)
	if !ok {
		return r
	}
	header, payload = r.decode("header", header), r.decode("payload", payload)
	r.Header, r.Payload = printable(header), printable(payload)
	r.inspectHeader(header)
	r.inspectPayload(payload, now)
	r.note("the signature was not checked, and neither was whether the session has ended")
	return r
}

func (r *Report) problem(format string, args ...any) {
	r.Findings = append(r.Findings, Finding{true, fmt.Sprintf(format, args...)})
}

func (r *Report) note(format string, args ...any) {
	r.Findings = append(r.Findings, Finding{false, fmt.Sprintf(format, args...)})
}

// form looks at the text as a whole.
func (r *Report) form(raw string) (header, payload string, ok bool) {
	if len(raw) > MaxSize {
		r.problem("it is %d bytes long, a verifier reads at most %d", len(raw), MaxSize)
	}
	switch {
	case raw == "":
		r.problem("it is empty")
		return "", "", false
	case raw[0] == '{':
		r.problem("it is JSON; only the compact form with three parts is accepted")
		return "", "", false
	}
	if len(raw) > 7 && strings.EqualFold(raw[:7], "bearer ") {
		r.problem("it starts with the scheme %q, which belongs to the header field and not to the token", raw[:6])
		raw = raw[7:]
	}
	if trimmed := strings.TrimSpace(raw); trimmed != raw {
		r.problem("it has white space around it")
		raw = trimmed
	}
	parts := strings.Split(raw, ".")
	switch {
	case len(parts) == 5:
		r.problem("it has five parts, so it is encrypted (JWE), which is not accepted")
		return "", "", false
	case len(parts) != 3:
		r.problem("it has %d parts between dots, a token has three", len(parts))
		return "", "", false
	}
	if parts[2] == "" {
		r.problem("its signature is empty")
	} else {
		r.decodeBytes("signature", parts[2])
	}
	return parts[0], parts[1], true
}

// decode returns a part as text for people, also when no verifier would.
func (r *Report) decode(name, part string) string {
	b := r.decodeBytes(name, part)
	if _, err := jose.ParseObject(nil, string(b), payloadLimits); err != nil && b != nil {
		r.problem("its %s is %v", name, plain(err))
	}
	return string(b)
}

func (r *Report) decodeBytes(name, part string) []byte {
	b, err := jose.DecodeBase64(nil, part)
	if err == nil {
		return b
	}
	r.problem("its %s is %v", name, plain(err))
	// The lenient readings, so that the rest can be looked at.
	part = strings.TrimRight(part, "=")
	part = strings.NewReplacer("+", "-", "/", "_").Replace(part)
	b, err = base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return nil
	}
	return b
}

// plain drops the package name in front of an error.
func plain(err error) string {
	return strings.TrimPrefix(err.Error(), "jose: ")
}

// lenient reads an object as well as it can: strictly if possible, else with
// the standard decoder, which takes the last of duplicates.
func lenient(text string) map[string]any {
	var m map[string]any
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if d.Decode(&m) != nil {
		return nil
	}
	return m
}

func (r *Report) inspectHeader(text string) {
	h := lenient(text)
	if h == nil {
		return
	}
	switch alg := h["alg"].(type) {
	case string:
		switch a := Algorithm(alg); {
		case strings.EqualFold(alg, "none"):
			r.problem("alg is %q: it is not signed at all", alg)
		case len(alg) == 5 && strings.HasPrefix(alg, "HS"):
			r.problem("alg is %s, a shared secret: whoever can check it can forge it", alg)
		case a == RS256:
			r.note("alg is RS256, accepted only where AllowRS256 is set")
		case a.check(false) != nil:
			r.problem("alg %q is not accepted; ES256 and Ed25519 are", alg)
		default:
			r.note("alg is %s", alg)
		}
	default:
		r.problem("alg is missing or not a string")
	}
	switch typ, ok := h["typ"].(string); {
	case !ok:
		r.problem("typ is missing; an access token says at+jwt (RFC 9068)")
	case !isAccessTokenType(typ):
		r.problem("typ is %q, another kind of token; an access token says at+jwt (RFC 9068)", typ)
	}
	switch kid, ok := h["kid"].(string); {
	case !ok:
		r.problem("kid is missing, so no key can be chosen")
	case jose.CheckKeyID(kid) != nil:
		r.problem("kid must have 1 to %d characters out of letters, digits and -_.~@:", jose.MaxKeyID)
	default:
		r.note("kid is %q", kid)
	}
	known := []string{"alg", "typ", "kid"}
	for _, name := range []string{"jwk", "jku", "x5u", "x5c"} {
		known = append(known, name)
		if _, ok := h[name]; ok {
			r.problem("the header has %s: a token must not bring or name its own key", name)
		}
	}
	for _, name := range []string{"crit", "b64", "zip", "enc", "cty"} {
		known = append(known, name)
		if _, ok := h[name]; ok {
			r.problem("the header has %s, which is not supported", name)
		}
	}
	r.otherCase(h, known)
}

// otherCase finds names that lax readers would take for known ones.
func (r *Report) otherCase(m map[string]any, known []string) {
	var found []string
	for name := range m {
		if jose.Folds(name, known) {
			found = append(found, name)
		}
	}
	slices.Sort(found)
	for _, name := range found {
		r.problem("the member %q is a known name in another letter case", name)
	}
}

func (r *Report) inspectPayload(text string, now time.Time) {
	// The types are judged by the very code that verifies.
	members, err := jose.ParseObject(nil, text, payloadLimits)
	var c Claims
	if err == nil {
		for _, m := range members {
			if !c.set(m) {
				r.problem("the claim %q has the wrong type or is out of range: %s", m.Name, shorten(m.Value.Raw()))
			}
		}
	}
	m := lenient(text)
	if m == nil {
		return
	}
	for _, name := range []string{"iss", "sub", "aud", "client_id", "jti", "iat", "exp"} {
		v, ok := m[name]
		if list, isList := v.([]any); isList && len(list) == 0 {
			r.problem("the claim %s is empty", name)
		} else if !ok || v == "" {
			r.problem("the claim %s is missing (RFC 9068 section 2.2)", name)
		}
	}
	r.otherCase(m, registered)
	if err == nil {
		r.inspectTimes(c, now)
	}
	if c.JKT != "" {
		r.note("it is bound to the key %s: each use needs a DPoP proof", c.JKT)
	}
}

func (r *Report) inspectTimes(c Claims, now time.Time) {
	if !c.Expiry.IsZero() {
		if left := c.Expiry.Sub(now); left <= 0 {
			r.problem("it expired %v ago, at %s", (-left).Round(time.Second), stamp(c.Expiry))
		} else {
			r.note("it expires in %v, at %s", left.Round(time.Second), stamp(c.Expiry))
		}
	}
	if !c.NotBefore.IsZero() && now.Before(c.NotBefore) {
		r.problem("it is not valid before %s (nbf)", stamp(c.NotBefore))
	}
	if c.IssuedAt.IsZero() || c.Expiry.IsZero() {
		return
	}
	if now.Before(c.IssuedAt) {
		r.problem("it says that it was issued in the future, at %s: forged, or a clock is wrong", stamp(c.IssuedAt))
	}
	switch life := c.Expiry.Sub(c.IssuedAt); {
	case life <= 0:
		r.problem("it expires before it was issued")
	case life > MaxLifetime:
		r.note("it lives %v, longer than the %v that are advisable", life, MaxLifetime)
	}
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// shorten keeps a hostile value from filling the screen.
func shorten(s string) string {
	if len(s) > 60 {
		s = s[:60] + "..."
	}
	return printable(s)
}

// printable escapes what could steer a terminal or turn text around on it:
// control and formatting characters, and bytes that are not UTF-8.
func printable(s string) string {
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD"):
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case r == '\n' || r == '\t' || unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}
