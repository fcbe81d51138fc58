package memory

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"slices"
	"sort"
	"sync"

	"github.com/lanyard-go/lanyard"
)

// feed is the list of revocations, one for all partitions. Its places are given
// under the lock that appends, so their order is the order of appearance.
type feed struct {
	mu       sync.RWMutex
	instance [8]byte // tells this feed's cursors from another's
	last     uint64  // place of the newest entry, from 1
	lines    []line
}

type line struct {
	place uint64
	entry lanyard.Entry
}

// append adds entries and returns the cursor of the last one, empty for none.
func (f *feed) append(entries ...lanyard.Entry) string {
	if len(entries) == 0 {
		return ""
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range entries {
		f.last++
		f.lines = append(f.lines, line{f.last, e})
	}
	return f.cursor(f.last)
}

func (f *feed) cursor(place uint64) string {
	b := binary.BigEndian.AppendUint64(f.instance[:len(f.instance):len(f.instance)], place)
	return base64.RawURLEncoding.EncodeToString(b)
}

// place is the inverse of cursor.
func (f *feed) place(cursor string) (uint64, error) {
	if cursor == "" {
		return 0, nil
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(b) != 16 || [8]byte(b) != f.instance {
		return 0, lanyard.ErrBadCursor
	}
	place := binary.BigEndian.Uint64(b[8:])
	if place > f.last {
		return 0, lanyard.ErrBadCursor
	}
	return place, nil
}

// prune removes the entries that no longer matter.
func (f *feed) prune(now lanyard.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lines = slices.DeleteFunc(f.lines, func(l line) bool { return l.entry.Until <= now })
	if cap(f.lines) > 4*len(f.lines)+64 {
		f.lines = slices.Clone(f.lines) // give back what a busy hour took
	}
}

// Revocations implements [lanyard.Store].
func (s *Store) Revocations(_ context.Context, after string, limit int) ([]lanyard.Entry, string, error) {
	f := &s.feed
	f.mu.RLock()
	defer f.mu.RUnlock()
	place, err := f.place(after)
	if err != nil {
		return nil, "", err
	}
	from := sort.Search(len(f.lines), func(i int) bool { return f.lines[i].place > place })
	lines := f.lines[from:]
	if len(lines) > limit {
		lines = lines[:max(limit, 0)]
		if len(lines) == 0 {
			return nil, f.cursor(place), nil
		}
		place = lines[len(lines)-1].place
	} else {
		place = f.last
	}
	entries := make([]lanyard.Entry, len(lines))
	for i := range lines {
		entries[i] = lines[i].entry
	}
	return entries, f.cursor(place), nil
}
