package token_test

import (
	"strings"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard/token"
)

// With public keys and what the reader expects, inspection says of each check
// whether it holds and which text asks for it.
func TestInspectionHoldsATokenAgainstWhatIsExpected(t *testing.T) {
	f, other := newForge(t), newForge(t)
	good := f.sign(t, f.header(""), claims(nil))
	all := token.InspectOptions{Now: testNow, Keys: f.keys, Issuer: testIssuer, Audience: testAudience}
	for _, test := range []struct {
		name string
		raw  string
		o    token.InspectOptions
		part token.Part
		want string // of the one problem; empty: there is none
		rule string
	}{
		{"a good one", good, all, "", "", ""},
		{"a changed signature", good[:len(good)-4] + "AAAA", all, token.PartSignature, "does not fit", "RFC 7515 section 5.2"},
		{"a key that is not there", good, token.InspectOptions{Now: testNow, Keys: other.keys}, token.PartSignature, "no key with its kid", "RFC 9068 section 4"},
		{"another issuer", good, token.InspectOptions{Now: testNow, Keys: f.keys, Issuer: testIssuer + "/"}, token.PartPayload, "its issuer is", "RFC 9068 section 4"},
		{"another audience", good, token.InspectOptions{Now: testNow, Keys: f.keys, Audience: "billing"}, token.PartPayload, "not for billing", "RFC 9068 section 4"},
		{"too late", good, token.InspectOptions{Now: testNow.Add(time.Hour), Keys: f.keys}, token.PartTimes, "it expired", "RFC 9068 section 4"},
		{"RS256, which was not allowed", f.sign(t, strings.Replace(f.header(""), "ES256", "RS256", 1), claims(nil)), all, token.PartHeader, "alg is RS256", "RFC 8725 section 3.2"},
		{"no clock and no keys", good, token.InspectOptions{}, "", "", ""},
	} {
		r := token.InspectWith(test.raw, test.o)
		var problems []token.Finding
		for _, finding := range r.Findings {
			if finding.Problem {
				problems = append(problems, finding)
			}
			if finding.Rule == "" || finding.Part == "" || finding.Text == "" {
				t.Errorf("%s: %+v lacks its part or rule", test.name, finding)
			}
		}
		if test.want == "" {
			if len(problems) != 0 {
				t.Errorf("%s: got\n%s", test.name, r)
			}
			continue
		}
		if len(problems) != 1 || !strings.Contains(problems[0].Text, test.want) || problems[0].Part != test.part || problems[0].Rule != test.rule {
			t.Errorf("%s: got\n%s", test.name, r)
		}
	}
	if text := token.InspectWith(good, all).String(); !strings.Contains(text, "the signature fits") || !strings.Contains(text, "expected audience") {
		t.Errorf("what holds is not said:\n%s", text)
	}
	if text := token.InspectWith(good, token.InspectOptions{}).String(); strings.Contains(text, "expires in") || !strings.Contains(text, "was not checked") {
		t.Errorf("what was not checked is said to hold:\n%s", text)
	}
}

// With everything known, inspection finds no fault with exactly the tokens that
// verify.
func TestInspectionAgreesWithTheVerifier(t *testing.T) {
	f, other := newForge(t), newForge(t)
	all := token.InspectOptions{Now: testNow, Keys: f.keys, Issuer: testIssuer, Audience: testAudience}
	for name, raw := range map[string]string{
		"good":             f.sign(t, f.header(""), claims(nil)),
		"good, long":       f.sign(t, f.header(`,"x":"y"`), claims(map[string]any{"role": []string{"a"}})),
		"a stranger's":     other.sign(t, f.header(""), claims(nil)),
		"a stranger's kid": other.sign(t, other.header(""), claims(nil)),
		"another issuer":   f.sign(t, f.header(""), claims(map[string]any{"iss": "x"})),
		"another audience": f.sign(t, f.header(""), claims(map[string]any{"aud": "x"})),
		"audiences":        f.sign(t, f.header(""), claims(map[string]any{"aud": []string{"x", testAudience}})),
		"expired":          f.sign(t, f.header(""), claims(map[string]any{"exp": testNow.Unix()})),
		"no expiry":        f.sign(t, f.header(""), claims(map[string]any{"exp": nil})),
		"its end in float": f.sign(t, f.header(""), strings.Replace(claims(nil), `"exp":`, `"exp":1e999,"x":`, 1)),
	} {
		_, err := f.verifier.Verify(raw)
		if r := token.InspectWith(raw, all); (r.Problems() == 0) != (err == nil) {
			t.Errorf("%s: the verifier says %v, inspection\n%s", name, err, r)
		}
	}
}
