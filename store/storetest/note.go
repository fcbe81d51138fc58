package storetest

import (
	"fmt"
	"strings"
	"sync"

	"github.com/lanyard-go/lanyard"
)

var noteCases = []Case{
	{"Note swaps a value for the one that is noted", able(func(b *bed, s lanyard.Noter) {
		for i, c := range []struct{ old, value, want string }{
			{"", "", ""},       // nothing is noted yet
			{"", "one", "one"}, // the first
			{"", "two", "one"}, // too late
			{"x", "x", "one"},  // only asks
			{"", "", "one"},
			{"two", "", "one"},
			{"one", "one", "one"},
			{"one", "two", "two"},
			{"one", "three", "two"},
			{"two", "", ""}, // taken back
			{"", "four", "four"},
		} {
			if got := b.noted(s, "name", c.old, c.value); got != c.want {
				b.Errorf("step %d: Note of %q for %q returned %q, want %q", i, c.value, c.old, got, c.want)
			}
			if got := b.noted(s, "another", "", ""); got != "" {
				b.Fatalf("step %d: another name has %q", i, got)
			}
		}
	})},
	{"Note keeps every byte of names and values", able(func(b *bed, s lanyard.Noter) {
		texts := append(oddTexts(), strings.Repeat("n", 64))
		for i, text := range texts {
			name, value := text[:min(len(text), 64)], fmt.Sprint(i, text)
			if got := b.noted(s, name, "", value); got != value {
				b.Errorf("Note under %q returned %q, want %q", name, got, value)
			}
		}
		for i, text := range texts {
			if got := b.noted(s, text[:min(len(text), 64)], "", ""); got != fmt.Sprint(i, text) {
				b.Errorf("under %q there is %q", text, got)
			}
		}
		long := strings.Repeat("v", 512)
		if got := b.noted(s, "long", "", long); got != long || b.noted(s, "long", long, "short") != "short" {
			b.Error("a value of 512 bytes was not kept")
		}
	})},
	{"Note outlives the records", able(func(b *bed, s lanyard.Noter) {
		b.noted(s, "name", "", "value")
		r := b.start("alice")
		b.end(lanyard.End{Subject: "alice"})
		b.end(lanyard.End{All: true})
		b.prune(lanyard.Prune{Now: absolute, Forget: absolute, Limit: 100})
		b.wantRecords("the records", b.walk(lanyard.Query{}))
		if got := b.noted(s, "name", "", ""); got != "value" {
			b.Errorf("after %s was forgotten the note is %q", r.SID, got)
		}
	})},
}

func (b *bed) noted(s lanyard.Noter, name, old, value string) string {
	b.Helper()
	got, err := s.Note(b.ctx, name, old, value)
	if err != nil {
		b.Fatalf("Note: %v", err)
	}
	return got
}

// contendNote has callers count in a note, each step a swap.
func contendNote(rounds int) func(b *bed, s lanyard.Noter) {
	return func(b *bed, s lanyard.Noter) {
		const callers = 6
		each := rounds/50 + 1
		var mu sync.Mutex
		first := make(map[string]bool) // what callers heard when all tried to be the first
		together(callers, func(i int) {
			heard, err := s.Note(b.ctx, "first", "", fmt.Sprint("caller ", i))
			if err != nil {
				b.Errorf("Note: %v", err)
			}
			mu.Lock()
			first[heard] = true
			mu.Unlock()
			for range each {
				if !b.countOne(s, i) {
					return
				}
			}
		})
		if len(first) != 1 {
			b.Errorf("callers at once heard of %d first ones: %v", len(first), first)
		}
		if n := countOf(b.noted(s, "count", "", "")); n != callers*each {
			b.Errorf("counted %d times, the note says %d", callers*each, n)
		}
	}
}

// countOne adds one to the note. Each caller signs what it writes, so that it
// knows its own from an equal one of another.
func (b *bed) countOne(s lanyard.Noter, caller int) bool {
	old, err := s.Note(b.ctx, "count", "", "")
	for range 100_000 {
		if err != nil {
			b.Errorf("Note: %v", err)
			return false
		}
		mine := fmt.Sprintf("%d by %d", countOf(old)+1, caller)
		was := old
		if old, err = s.Note(b.ctx, "count", was, mine); old == mine {
			return true
		}
	}
	b.Errorf("caller %d never got its turn", caller)
	return false
}

func countOf(note string) (n int) {
	_, _ = fmt.Sscan(note, &n) // an empty note is none
	return n
}
