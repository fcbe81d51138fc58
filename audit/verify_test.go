package audit

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// rehashed gives a line a hash of its own again after a change, as an attacker
// would who knows the format.
func rehashed(line string) string {
	body := line[:len(line)-tailSize]
	return body + hashPrefix + Hash(sha256.Sum256([]byte(body))).String() + `"}`
}

// req: LOG-7
func TestDamageIsNoticedAndNamed(t *testing.T) {
	tests := []struct {
		name   string
		change func([]string) []string // of ten lines
		line   int
		kind   Kind
	}{
		{"the first line is gone", func(l []string) []string { return l[1:] }, 1, Removed},
		{"a line in the middle is gone", func(l []string) []string { return slices.Delete(l, 4, 5) }, 5, Removed},
		{"several lines are gone", func(l []string) []string { return slices.Delete(l, 2, 7) }, 3, Removed},
		{"the last line is gone", func(l []string) []string { return l[:9] }, 10, Truncated},
		{"all lines are gone", func(l []string) []string { return nil }, 1, Truncated},
		{"a text is edited", func(l []string) []string {
			l[3] = strings.Replace(l[3], `"success"`, `"failure"`, 1)
			return l
		}, 4, Edited},
		{"one bit of a time is edited", func(l []string) []string {
			l[3] = strings.Replace(l[3], `T12:`, `T13:`, 1)
			return l
		}, 4, Edited},
		{"a hash is edited", func(l []string) []string {
			l[3] = l[3][:len(l[3])-3] + "x" + l[3][len(l[3])-2:]
			return l
		}, 4, Edited},
		{"a number is edited", func(l []string) []string {
			l[3] = strings.Replace(l[3], `"seq":4`, `"seq":5`, 1)
			return l
		}, 4, Edited},
		{"a line is edited and hashed again", func(l []string) []string {
			l[3] = rehashed(strings.Replace(l[3], `"success"`, `"failure"`, 1))
			return l
		}, 5, Edited},
		{"the last line is edited and hashed again", func(l []string) []string {
			l[9] = rehashed(strings.Replace(l[9], `"success"`, `"failure"`, 1))
			return l
		}, 10, Edited},
		{"two lines are swapped", func(l []string) []string {
			l[3], l[4] = l[4], l[3]
			return l
		}, 4, Reordered},
		{"a line is moved to the end", func(l []string) []string {
			return append(slices.Delete(slices.Clone(l), 3, 4), l[3])
		}, 4, Reordered},
		{"a line is repeated", func(l []string) []string { return slices.Insert(l, 4, l[3]) }, 5, Reordered},
		{"an empty line is inserted", func(l []string) []string { return slices.Insert(l, 4, "") }, 5, Edited},
		{"a foreign line is inserted", func(l []string) []string { return slices.Insert(l, 4, `{"seq":5}`) }, 5, Edited},
		{"a line without links is inserted", func(l []string) []string { return slices.Insert(l, 4, "hello") }, 5, Edited},
		{"a very long line is inserted", func(l []string) []string { return slices.Insert(l, 4, strings.Repeat("x", 2*maxLine)) }, 5, Edited},
		{"a carriage return is added", func(l []string) []string {
			l[3] += "\r"
			return l
		}, 4, Edited},
		{"a number is spelled with a zero", func(l []string) []string {
			l[3] = rehashed(strings.Replace(l[3], `"seq":4`, `"seq":04`, 1))
			return l
		}, 4, Edited},
		{"a hash is spelled in upper case", func(l []string) []string {
			cut := len(l[3]) - tailSize + len(hashPrefix)
			l[3] = l[3][:cut] + strings.ToUpper(l[3][cut:cut+hexSize]) + l[3][cut+hexSize:]
			return l
		}, 4, Edited},
		{"a line is spelled another way and hashed again", func(l []string) []string {
			l[3] = rehashed(strings.Replace(l[3], `","time"`, `" ,"time"`, 1))
			return l
		}, 4, Edited},
		{"the head of another chain", func(l []string) []string {
			l[0] = rehashed(strings.Replace(l[0], `"prev":"0`, `"prev":"1`, 1))
			return l
		}, 1, Edited},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := write(t, 10)
			lines := readLines(t, path)
			writeLines(t, path, tt.change(lines))
			report, err := VerifyFile(path)
			broken, ok := errors.AsType[*Broken](err)
			if !ok {
				t.Fatalf("not noticed: %v, %+v", err, report)
			}
			if broken.Line != tt.line || broken.Kind != tt.kind {
				t.Errorf("got %v, want line %d %s", err, tt.line, tt.kind)
			}
			if report.Lines != tt.line-1 || report.Anchored {
				t.Errorf("report %+v", report)
			}
			if !strings.Contains(err.Error(), fmt.Sprintf("line %d: %s", tt.line, tt.kind)) {
				t.Errorf("message %q", err)
			}
		})
	}
}

func readLines(t testing.TB, path string) []string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
}

func writeLines(t testing.TB, path string, lines []string) {
	t.Helper()
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(l + "\n")
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}

// req: LOG-7
func TestEverySingleByteOfAChainCounts(t *testing.T) {
	path := write(t, 3)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range whole {
		for _, flip := range []byte{0x01, 0x20, 0x80} {
			data := bytes.Clone(whole)
			data[i] ^= flip
			if _, err := Verify(bytes.NewReader(data)); err == nil {
				t.Fatalf("byte %d changed from %q to %q unnoticed", i, whole[i], data[i])
			}
		}
		if i > 0 && whole[i-1] != '\n' {
			if _, err := Verify(bytes.NewReader(whole[:i])); err == nil {
				t.Fatalf("cut at byte %d unnoticed", i)
			}
		}
	}
}

func TestACutAtALineShowsFromTheHeadOnly(t *testing.T) {
	path := write(t, 5)
	writeLines(t, path, readLines(t, path)[:3])
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if report, err := Verify(f); err != nil || report.Lines != 3 {
		t.Errorf("a reader alone: %+v, %v", report, err)
	}
	if _, err := VerifyFile(path); err == nil || !strings.Contains(err.Error(), "the file ends with number 3, the head file names 5") {
		t.Errorf("with the head: %v", err)
	}
	if err := os.Remove(path + ".head"); err != nil {
		t.Fatal(err)
	}
	if report := verified(t, path); report.Anchored {
		t.Error("nothing says that the end could not be checked")
	}
	if err := os.WriteFile(path+".head", []byte("{}x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := VerifyFile(path); err == nil {
		t.Error("an unreadable head was ignored")
	}
}

func TestAnEmptyChainHolds(t *testing.T) {
	if report, err := Verify(strings.NewReader("")); err != nil || report != (Report{}) {
		t.Errorf("%+v, %v", report, err)
	}
	path := write(t, 0)
	if report := verified(t, path); report.Lines != 0 || !report.Anchored {
		t.Errorf("report %+v", report)
	}
}

func TestTextOfAnEventDoesNotCountAsARepair(t *testing.T) {
	path := newPath(t)
	f := mustOpen(t, path, FileConfig{})
	mustRecord(t, f, Event{Name: LoginFailed, Actor: `","event":"chain_repaired"`, Attrs: map[string]string{"event": "chain_repaired"}})
	mustClose(t, f)
	if report := verified(t, path); report.Repairs != 0 {
		t.Errorf("report %+v", report)
	}
}

// FuzzVerify checks that no input makes Verify panic, read without end, or report
// a chain that it could not have read: every line it accepts continues the one
// before it, and removing any of them is noticed.
func FuzzVerify(f *testing.F) {
	for _, n := range []int{0, 1, 3} {
		data, err := os.ReadFile(write(f, n))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		f.Add(append(data, `{"seq":4,"prev":"`...))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		report, err := Verify(bytes.NewReader(data))
		if err != nil {
			if broken, ok := errors.AsType[*Broken](err); !ok || broken.Line != report.Lines+1 {
				t.Fatalf("report %+v with %v", report, err)
			}
			return
		}
		if report.Lines != bytes.Count(data, []byte("\n")) || uint64(report.Lines) != report.Head.Seq {
			t.Fatalf("report %+v", report)
		}
		if report.Lines > 1 {
			rest := data[bytes.IndexByte(data, '\n')+1:]
			if _, err := Verify(bytes.NewReader(rest)); err == nil {
				t.Fatal("the first line was removed unnoticed")
			}
		}
	})
}
