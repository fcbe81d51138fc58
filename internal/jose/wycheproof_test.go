package jose

import (
	"bytes"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The vectors come through the Go module proxy and are not kept here.
const (
	wycheproofModule  = "github.com/c2sp/wycheproof"
	wycheproofVersion = "v0.0.0-20260902155932-3fa63dd0344a"
)

// wycheproof returns the test groups of a file.
func wycheproof(t *testing.T, file string) []vectorGroup {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(wycheproofDir(t), file))
	if err != nil {
		t.Fatal(err)
	}
	var content struct {
		NumberOfTests int
		TestGroups    []vectorGroup
	}
	if err := json.Unmarshal(b, &content); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, g := range content.TestGroups {
		n += len(g.Tests)
	}
	if n == 0 || n != content.NumberOfTests {
		t.Fatalf("%s: read %d tests, the file says %d", file, n, content.NumberOfTests)
	}
	return content.TestGroups
}

// wycheproofDir is where the files of vectors are.
func wycheproofDir(t *testing.T) string {
	t.Helper()
	cmd := exec.Command("go", "mod", "download", "-json", wycheproofModule+"@"+wycheproofVersion)
	cmd.Dir = t.TempDir() // outside any module, so that no go.mod changes
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("downloading the Wycheproof vectors: %v\n%s%s", err, out, stderr.Bytes())
		}
		t.Skipf("SKIPPED: the Wycheproof vectors could not be downloaded, so nothing here was checked against them: %v", err)
	}
	var module struct{ Dir string }
	if err := json.Unmarshal(out, &module); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(module.Dir, "testvectors_v1")
}

type vectorGroup struct {
	Type, Comment   string
	Public, Private json.RawMessage
	PublicKeyDer    string
	PublicKeyJwk    json.RawMessage
	KeyJwk          json.RawMessage
	Tests           []struct {
		TcID            int `json:"tcId"`
		Comment, Result string
		Msg, Sig        string
		JWS, JWE        json.RawMessage
	}
}

// key returns the key or key set a verifier is given. Groups without a public
// one are about symmetric or mixed keys, which are then all there is.
func (g *vectorGroup) key() string {
	if g.Public != nil {
		return string(g.Public)
	}
	return string(g.Private)
}

// text returns the token of a test. One in JSON serialisation is returned as the
// JSON it is.
func text(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}

// vectors compares results with labels. Exceptions must deviate: one that no
// longer does fails the run, so that the list stays true.
type vectors struct {
	exceptions map[int]string
	accepted   int
	refused    int
}

func (v *vectors) check(t *testing.T, id int, comment, label string, accepted bool) {
	t.Helper()
	if accepted {
		v.accepted++
	} else {
		v.refused++
	}
	deviates := label == "valid" && !accepted || label == "invalid" && accepted
	_, listed := v.exceptions[id]
	switch {
	case deviates && !listed:
		t.Errorf("test %d (%s): labelled %s, accepted is %v", id, comment, label, accepted)
	case !deviates && listed:
		t.Errorf("test %d (%s) is a listed exception but agrees", id, comment)
	}
}

var vectorPolicy = HeaderPolicy{anyType: true, Key: KeyKnown, Algorithms: []Algorithm{ES256, Ed25519, RS256}}

// acceptsJWS runs the whole way of a token: key or key set, header, signature.
func acceptsJWS(key, raw string) bool {
	if members, err := ParseObject(nil, key, Limits{}); err == nil && members[0].Name == "keys" {
		policy := vectorPolicy
		policy.Key = KeyByID
		set, err := ParseSet(key)
		if err != nil {
			return false
		}
		m, err := Parse(raw, 1<<20, policy)
		if err != nil {
			return false
		}
		for _, k := range set {
			if k.KeyID() == m.Header.KeyID {
				_, err := m.Verify(k)
				return err == nil
			}
		}
		return false
	}
	k, err := ParseJWK(key)
	if err != nil {
		return false
	}
	m, err := Parse(raw, 1<<20, vectorPolicy)
	if err != nil {
		return false
	}
	_, err = m.Verify(k)
	return err == nil
}

// enabled reports whether a group is about algorithms of the closed set. The
// tokens of all other groups must be refused whatever their label.
func enabled(g *vectorGroup) bool {
	if g.Public == nil {
		return false
	}
	var k struct {
		Alg  string
		Keys []struct{ Alg string }
	}
	if json.Unmarshal(g.Public, &k) != nil {
		return false
	}
	for _, one := range k.Keys {
		if _, err := parseAlgorithm(one.Alg); err == nil {
			return true
		}
	}
	_, err := parseAlgorithm(k.Alg)
	return err == nil
}

// req: JWT-2, JWT-3, JWT-17, JWT-21, JWT-22
func TestWycheproofTokens(t *testing.T) {
	for _, f := range []struct {
		file       string
		exceptions map[int]string
		// accepted is how many tokens are, so that a runner gone blind is noticed.
		accepted int
	}{
		{
			file: "json_web_signature_test.json",
			exceptions: map[int]string{
				259: "valid, but its payload is empty: no JWT is, and an empty part is refused (JWT-17)",
			},
			accepted: 9,
		},
		{file: "json_web_key_test.json", accepted: 1},
		{file: "json_web_crypto_test.json", accepted: 2},
		{file: "json_web_encryption_test.json"}, // encrypted tokens are refused, all of them
	} {
		t.Run(f.file, func(t *testing.T) {
			v := vectors{exceptions: f.exceptions}
			for _, g := range wycheproof(t, f.file) {
				for _, test := range g.Tests {
					raw := test.JWS
					if raw == nil {
						raw = test.JWE // must be refused like any other text
					}
					if raw == nil {
						t.Fatalf("test %d has no token", test.TcID)
					}
					accepted := acceptsJWS(g.key(), text(raw))
					label := test.Result
					if !enabled(&g) {
						label = "invalid"
					}
					v.check(t, test.TcID, fmt.Sprintf("%s, %s", g.Comment, test.Comment), label, accepted)
				}
			}
			t.Logf("%d accepted, %d refused", v.accepted, v.refused)
			if v.accepted != f.accepted {
				t.Errorf("%d tokens were accepted, %d were expected", v.accepted, f.accepted)
			}
		})
	}
}

// req: JWT-21, JWT-22
func TestWycheproofSignatures(t *testing.T) {
	for _, f := range []struct {
		file       string
		alg        Algorithm
		exceptions map[int]string
	}{
		{"ecdsa_secp256r1_sha256_p1363_test.json", ES256, nil},
		{"ed25519_test.json", Ed25519, nil},
		{"rsa_signature_2048_sha256_test.json", RS256, nil},
		{"rsa_signature_3072_sha256_test.json", RS256, nil},
		{"rsa_signature_4096_sha256_test.json", RS256, nil},
	} {
		t.Run(f.file, func(t *testing.T) {
			v := vectors{exceptions: f.exceptions}
			for _, g := range wycheproof(t, f.file) {
				der, err := hex.DecodeString(g.PublicKeyDer)
				if err != nil {
					t.Fatal(err)
				}
				pub, err := x509.ParsePKIXPublicKey(der)
				if err != nil {
					t.Fatal(err)
				}
				k, keyErr := NewPublicKey(pub, f.alg)
				jwk := g.PublicKeyJwk
				if jwk == nil {
					jwk = g.KeyJwk
				}
				if jwk != nil && keyErr == nil {
					if other, err := ParseJWK(string(jwk)); err != nil || !other.Equal(k) {
						t.Errorf("the JWK of a group is not its DER key: %v", err)
					}
				}
				for _, test := range g.Tests {
					msg, err1 := hex.DecodeString(test.Msg)
					sig, err2 := hex.DecodeString(test.Sig)
					if err1 != nil || err2 != nil {
						t.Fatal(err1, err2)
					}
					accepted := keyErr == nil && k.verify(msg, sig) == nil
					v.check(t, test.TcID, test.Comment, test.Result, accepted)
				}
			}
			t.Logf("%d accepted, %d refused", v.accepted, v.refused)
		})
	}
}
