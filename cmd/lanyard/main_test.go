package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"testing"

	"github.com/lanyard-go/lanyard/internal/engines"
)

// binary is the program under test, built once for each run of the tests. It has
// the race detector in it if the tests have.
var binary string

// postgresServer is shared by the tests that need one, each with databases of
// its own.
var postgresServer engines.SharedPostgres

func TestMain(m *testing.M) {
	if settings, ok := os.LookupEnv(serviceVar); ok {
		fmt.Fprintln(os.Stderr, serveOrders(settings))
		os.Exit(1)
	}
	code := buildAndRun(m)
	if err := postgresServer.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}

func buildAndRun(m *testing.M) int {
	// Tests here wait for processes, disks and clocks more than they compute.
	flag.Parse()
	chosen := false
	flag.Visit(func(f *flag.Flag) { chosen = chosen || f.Name == "test.parallel" })
	if !chosen {
		if err := flag.Set("test.parallel", "6"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	dir, err := os.MkdirTemp("", "lanyard-bin-*")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	// Tests that give up root must still be able to run it.
	if err := os.Chmod(dir, 0o755); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	binary = filepath.Join(dir, "lanyard")
	args := []string{"build", "-o", binary}
	if raceEnabled() {
		args = append(args, "-race")
	}
	if out, err := exec.Command("go", append(args, ".")...).CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building the program: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

func raceEnabled() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// soak reports whether long runs are wanted.
func soak() bool { return os.Getenv("LANYARD_SOAK") == "1" }

// unavailable skips a test for something the machine does not have, which is a
// failure where everything must be tested.
func unavailable(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}
