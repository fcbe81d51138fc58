package token

import (
	"crypto/subtle"
	"hash/maphash"
	"math"
	"math/bits"
	"sync/atomic"
	"time"

	"github.com/lanyard-go/lanyard/internal/consttime"
)

// maxCacheSize keeps a mistyped size from taking all memory.
const maxCacheSize = 1 << 24

// cache remembers verified tokens in a table of fixed size. A token may stand in
// one of two buckets of four slots, so that with twice as many slots as tokens
// hardly any is displaced. Readers take no lock and write nothing.
//
// Only tokens that passed every check get in, at most as many as there are
// slots, so a stranger can neither grow the table nor fill it.
type cache struct {
	seed    maphash.Seed // per table: positions cannot be predicted
	buckets []bucket
	mask    uint64
}

const ways = 4

// bucket is one cache line: hashes first, so that a miss touches no token.
type bucket struct {
	hash  [ways]atomic.Uint64
	entry [ways]atomic.Pointer[entry]
}

func newCache(tokens int) *cache {
	buckets := max(2, (2*tokens+ways-1)/ways)
	n := 1 << bits.Len(uint(buckets-1))
	return &cache{maphash.MakeSeed(), make([]bucket, n), uint64(n - 1)}
}

// tail is how much of the text is hashed: 22 characters of the signature, 132
// bits that nobody can guess. Nothing but the signature's owner gets as far as a
// comparison of texts.
const tail = 22

// hash never returns 0, the mark of a slot that was never used.
func (c *cache) hash(raw string) uint64 {
	return maphash.String(c.seed, raw[max(0, len(raw)-tail):]) | 1<<63
}

// pair returns the two buckets of a hash.
func (c *cache) pair(h uint64) [2]*bucket {
	return [2]*bucket{&c.buckets[h&c.mask], &c.buckets[h>>31&c.mask]}
}

func (c *cache) get(raw string) *entry {
	h := c.hash(raw)
	for _, b := range c.pair(h) {
		for i := range ways {
			if b.hash[i].Load() != h {
				continue
			}
			// The slot may have been reused between the two loads, and hashes can
			// collide: only the text decides.
			if e := b.entry[i].Load(); e != nil && e.is(raw) {
				return e
			}
		}
	}
	return nil
}

// is compares whole texts. The signature, the part that makes a token a secret,
// is compared in constant time; what stands before it grants nothing.
func (e *entry) is(raw string) bool {
	return len(e.raw) == len(raw) && e.raw[:e.dot] == raw[:e.dot] &&
		sameSignature(e.raw[e.dot:], raw[e.dot:])
}

// signatureRoom fits the signature of every algorithm but RSA's, with its dot.
const signatureRoom = 96

// sameSignature compares two texts in constant time without allocating.
func sameSignature(a, b string) bool {
	if len(a) > signatureRoom || len(b) > signatureRoom {
		return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1
	}
	var x, y [signatureRoom]byte
	return consttime.Equal(x[:copy(x[:], a)], y[:copy(y[:], b)])
}

// put stores e in a free slot, in that of an expired token, or in place of the
// one that expires first. Two writers may displace each other's entry, which
// costs a signature check and nothing else.
func (c *cache) put(e *entry, now time.Time) {
	h := c.hash(e.raw)
	var victim *bucket
	var at int
	oldest := int64(math.MaxInt64)
	for _, b := range c.pair(h) {
		for i := range ways {
			old := b.entry[i].Load()
			if old == nil || now.UnixNano() >= old.until || old.raw == e.raw {
				b.set(i, h, e)
				return
			}
			if old.until < oldest {
				victim, at, oldest = b, i, old.until
			}
		}
	}
	victim.set(at, h, e)
}

func (b *bucket) set(i int, h uint64, e *entry) {
	b.entry[i].Store(e)
	b.hash[i].Store(h)
}
