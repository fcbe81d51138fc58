package token

import (
	"crypto/subtle"
	"hash/maphash"
	"math"
	"math/bits"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lanyard-go/lanyard/internal/consttime"
)

// maxCacheSize keeps a mistyped size from taking all memory.
const maxCacheSize = 1 << 24

// cache remembers verified tokens. A token may stand in one of two buckets of
// four slots, so that with twice as many slots as tokens hardly any is displaced.
// Readers take no lock and write nothing.
//
// Only tokens that passed every check get in, at most as many as there are
// slots, so a stranger can neither grow the table nor fill it.
type cache struct {
	seed  maphash.Seed // per cache: positions cannot be predicted
	table atomic.Pointer[table]
	most  int // buckets at its largest
	grow  sync.Mutex
}

// table starts small and is replaced by one twice its size as it fills, because
// the garbage collector walks all of it in each of its rounds.
type table struct {
	buckets []bucket
	mask    uint64
}

const (
	ways         = 4
	firstBuckets = 64
)

// bucket is one cache line: hashes first, so that a miss touches no token.
type bucket struct {
	hash  [ways]atomic.Uint64
	entry [ways]atomic.Pointer[entry]
}

func newCache(tokens int) *cache {
	buckets := max(2, (2*tokens+ways-1)/ways)
	c := &cache{seed: maphash.MakeSeed(), most: 1 << bits.Len(uint(buckets-1))}
	c.table.Store(newTable(min(c.most, firstBuckets)))
	return c
}

func newTable(buckets int) *table {
	return &table{make([]bucket, buckets), uint64(buckets - 1)}
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
func (t *table) pair(h uint64) [2]*bucket {
	return [2]*bucket{&t.buckets[h&t.mask], &t.buckets[h>>31&t.mask]}
}

func (c *cache) get(raw string) *entry {
	h := c.hash(raw)
	for _, b := range c.table.Load().pair(h) {
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

// textRoom is what a remembered token has room for beside its claims, so that
// all of it is one object of 1 KiB: a table of many tokens lives in main memory,
// where every further place costs as much as all the rest of a check.
const textRoom = 648

// entry is a token whose signature and fixed claims were right.
type entry struct {
	from      int64 // valid from this Unix time in nanoseconds, leeway taken off
	until     int64 // and dead from this one, leeway added
	key       *PublicKey
	size, dot uint32         // of the text, and where its signature starts
	long      string         // the text, if there is no room for it
	text      [textRoom]byte // otherwise it is here
	claims    Claims
}

// hold keeps a copy of the text: some servers hand out strings over buffers they
// use again, and what is remembered must never change.
func (e *entry) hold(raw string) {
	e.size, e.dot = uint32(len(raw)), uint32(strings.LastIndexByte(raw, '.'))
	if copy(e.text[:], raw) < len(raw) {
		e.long = strings.Clone(raw)
	}
}

// is compares whole texts. The signature, the part that makes a token a secret,
// is compared in constant time; what stands before it grants nothing.
func (e *entry) is(raw string) bool {
	switch {
	case int(e.size) != len(raw):
		return false
	case e.long != "":
		return e.long[:e.dot] == raw[:e.dot] && sameSignature(e.long[e.dot:], raw[e.dot:])
	}
	return string(e.text[:e.dot]) == raw[:e.dot] && sameSignature(e.text[e.dot:e.size], raw[e.dot:])
}

// signatureRoom fits the signature of every algorithm but RSA's, with its dot.
const signatureRoom = 96

// sameSignature compares two texts in constant time without allocating.
func sameSignature[T string | []byte](a T, b string) bool {
	if len(a) > signatureRoom || len(b) > signatureRoom {
		return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1
	}
	var x, y [signatureRoom]byte
	return consttime.Equal(x[:copy(x[:], a)], y[:copy(y[:], b)])
}

// put stores e, which holds raw, in a free slot or in that of an expired token. Without one the
// table grows, and at its largest e takes the place of the one that expires
// first. Two writers may displace each other's entry, and one that finds a free
// slot while the table grows may write in vain, which costs a signature check and
// nothing else.
func (c *cache) put(raw string, e *entry, now time.Time) {
	h := c.hash(raw)
	for {
		t := c.table.Load()
		if t.put(h, raw, e, now, len(t.buckets) == c.most) {
			return
		}
		c.double(t)
	}
}

// put reports whether e has been stored: false only if displace is.
func (t *table) put(h uint64, raw string, e *entry, now time.Time, displace bool) bool {
	var victim *bucket
	var at int
	oldest := int64(math.MaxInt64)
	for _, b := range t.pair(h) {
		for i := range ways {
			old := b.entry[i].Load()
			if old == nil || now.UnixNano() >= old.until || old.is(raw) {
				b.set(i, h, e)
				return true
			}
			if old.until < oldest {
				victim, at, oldest = b, i, old.until
			}
		}
	}
	if displace {
		victim.set(at, h, e)
	}
	return displace
}

// double replaces old by a table twice its size, unless another has done so.
func (c *cache) double(old *table) {
	c.grow.Lock()
	defer c.grow.Unlock()
	if c.table.Load() != old {
		return
	}
	t := newTable(2 * len(old.buckets))
	for i := range old.buckets {
		from := &old.buckets[i]
		for j := range ways {
			// The entry of a slot that is being reused may not belong to the hash
			// read before it. It would stand where nobody looks for it, no more.
			if e := from.entry[j].Load(); e != nil {
				t.take(from.hash[j].Load(), e)
			}
		}
	}
	c.table.Store(t)
}

// take stores e if there is room.
func (t *table) take(h uint64, e *entry) {
	for _, b := range t.pair(h) {
		for i := range ways {
			if b.entry[i].Load() == nil {
				b.set(i, h, e)
				return
			}
		}
	}
}

func (b *bucket) set(i int, h uint64, e *entry) {
	b.entry[i].Store(e)
	b.hash[i].Store(h)
}
