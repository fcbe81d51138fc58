package token_test

import (
	"strings"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard/token"
)

func TestInspectSaysWhatIsWrong(t *testing.T) {
	f := newForge(t)
	good := f.sign(t, f.header(""), claims(nil))
	parts := strings.Split(good, ".")
	for _, test := range []struct {
		name, raw string
		want      []string // words of each problem, in order
	}{
		{"a good one", good, nil},
		{"nothing", "", []string{"is empty"}},
		{"with its scheme", "Bearer " + good, []string{"scheme"}},
		{"with white space", good + "\n", []string{"white space"}},
		{"JSON", `{"payload":""}`, []string{"compact form"}},
		{"encrypted", "a.b.c.d.e", []string{"JWE"}},
		{"two parts", "a.b", []string{"2 parts"}},
		{"no signature", parts[0] + "." + parts[1] + ".", []string{"signature is empty"}},
		{"padding", good + "==", []string{"signature is not canonical base64url"}},
		{"a header that is no base64url", "e." + parts[1] + "." + parts[2], []string{"header is not canonical"}},
		{"alg none", f.sign(t, strings.Replace(f.header(""), "ES256", "NoNe", 1), claims(nil)), []string{"not signed at all"}},
		{"alg HS256", f.sign(t, strings.Replace(f.header(""), "ES256", "HS256", 1), claims(nil)), []string{"shared secret"}},
		{"alg unknown", f.sign(t, strings.Replace(f.header(""), "ES256", "PS256", 1), claims(nil)), []string{"not accepted"}},
		{"no typ and no kid", f.sign(t, `{"alg":"ES256"}`, claims(nil)), []string{"typ is missing", "kid is missing"}},
		{"a logout token", f.sign(t, strings.Replace(f.header(""), "at+jwt", "logout+jwt", 1), claims(nil)), []string{"another kind"}},
		{"an embedded key and crit", f.sign(t, f.header(`,"jwk":{},"crit":[]`), claims(nil)), []string{"jwk", "crit"}},
		{"another letter case", f.sign(t, f.header(`,"ALG":"none"`), claims(nil)), []string{`"ALG"`}},
		{"a duplicate", f.sign(t, `{"alg":"none",`+f.header("")[1:], claims(nil)), []string{"occurs twice"}},
		{"expired", f.sign(t, f.header(""), claims(map[string]any{"exp": testNow.Unix() - 60, "iat": testNow.Unix() - 120})), []string{"expired 1m0s ago"}},
		{"not yet valid", f.sign(t, f.header(""), claims(map[string]any{"nbf": testNow.Unix() + 60})), []string{"not valid before 2026-11-23T12:01:00Z"}},
		{"from the future", f.sign(t, f.header(""), claims(map[string]any{"iat": testNow.Unix() + 60})), []string{"in the future"}},
		{"a wrong type", f.sign(t, f.header(""), claims(map[string]any{"exp": "soon"})), []string{`"exp" has the wrong type or is out of range: "soon"`}},
		{"missing claims", f.sign(t, f.header(""), claims(map[string]any{"sub": nil, "jti": ""})), []string{"sub is missing", "jti is missing"}},
		{"everything at once", f.sign(t, `{"alg":"none","x5u":"x"}`, `{"exp":1,"exp":2,"sub":"u"}`), []string{
			"payload is not a strict JSON object", "not signed", "typ is missing", "kid is missing", "x5u",
			"iss", "aud", "client_id", "jti", "iat",
		}},
		{"far too long", strings.Repeat("a", 1<<20), []string{"at most 8192"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := token.Inspect(test.raw, testNow)
			var problems []string
			for _, f := range r.Findings {
				if f.Problem {
					problems = append(problems, f.Text)
				}
			}
			if len(problems) != len(test.want) || len(problems) != r.Problems() {
				t.Fatalf("got\n%s\nwant problems about %q", r, test.want)
			}
			for i, words := range test.want {
				if !strings.Contains(problems[i], words) {
					t.Errorf("problem %d is %q, want it to say %q", i, problems[i], words)
				}
			}
		})
	}
}

// Whatever a verifier refuses for the token's own sake, Inspect finds fault with;
// the exceptions are what it cannot know.
func TestInspectFindsWhatVerifyRefuses(t *testing.T) {
	f := newForge(t)
	for name, raw := range map[string]string{
		"crit":            f.sign(t, f.header(`,"crit":["x"]`), claims(nil)),
		"cty":             f.sign(t, f.header(`,"cty":"JWT"`), claims(nil)),
		"kid of a path":   f.sign(t, `{"alg":"ES256","typ":"at+jwt","kid":"../x"}`, claims(nil)),
		"two cnf methods": f.sign(t, f.header(""), claims(map[string]any{"cnf": map[string]any{"jkt": "a", "kid": "b"}})),
		"null claim":      f.sign(t, f.header(""), strings.Replace(claims(nil), `"u-4711"`, "null", 1)),
		"empty aud":       f.sign(t, f.header(""), claims(map[string]any{"aud": []string{}})),
		"claim case":      f.sign(t, f.header(""), claims(map[string]any{"Sub": "x"})),
	} {
		if _, err := f.verifier.Verify(raw); err == nil {
			t.Fatalf("%s: it verifies", name)
		}
		if r := token.Inspect(raw, testNow); r.Problems() == 0 {
			t.Errorf("%s: no problem found\n%s", name, r)
		}
	}
}

func TestInspectIsSafeToPrint(t *testing.T) {
	f := newForge(t)
	for _, payload := range []string{
		"{\"sub\":\"\x1b]0;owned\x07\u202e\u009b31m\"}",
		"\x1b[2J\xff\x00",
		"{\"exp\":\"\u202e" + strings.Repeat("\x1b", 100) + "\"}",
	} {
		r := token.Inspect(f.sign(t, f.header(""), payload), testNow)
		for _, c := range r.String() + r.Header + r.Payload {
			if c == 0x1b || c == 7 || c == 0 || c == 0x202e || c == 0x9b {
				t.Errorf("%U is printed raw for %q", c, payload)
			}
		}
	}
}

func TestInspectNotesAreNoProblems(t *testing.T) {
	f := newForge(t)
	raw := f.sign(t, f.header(""), claims(map[string]any{
		"exp": testNow.Unix() + 7200, "cnf": map[string]any{"jkt": "thumb"},
	}))
	text := token.Inspect(raw, testNow).String()
	for _, want := range []string{"expires in 2h0m0s", "longer than", "DPoP", "signature was not checked"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not said in\n%s", want, text)
		}
	}
	if token.Inspect(raw, testNow.Add(3*time.Hour)).Problems() != 1 {
		t.Error("the clock given does not count")
	}
}

// FuzzInspect checks that no text stops it, and that a text without any problem
// has the form of a token.
func FuzzInspect(f *testing.F) {
	g := newForge(f)
	f.Add(g.sign(f, g.header(""), claims(nil)))
	f.Add("Bearer a.b.c")
	f.Add("..")
	f.Fuzz(func(t *testing.T, raw string) {
		if r := token.Inspect(raw, testNow); r.Problems() == 0 && strings.Count(raw, ".") != 2 {
			t.Fatalf("no fault is found with %q", raw)
		}
	})
}
