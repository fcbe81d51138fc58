package sqlite

import (
	"sync"
	"sync/atomic"

	"github.com/lanyard-go/lanyard"
)

const (
	cacheShards = 64
	// DefaultCacheSize is [Config.CacheSize] where that is 0: room for a million
	// sessions, also when they have refresh tokens.
	DefaultCacheSize = 640 << 20
)

// cache holds stored forms by SID, bounded in bytes. Only a Store that is the
// one writer of its file has one; a nil cache is empty and stays so.
//
// Transactions are applied in the order of their commits, before their callers
// are answered. The forms lie in pages, which have no pointers for the garbage
// collector to follow. A shard that has all its pages fills the oldest again
// with what comes; of what lies there it keeps what was read since.
type cache struct {
	shards [cacheShards]shard
	page   int // bytes of a page
	pages  int // most pages of a shard

	// Transactions are numbered, so that a list can tell whether one came between
	// its records. Applied is the last that is visible. A place of touched, for
	// SIDs with the same last bytes, has the last that changes one of them, from
	// before it is committed.
	applied atomic.Uint64
	touched [1024]atomic.Uint64
}

type shard struct {
	mu      sync.RWMutex
	changes uint64 // transactions that touched the shard
	at      map[lanyard.SID]spot
	pages   []page
	filling int // the page that takes new entries; the next one is the oldest
}

func newCache(size int) *cache {
	// A quarter more than the pages have is left for the map.
	room := size / cacheShards / 5 * 4
	c := &cache{page: min(maxPage, room/2) / entryUnit * entryUnit}
	c.pages = min(room/max(c.page, 1), maxPages)
	return c
}

func (c *cache) shard(sid lanyard.SID) *shard {
	return &c.shards[sid[len(sid)-1]%cacheShards]
}

// get returns a copy: what is cached may make room for something else while the
// caller still reads.
func (c *cache) get(sid lanyard.SID) (version int64, body string, ok bool) {
	if c == nil {
		return 0, "", false
	}
	sh := c.shard(sid)
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	at, ok := sh.at[sid]
	if !ok {
		return 0, "", false
	}
	p := &sh.pages[at.page()]
	p.use(at.offset())
	e := p.entry(at.offset())
	return e.version(), string(e.body()), true
}

// changes returns a mark to hand to fill. It is taken before the row is read.
func (c *cache) changes(sid lanyard.SID) uint64 {
	if c == nil {
		return 0
	}
	sh := c.shard(sid)
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	return sh.changes
}

// fill keeps a row that was read from the database, unless a transaction has
// touched the shard since the mark was taken: the row may be the older one then.
func (c *cache) fill(sid lanyard.SID, version int64, body string, mark uint64) {
	if c == nil {
		return
	}
	sh := c.shard(sid)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.changes != mark {
		return
	}
	// Another reader may have been later, and seen a transaction that is about to
	// be applied.
	if at, ok := sh.at[sid]; ok && sh.pages[at.page()].entry(at.offset()).version() >= version {
		return
	}
	c.put(sh, sid, version, body)
}

func (c *cache) place(sid lanyard.SID) *atomic.Uint64 {
	n := len(sid)
	return &c.touched[(int(sid[n-2])<<8|int(sid[n-1]))%len(c.touched)]
}

// expect says which records a transaction changes. It is called before the
// commit; settle or clear follows.
func (c *cache) expect(changes []change) {
	if c == nil {
		return
	}
	number := c.applied.Load() + 1
	for _, ch := range changes {
		c.place(ch.sid).Store(number)
	}
}

// unchanged reports whether no transaction after the numbered one has changed a
// record, or is about to.
func (c *cache) unchanged(sid lanyard.SID, since uint64) bool {
	return c.place(sid).Load() <= since
}

// apply makes a committed transaction visible.
func (c *cache) apply(changes []change) {
	if c == nil {
		return
	}
	for _, ch := range changes {
		sh := c.shard(ch.sid)
		sh.mu.Lock()
		sh.changes++
		if ch.body == "" {
			delete(sh.at, ch.sid)
		} else {
			c.put(sh, ch.sid, ch.version, ch.body)
		}
		sh.mu.Unlock()
	}
}

// settle says that all of a transaction is visible, the global epoch too.
func (c *cache) settle() {
	if c != nil {
		c.applied.Add(1)
	}
}

// clear forgets everything, and makes fill refuse what is being read.
func (c *cache) clear() {
	if c == nil {
		return
	}
	for i := range c.shards {
		sh := &c.shards[i]
		sh.mu.Lock()
		sh.changes++
		sh.at, sh.pages, sh.filling = nil, nil, 0
		sh.mu.Unlock()
	}
	c.settle()
}

// put adds or replaces an entry. The shard is locked.
func (c *cache) put(sh *shard, sid lanyard.SID, version int64, body string) {
	if at, ok := sh.at[sid]; ok {
		// Most changes leave the length as it is.
		if e := sh.pages[at.page()].entry(at.offset()); len(body) <= e.room() {
			e.set(version, body)
			return
		}
		delete(sh.at, sid) // before room is made, so that it counts as gone
	}
	size := entrySize(len(body))
	if size > c.page {
		return
	}
	c.makeRoom(sh, size)
	if sh.at == nil {
		sh.at = make(map[lanyard.SID]spot)
	}
	p := &sh.pages[sh.filling]
	sh.at[sid] = newSpot(sh.filling, p.add(sid, version, body, size))
}

// maxKept bounds the pages that are gone through for an entry before what was
// read lately has to go like the rest.
const maxKept = 4

// makeRoom leaves room for size bytes in the page being filled.
func (c *cache) makeRoom(sh *shard, size int) {
	for turn := 0; len(sh.pages) == 0 || sh.pages[sh.filling].left() < size; turn++ {
		if len(sh.pages) < c.pages {
			sh.filling = len(sh.pages)
			sh.pages = append(sh.pages, newPage(c.page))
			return
		}
		sh.filling = (sh.filling + 1) % len(sh.pages)
		sh.reuse(sh.filling, turn < maxKept)
	}
}

// reuse drops what lies in a page, but not what was read since the last time,
// unless all has to go.
func (sh *shard) reuse(n int, keep bool) {
	p := &sh.pages[n]
	kept := 0
	for from := 0; from < len(p.bytes); {
		e := p.entry(from)
		size := e.size()
		switch sid := e.sid(); {
		case sh.at[sid] != newSpot(n, from): // removed or moved
		case keep && p.used(from):
			copy(p.bytes[kept:], p.bytes[from:from+size])
			sh.at[sid] = newSpot(n, kept)
			kept += size
		default:
			delete(sh.at, sid)
		}
		from += size
	}
	p.truncate(kept)
}
