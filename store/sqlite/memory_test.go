package sqlite_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The peak includes the driver, the caches and the Go heap, in a process that
// has created and read every one of the sessions.
func TestManyLiveSessionsTakeLittleMemory(t *testing.T) {
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Skip("SKIPPED: this system does not tell a process's peak memory:", err)
	}
	sessions := 5_000
	if soak() && !raceDetector() { // which takes many times the memory itself
		sessions = 100_000
	}
	path := filepath.Join(t.TempDir(), "sessions.db")
	out, err := helperCommand(t, "fill", fmt.Sprintf("%s %d", path, sessions)).Output()
	if err != nil {
		t.Fatal(err)
	}
	kilobytes, err := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d live sessions, peak %d MB", sessions, kilobytes/1000)
	if kilobytes > 150_000 {
		t.Errorf("a peak of %d MB, want at most 150", kilobytes/1000)
	}
}

func raceDetector() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}
