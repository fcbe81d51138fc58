package sqlite_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A killed process keeps what it handed to the system; a power loss keeps only
// what was synced. So the system calls of a helper are watched: between what it
// wrote to the log and its answer to a caller there is a sync of the log.
func TestEveryAnswerComesAfterASync(t *testing.T) {
	calls := traced(t, "lone")
	unsynced, syncs, answers := false, 0, 0
	for _, call := range calls {
		switch call {
		case "log":
			unsynced = true
		case "sync":
			unsynced = false
			syncs++
		case "answer":
			answers++
			if unsynced || syncs != answers {
				t.Errorf("answer %d: %d syncs before it, log synced %t", answers, syncs, !unsynced)
			}
		}
	}
	if answers != 40 {
		t.Errorf("%d answers were seen, want 40", answers)
	}
}

func TestCallersAtOnceShareSyncs(t *testing.T) {
	syncs, answers := 0, 0
	for _, call := range traced(t, "group") {
		switch call {
		case "sync":
			syncs++
		case "answer":
			answers++
			if syncs == 0 {
				t.Error("an answer before the first sync")
			}
		}
	}
	t.Logf("%d syncs for %d answers", syncs, answers)
	if answers != 1280 || syncs > answers/8 {
		t.Errorf("%d syncs for %d answers, want at most an eighth for 1280", syncs, answers)
	}
}

var (
	logWrite = regexp.MustCompile(`pwrite64\(\d+<[^>]*-wal>`)
	logSync  = regexp.MustCompile(`f(data)?sync\(\d+<[^>]*-wal>`)
	resumed  = regexp.MustCompile(`^\d+ +<\.\.\. f(data)?sync resumed>`)
	answered = regexp.MustCompile(`write\(1<[^>]*>, "done\\n"`)
)

// traced runs the helper and returns what it did, in order, between its first
// and its last line: writes to the log, syncs of the log that were completed,
// and answers.
func traced(t *testing.T, helper string) (calls []string) {
	t.Helper()
	strace, err := exec.LookPath("strace")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("strace is needed to count syncs: install it")
		}
		t.Skip("SKIPPED: strace is not installed, so syncs are not counted")
	}
	trace := filepath.Join(t.TempDir(), "trace")
	run := helperCommand(t, helper, filepath.Join(t.TempDir(), "sessions.db"))
	cmd := exec.CommandContext(t.Context(), strace, "-f", "-y", "-o", trace,
		"-e", "trace=write,pwrite64,fsync,fdatasync", run.Path)
	cmd.Env, cmd.Stderr = run.Env, os.Stderr
	if err := cmd.Run(); err != nil {
		t.Fatal("tracing the helper:", err)
	}
	text, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	_, text, ok := bytes.Cut(text, []byte(`"begin\n"`))
	if !ok {
		t.Fatal("the trace does not show the helper's first line")
	}
	text, _, _ = bytes.Cut(text, []byte(`"end\n"`))
	started := make(map[string]bool) // threads in a sync of the log
	for line := range strings.Lines(string(text)) {
		thread, _, _ := strings.Cut(line, " ")
		done := strings.HasSuffix(line, "= 0\n")
		switch {
		case logWrite.MatchString(line):
			calls = append(calls, "log")
		case logSync.MatchString(line) && done, resumed.MatchString(line) && started[thread] && done:
			started[thread] = false
			calls = append(calls, "sync")
		case logSync.MatchString(line):
			started[thread] = true
		case answered.MatchString(line):
			calls = append(calls, "answer")
		}
	}
	return calls
}
