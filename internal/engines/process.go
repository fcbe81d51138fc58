package engines

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// missing ends a test that needs a program which is not installed: skipped on a
// developer's machine, failed where everything has to run.
func missing(t testing.TB, program, remedy string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is not installed: %s", program, remedy)
	}
	t.Skipf("%s is not installed, so this is not tested here: %s", program, remedy)
}

// find returns the path of a program, looked up in PATH and then by the
// patterns, the last match of which wins; empty if there is none.
func find(program string, patterns ...string) string {
	if path, err := exec.LookPath(program); err == nil {
		return path
	}
	for _, pattern := range patterns {
		if found, err := filepath.Glob(filepath.Join(pattern, program)); err == nil && len(found) > 0 {
			return found[len(found)-1]
		}
	}
	return ""
}

// freePort returns a port of 127.0.0.1 that nothing listens on. Somebody else
// may take it before the caller does, so starting a server is tried more than
// once.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("looking for a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// family returns pid and the processes it started, the oldest first.
func family(pid int) []int {
	all := []int{pid}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return all
	}
	parent := make(map[int]int)
	for _, e := range entries {
		child, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile(filepath.Join("/proc", e.Name(), "stat"))
		if err != nil {
			continue // it has ended meanwhile
		}
		// The name is in brackets and may hold anything; state and parent follow.
		_, rest, _ := strings.Cut(string(stat[strings.LastIndexByte(string(stat), ')'):]), " ")
		if fields := strings.Fields(rest); len(fields) > 1 {
			parent[child], _ = strconv.Atoi(fields[1])
		}
	}
	for i := 0; i < len(all); i++ {
		for child, of := range parent {
			if of == all[i] {
				all = append(all, child)
			}
		}
	}
	return all
}

// signalFamily sends sig to pid and all that it started, and returns them. The
// first is stopped meanwhile, so that it starts nothing new.
func signalFamily(pid int, sig syscall.Signal) ([]int, error) {
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		return nil, fmt.Errorf("stopping process %d: %w", pid, err)
	}
	all := family(pid)
	for _, p := range append(all[1:len(all):len(all)], pid) {
		if err := syscall.Kill(p, sig); err != nil && err != syscall.ESRCH {
			return nil, fmt.Errorf("signalling process %d: %w", p, err)
		}
	}
	return all, nil
}

// awaitEnd returns when none of the processes runs any more.
func awaitEnd(pids []int) error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	deadline := time.After(10 * time.Second)
	for _, pid := range pids {
		for running(pid) {
			select {
			case <-deadline:
				return fmt.Errorf("process %d does not end", pid)
			case <-tick.C:
			}
		}
	}
	return nil
}

// running reports whether the process is there and not just waiting to be
// collected by its parent.
func running(pid int) bool {
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return false
	}
	after := stat[bytes.LastIndexByte(stat, ')'):]
	return !bytes.HasPrefix(after, []byte(") Z")) && !bytes.HasPrefix(after, []byte(") X"))
}
