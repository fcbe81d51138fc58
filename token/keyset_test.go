package token_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard/token"
)

// phases lists the phases of all keys, oldest first.
func phases(s *token.KeySet, now time.Time) string {
	var list []string
	for _, k := range s.List(now) {
		list = append(list, string(k.Phase))
	}
	return strings.Join(list, " ")
}

// published reads the ids of the published set as a stranger would.
func published(t testing.TB, s *token.KeySet, now time.Time) []string {
	t.Helper()
	var set struct{ Keys []struct{ Kid string } }
	if err := json.Unmarshal(s.JWKS(now), &set); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, k := range set.Keys {
		ids = append(ids, k.Kid)
	}
	return ids
}

// req: KEY-10
func TestKeyGoesThroughItsPhases(t *testing.T) {
	now := testNow
	s, err := token.NewKeySet(token.KeysConfig{
		Announce: 10 * time.Minute, Retire: 30 * time.Minute, Now: func() time.Time { return now },
	})
	if err != nil {
		t.Fatal(err)
	}
	first := s.List(now)[0].ID
	second, err := s.Rotate()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name      string
		after     time.Duration
		phases    string
		signs     string
		published int
		lookup    bool // of the first key
	}{
		{"at the rotation", 0, "signing announced", first, 2, true},
		{"before the new key signs", 10*time.Minute - 1, "signing announced", first, 2, true},
		{"when the new key signs", 10 * time.Minute, "retired signing", second.ID, 2, true},
		{"before the old key goes", 40*time.Minute - 1, "retired signing", second.ID, 2, true},
		{"when the old key goes", 40 * time.Minute, "removed signing", second.ID, 1, false},
		{"long after", 400 * time.Hour, "removed signing", second.ID, 1, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			now = testNow.Add(test.after)
			if got := phases(s, now); got != test.phases {
				t.Errorf("phases %s, want %s", got, test.phases)
			}
			k, err := s.Signing(now)
			if err != nil || k.ID() != test.signs {
				t.Errorf("signing is %v, %v, want %s", k, err, test.signs)
			}
			if got := published(t, s, now); len(got) != test.published {
				t.Errorf("published %v", got)
			}
			if _, ok := s.Lookup(first); ok != test.lookup {
				t.Errorf("the first key is found: %v", ok)
			}
			if _, ok := s.Lookup(second.ID); !ok {
				t.Error("the second key is not found")
			}
		})
	}
	// The next change deletes what was removed.
	third, err := s.Rotate()
	if err != nil {
		t.Fatal(err)
	}
	if got := phases(s, now); got != "signing announced" || third.Phase != token.PhaseAnnounced {
		t.Errorf("phases %s", got)
	}
}

func TestRotationUnderWayIsNotRepeated(t *testing.T) {
	s, err := token.NewKeySet(token.KeysConfig{Now: clock(testNow)})
	if err != nil {
		t.Fatal(err)
	}
	a, err := s.Rotate()
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.Rotate()
	if err != nil || a.ID != b.ID {
		t.Errorf("%v, %v: %v", a, b, err)
	}
	if n := len(s.List(testNow)); n != 2 {
		t.Errorf("%d keys", n)
	}
}

// req: KEY-10
func TestRotationUnderLoadRefusesNoValidToken(t *testing.T) {
	// Issuers, verifiers and rotations share a clock that runs a second at each
	// step, through an hour with about as many rotations as there can be.
	var seconds atomic.Int64
	now := func() time.Time { return testNow.Add(time.Duration(seconds.Load()) * time.Second) }
	keys, err := token.NewKeySet(token.KeysConfig{Algorithm: token.Ed25519, Announce: time.Minute, Retire: 20 * time.Minute, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	issuer, err := token.NewIssuer(token.IssuerConfig{Issuer: testIssuer, Keys: keys, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	v, err := token.NewVerifier(token.VerifierConfig{Issuer: testIssuer, Audience: testAudience, Keys: keys, CacheSize: 64, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			for i := range 300 {
				issued := now()
				c := testClaims()
				c.ID = fmt.Sprintf("%d-%d", worker, i)
				c.IssuedAt, c.Expiry = issued, issued.Add(15*time.Minute)
				raw, err := issuer.Issue(c)
				if err != nil {
					t.Error(err)
					return
				}
				for range 3 {
					seconds.Add(1)
					_, err := v.Verify(raw)
					// The other workers may have moved the clock past the end of the token.
					if err != nil && now().Before(c.Expiry) {
						t.Errorf("refused: %s", cause(t, err))
						return
					}
				}
				if i%10 == worker {
					if _, err := keys.Rotate(); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	wg.Wait()
	if n := len(keys.List(now())); n > 30 {
		t.Errorf("%d keys are left, removed ones are not deleted", n)
	}
}

func TestWithdrawnKeyIsRefusedAtOnce(t *testing.T) {
	for _, test := range []struct {
		name      string
		announced bool   // a rotation is under way
		which     string // the key withdrawn
		after     time.Duration
		phases    string
	}{
		{"the signing key", false, "first", 0, "withdrawn signing"},
		{"the signing key during a rotation", true, "first", 0, "withdrawn signing"},
		{"the announced key", true, "second", 0, "signing withdrawn"},
		{"the new signing key", true, "second", time.Hour / 4, "retired withdrawn signing"},
		{"the retired key", true, "first", time.Hour / 4, "withdrawn signing"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFixture(t, token.ES256)
			ids := map[string]string{"first": f.keys.List(f.now)[0].ID}
			tokens := map[string]string{}
			sign := func() {
				c := testClaims()
				c.IssuedAt, c.Expiry = f.now, f.now.Add(time.Minute)
				raw := f.issue(t, c)
				got, err := f.verifier.Verify(raw)
				if err != nil {
					t.Fatal(cause(t, err))
				}
				tokens[got.KeyID] = raw
			}
			sign()
			if test.announced {
				k, err := f.keys.Rotate()
				if err != nil {
					t.Fatal(err)
				}
				ids["second"] = k.ID
			}
			if f.now = f.now.Add(test.after); test.after > 0 {
				sign()
			}
			gone := ids[test.which]
			if err := f.keys.Withdraw(gone); err != nil {
				t.Fatal(err)
			}
			if got := phases(f.keys, f.now); got != test.phases {
				t.Errorf("phases %s, want %s", got, test.phases)
			}
			if _, ok := f.keys.Lookup(gone); ok {
				t.Error("it is still found")
			}
			if strings.Contains(string(f.keys.JWKS(f.now)), gone) {
				t.Error("it is still published")
			}
			if raw := tokens[gone]; raw != "" {
				if _, err := f.verifier.Verify(raw); cause(t, err) != token.CauseUnknownKey {
					t.Errorf("its token, which was seen before: %v", err)
				}
			}
			// Issuing goes on, with a key that is not the withdrawn one, now and when
			// everything that was planned has happened.
			for range 3 {
				k, err := f.keys.Signing(f.now)
				if err != nil || k.ID() == gone {
					t.Errorf("signing is %v, %v", k, err)
				}
				sign()
				f.now = f.now.Add(10 * time.Minute)
			}
			if err := f.keys.Withdraw(gone); err != nil {
				t.Errorf("withdrawing it twice: %v", err)
			}
		})
	}
}

func TestWithdrawingTheAnnouncedKeyLetsTheOldOneGoOn(t *testing.T) {
	f := newFixture(t, token.ES256)
	first := f.keys.List(f.now)[0].ID
	second, err := f.keys.Rotate()
	if err != nil {
		t.Fatal(err)
	}
	if err := f.keys.Withdraw(second.ID); err != nil {
		t.Fatal(err)
	}
	f.now = f.now.Add(24 * time.Hour)
	if k, err := f.keys.Signing(f.now); err != nil || k.ID() != first {
		t.Errorf("signing is %v, %v", k, err)
	}
	if _, ok := f.keys.Lookup(first); !ok {
		t.Error("the first key is not found")
	}
}

// req: KEY-13
func TestNoKeyIDReadsAsAnOption(t *testing.T) {
	for range 300 {
		k, err := token.GenerateKey(token.Ed25519, testNow)
		if err != nil {
			t.Fatal(err)
		}
		if id := k.ID(); len(id) != 43 || id != k.Public().Thumbprint() || id[0] == '-' {
			t.Fatalf("the id is %q", id)
		}
	}
}

func TestWithdrawUnknownKey(t *testing.T) {
	f := newFixture(t, token.ES256)
	if err := f.keys.Withdraw("nobody"); !errors.Is(err, token.ErrUnknownKey) {
		t.Error(err)
	}
}

func TestGivenKeysAreNeverReplacedByMadeOnes(t *testing.T) {
	now := testNow
	a, b := mustGenerate(t), mustGenerate(t)
	s, err := token.NewKeySet(token.KeysConfig{Now: func() time.Time { return now }}, a)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Rotate(); err == nil {
		t.Error("a set that was given its keys made one")
	}
	if err := s.Withdraw(a.ID()); err != nil {
		t.Fatal(err)
	}
	if k, err := s.Signing(now); !errors.Is(err, token.ErrNoSigningKey) {
		t.Errorf("signing is %v, %v", k, err)
	}
	if err := s.Add(a); !errors.Is(err, token.ErrKey) {
		t.Errorf("a withdrawn key was taken back: %v", err)
	}
	if err := s.Add(b); err != nil {
		t.Fatal(err)
	}
	if k, err := s.Signing(now); err != nil || k.ID() != b.ID() {
		t.Errorf("a key added where nothing signs does not sign at once: %v, %v", k, err)
	}
	if err := s.Add(b); !errors.Is(err, token.ErrKey) {
		t.Errorf("a key was taken twice: %v", err)
	}
}

func mustGenerate(t testing.TB) *token.Key {
	t.Helper()
	k, err := token.GenerateKey(token.ES256, testNow)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// req: KEY-10, KEY-12
func TestSeveralAlgorithmsAreLiveAtOnce(t *testing.T) {
	ed, err := token.GenerateKey(token.Ed25519, testNow)
	if err != nil {
		t.Fatal(err)
	}
	es := mustGenerate(t)
	s, err := token.NewKeySet(token.KeysConfig{Now: clock(testNow)}, ed, es)
	if err != nil {
		t.Fatal(err)
	}
	jwks := s.JWKS(testNow)
	set, err := token.ParseJWKS(jwks)
	if err != nil || set.Len() != 2 {
		t.Fatalf("%s: %v", jwks, err)
	}
	for _, k := range []*token.Key{ed, es} {
		p, ok := set.Lookup(k.ID())
		if !ok || p.Algorithm() != k.Algorithm() || p.Thumbprint() != k.ID() {
			t.Errorf("%v is published as %v", k, p)
		}
	}
	var raw struct{ Keys []map[string]any }
	if err := json.Unmarshal(jwks, &raw); err != nil {
		t.Fatal(err)
	}
	for _, k := range raw.Keys {
		for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "k"} {
			if k[private] != nil {
				t.Errorf("the published key has the member %s", private)
			}
		}
		if k["use"] != "sig" || k["alg"] == nil {
			t.Errorf("use or alg is missing: %v", k)
		}
	}
}

// req: KEY-3
func TestKeysOfOnePurposeFailForAnother(t *testing.T) {
	access, events := newFixture(t, token.ES256), newFixture(t, token.ES256)
	if _, err := access.verifier.Verify(events.issue(t, testClaims())); cause(t, err) != token.CauseUnknownKey {
		t.Error(err)
	}
}

// req: KEY-4, KEY-5, JWT-21
func TestAlgorithmsAndSizesOfOwnKeys(t *testing.T) {
	s, err := token.NewKeySet(token.KeysConfig{})
	if err != nil {
		t.Fatal(err)
	}
	if alg := s.List(testNow)[0].Algorithm; alg != token.ES256 {
		t.Errorf("the default is %s", alg)
	}
	for _, alg := range []token.Algorithm{"none", "HS256", "ES384", "PS256", "es256", ""} {
		if _, err := token.GenerateKey(alg, testNow); !errors.Is(err, token.ErrAlgorithm) {
			t.Errorf("%q: %v", alg, err)
		}
	}
	small, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := token.NewKey(small, token.RS256, testNow); !errors.Is(err, token.ErrKey) {
		t.Errorf("an RSA key of 2048 bits may sign: %v", err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := token.NewKey(p384, token.ES256, testNow); !errors.Is(err, token.ErrKey) {
		t.Errorf("a P-384 key for ES256: %v", err)
	}
	if _, err := token.NewKey(nil, token.ES256, testNow); !errors.Is(err, token.ErrKey) {
		t.Errorf("no signer: %v", err)
	}
	large, err := token.GenerateKey(token.RS256, testNow)
	if err != nil {
		t.Fatal(err)
	}
	var jwk struct{ N string }
	if err := json.Unmarshal(large.Public().JWK(), &jwk); err != nil || len(jwk.N) != 512 {
		t.Errorf("a made RSA key has %d characters of modulus: %v", len(jwk.N), err)
	}
}

// req: KEY-16
func TestKeyIsPrintedWithoutItsPrivateHalf(t *testing.T) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	k, err := token.NewKey(private, token.Ed25519, testNow)
	if err != nil {
		t.Fatal(err)
	}
	type holder struct {
		K *token.Key
		V token.Key
		k *token.Key // out of reach for methods: fmt sees it by reflection
		v token.Key
	}
	h := holder{k, *k, k, *k}
	want := "token.Key(Ed25519 " + k.ID() + ")"
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, v := range []any{k, *k} {
			if got := fmt.Sprintf(verb, v); got != want {
				t.Errorf("%s: %s", verb, got)
			}
		}
		fmt.Fprintf(&out, verb+verb+verb, h, &h, []any{k, *k})
	}
	for _, handler := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(handler).Info("x", "key", k, "value", *k, "holder", h, "group", slog.GroupValue(slog.Any("k", k)))
	}
	b, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	out.Write(b)
	text := strings.ToLower(out.String())
	// Eight bytes of the seed in each form that bytes are printed in.
	seed := private.Seed()[:8]
	for _, leak := range []string{
		strings.Trim(fmt.Sprint(seed), "[]"),
		fmt.Sprintf("%x", seed),
		strings.Trim(fmt.Sprintf("%#v", seed), "[]byte{}"),
		strings.ToLower(base64.StdEncoding.EncodeToString(seed)[:10]),
		strings.ToLower(strings.Trim(fmt.Sprintf("%q", seed), `"`)),
		strings.ToLower(string(seed)),
	} {
		if strings.Contains(text, leak) {
			t.Errorf("%q shows in %s", leak, text)
		}
	}
	if !strings.Contains(text, strings.ToLower(want)) {
		t.Error("the key is not named at all")
	}
}

func TestKeysConfigRefuses(t *testing.T) {
	for field, cfg := range map[string]token.KeysConfig{
		"Algorithm": {Algorithm: "none"},
		"Announce":  {Announce: -1},
		"Retire":    {Retire: -1},
	} {
		if _, err := token.NewKeySet(cfg); err == nil || !strings.Contains(err.Error(), "KeysConfig."+field) {
			t.Errorf("%s: %v", field, err)
		}
	}
}
