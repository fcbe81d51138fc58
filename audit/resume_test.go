package audit

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// crashed makes the files a machine leaves that stopped after three events, of
// which two were synced, and returns their path and the length of two lines.
func crashed(t *testing.T) (path string, synced int) {
	t.Helper()
	live := newPath(t)
	f := mustOpen(t, live, FileConfig{})
	mustRecord(t, f, numbered(1))
	mustRecord(t, f, numbered(2))
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(live)
	if err != nil {
		t.Fatal(err)
	}
	mustRecord(t, f, numbered(3))
	path = newPath(t)
	for _, suffix := range []string{"", ".head"} {
		data, err := os.ReadFile(live + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path+suffix, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return path, int(info.Size())
}

// setAside returns the files with incomplete lines beside path, by content.
func setAside(t *testing.T, path string) map[string]string {
	t.Helper()
	names, err := filepath.Glob(path + ".torn-*")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, n := range names {
		data, err := os.ReadFile(n)
		if err != nil {
			t.Fatal(err)
		}
		found[string(data)] = filepath.Base(n)
	}
	return found
}

func TestAnIncompleteLastLineIsKeptAsideAndTheChainGoesOn(t *testing.T) {
	path, synced := crashed(t)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, err := os.ReadFile(path + ".head")
	if err != nil {
		t.Fatal(err)
	}
	for cut := synced + 1; cut < len(whole)-1; cut += 5 {
		path := newPath(t)
		for name, data := range map[string][]byte{path: whole[:cut], path + ".head": head} {
			if err := os.WriteFile(name, data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := VerifyFile(path); err == nil {
			t.Fatalf("cut at %d: the incomplete line was not noticed", cut)
		}
		f := mustOpen(t, path, FileConfig{})
		mustRecord(t, f, numbered(4))
		mustClose(t, f)
		if report := verified(t, path); report.Lines != 4 || report.Repairs != 1 || !report.Anchored {
			t.Fatalf("cut at %d: %+v", cut, report)
		}
		kept := setAside(t, path)
		name, ok := kept[string(whole[synced:cut])]
		if !ok || len(kept) != 1 {
			t.Fatalf("cut at %d: kept %v", cut, kept)
		}
		records, err := Query(path, Filter{Name: ChainRepaired})
		if err != nil || len(records) != 1 {
			t.Fatalf("cut at %d: %v, %v", cut, records, err)
		}
		if e := records[0].Event; e.Attrs["kept"] != name || e.Severity != Critical {
			t.Fatalf("cut at %d: the event says %+v", cut, e)
		}
		// Opening again repairs nothing further.
		mustClose(t, mustOpen(t, path, FileConfig{}))
		if report := verified(t, path); report.Lines != 4 {
			t.Fatalf("cut at %d: opened again: %+v", cut, report)
		}
	}
}

func TestALineThatLacksOnlyItsLineFeedIsKept(t *testing.T) {
	path, _ := crashed(t)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, info.Size()-1); err != nil {
		t.Fatal(err)
	}
	f := mustOpen(t, path, FileConfig{})
	mustRecord(t, f, numbered(4))
	mustClose(t, f)
	if report := verified(t, path); report.Lines != 4 || report.Repairs != 0 {
		t.Errorf("report %+v", report)
	}
	if kept := setAside(t, path); len(kept) != 0 {
		t.Errorf("kept %v", kept)
	}
}

func TestACrashDuringTheRepairRepeatsHarmlessly(t *testing.T) {
	path, synced := crashed(t)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// The copy exists already, but the original was not cut.
	if err := os.Truncate(path, int64(synced+20)); err != nil {
		t.Fatal(err)
	}
	mustClose(t, mustOpen(t, path, FileConfig{}))
	if err := os.WriteFile(path, whole[:synced+20], 0o600); err != nil {
		t.Fatal(err)
	}
	if err := writeHead(path, mustHead(t, whole[:synced])); err != nil {
		t.Fatal(err)
	}
	mustClose(t, mustOpen(t, path, FileConfig{}))
	if kept := setAside(t, path); len(kept) != 1 {
		t.Errorf("kept %v", kept)
	}
	if report := verified(t, path); report.Lines != 3 || report.Repairs != 1 {
		t.Errorf("report %+v", report)
	}
}

func mustHead(t *testing.T, data []byte) Head {
	t.Helper()
	report, err := Verify(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return report.Head
}

func TestALongRunOfGarbageAtTheEndIsKeptToo(t *testing.T) {
	path, _ := crashed(t)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	zeros := make([]byte, 1<<20)
	if err := os.WriteFile(path, append(whole, zeros...), 0o600); err != nil {
		t.Fatal(err)
	}
	mustClose(t, mustOpen(t, path, FileConfig{}))
	if report := verified(t, path); report.Lines != 4 || report.Repairs != 1 {
		t.Errorf("report %+v", report)
	}
	if kept := setAside(t, path); kept[string(zeros)] == "" {
		t.Errorf("kept %d files", len(kept))
	}
}

// req: LOG-7
func TestADamagedFileIsNotContinued(t *testing.T) {
	tests := []struct {
		name   string
		change func(lines []string) []string // of ten lines
		kind   Kind
	}{
		{"the last line is gone", func(l []string) []string { return l[:9] }, Truncated},
		{"everything is gone", func([]string) []string { return nil }, Truncated},
		{"a line near the end is edited", func(l []string) []string {
			l[7] = strings.Replace(l[7], "success", "failure", 1)
			return l
		}, Edited},
		{"the last line is edited and hashed again", func(l []string) []string {
			l[9] = rehashed(strings.Replace(l[9], "success", "failure", 1))
			return l
		}, Edited},
		{"a line near the end is gone", func(l []string) []string { return append(l[:7], l[8:]...) }, Removed},
		{"the first line is gone", func(l []string) []string { return l[1:] }, Removed},
		{"something was appended", func(l []string) []string { return append(l, "{}") }, Edited},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := write(t, 10)
			writeLines(t, path, tt.change(readLines(t, path)))
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			_, err = OpenFile(path, FileConfig{})
			if broken, ok := errors.AsType[*Broken](err); !ok || broken.Kind != tt.kind {
				t.Errorf("got %v, want %s", err, tt.kind)
			}
			if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
				t.Errorf("the evidence was changed: %v", err)
			}
		})
	}
	t.Run("a cut into a synced line is no crash", func(t *testing.T) {
		path := write(t, 10)
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(path, info.Size()-20); err != nil {
			t.Fatal(err)
		}
		_, err = OpenFile(path, FileConfig{})
		if broken, ok := errors.AsType[*Broken](err); !ok || broken.Kind != Truncated {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a refused file is free for others to look at", func(t *testing.T) {
		path := write(t, 3)
		lines := readLines(t, path)
		writeLines(t, path, lines[:2])
		for range 2 {
			if _, err := OpenFile(path, FileConfig{}); errors.Is(err, ErrLocked) || err == nil {
				t.Errorf("got %v", err)
			}
		}
		writeLines(t, path, lines)
		mustClose(t, mustOpen(t, path, FileConfig{}))
	})
}

// req: LOG-7
func TestAMissingHeadFileIsPutOnRecord(t *testing.T) {
	path := write(t, 3)
	if err := os.Remove(path + ".head"); err != nil {
		t.Fatal(err)
	}
	mustClose(t, mustOpen(t, path, FileConfig{}))
	if report := verified(t, path); report.Lines != 4 || report.Repairs != 1 || !report.Anchored {
		t.Errorf("report %+v", report)
	}
	if err := os.WriteFile(path+".head", []byte("not a head"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenFile(path, FileConfig{}); err == nil {
		t.Error("an unreadable head was ignored")
	}
}

func TestALongFileIsContinuedFromItsEnd(t *testing.T) {
	path := newPath(t)
	f := mustOpen(t, path, FileConfig{Buffer: 1 << 20})
	e := login()
	e.Reason = strings.Repeat("x", maxReason)
	for f.Head().Seq < 6000 {
		mustRecord(t, f, e)
	}
	mustClose(t, f)
	if info, err := os.Stat(path); err != nil || info.Size() < window+maxLine {
		t.Fatalf("the file is too short for this test: %v, %v", info, err)
	}
	f = mustOpen(t, path, FileConfig{})
	mustRecord(t, f, e)
	mustClose(t, f)
	if report := verified(t, path); report.Lines != 6001 {
		t.Errorf("report %+v", report)
	}
}
