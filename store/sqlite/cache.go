package sqlite

import (
	"sync"

	"github.com/lanyard-go/lanyard"
)

const (
	cacheShards = 64
	// entryCost is what an entry takes beside its body: key, version, string
	// header, allocator rounding and its share of a map that may be half empty.
	entryCost = 128
)

// cache holds stored forms by SID, bounded in bytes. Only a Store that is the
// one writer of its file has one; a nil cache is empty and stays so.
//
// Transactions are applied in the order of their commits, before their callers
// are answered. A shard keeps two generations: when the younger one has taken
// half the room it becomes the older, and what was the older is dropped unless
// it was used meanwhile.
type cache struct {
	shards [cacheShards]shard
	half   int // bytes of one generation of one shard
}

type shard struct {
	mu         sync.RWMutex
	changes    uint64 // transactions that touched the shard
	young, old map[lanyard.SID]entry
	size       int // bytes of young
}

type entry struct {
	version int64
	body    string
}

func newCache(size int) *cache {
	return &cache{half: size / cacheShards / 2}
}

func (c *cache) shard(sid lanyard.SID) *shard {
	return &c.shards[sid[len(sid)-1]%cacheShards]
}

func (c *cache) get(sid lanyard.SID) (version int64, body string, ok bool) {
	if c == nil {
		return 0, "", false
	}
	sh := c.shard(sid)
	sh.mu.RLock()
	e, ok := sh.young[sid]
	_, aged := sh.old[sid]
	sh.mu.RUnlock()
	if !ok && aged {
		sh.mu.Lock()
		defer sh.mu.Unlock()
		// Looked up again: a transaction may have been applied in between.
		if e, ok = sh.old[sid]; ok {
			c.put(sh, sid, e)
		} else {
			e, ok = sh.young[sid]
		}
	}
	return e.version, e.body, ok
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
	// Another reader may have been later, and seen a transaction that is about to
	// be applied.
	if held := max(sh.young[sid].version, sh.old[sid].version); sh.changes == mark && version > held {
		c.put(sh, sid, entry{version, body})
	}
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
			sh.remove(ch.sid)
		} else {
			c.put(sh, ch.sid, entry{ch.version, ch.body})
		}
		sh.mu.Unlock()
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
		sh.young, sh.old, sh.size = nil, nil, 0
		sh.mu.Unlock()
	}
}

// put adds or replaces an entry. The shard is locked.
func (c *cache) put(sh *shard, sid lanyard.SID, e entry) {
	sh.remove(sid)
	cost := len(e.body) + entryCost
	if cost > c.half {
		return
	}
	if sh.size+cost > c.half {
		sh.old, sh.young, sh.size = sh.young, nil, 0
	}
	if sh.young == nil {
		sh.young = make(map[lanyard.SID]entry)
	}
	sh.young[sid] = e
	sh.size += cost
}

func (sh *shard) remove(sid lanyard.SID) {
	if e, ok := sh.young[sid]; ok {
		sh.size -= len(e.body) + entryCost
		delete(sh.young, sid)
	}
	delete(sh.old, sid)
}
