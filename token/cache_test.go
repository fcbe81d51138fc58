package token

import (
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"
)

// cachedFixture verifies with memory; its clock and trusted keys can be changed.
type cachedFixture struct {
	now     time.Time
	trusted map[string]*PublicKey
	issuer  *Issuer
	*Verifier
}

func (f *cachedFixture) Lookup(kid string) (*PublicKey, bool) {
	k, ok := f.trusted[kid]
	return k, ok
}

func newCachedFixture(t testing.TB, size int) *cachedFixture {
	t.Helper()
	f := &cachedFixture{now: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)}
	now := func() time.Time { return f.now }
	keys, err := NewKeySet(KeysConfig{Algorithm: Ed25519, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	k, err := keys.Signing(f.now)
	if err != nil {
		t.Fatal(err)
	}
	f.trusted = map[string]*PublicKey{k.ID(): k.Public()}
	if f.issuer, err = NewIssuer(IssuerConfig{Issuer: "https://id.example", Keys: keys, Now: now}); err != nil {
		t.Fatal(err)
	}
	if f.Verifier, err = NewVerifier(VerifierConfig{
		Issuer: "https://id.example", Audience: "api", Keys: f, CacheSize: size, Now: now,
	}); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *cachedFixture) issue(t testing.TB, id int, life time.Duration) string {
	t.Helper()
	raw, err := f.issuer.Issue(Claims{
		Subject: "u", Audience: []string{"api"}, ClientID: "c", ID: fmt.Sprint("j", id),
		IssuedAt: f.now, Expiry: f.now.Add(life),
	})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func (f *cachedFixture) cause(raw string) Cause {
	_, err := f.Verify(raw)
	if err == nil {
		return ""
	}
	return err.(*Error).Cause
}

// held is the entry of a text.
func held(raw string, until time.Time) *entry {
	e := &entry{until: until.UnixNano()}
	e.hold(raw)
	return e
}

// String is the text that e holds.
func (e *entry) String() string {
	if e.long != "" {
		return e.long
	}
	return string(e.text[:e.size])
}

func TestRememberedTokenDiesWithItsKey(t *testing.T) {
	f := newCachedFixture(t, 16)
	raw := f.issue(t, 1, time.Minute)
	for range 2 {
		if c := f.cause(raw); c != "" {
			t.Fatal(c)
		}
	}
	var kid string
	for id := range f.trusted {
		kid = id
	}
	trusted := f.trusted[kid]

	delete(f.trusted, kid)
	if c := f.cause(raw); c != CauseUnknownKey {
		t.Errorf("key gone: %q", c)
	}
	// Another key under the same id does not inherit what the first one signed.
	pub, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	other, err := NewPublicKey(pub, Ed25519)
	if err != nil {
		t.Fatal(err)
	}
	f.trusted[kid] = other
	if c := f.cause(raw); c != CauseUnknownKey {
		t.Errorf("key replaced: %q", c)
	}
	// The same key read again, as after a reload, is the same key.
	set, err := ParseJWKS([]byte(`{"keys":[` + string(trusted.JWK()) + `]}`))
	if err != nil {
		t.Fatal(err)
	}
	f.trusted[kid], _ = set.Lookup(kid)
	if c := f.cause(raw); c != "" {
		t.Errorf("key read again: %q", c)
	}
}

// req: JWT-6
func TestRememberedTokenDiesWithItsTime(t *testing.T) {
	f := newCachedFixture(t, 16)
	raw := f.issue(t, 1, time.Minute)
	if c := f.cause(raw); c != "" {
		t.Fatal(c)
	}
	f.now = f.now.Add(time.Minute - 1)
	if c := f.cause(raw); c != "" {
		t.Errorf("just before its end: %q", c)
	}
	f.now = f.now.Add(1)
	if c := f.cause(raw); c != CauseExpired {
		t.Errorf("at its end: %q", c)
	}
	f.now = f.now.Add(-time.Hour)
	if c := f.cause(raw); c != CauseIssuedInFuture {
		t.Errorf("after the clock was set back: %q", c)
	}
}

func TestOnlyAcceptedTokensAreRemembered(t *testing.T) {
	f := newCachedFixture(t, 16)
	good := f.issue(t, 1, time.Minute)
	f.now = f.now.Add(time.Hour)
	for _, raw := range []string{good, good[:len(good)-2] + "AA", "a.b.c", ""} {
		if f.cause(raw) == "" {
			t.Fatal("accepted")
		}
	}
	if n := f.cache.count(); n != 0 {
		t.Errorf("%d refused tokens are remembered", n)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	const size = 64
	f := newCachedFixture(t, size)
	slots := f.cache.most * ways
	var tokens []string
	for i := range 4 * slots {
		raw := f.issue(t, i, time.Minute)
		tokens = append(tokens, raw)
		if c := f.cause(raw); c != "" {
			t.Fatal(c)
		}
	}
	if n := f.cache.count(); n > slots || n < slots/2 {
		t.Errorf("%d of %d slots are used after a flood", n, slots)
	}
	// Displaced or not, each token still verifies.
	for _, raw := range tokens {
		if c := f.cause(raw); c != "" {
			t.Fatal(c)
		}
	}
}

func TestRatedNumberOfTokensIsRemembered(t *testing.T) {
	// CacheSize tokens fit almost all, whatever the seed: no more than one in a
	// hundred may be displaced.
	const size = 4096
	c := newCache(size)
	now := time.Unix(1_790_000_000, 0)
	var entries []*entry
	for range size {
		e := held("h.p."+rand.Text(), now.Add(1))
		entries = append(entries, e)
		c.put(e.String(), e, now)
	}
	hits := 0
	for _, e := range entries {
		if c.get(e.String()) == e {
			hits++
		}
	}
	if hits < size*99/100 {
		t.Errorf("%d of %d are remembered", hits, size)
	}
}

func TestExpiredTokensMakeRoom(t *testing.T) {
	c := newCache(1)
	now := time.Unix(1_790_000_000, 0)
	add := func(i int, until time.Time) *entry {
		e := held(fmt.Sprintf("h.p.%032d", i), until)
		c.put(e.String(), e, now)
		return e
	}
	slots := c.most * ways
	for i := range slots * 4 {
		add(i, now.Add(time.Minute))
	}
	now = now.Add(time.Minute)
	e := add(-1, now.Add(time.Minute))
	if c.get(e.String()) != e {
		t.Error("a live token found no room among expired ones")
	}
}

func TestTextsWithOneTailAreKeptApart(t *testing.T) {
	c := newCache(16)
	now := time.Unix(1_790_000_000, 0)
	same := "0123456789012345678901234567890123456789"
	a := held("a.b."+same, now.Add(1))
	c.put(a.String(), a, now)
	for _, raw := range []string{"a.c." + same, "a.b.1" + same[1:], "a.b.0" + same, same} {
		if c.get(raw) != nil {
			t.Errorf("%q was taken for %q", raw, a)
		}
	}
	if c.get("a.b."+same) != a {
		t.Error("the text itself is not found")
	}
}

// A text may be kept beside its claims or in a place of its own: no byte of it may
// differ in either.
func TestTextsOfEveryLengthAreComparedWhole(t *testing.T) {
	now := time.Unix(1_790_000_000, 0)
	for _, size := range []int{120, textRoom - 1, textRoom, textRoom + 1, 4 * textRoom} {
		for _, signature := range []int{86, 342} { // ECDSA's, RSA's
			if size < signature+4 {
				continue
			}
			raw := []byte("h." + strings.Repeat("p", size-signature-3) + "." + strings.Repeat("s", signature))
			c := newCache(16)
			e := held(unsafe.String(&raw[0], size), now.Add(1)) // as servers do with their buffers
			c.put(string(raw), e, now)
			if c.get(string(raw)) != e {
				t.Errorf("%d bytes, signature of %d: not found", size, signature)
			}
			for at := range raw {
				raw[at] ^= 1
				if e.is(string(raw)) {
					t.Fatalf("%d bytes, signature of %d: byte %d may differ", size, signature, at)
				}
				raw[at] ^= 1
			}
			if e.is(string(raw)+"\x00") || e.is(string(raw[:size-1])) {
				t.Errorf("%d bytes, signature of %d: another length is taken for it", size, signature)
			}
			raw[0] = 'x' // the buffer is used again
			if c.get("h"+string(raw[1:])) != e {
				t.Errorf("%d bytes, signature of %d: lost when the caller's text changed", size, signature)
			}
		}
	}
}

func TestSecondSightAllocatesNothing(t *testing.T) {
	f := newCachedFixture(t, 1024)
	raw := f.issue(t, 1, time.Minute)
	if c := f.cause(raw); c != "" {
		t.Fatal(c)
	}
	if n := testing.AllocsPerRun(1000, func() {
		if _, err := f.Verify(raw); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// count is how many tokens are remembered.
func (c *cache) count() int {
	n := 0
	t := c.table.Load()
	for i := range t.buckets {
		for j := range ways {
			if t.buckets[i].entry[j].Load() != nil {
				n++
			}
		}
	}
	return n
}

func TestTableGrowsWithItsTokensAndForgetsHardlyAny(t *testing.T) {
	c := newCache(1 << 16)
	now := time.Unix(1_790_000_000, 0)
	if n := len(c.table.Load().buckets); n > firstBuckets {
		t.Errorf("%d buckets for no tokens", n)
	}
	var entries []*entry
	for range 20 * firstBuckets * ways {
		e := held("h.p."+rand.Text(), now.Add(1))
		entries = append(entries, e)
		c.put(e.String(), e, now)
		if c.get(e.String()) != e {
			t.Fatalf("after %d tokens, the one just put in is not found", len(entries))
		}
	}
	hits := 0
	for _, e := range entries {
		if c.get(e.String()) == e {
			hits++
		}
	}
	if hits < len(entries)*99/100 {
		t.Errorf("%d of %d are remembered", hits, len(entries))
	}
	if n := len(c.table.Load().buckets); n >= c.most {
		t.Errorf("%d buckets of at most %d for %d tokens", n, c.most, len(entries))
	}
}

func TestTokensMayBePutInAndLookedForWhileTheTableGrows(t *testing.T) {
	c := newCache(1 << 14)
	now := time.Unix(1_790_000_000, 0)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 2000 {
				e := held("h.p."+rand.Text(), now.Add(1))
				c.put(e.String(), e, now)
				if got := c.get(e.String()); got != nil && got != e {
					t.Error("another token was found")
				}
			}
		})
	}
	all.Wait()
	if n, most := c.count(), c.most*ways; n < 12000 || n > most {
		t.Errorf("16000 tokens were put in, %d of at most %d slots are taken", n, most)
	}
}
