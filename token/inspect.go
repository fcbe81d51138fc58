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

	part Part
}

// Part is what a [Finding] is about.
type Part string

const (
	PartForm      Part = "form" // the text as a whole
	PartHeader    Part = "header"
	PartPayload   Part = "payload"
	PartTimes     Part = "times"
	PartSignature Part = "signature"
	PartSession   Part = "session"
)

// Finding is one remark. It is a problem if a verifier would refuse the token
// for it.
type Finding struct {
	Part    Part   `json:"part"`
	Problem bool   `json:"problem"`
	Text    string `json:"text"`
	Rule    string `json:"rule,omitempty"` // which text says so, such as "RFC 9068 section 4"
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

// String lists the findings, one a line with the rule behind it, problems marked
// with an exclamation mark.
func (r Report) String() string {
	var b strings.Builder
	for _, f := range r.Findings {
		mark := "  "
		if f.Problem {
			mark = "! "
		}
		b.WriteString(mark + f.Text)
		if f.Rule != "" {
			b.WriteString(" [" + f.Rule + "]")
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// InspectOptions say what [InspectWith] may hold a token against. The zero value
// knows no key, no issuer, no audience, and reads no clock.
type InspectOptions struct {
	Now        time.Time  // the time to judge exp, nbf and iat by; zero: they are not judged
	Keys       VerifyKeys // of the issuer; nil: the signature is not checked
	Issuer     string     // that it must name; empty: whichever
	Audience   string     // that it must name; empty: whichever
	AllowRS256 bool       // as in [VerifierConfig]
}

// Inspect is [InspectWith] for somebody who has the text alone.
func Inspect(raw string, now time.Time) Report { return InspectWith(raw, InspectOptions{Now: now}) }

// InspectWith reads a text and tells a person all that is wrong with it as an
// access token, and which rule says so, going on after each problem. Public keys
// are the most it needs. Never use any of it for a decision: that is what
// [Verifier.Verify] is for.
func InspectWith(raw string, o InspectOptions) Report {
	r := Report{part: PartForm}
	if len(raw) > 4*MaxSize {
		r.problem("limit of this verifier", "it is %d bytes long, a verifier reads at most %d", len(raw), MaxSize)
		return r
	}
	header, payload, ok := r.form(raw)
	if !ok {
		return r
	}
	header, payload = r.decode("header", header), r.decode("payload", payload)
	r.Header, r.Payload = printable(header), printable(payload)
	r.part = PartHeader
	r.inspectHeader(header, o)
	r.part = PartPayload
	r.inspectPayload(payload, o)
	r.part = PartSignature
	r.inspectSignature(raw, o)
	r.part = PartSession
	r.note("RFC 9068 section 4", "whether its session has ended is known to the issuer alone")
	return r
}

func (r *Report) problem(rule, format string, args ...any) {
	r.Findings = append(r.Findings, Finding{r.part, true, fmt.Sprintf(format, args...), rule})
}

func (r *Report) note(rule, format string, args ...any) {
	r.Findings = append(r.Findings, Finding{r.part, false, fmt.Sprintf(format, args...), rule})
}

// form looks at the text as a whole.
func (r *Report) form(raw string) (header, payload string, ok bool) {
	if len(raw) > MaxSize {
		r.problem("limit of this verifier", "it is %d bytes long, a verifier reads at most %d", len(raw), MaxSize)
	}
	switch {
	case raw == "":
		r.problem("RFC 7515 section 7.1", "it is empty")
		return "", "", false
	case raw[0] == '{':
		r.problem("RFC 7515 section 7.1", "it is JSON; only the compact form with three parts is accepted")
		return "", "", false
	}
	if len(raw) > 7 && strings.EqualFold(raw[:7], "bearer ") {
		r.problem("RFC 6750 section 2.1", "it starts with the scheme %q, which belongs to the header field and not to the token", raw[:6])
		raw = raw[7:]
	}
	if trimmed := strings.TrimSpace(raw); trimmed != raw {
		r.problem("RFC 7515 section 2", "it has white space around it")
		raw = trimmed
	}
	parts := strings.Split(raw, ".")
	switch {
	case len(parts) == 5:
		r.problem("RFC 9068 section 4", "it has five parts, so it is encrypted (JWE), which is not accepted")
		return "", "", false
	case len(parts) != 3:
		r.problem("RFC 7515 section 7.1", "it has %d parts between dots, a token has three", len(parts))
		return "", "", false
	}
	if parts[2] == "" {
		r.problem("RFC 8725 section 3.2", "its signature is empty")
	} else {
		r.decodeBytes("signature", parts[2])
	}
	return parts[0], parts[1], true
}

// decode returns a part as text for people, also when no verifier would.
func (r *Report) decode(name, part string) string {
	b := r.decodeBytes(name, part)
	if _, err := jose.ParseObject(nil, string(b), payloadLimits); err != nil && b != nil {
		r.problem("RFC 7515 section 4, RFC 7519 section 4", "its %s is %v", name, plain(err))
	}
	return string(b)
}

func (r *Report) decodeBytes(name, part string) []byte {
	b, err := jose.DecodeBase64(nil, part)
	if err == nil {
		return b
	}
	r.problem("RFC 7515 section 2", "its %s is %v", name, plain(err))
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

func (r *Report) inspectHeader(text string, o InspectOptions) {
	h := lenient(text)
	if h == nil {
		return
	}
	switch alg := h["alg"].(type) {
	case string:
		switch a := Algorithm(alg); {
		case strings.EqualFold(alg, "none"):
			r.problem("RFC 8725 section 3.2", "alg is %q: it is not signed at all", alg)
		case len(alg) == 5 && strings.HasPrefix(alg, "HS"):
			r.problem("RFC 8725 section 3.2", "alg is %s, a shared secret: whoever can check it can forge it", alg)
		case a == RS256 && o.AllowRS256:
			r.note("RFC 8725 section 3.1", "alg is %s", alg)
		case a == RS256 && o.Keys != nil:
			r.problem("RFC 8725 section 3.2", "alg is RS256, which is accepted only where it is allowed")
		case a == RS256:
			r.note("RFC 8725 section 3.2", "alg is RS256, accepted only where AllowRS256 is set")
		case a.check(false) != nil:
			r.problem("RFC 8725 section 3.1", "alg %q is not accepted; ES256 and Ed25519 are", alg)
		default:
			r.note("RFC 8725 section 3.1", "alg is %s", alg)
		}
	default:
		r.problem("RFC 7515 section 4.1.1", "alg is missing or not a string")
	}
	switch typ, ok := h["typ"].(string); {
	case !ok:
		r.problem("RFC 9068 section 4", "typ is missing; an access token says at+jwt")
	case !isAccessTokenType(typ):
		r.problem("RFC 9068 section 4", "typ is %q, another kind of token; an access token says at+jwt", typ)
	}
	switch kid, ok := h["kid"].(string); {
	case !ok:
		r.problem("RFC 7515 section 4.1.4", "kid is missing, so no key can be chosen")
	case jose.CheckKeyID(kid) != nil:
		r.problem("RFC 8725 section 3.10", "kid must have 1 to %d characters out of letters, digits and -_.~@:", jose.MaxKeyID)
	default:
		r.note("RFC 7515 section 4.1.4", "kid is %q", kid)
	}
	known := []string{"alg", "typ", "kid"}
	for _, name := range []string{"jwk", "jku", "x5u", "x5c"} {
		known = append(known, name)
		if _, ok := h[name]; ok {
			r.problem("RFC 8725 section 3.10", "the header has %s: a token must not bring or name its own key", name)
		}
	}
	for _, name := range []string{"crit", "b64", "zip", "enc", "cty"} {
		known = append(known, name)
		if _, ok := h[name]; ok {
			r.problem("RFC 7515 section 4.1.11", "the header has %s, which is not supported", name)
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
		r.problem("RFC 7515 section 4", "the member %q is a known name in another letter case", name)
	}
}

func (r *Report) inspectPayload(text string, o InspectOptions) {
	// The types are judged by the very code that verifies.
	members, err := jose.ParseObject(nil, text, payloadLimits)
	var c Claims
	if err == nil {
		for _, m := range members {
			if !c.set(m) {
				r.problem("RFC 7519 section 4.1", "the claim %q has the wrong type or is out of range: %s", m.Name, shorten(m.Value.Raw()))
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
			r.problem("RFC 9068 section 2.2", "the claim %s is empty", name)
		} else if !ok || v == "" {
			r.problem("RFC 9068 section 2.2", "the claim %s is missing", name)
		}
	}
	r.otherCase(m, registered)
	if err == nil {
		r.inspectParties(c, o)
		r.part = PartTimes
		r.inspectTimes(c, o.Now)
		r.part = PartPayload
	}
	if c.JKT != "" {
		r.note("RFC 9449 section 7.1", "it is bound to the key %s: each use needs a DPoP proof", c.JKT)
	}
}

// inspectParties compares who issued the token, and for whom, with what the
// reader expects.
func (r *Report) inspectParties(c Claims, o InspectOptions) {
	if o.Issuer != "" && c.Issuer != "" {
		if c.Issuer == o.Issuer {
			r.note("RFC 9068 section 4", "its issuer is the expected one")
		} else {
			r.problem("RFC 9068 section 4", "its issuer is %s, expected is %s, compared character by character", shorten(c.Issuer), o.Issuer)
		}
	}
	if o.Audience != "" && c.Audience != nil {
		if slices.Contains(c.Audience, o.Audience) {
			r.note("RFC 9068 section 4", "it is meant for the expected audience")
		} else {
			r.problem("RFC 9068 section 4", "it is meant for %s, not for %s", shorten(strings.Join(c.Audience, " ")), o.Audience)
		}
	}
}

// inspectSignature checks the signature as a verifier does, by one that minds
// nothing but header and signature.
func (r *Report) inspectSignature(raw string, o InspectOptions) {
	if o.Keys == nil {
		r.note("RFC 7515 section 5.2", "the signature was not checked: no keys were given")
		return
	}
	m, err := jose.Parse(raw, 4*MaxSize, jose.HeaderPolicy{Type: accessTokenType, Algorithms: verifierAlgorithms(o.AllowRS256), Key: jose.KeyByID})
	if err != nil {
		r.note("RFC 7515 section 5.2", "the signature was not checked: form or header do not allow it")
		return
	}
	key, ok := o.Keys.Lookup(m.Header.KeyID)
	if !ok {
		r.problem("RFC 9068 section 4", "the key set has no key with its kid: it was withdrawn, has retired, or the set is older than the key")
		return
	}
	if _, err := m.Verify(key.key); err != nil {
		r.problem("RFC 7515 section 5.2", "the signature does not fit: the token was changed, or is not from the holder of the key")
		return
	}
	r.note("RFC 7515 section 5.2", "the signature fits the key %s", m.Header.KeyID)
}

func (r *Report) inspectTimes(c Claims, now time.Time) {
	if now.IsZero() {
		return
	}
	if !c.Expiry.IsZero() {
		if left := c.Expiry.Sub(now); left <= 0 {
			r.problem("RFC 9068 section 4", "it expired %v ago, at %s", (-left).Round(time.Second), stamp(c.Expiry))
		} else {
			r.note("RFC 9068 section 4", "it expires in %v, at %s", left.Round(time.Second), stamp(c.Expiry))
		}
	}
	if !c.NotBefore.IsZero() && now.Before(c.NotBefore) {
		r.problem("RFC 7519 section 4.1.5", "it is not valid before %s (nbf)", stamp(c.NotBefore))
	}
	if c.IssuedAt.IsZero() || c.Expiry.IsZero() {
		return
	}
	if now.Before(c.IssuedAt) {
		r.problem("RFC 7519 section 4.1.6", "it says that it was issued in the future, at %s: forged, or a clock is wrong", stamp(c.IssuedAt))
	}
	switch life := c.Expiry.Sub(c.IssuedAt); {
	case life <= 0:
		r.problem("RFC 7519 section 4.1.4", "it expires before it was issued")
	case life > MaxLifetime:
		r.note("RFC 9700 section 2.2", "it lives %v, longer than the %v that are advisable", life, MaxLifetime)
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
