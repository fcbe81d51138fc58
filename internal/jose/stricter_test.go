package jose

import (
	"strings"
	"testing"
)

// stricterReason is why a token is refused here that another library accepts.
type stricterReason struct {
	why    string // the refusal, numbers as N
	by     string // who accepts the example
	header string // of the example, whose claims are {"iss":"a"}
	change func(raw string) string
	reason string
}

// stricter is the list of reasons for which a token is refused here and not by
// go-jose v4 or golang-jwt v5. A fuzz test fails on any other.
var stricter = []stricterReason{
	{why: "header refused: a known member in another letter case", by: "go-jose, golang-jwt", header: `{"alg":"ES256","ALG":"none"}`,
		reason: "a reader without regard to case would take it for the known one"},
	{why: "header refused: jwk", by: "go-jose, golang-jwt", header: `{"alg":"ES256","jwk":` + embedded + `}`,
		reason: "keys come from configuration, never from the token"},
	{why: "header refused: jku", by: "go-jose, golang-jwt", header: `{"alg":"ES256","jku":"https://a.example"}`, reason: "as jwk"},
	{why: "header refused: xNu", by: "go-jose, golang-jwt", header: `{"alg":"ES256","x5u":"https://a.example"}`, reason: "as jwk"},
	{why: "header refused: xNc", by: "golang-jwt", header: `{"alg":"ES256","x5c":["AA=="]}`, reason: "as jwk"},
	{why: "header refused: zip", by: "go-jose, golang-jwt", header: `{"alg":"ES256","zip":"DEF"}`, reason: "nothing is unpacked"},
	{why: "header refused: enc", by: "go-jose, golang-jwt", header: `{"alg":"ES256","enc":"A128GCM"}`, reason: "a signed token has none"},
	{why: "header refused: cty", by: "go-jose, golang-jwt", header: `{"alg":"ES256","cty":"JWT"}`, reason: "no tokens in tokens"},
	{why: "critical extension refused: crit", by: "golang-jwt", header: `{"alg":"ES256","crit":["x"],"x":1}`,
		reason: "RFC 7515 section 4.1.11: what is not understood must be refused"},
	{why: "critical extension refused: bN", by: "golang-jwt", header: `{"alg":"ES256","b64":false}`, reason: "lawful only with crit"},
	{why: "wrong token type: typ is not a string", by: "go-jose, golang-jwt", header: `{"alg":"ES256","typ":1}`, reason: "RFC 7515 section 4.1.9"},
	{why: "key id refused: kid is not a string", by: "golang-jwt", header: `{"alg":"ES256","kid":1}`, reason: "RFC 7515 section 4.1.4"},
	{why: "key id refused: byte N is outside the alphabet", by: "go-jose, golang-jwt", header: `{"alg":"ES256","kid":"a/b"}`,
		reason: "kid is hostile input and may end up in paths, queries and logs"},
	{why: "key id refused: N bytes", by: "go-jose, golang-jwt", header: `{"alg":"ES256","kid":""}`, reason: "as above: 1 to 128 bytes"},
	{why: "not a strict JSON object: a member name occurs twice", by: "golang-jwt", header: `{"alg":"none","alg":"ES256"}`,
		reason: "two readers may take different ones"},
	{why: "not a strict JSON object: not UTF-N", by: "go-jose, golang-jwt", header: "{\"alg\":\"ES256\",\"x\":\"\xff\"}", reason: "RFC 8259 section 8.1"},
	{why: "not a strict JSON object: bad escape", by: "go-jose, golang-jwt", header: `{"alg":"ES256","x":"\ud800"}`, reason: "half of a surrogate pair stands for no character"},
	{why: "not a strict JSON object: nested too deeply", by: "go-jose, golang-jwt", header: `{"alg":"ES256","x":[[[[1]]]]}`, reason: "bounded work before the signature"},
	{why: "not a strict JSON object: too many members", by: "go-jose, golang-jwt", header: `{"alg":"ES256"` + manyMembers() + `}`, reason: "as above"},
	{why: "not a strict JSON object: longer than N bytes", by: "go-jose, golang-jwt", header: `{"alg":"ES256","x":"` + strings.Repeat("a", 4<<10) + `"}`, reason: "as above"},
	{why: "text too long: N bytes, the limit is N", by: "go-jose, golang-jwt", header: `{"alg":"ES256","x":"` + strings.Repeat("a", differentialLimit) + `"}`, reason: "as above"},
	{why: "not canonical baseNurl: not the canonical spelling", by: "go-jose, golang-jwt", header: `{"alg":"ES256"}`, change: strayBits,
		reason: "one token, one spelling: else a list of refused tokens can be passed by"},
	{why: "not a compact JWS: byte N is outside the alphabet", by: "go-jose, golang-jwt", header: `{"alg":"ES256"}`,
		change: func(raw string) string { return raw + "\n" }, reason: "as above"},
	{why: "not a compact JWS: not three non-empty parts", by: "go-jose", header: `{"alg":"ES256"}`, reason: "a JWT has claims: the payload may not be empty"},
}

func manyMembers() string {
	var b strings.Builder
	for i := range 32 {
		b.WriteString(`,"x` + strings.Repeat("y", i) + `":1`)
	}
	return b.String()
}

// strayBits sets a bit behind the last byte of the signature.
func strayBits(raw string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, raw[len(raw)-1])
	return raw[:len(raw)-1] + string(alphabet[last|1])
}

// raw is a token that shows the reason.
func (e *stricterReason) raw(t *testing.T, s *Signer) string {
	t.Helper()
	payload := `{"iss":"a"}`
	if strings.HasSuffix(e.why, "non-empty parts") {
		payload = ""
	}
	raw := signBytes(t, s, []byte(e.header), []byte(payload))
	if e.change != nil {
		raw = e.change(raw)
	}
	return raw
}
