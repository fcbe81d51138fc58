package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// newPath returns a path for a file in a directory of its own.
func newPath(t testing.TB) string { return filepath.Join(t.TempDir(), "audit.jsonl") }

func mustOpen(t testing.TB, path string, cfg FileConfig) *File {
	t.Helper()
	if cfg.Now == nil {
		cfg.Now = func() time.Time { return noon }
	}
	f, err := OpenFile(path, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func mustRecord(t testing.TB, s Sink, e Event) {
	t.Helper()
	if err := s.Record(context.Background(), e); err != nil {
		t.Fatal(err)
	}
}

func mustClose(t testing.TB, f *File) {
	t.Helper()
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// verified checks a file that must hold and returns its report.
func verified(t testing.TB, path string) Report {
	t.Helper()
	report, err := VerifyFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func numbered(i int) Event {
	return Event{Name: LoginSucceeded, SID: fmt.Sprintf("sid-%d", i%3), Subject: fmt.Sprintf("user-%d", i%5), Reason: fmt.Sprint(i)}
}

// write makes a closed file with n events and returns its path.
func write(t testing.TB, n int) string {
	t.Helper()
	path := newPath(t)
	f := mustOpen(t, path, FileConfig{Buffer: 1 << 16})
	for i := 1; i <= n; i++ {
		mustRecord(t, f, numbered(i))
	}
	mustClose(t, f)
	return path
}

func TestAChainIsContinuedWhenItIsOpenedAgain(t *testing.T) {
	path := newPath(t)
	var last Head
	for _, round := range []int{0, 1, 0, 2, 3, 0} {
		f := mustOpen(t, path, FileConfig{})
		if f.Head() != last {
			t.Fatalf("round %d starts at %v, want %v", round, f.Head(), last)
		}
		for i := range round {
			mustRecord(t, f, numbered(i))
		}
		last = f.Head()
		mustClose(t, f)
		if noted, ok, err := readHead(path); noted != last || !ok || err != nil {
			t.Fatalf("round %d leaves the head %v, %v, %v", round, noted, ok, err)
		}
	}
	if last.Seq != 6 {
		t.Errorf("head %v", last)
	}
	if report := verified(t, path); report.Lines != 6 || report.Head != last || !report.Anchored || report.Repairs != 0 {
		t.Errorf("report %+v", report)
	}
}

// req: LOG-3
func TestAnEventWithoutATimeGetsTheFilesClock(t *testing.T) {
	path := newPath(t)
	f := mustOpen(t, path, FileConfig{})
	mustRecord(t, f, Event{Name: ServerStarted})
	mustRecord(t, f, Event{Name: ServerStopped, Time: noon.Add(time.Hour)})
	records, err := f.Query(Filter{})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"2026-11-23T12:00:00.123Z", "2026-11-23T13:00:00.123Z"} {
		if got := records[i].Event.Time.Format(time.RFC3339Nano); got != want {
			t.Errorf("time %s, want %s", got, want)
		}
	}
}

func TestTheFileIsPrivateAndHasOneWriter(t *testing.T) {
	path := newPath(t)
	f := mustOpen(t, path, FileConfig{})
	mustRecord(t, f, numbered(1))
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{path, path + ".head"} {
		info, err := os.Stat(p)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", filepath.Base(p), info.Mode())
		}
	}
	if _, err := OpenFile(path, FileConfig{}); !errors.Is(err, ErrLocked) {
		t.Errorf("a second writer got %v", err)
	}
	mustClose(t, f)
	mustClose(t, f)
	if err := f.Record(t.Context(), numbered(2)); !errors.Is(err, ErrClosed) {
		t.Errorf("recording after Close: %v", err)
	}
	if err := f.Sync(); !errors.Is(err, ErrClosed) {
		t.Errorf("syncing after Close: %v", err)
	}
	if _, err := f.Query(Filter{}); !errors.Is(err, ErrClosed) {
		t.Errorf("querying after Close: %v", err)
	}
	mustClose(t, mustOpen(t, path, FileConfig{}))
}

func TestAFileThatOthersCanReachIsRefused(t *testing.T) {
	for mode, ok := range map[os.FileMode]bool{0o600: true, 0o640: true, 0o644: false, 0o660: false, 0o602: false} {
		path := newPath(t)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		f, err := OpenFile(path, FileConfig{})
		if (err == nil) != ok {
			t.Errorf("mode %v: %v", mode, err)
		}
		if err == nil {
			mustClose(t, f)
		}
	}
	if _, err := OpenFile(t.TempDir(), FileConfig{}); err == nil {
		t.Error("a directory was opened")
	}
	for _, cfg := range []FileConfig{{Buffer: -1}, {Buffer: 1<<20 + 1}, {SyncInterval: -1}} {
		if _, err := OpenFile(newPath(t), cfg); err == nil {
			t.Errorf("%+v accepted", cfg)
		}
	}
}

func TestOnlyABufferDelaysAnEventAndNeverACriticalOne(t *testing.T) {
	size := func(path string) int64 {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	direct := newPath(t)
	mustRecord(t, mustOpen(t, direct, FileConfig{}), numbered(1))
	if size(direct) == 0 {
		t.Error("without a buffer the event is still in memory")
	}
	path := newPath(t)
	f := mustOpen(t, path, FileConfig{Buffer: 1 << 16})
	mustRecord(t, f, numbered(1))
	if n := size(path); n != 0 {
		t.Errorf("%d bytes written in spite of the buffer", n)
	}
	mustRecord(t, f, Event{Name: RefreshReused})
	if report := verified(t, path); report.Lines != 2 {
		t.Errorf("after a critical event the file has %d lines", report.Lines)
	}
	mustRecord(t, f, numbered(2))
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
	if report := verified(t, path); report.Lines != 3 || report.Head != f.Head() {
		t.Errorf("after Sync: %+v", report)
	}
	for range 1000 {
		mustRecord(t, f, numbered(3))
	}
	if n := size(path); n < 1<<16 {
		t.Errorf("a full buffer was not written: %d bytes", n)
	}
}

func TestConcurrentWritersMakeOneChain(t *testing.T) {
	for _, buffer := range []int{0, 4096} {
		path := newPath(t)
		f := mustOpen(t, path, FileConfig{Buffer: buffer})
		const writers, each = 8, 50
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				for i := range each {
					e := Event{Name: LoginFailed, Actor: fmt.Sprint(w), Reason: fmt.Sprint(i)}
					if i%10 == 0 {
						e.Name = RefreshReused
					}
					if err := f.Record(t.Context(), e); err != nil {
						t.Error(err)
					}
					if i%25 == 0 {
						if err := f.Sync(); err != nil {
							t.Error(err)
						}
						if _, err := f.Query(Filter{After: 10}); err != nil {
							t.Error(err)
						}
					}
				}
			})
		}
		wg.Wait()
		mustClose(t, f)
		if report := verified(t, path); report.Lines != writers*each || !report.Anchored {
			t.Errorf("report %+v", report)
		}
		// Each writer's events are all there, in its own order.
		records, err := Query(path, Filter{Limit: MaxLimit})
		if err != nil {
			t.Fatal(err)
		}
		next := map[string]int{}
		for _, r := range records {
			if r.Event.Reason != fmt.Sprint(next[r.Event.Actor]) {
				t.Fatalf("writer %s: event %s, want %d", r.Event.Actor, r.Event.Reason, next[r.Event.Actor])
			}
			next[r.Event.Actor]++
		}
	}
}

func TestRunSyncsUntilItsContextEnds(t *testing.T) {
	path := newPath(t)
	synctest.Test(t, func(t *testing.T) {
		f, err := OpenFile(path, FileConfig{Buffer: 4096, SyncInterval: time.Minute, Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		var done error
		var wg sync.WaitGroup
		wg.Go(func() { done = f.Run(ctx, func(err error) { t.Error(err) }) })
		mustRecord(t, f, numbered(1))
		time.Sleep(time.Minute + time.Second)
		synctest.Wait()
		if head, _, err := readHead(path); err != nil || head.Seq != 1 {
			t.Errorf("after a tick the head is %v, %v", head, err)
		}
		mustRecord(t, f, numbered(2))
		stop()
		wg.Wait()
		if head, _, err := readHead(path); done != nil || err != nil || head.Seq != 2 {
			t.Errorf("after the end the head is %v, %v, %v", head, err, done)
		}
		mustClose(t, f)
	})
}

func TestRunReportsWhatGoesWrong(t *testing.T) {
	path := newPath(t)
	synctest.Test(t, func(t *testing.T) {
		f, err := OpenFile(path, FileConfig{Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		var got, last error
		var wg sync.WaitGroup
		wg.Go(func() {
			last = f.Run(ctx, func(err error) { got = err })
		})
		time.Sleep(1500 * time.Millisecond)
		synctest.Wait()
		stop()
		wg.Wait()
		if !errors.Is(got, ErrTampered) || !errors.Is(last, ErrTampered) {
			t.Errorf("got %v, then %v", got, last)
		}
		if err := f.Close(); !errors.Is(err, ErrTampered) {
			t.Errorf("closing: %v", err)
		}
	})
}

// req: LOG-7
func TestAFileChangedBehindTheWriterIsReported(t *testing.T) {
	t.Run("cut", func(t *testing.T) {
		path := newPath(t)
		f := mustOpen(t, path, FileConfig{})
		mustRecord(t, f, numbered(1))
		if err := os.Truncate(path, 10); err != nil {
			t.Fatal(err)
		}
		if err := f.Record(t.Context(), numbered(2)); !errors.Is(err, ErrTampered) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("extended", func(t *testing.T) {
		path := newPath(t)
		f := mustOpen(t, path, FileConfig{})
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, append(before, "{}\n"...), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := f.Record(t.Context(), numbered(1)); !errors.Is(err, ErrTampered) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("replaced", func(t *testing.T) {
		path := newPath(t)
		f := mustOpen(t, path, FileConfig{})
		mustRecord(t, f, numbered(1))
		if err := os.Rename(path, path+".1"); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := f.Sync(); !errors.Is(err, ErrTampered) {
			t.Errorf("got %v", err)
		}
	})
}

func BenchmarkRecord(b *testing.B) {
	for _, buffer := range []int{0, 1 << 16} {
		b.Run(fmt.Sprintf("buffer=%d", buffer), func(b *testing.B) {
			f := mustOpen(b, newPath(b), FileConfig{Buffer: buffer})
			e := login()
			b.ReportAllocs()
			for b.Loop() {
				mustRecord(b, f, e)
			}
		})
	}
}

func BenchmarkVerify(b *testing.B) {
	data, err := os.ReadFile(write(b, 1000))
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := Verify(bytes.NewReader(data)); err != nil {
			b.Fatal(err)
		}
	}
}
