package sqlite

import (
	"strings"
	"testing"

	"github.com/lanyard-go/lanyard"
)

func TestTheCacheKeepsNoRowThatWasReadBeforeAChange(t *testing.T) {
	sid := lanyard.SID{15: 7}
	for _, tt := range []struct {
		name    string
		between func(*cache)
		want    string
	}{
		{"nothing happened", func(*cache) {}, "read"},
		{"the row was changed", func(c *cache) { c.apply([]change{{sid, 2, "written"}}) }, "written"},
		{"the row was removed", func(c *cache) { c.apply([]change{{sid, 0, ""}}) }, ""},
		{"the row was changed and pushed out", func(c *cache) {
			c.apply([]change{{sid, 2, "written"}})
			for i := range 10_000 {
				c.apply([]change{{lanyard.SID{byte(i >> 8), byte(i), 15: 7}, 1, "other"}})
			}
		}, ""},
		{"a commit failed", func(c *cache) { c.clear() }, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newCache(1 << 20)
			mark := c.changes(sid)
			tt.between(c)
			c.fill(sid, 1, "read", mark)
			_, body, _ := c.get(sid)
			if body != tt.want {
				t.Errorf("the cache answers %q, want %q", body, tt.want)
			}
		})
	}
}

func TestTheCacheStaysWithinItsSizeAndKeepsWhatIsRead(t *testing.T) {
	const size = 4 << 20
	c := newCache(size)
	body := strings.Repeat("x", 400)
	read := lanyard.SID{1}
	c.apply([]change{{read, 1, body}})
	for i := range 50_000 {
		sid := numbered(i)
		c.fill(sid, 1, body, c.changes(sid))
		if _, _, ok := c.get(read); !ok {
			t.Fatalf("a record that is read all the time was pushed out after %d others", i)
		}
	}
	if held := bytesOf(c); held > size || held < size/2 {
		t.Errorf("the cache holds %d bytes, want at most %d and not far less", held, size)
	}
	c.apply([]change{{read, 2, strings.Repeat("x", size)}})
	if _, _, ok := c.get(read); ok {
		t.Error("a record larger than the room was kept, or its older version was")
	}
}

// What is written here about a million sessions and 450 bytes for each.
func TestTheCacheHoldsAsManyRecordsAsItSays(t *testing.T) {
	const size = DefaultCacheSize / 64
	c := newCache(size)
	body := strings.Repeat("x", 310)
	for round := range 3 {
		for i := range size / 450 {
			sid := numbered(i)
			if _, _, ok := c.get(sid); ok != (round > 0) {
				t.Fatalf("in round %d record %d of %d is there: %t", round, i, size/450, ok)
			}
			c.fill(sid, 1, body, c.changes(sid))
			c.apply([]change{{sid, int64(round) + 1, body}}) // written in its place
		}
	}
	if n := size / 450 * 64; n < 1_000_000 {
		t.Errorf("the default has room for %d records, want a million", n)
	}
}

// All was read, so nothing can be kept for that.
func TestTheCacheMakesRoomWhenAllWasRead(t *testing.T) {
	c := newCache(1 << 20)
	for i := range 20_000 {
		sid := numbered(i)
		c.apply([]change{{sid, 1, "short"}, {lanyard.SID{1}, int64(i), strings.Repeat("long", i%100)}})
		if _, _, ok := c.get(sid); !ok {
			t.Fatalf("record %d is not there right after it was written", i)
		}
	}
}

// Records come, change, grow, shrink and go, in little room. What the cache has
// is what was written last.
func TestTheCacheAnswersWhatWasWrittenLast(t *testing.T) {
	for seed := range uint64(20) {
		state := seed
		draw := func(n int) int {
			state = state*6364136223846793005 + 1442695040888963407
			return int(state>>33) % n
		}
		c := newCache(256 << 10)
		written := map[lanyard.SID]change{}
		hits := 0
		for i := range 5000 {
			ch := change{sid: lanyard.SID{byte(draw(250))}, version: int64(i + 1)}
			if draw(5) > 0 {
				ch.body = strings.Repeat(string(rune('a'+draw(26))), 1+draw(300))
			}
			c.apply([]change{ch})
			written[ch.sid] = ch
			for range 4 {
				sid := lanyard.SID{byte(draw(250))}
				if version, body, ok := c.get(sid); ok {
					hits++
					if want := written[sid]; version != want.version || body != want.body {
						t.Fatalf("seed %d, step %d: version %d %q, want %d %q", seed, i, version, body, want.version, want.body)
					}
				}
			}
		}
		if hits < 100 || hits > 19_000 {
			t.Errorf("seed %d: %d of 20000 were there: that shows nothing", seed, hits)
		}
	}
}

// numbered returns SIDs that are spread over the shards evenly.
func numbered(i int) lanyard.SID {
	return lanyard.SID{2, byte(i >> 16), byte(i >> 8), byte(i), 15: byte(i)}
}

// bytesOf counts pages, and the map as large as it gets just before it grows.
func bytesOf(c *cache) (held int) {
	const slot = (16 + 4 + 1) * 2
	for i := range c.shards {
		held += len(c.shards[i].pages)*c.page + len(c.shards[i].at)*slot
	}
	return held
}
