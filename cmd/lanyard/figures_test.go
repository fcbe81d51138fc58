package main

import (
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard/store/sqlite"
)

// The limits below are wide, because they have to hold on a busy machine; the
// figures are in the output of the test.

// release builds the program as people run it: without the race detector, and
// without debug information.
func release(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "lanyard")
	if out, err := exec.Command("go", "build", "-ldflags=-s -w", "-o", path, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

func TestTheReleasedProgramIsSmallAndStartsFast(t *testing.T) {
	program := release(t)
	info, err := os.Stat(program)
	if err != nil {
		t.Fatal(err)
	}
	megabytes := float64(info.Size()) / 1e6
	t.Logf("size of the released program: %.1f MB", megabytes)
	if megabytes >= 30 {
		t.Errorf("the program has %.1f MB, want less than 30", megabytes)
	}

	data := dataDir(t)
	var took []time.Duration
	for range 6 {
		begun := time.Now()
		p, err := launchAs([]string{program}, data)
		if err != nil || p.url == "" {
			t.Fatalf("%v\n%s", err, p.log)
		}
		took = append(took, time.Since(begun))
		if code := p.stop(t); code != 0 {
			t.Fatalf("exit code %d:\n%s", code, p.log)
		}
	}
	took = took[1:] // the first made the database
	slices.Sort(took)
	t.Logf("from start to ready on an existing database: %v at best, %v in the middle", took[0].Round(time.Millisecond), took[len(took)/2].Round(time.Millisecond))
	if took[0] > 3*time.Second {
		t.Errorf("the fastest of %d starts took %v", len(took), took[0])
	}
}

func TestMemoryWithManySessions(t *testing.T) {
	if !soak() {
		t.Skip("starts 100 000 sessions; LANYARD_SOAK=1 runs it")
	}
	program := release(t)
	p, err := launchAs([]string{program}, dataDir(t), "--log-level", "error")
	if err != nil || p.url == "" {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() { p.crash(t) })
	client, _ := p.addClient(t, "backend", "--create-sessions")
	const sessions, callers = 100_000, 8
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			for n := range sessions / callers {
				body := fmt.Sprintf(`{"subject":"user%d-%d","amr":["pwd"],"channel":"cookie"}`, i, n)
				r, err := p.try("POST", "/v1/admin/sessions", body, client)
				for tries := 0; err == nil && r.status == 503 && tries < 10; tries++ { // a disk that was busy for too long
					r, err = p.try("POST", "/v1/admin/sessions", body, client)
				}
				if err != nil || r.status != 200 {
					t.Errorf("%v %d %s\n%s", err, r.status, r.body, p.log)
					return
				}
			}
		})
	}
	wg.Wait()
	db, err := sql.Open("sqlite", sqlite.DSN(filepath.Join(p.data, "sessions.db")))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var live int
	if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM sessions").Scan(&live); err != nil || live < sessions {
		t.Fatalf("%d sessions are there: %v", live, err)
	}
	status := read(t, fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	m := regexp.MustCompile(`VmRSS:\s+(\d+) kB`).FindStringSubmatch(status)
	if m == nil {
		t.Fatalf("no resident size in %s", strings.ReplaceAll(status, "\n", "; "))
	}
	kilobytes, err := strconv.Atoi(m[1])
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("resident memory with %d live sessions on SQLite: %d MB", live, kilobytes/1000)
	if kilobytes > 150_000 {
		t.Errorf("%d kB, want less than 150 MB", kilobytes)
	}
}
