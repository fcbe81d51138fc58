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

func TestTheCacheStaysWithinItsSizeAndKeepsWhatIsUsed(t *testing.T) {
	const size = 4 << 20
	c := newCache(size)
	body := strings.Repeat("x", 400)
	used := lanyard.SID{1}
	c.apply([]change{{used, 1, body}})
	for i := range 50_000 {
		sid := lanyard.SID{2, byte(i >> 16), byte(i >> 8), byte(i), 15: byte(i)}
		c.fill(sid, 1, body, c.changes(sid))
		if _, _, ok := c.get(used); !ok {
			t.Fatalf("a record that is used all the time was pushed out after %d others", i)
		}
	}
	held := 0
	for i := range c.shards {
		held += (len(c.shards[i].young) + len(c.shards[i].old)) * (len(body) + entryCost)
	}
	if held > size || held < size/4 {
		t.Errorf("the cache holds %d bytes, want at most %d and not far less", held, size)
	}
	c.apply([]change{{used, 2, strings.Repeat("x", size)}})
	if _, _, ok := c.get(used); ok {
		t.Error("a record larger than the room was kept, or its older version was")
	}
}
