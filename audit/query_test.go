package audit

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
)

func seqs(records []Record) []uint64 {
	var s []uint64
	for _, r := range records {
		s = append(s, r.Seq)
	}
	return s
}

// span returns the numbers from first to last in steps.
func span(first, last, step uint64) []uint64 {
	var s []uint64
	for i := first; i <= last; i += step {
		s = append(s, i)
	}
	return s
}

func TestQuerySelectsRecords(t *testing.T) {
	path := newPath(t)
	f := mustOpen(t, path, FileConfig{Buffer: 1 << 16})
	for i := 1; i <= 300; i++ {
		mustRecord(t, f, numbered(i))
	}
	// What looks like another session's or subject's event from outside.
	mustRecord(t, f, Event{Name: LoginFailed, SID: "other", Attrs: map[string]string{"a": "", "sid": "sid-1", "subject": "user-2"}})
	mustRecord(t, f, Event{Name: LoginFailed, Subject: `a"b` + "\n", SID: strings.Repeat("s", 100)})
	tests := []struct {
		name   string
		filter Filter
		want   []uint64
	}{
		{"the oldest hundred by default", Filter{}, span(1, 100, 1)},
		{"the newest hundred", Filter{Newest: true}, span(203, 302, 1)},
		{"all", Filter{Limit: 1000}, span(1, 302, 1)},
		{"all, newest", Filter{Limit: 1000, Newest: true}, span(1, 302, 1)},
		{"after a number", Filter{After: 250, Limit: 5}, span(251, 255, 1)},
		{"after a number, newest", Filter{After: 250, Limit: 5, Newest: true}, span(298, 302, 1)},
		{"after a number near the end, newest", Filter{After: 300, Limit: 5, Newest: true}, span(301, 302, 1)},
		{"after the last", Filter{After: 302}, nil},
		{"after what does not exist yet", Filter{After: 1 << 60}, nil},
		{"a session", Filter{SID: "sid-1", Limit: 3}, []uint64{1, 4, 7}},
		{"a session, newest", Filter{SID: "sid-1", Limit: 3, Newest: true}, []uint64{292, 295, 298}},
		{"a subject", Filter{Subject: "user-2", Limit: 3}, []uint64{2, 7, 12}},
		{"a session of a subject", Filter{SID: "sid-1", Subject: "user-2", Limit: 2}, []uint64{7, 22}},
		{"a name", Filter{Name: LoginFailed}, []uint64{301, 302}},
		{"a session that is a prefix of others", Filter{SID: "sid-"}, nil},
		{"a text that must be escaped", Filter{Subject: `a"b` + "\n"}, []uint64{302}},
		{"a text that was cut when it was written", Filter{SID: strings.Repeat("s", 100)}, []uint64{302}},
		{"a text that tries to leave the filter", Filter{SID: `sid-1","source":"`}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			records, err := f.Query(tt.filter)
			if err != nil {
				t.Fatal(err)
			}
			if got := seqs(records); !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

func TestACursorReadsALongFileWithoutGapOrRepeat(t *testing.T) {
	path := newPath(t)
	f := mustOpen(t, path, FileConfig{Buffer: 1 << 20})
	const n = 3600
	for i := 1; i <= n; i++ {
		e := numbered(i)
		e.Attrs = map[string]string{"pad": strings.Repeat("x", i%200)}
		mustRecord(t, f, e)
	}
	mustClose(t, f)
	if info, err := os.Stat(path); err != nil || info.Size() < 3<<19 {
		t.Fatalf("the file is too short for this test: %v, %v", info, err)
	}
	var got []uint64
	for cursor := uint64(0); ; {
		records, err := Query(path, Filter{After: cursor, Limit: 777})
		if err != nil {
			t.Fatal(err)
		}
		if len(records) == 0 {
			break
		}
		got = append(got, seqs(records)...)
		cursor = got[len(got)-1]
	}
	if !slices.Equal(got, span(1, n, 1)) {
		t.Errorf("read %d records", len(got))
	}
	for _, after := range []uint64{1, 2, n / 3, n / 2, n - 2} {
		records, err := Query(path, Filter{After: after, Limit: 2})
		if err != nil || !slices.Equal(seqs(records), []uint64{after + 1, after + 2}) {
			t.Errorf("after %d: %v, %v", after, seqs(records), err)
		}
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	for after := uint64(0); after < n; after += 3 {
		if err := seekAfter(file, after); err != nil {
			t.Fatal(err)
		}
		start := make([]byte, 100)
		if _, err := io.ReadFull(file, start); err != nil {
			t.Fatal(err)
		}
		if seq, _, ok := parseSeq(start); !ok || seq > after+1 {
			t.Fatalf("after %d: reading starts at %q", after, start)
		}
	}
	// Sparse and frequent matches make the newest ones lie far from and close to
	// the end.
	for _, filter := range []Filter{{Limit: 10}, {SID: "sid-1", Limit: 1000}, {Subject: "user-1", After: 50, Limit: 10_000}, {SID: "nobody"}, {After: n - 3}} {
		filter.Newest = true
		records, err := Query(path, filter)
		if err != nil {
			t.Fatal(err)
		}
		filter.Newest = false
		limit := filter.Limit
		filter.Limit = MaxLimit
		all, err := Query(path, filter)
		if err != nil {
			t.Fatal(err)
		}
		if limit == 0 {
			limit = DefaultLimit
		}
		want := seqs(all[max(0, len(all)-limit):])
		if got := seqs(records); !slices.Equal(got, want) {
			t.Errorf("%+v: got %d records, want %d", filter, len(got), len(want))
		}
	}
}

func TestQueryOfADamagedFile(t *testing.T) {
	path := write(t, 5)
	whole := readLines(t, path)
	lines := slices.Clone(whole)
	lines[2] = "gone"
	writeLines(t, path, lines)
	if _, err := Query(path, Filter{}); err == nil {
		t.Error("an unreadable line was passed over")
	}
	if err := os.WriteFile(path, []byte(strings.Join(whole, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	// A line that is being written has no line feed yet.
	if records, err := Query(path, Filter{}); err != nil || len(records) != 4 {
		t.Errorf("an incomplete last line: %d records, %v", len(records), err)
	}
	if _, err := Query(path+".none", Filter{}); err == nil {
		t.Error("a missing file has records")
	}
}

func BenchmarkQueryOfOneSession(b *testing.B) {
	path := newPath(b)
	f := mustOpen(b, path, FileConfig{Buffer: 1 << 20})
	for i := range 20_000 {
		e := numbered(i)
		e.SID = fmt.Sprint("sid-", i/10)
		mustRecord(b, f, e)
	}
	mustClose(b, f)
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(info.Size())
	for b.Loop() {
		records, err := Query(path, Filter{SID: "sid-7"})
		if err != nil || len(records) != 10 {
			b.Fatal(len(records), err)
		}
	}
}
