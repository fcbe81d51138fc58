package token

import (
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"sync"
	"testing"
	"time"
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
		raw := "h.p." + rand.Text()
		entries = append(entries, &entry{raw: raw, dot: 3, until: now.UnixNano() + 1})
		c.put(entries[len(entries)-1], now)
	}
	hits := 0
	for _, e := range entries {
		if c.get(e.raw) == e {
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
		e := &entry{raw: fmt.Sprintf("h.p.%032d", i), dot: 3, until: until.UnixNano()}
		c.put(e, now)
		return e
	}
	slots := c.most * ways
	for i := range slots * 4 {
		add(i, now.Add(time.Minute))
	}
	now = now.Add(time.Minute)
	e := add(-1, now.Add(time.Minute))
	if c.get(e.raw) != e {
		t.Error("a live token found no room among expired ones")
	}
}

func TestTextsWithOneTailAreKeptApart(t *testing.T) {
	c := newCache(16)
	now := time.Unix(1_790_000_000, 0)
	same := "0123456789012345678901234567890123456789"
	a := &entry{raw: "a.b." + same, dot: 3, until: now.UnixNano() + 1}
	c.put(a, now)
	for _, raw := range []string{"a.c." + same, "a.b.1" + same[1:], "a.b.0" + same, same} {
		if c.get(raw) != nil {
			t.Errorf("%q was taken for %q", raw, a.raw)
		}
	}
	if c.get("a.b."+same) != a {
		t.Error("the text itself is not found")
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
		e := &entry{raw: "h.p." + rand.Text(), dot: 3, until: now.UnixNano() + 1}
		entries = append(entries, e)
		c.put(e, now)
		if c.get(e.raw) != e {
			t.Fatalf("after %d tokens, the one just put in is not found", len(entries))
		}
	}
	hits := 0
	for _, e := range entries {
		if c.get(e.raw) == e {
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
				e := &entry{raw: "h.p." + rand.Text(), dot: 3, until: now.UnixNano() + 1}
				c.put(e, now)
				if got := c.get(e.raw); got != nil && got != e {
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
