package contender

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/lanyard-go/lanyard/token"
)

// ask visits the page with a badge and returns status and body.
func ask(s *Site, badge *Badge) (int, string) {
	r := httptest.NewRequest("GET", issuer+"/private", nil)
	if badge != nil {
		badge.Set(r)
	}
	w := httptest.NewRecorder()
	s.Handler.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

func TestSiteNamesEveryoneItSignedInAndRefusesOthers(t *testing.T) {
	base := bases(t)
	for _, kind := range Kinds() {
		t.Run(string(kind), func(t *testing.T) {
			s, err := Open(t.Context(), kind, 3, base())
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if kind == Bare {
				if code, body := ask(s, nil); code != http.StatusOK || body != somebody(0).subject {
					t.Errorf("the floor answers %d %q", code, body)
				}
				return
			}
			for i, badge := range s.Badges {
				if code, body := ask(s, &badge); code != http.StatusOK || body != somebody(i).subject {
					t.Errorf("person %d got %d %q", i, code, body)
				}
			}
			if code, _ := ask(s, nil); code != http.StatusUnauthorized {
				t.Errorf("no badge got %d, want 401", code)
			}
			bad := s.Badges[0]
			// The middle: the last character of base64 may have spare bits.
			at := len(bad.Value) - 20
			flipped := byte('A')
			if bad.Value[at] == flipped {
				flipped = 'B'
			}
			bad.Value = bad.Value[:at] + string(flipped) + bad.Value[at+1:]
			if code, body := ask(s, &bad); code != http.StatusUnauthorized || strings.Contains(body, somebody(0).subject) {
				t.Errorf("a badge with another character got %d %q, want 401", code, body)
			}
		})
	}
}

func TestVisitorSeesThePageEachTime(t *testing.T) {
	base := bases(t)
	for _, kind := range Kinds() {
		s, err := Open(t.Context(), kind, 2, base())
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if err := NewVisitor(s).Visit(5); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		s.Badges = []Badge{{"X-Nothing", "1"}}
		if err := NewVisitor(s).Visit(1); (err == nil) != (kind == Bare) {
			t.Errorf("%s: without a badge the visit gives %v", kind, err)
		}
	}
}

// servers are started by the first test that needs them and shared by all.
var servers = sync.OnceValues(StartEngines)

func TestMain(m *testing.M) {
	var started bool
	start := servers
	servers = func() (*Engines, error) { started = true; return start() }
	code := m.Run()
	if started {
		if e, err := start(); err == nil {
			if err := e.Stop(); err != nil {
				fmt.Fprintln(os.Stderr, err)
				code = 1
			}
		}
	}
	os.Exit(code)
}

// bases returns a function that makes an empty base on the servers.
func bases(t testing.TB) func() Base {
	t.Helper()
	e, err := servers()
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skipf("contenders need PostgreSQL and Redis: %v", err)
	}
	return func() Base {
		base, err := e.Base(t.Context(), t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		return base
	}
}

func TestEveryCheckAcceptsGoodTokensAndRefusesTheSameBadOnes(t *testing.T) {
	for _, alg := range []token.Algorithm{token.ES256, token.EdDSA} {
		tokens, err := NewTokens(alg, 1)
		if err != nil {
			t.Fatal(err)
		}
		other, err := NewTokens(alg, 1)
		if err != nil {
			t.Fatal(err)
		}
		forge := func(change func(*jwt.Token, jwt.MapClaims)) string {
			t.Helper()
			kid, err := tokens.keyID()
			if err != nil {
				t.Fatal(err)
			}
			now := time.Now()
			c := jwt.MapClaims{
				"iss": issuer, "aud": []string{audience}, "sub": "user00000000", "client_id": client, "jti": "1",
				"iat": now.Unix(), "exp": now.Add(time.Minute).Unix(),
			}
			tok := jwt.NewWithClaims(jwt.GetSigningMethod(string(alg)), c)
			tok.Header["typ"], tok.Header["kid"] = "at+jwt", kid
			change(tok, c)
			var key any = tokens.signer
			if tok.Method == jwt.SigningMethodNone {
				key = jwt.UnsafeAllowNoneSignatureType
			}
			raw, err := tok.SignedString(key)
			if err != nil {
				t.Fatal(err)
			}
			return raw
		}
		rows := []struct {
			name string
			raw  string
			good bool
		}{
			{"issued by the server", tokens.Texts[0], true},
			{"made by another program with the key", forge(func(*jwt.Token, jwt.MapClaims) {}), true},
			{"signed by another key", other.Texts[0], false},
			{"another issuer", forge(func(_ *jwt.Token, c jwt.MapClaims) { c["iss"] = "https://other.example" }), false},
			{"another audience", forge(func(_ *jwt.Token, c jwt.MapClaims) { c["aud"] = "https://other.example" }), false},
			{"expired", forge(func(_ *jwt.Token, c jwt.MapClaims) {
				c["iat"], c["exp"] = time.Now().Add(-time.Hour).Unix(), time.Now().Add(-time.Minute).Unix()
			}), false},
			{"without an expiry", forge(func(_ *jwt.Token, c jwt.MapClaims) { delete(c, "exp") }), false},
			{"not signed", forge(func(tok *jwt.Token, _ jwt.MapClaims) {
				tok.Method, tok.Header["alg"] = jwt.SigningMethodNone, "none"
			}), false},
			{"another key id", forge(func(tok *jwt.Token, _ jwt.MapClaims) { tok.Header["kid"] = "other" }), false},
			{"empty", "", false},
		}
		for name, check := range checks(t, tokens) {
			for _, row := range rows {
				subject, err := check(row.raw)
				switch {
				case row.good && (err != nil || subject != "user00000000"):
					t.Errorf("%s, %s, %s: got %q, %v", alg, name, row.name, subject, err)
				case !row.good && err == nil:
					t.Errorf("%s, %s, %s: accepted", alg, name, row.name)
				}
			}
		}
	}
}

// checks returns every contender's check of tokens.
func checks(t *testing.T, tokens *Tokens) map[string]Check {
	t.Helper()
	all := map[string]Check{}
	for name, remember := range map[string]int{"lanyard": -1, "lanyard that remembers": 16} {
		v, err := tokens.Verifier(remember)
		if err != nil {
			t.Fatal(err)
		}
		all[name] = func(raw string) (string, error) {
			c, err := v.Verify(raw)
			if err != nil {
				return "", err
			}
			return c.Subject, nil
		}
	}
	for name, make := range map[string]func() (Check, error){
		"golang-jwt": tokens.GolangJWT, "go-jose": tokens.GoJose, "jwx": tokens.JWX,
	} {
		check, err := make()
		if err != nil {
			t.Fatal(err)
		}
		all[name] = check
	}
	return all
}

func TestBareCheckHoldsForItsOwnTokenAlone(t *testing.T) {
	for _, alg := range []token.Algorithm{token.ES256, token.EdDSA} {
		tokens, err := NewTokens(alg, 1)
		if err != nil {
			t.Fatal(err)
		}
		bare, err := tokens.BareCheck(0)
		if err != nil {
			t.Fatal(err)
		}
		if !bare() {
			t.Errorf("%s: a good signature does not hold", alg)
		}
		other, err := NewTokens(alg, 1)
		if err != nil {
			t.Fatal(err)
		}
		tokens.Texts[0] = other.Texts[0]
		if bare, err = tokens.BareCheck(0); err != nil || bare() {
			t.Errorf("%s: the signature of another key holds, %v", alg, err)
		}
	}
}
