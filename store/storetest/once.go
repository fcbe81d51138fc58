package storetest

import (
	"fmt"
	"strings"

	"github.com/lanyard-go/lanyard"
)

var onceCases = []Case{
	{"Once returns true to one caller", check(func(b *bed) {
		for _, key := range append(oddTexts(), "jti:abc", "jti:abd", strings.Repeat("k", 64)) {
			if len(key) > 64 {
				continue
			}
			b.wantOnce(key, now, until, true)
			b.wantOnce(key, now, until, false)
			b.wantOnce(key, until-1, until+minute, false)
			b.wantOnce(key, now-minute, until, false)
		}
	})},
	{"Once holds a key until its time, also when pruned", check(func(b *bed) {
		for i := range 20 {
			b.wantOnce(fmt.Sprint("key", i), now, until, true)
		}
		b.prune(lanyard.Prune{Now: until - 1, Forget: until - 1, Limit: 10})
		for i := range 20 {
			b.wantOnce(fmt.Sprint("key", i), until-1, until, false)
		}
	})},
	{"Once does not mix keys with SIDs or subjects", check(func(b *bed) {
		r := b.start("alice")
		b.wantOnce("alice", now, until, true)
		b.wantOnce(r.SID.String(), now, until, true)
		b.wantLive(r)
	})},
}

func (b *bed) wantOnce(key string, now, until lanyard.Time, want bool) {
	b.Helper()
	got, err := b.store.Once(b.ctx, key, now, until)
	if err != nil {
		b.Fatalf("Once: %v", err)
	}
	if got != want {
		b.Errorf("Once of %q at %d returned %v, want %v", key, now, got, want)
	}
}
