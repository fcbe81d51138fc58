package statuslist

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard/token"
)

const (
	listURI    = "https://app.example/status/7"
	listIssuer = "https://app.example"
)

var listTime = time.Unix(1_800_000_000, 0).UTC()

func newKey(t *testing.T, alg token.Algorithm) *token.Key {
	t.Helper()
	k, err := token.GenerateKey(alg, listTime)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func keysOf(t *testing.T, keys ...*token.Key) *token.PublicKeys {
	t.Helper()
	var public []*token.PublicKey
	for _, k := range keys {
		public = append(public, k.Public())
	}
	set, err := token.NewPublicKeys(public...)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func newToken(t *testing.T, ended ...int) *Token {
	t.Helper()
	l, err := New(1, 1<<18)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range ended {
		if err := l.Set(i, Invalid); err != nil {
			t.Fatal(err)
		}
	}
	return &Token{URI: listURI, Issuer: listIssuer, IssuedAt: listTime, Expiry: listTime.Add(time.Hour), TTL: 5 * time.Minute, List: l}
}

// req: REVOKE-21
func TestASignedListIsReadBack(t *testing.T) {
	for _, alg := range []token.Algorithm{token.ES256, token.Ed25519} {
		key := newKey(t, alg)
		raw, err := newToken(t, 17, 1<<18-1).Sign(key)
		if err != nil {
			t.Fatal(err)
		}
		header, _ := base64.RawURLEncoding.DecodeString(raw[:strings.IndexByte(raw, '.')])
		if !strings.Contains(string(header), `"typ":"statuslist+jwt"`) {
			t.Errorf("header %s", header)
		}
		got, err := Verify(raw, Expected{URI: listURI, Issuer: listIssuer, Keys: keysOf(t, newKey(t, alg), key), Now: listTime.Add(time.Minute)})
		if err != nil {
			t.Fatal(err)
		}
		if got.URI != listURI || got.Issuer != listIssuer || !got.IssuedAt.Equal(listTime) || !got.Expiry.Equal(listTime.Add(time.Hour)) || got.TTL != 5*time.Minute {
			t.Errorf("%+v", got)
		}
		for i, want := range map[int]byte{0: Valid, 16: Valid, 17: Invalid, 18: Valid, 1<<18 - 1: Invalid} {
			if s, err := got.List.Get(i); err != nil || s != want {
				t.Errorf("the status of %d is %d, %v", i, s, err)
			}
		}
	}
}

// req: REVOKE-21, JWT-8
func TestVerifyRefusesWhateverIsWrong(t *testing.T) {
	key, other := newKey(t, token.ES256), newKey(t, token.ES256)
	list := map[string]any{"bits": 1, "lst": "eNrbuRgAAhcBXQ"}
	good := map[string]any{"sub": listURI, "iss": listIssuer, "iat": listTime.Unix(), "exp": listTime.Unix() + 3600, "ttl": 60, "status_list": list}
	now := listTime.Add(time.Minute)
	verify := func(typ string, k *token.Key, claims map[string]any) error {
		b, err := json.Marshal(claims)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := k.Sign(typ, b)
		if err != nil {
			t.Fatal(err)
		}
		_, err = Verify(raw, Expected{URI: listURI, Issuer: listIssuer, Keys: keysOf(t, key), Now: now})
		return err
	}
	with := func(name string, value any) map[string]any {
		c := maps.Clone(good)
		if c[name] = value; value == nil {
			delete(c, name)
		}
		return c
	}
	for name, claims := range map[string]map[string]any{
		"as it should be":      good,
		"without exp":          with("exp", nil),
		"without ttl":          with("ttl", nil),
		"with something else":  with("aggregation_uri", "https://app.example/all"),
		"a minute ahead":       with("iat", now.Unix()+60),
		"another media's typ":  good,
		"application/ in typ":  good,
		"a second before exp":  with("exp", now.Unix()+1),
		"with more in a list":  with("status_list", map[string]any{"bits": 1, "lst": "eNrbuRgAAhcBXQ", "aggregation_uri": "https://a.example"}),
		"more than one of two": with("ttl", 1<<31-1),
	} {
		typ := Type
		if name == "application/ in typ" {
			typ = MediaType
		}
		if err := verify(typ, key, claims); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, claims := range map[string]map[string]any{
		"no sub":             with("sub", nil),
		"another list":       with("sub", listURI+"0"),
		"another issuer":     with("iss", "https://evil.example"),
		"no issuer":          with("iss", nil),
		"no iat":             with("iat", nil),
		"an iat as a string": with("iat", "1800000000"),
		"an iat to come":     with("iat", now.Unix()+61),
		"expired":            with("exp", now.Unix()),
		"exp before iat":     maps.Collect(maps.All(map[string]any{"sub": listURI, "iss": listIssuer, "iat": now.Unix() + 30, "exp": now.Unix() + 10, "status_list": list})),
		"a ttl of zero":      with("ttl", 0),
		"a negative ttl":     with("ttl", -5),
		"no list":            with("status_list", nil),
		"a list of strings":  with("status_list", []string{"a"}),
		"three bits":         with("status_list", map[string]any{"bits": 3, "lst": "eNrbuRgAAhcBXQ"}),
		"no bits":            with("status_list", map[string]any{"lst": "eNrbuRgAAhcBXQ"}),
		"no lst":             with("status_list", map[string]any{"bits": 1}),
		"bits as a string":   with("status_list", map[string]any{"bits": "1", "lst": "eNrbuRgAAhcBXQ"}),
		"Sub beside sub":     with("Sub", listURI),
		"for ever":           {"sub": listURI, "iss": listIssuer, "iat": listTime.Unix(), "status_list": list},
	} {
		if err := verify(Type, key, claims); !errors.Is(err, ErrToken) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := verify(Type, other, good); !errors.Is(err, ErrToken) {
		t.Errorf("an unknown key: %v", err)
	}
	for _, typ := range []string{"JWT", "logout+jwt", "secevent+jwt", "dpop+jwt", "statuslist+cwt"} {
		if err := verify(typ, key, good); !errors.Is(err, ErrToken) {
			t.Errorf("typ %s: %v", typ, err)
		}
	}
	raw, err := newToken(t).Sign(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"nothing": "", "cut": raw[:len(raw)-4], "altered": strings.Replace(raw, ".e", ".f", 1), "no signature": raw[:strings.LastIndexByte(raw, '.')+1]} {
		if _, err := Verify(text, Expected{URI: listURI, Keys: keysOf(t, key), Now: now}); !errors.Is(err, ErrToken) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Verify(raw, Expected{Keys: keysOf(t, key), Now: now}); err == nil {
		t.Error("a list was read for no address")
	}
}

func TestSignRefusesWhatNobodyCouldRead(t *testing.T) {
	key := newKey(t, token.ES256)
	for name, change := range map[string]func(*Token){
		"neither ttl nor exp":  func(k *Token) { k.TTL, k.Expiry = 0, time.Time{} },
		"no address":           func(k *Token) { k.URI = "" },
		"plain http":           func(k *Token) { k.URI = "http://app.example/1" },
		"no iat":               func(k *Token) { k.IssuedAt = time.Time{} },
		"no list":              func(k *Token) { k.List = nil },
		"over before it began": func(k *Token) { k.Expiry = k.IssuedAt },
		"a ttl of a week":      func(k *Token) { k.TTL = 7 * 24 * time.Hour },
		"half a second of ttl": func(k *Token) { k.TTL = 500 * time.Millisecond },
		"a negative ttl":       func(k *Token) { k.TTL = -time.Second },
	} {
		k := newToken(t)
		change(k)
		if _, err := k.Sign(key); !errors.Is(err, ErrToken) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The limit that Signer speaks of: 2^18 tokens of which a random half is invalid.
func TestAListOfAQuarterOfAMillionTokensAlwaysFits(t *testing.T) {
	key := newKey(t, token.Ed25519)
	k := newToken(t)
	state := uint32(1)
	for i := range k.List.b {
		state = state*1664525 + 1013904223
		k.List.b[i] = byte(state >> 24)
	}
	raw, err := k.Sign(key)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Verify(raw, Expected{URI: listURI, Keys: keysOf(t, key), Now: listTime}); err != nil {
		t.Error(err)
	}
	t.Logf("%d bytes", len(raw))
}

// What is told as the delay is what a reader that keeps to the rules may be late.
//
// req: REVOKE-20
func TestTheDelayCountsTheTTL(t *testing.T) {
	for _, c := range []struct {
		ttl, life, every, want time.Duration
	}{
		{5 * time.Minute, time.Hour, time.Minute, 6 * time.Minute},
		{5 * time.Minute, 0, time.Minute, 6 * time.Minute},
		{0, time.Hour, time.Minute, time.Hour},
		{time.Hour, 10 * time.Minute, time.Minute, 10 * time.Minute},
	} {
		k := Token{IssuedAt: listTime, TTL: c.ttl}
		if c.life > 0 {
			k.Expiry = listTime.Add(c.life)
		}
		if got := k.Delay(c.every); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
		// Fetched right before the next list, and gone by for as long as allowed.
		if c.ttl > 0 {
			if last := k.Until(listTime.Add(c.every)).Sub(listTime); last != c.want {
				t.Errorf("%+v: a reader goes by the list for %v", c, last)
			}
		}
	}
	for ttl, want := range map[time.Duration]time.Duration{time.Minute: time.Minute, 100 * MaxTTL: MaxTTL} {
		k := Token{IssuedAt: listTime, TTL: ttl}
		if got := k.Until(listTime).Sub(listTime); got != want {
			t.Errorf("a ttl of %v: %v", ttl, got)
		}
	}
}

func TestReferencesGoThroughAnAccessToken(t *testing.T) {
	key := newKey(t, token.Ed25519)
	set, err := token.NewPublicKeys(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	claim, err := Reference{listURI, 4711}.Claim()
	if err != nil {
		t.Fatal(err)
	}
	issuer, err := token.NewIssuer(token.IssuerConfig{Issuer: listIssuer, Keys: signing{key}, Now: func() time.Time { return listTime }})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := issuer.Issue(token.Claims{
		Subject: "ann", Audience: []string{"orders"}, ClientID: "web", ID: "1", IssuedAt: listTime, Expiry: listTime.Add(time.Minute),
		Extra: map[string]any{"status": claim},
	})
	if err != nil {
		t.Fatal(err)
	}
	v, err := token.NewVerifier(token.VerifierConfig{Issuer: listIssuer, Audience: "orders", Keys: set, Now: func() time.Time { return listTime }})
	if err != nil {
		t.Fatal(err)
	}
	c, err := v.Verify(raw)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := ParseReference(c.Extra["status"]); err != nil || r != (Reference{listURI, 4711}) {
		t.Errorf("%+v, %v", r, err)
	}
}

type signing struct{ key *token.Key }

func (s signing) Signing(time.Time) (*token.Key, error) { return s.key, nil }

func TestReferencesThatAreNoneAreRefused(t *testing.T) {
	for name, status := range map[string]any{
		"nothing":            nil,
		"a string":           "valid",
		"another way":        map[string]any{"other": map[string]any{}},
		"no idx":             map[string]any{"status_list": map[string]any{"uri": listURI}},
		"a negative idx":     list("-1", listURI),
		"a huge idx":         list("2147483648", listURI),
		"half an idx":        list("1.5", listURI),
		"an idx as a string": map[string]any{"status_list": map[string]any{"idx": "1", "uri": listURI}},
		"no uri":             map[string]any{"status_list": map[string]any{"idx": json.Number("1")}},
		"plain http":         list("1", "http://app.example/1"),
		"a file":             list("1", "file:///etc/passwd"),
		"a user name":        list("1", "https://a:b@app.example/1"),
	} {
		if r, err := ParseReference(status); !errors.Is(err, ErrReference) {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
	for _, r := range []Reference{{listURI, -1}, {"", 1}, {"http://app.example", 1}} {
		if _, err := r.Claim(); !errors.Is(err, ErrReference) {
			t.Errorf("%+v: %v", r, err)
		}
	}
}

func list(idx, uri string) map[string]any {
	return map[string]any{"status_list": map[string]any{"idx": json.Number(idx), "uri": uri}}
}

func ExampleToken() {
	l, _ := New(1, 1<<17)
	l.Set(4711, Invalid)
	t := Token{URI: "https://app.example/status/7", IssuedAt: time.Unix(1_800_000_000, 0), TTL: 5 * time.Minute, List: l}
	fmt.Println(t.Delay(time.Minute))
	// Output: 6m0s
}
