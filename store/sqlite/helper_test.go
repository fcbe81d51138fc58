package sqlite_test

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/store/sqlite"
)

// Some promises are about processes. The test binary runs itself again with
// helperVar set, and is then one of the helpers.
const helperVar = "LANYARD_SQLITE_HELPER"

var helpers = map[string]func(path string) error{
	"lock":   helpLock,
	"stream": helpStream,
	"lone":   func(path string) error { return helpWrite(path, 1, 20) },
	"group":  func(path string) error { return helpWrite(path, 64, 640) },
	"fill":   helpFill,
}

func TestMain(m *testing.M) {
	name, path, ok := strings.Cut(os.Getenv(helperVar), " ")
	if !ok {
		os.Exit(m.Run())
	}
	if err := helpers[name](path); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// helperCommand returns a command that runs the helper on the database.
func helperCommand(t testing.TB, name, path string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), helperVar+"="+name+" "+path)
	cmd.Stderr = os.Stderr
	return cmd
}

// startHelper starts a helper, waits for its first line, and returns what ends
// it.
func startHelper(t testing.TB, name, path string) (stop func()) {
	t.Helper()
	cmd := helperCommand(t, name, path)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal("waiting for the helper:", err)
	}
	stop = sync.OnceFunc(func() {
		in.Close()
		_ = cmd.Wait()
	})
	t.Cleanup(stop)
	return stop
}

// helpLock holds the write lock until its standard input ends.
func helpLock(path string) error {
	db, err := sql.Open("sqlite", sqlite.DSN(path))
	if err != nil {
		return err
	}
	tx, err := db.Begin() // immediate, as the data source name says
	if err != nil {
		return err
	}
	fmt.Println("locked")
	_, _ = io.Copy(io.Discard, os.Stdin)
	return tx.Rollback()
}

func helperStore(path string) (*sqlite.Store, error) {
	db, err := sql.Open("sqlite", sqlite.DSN(path))
	if err != nil {
		return nil, err
	}
	return sqlite.New(context.Background(), db, sqlite.Config{Exclusive: true})
}

// helpStream signs in and out until it is killed. It says "in SID" and "out
// SID" after the store has answered, and "ask SID" before it asks for an end.
func helpStream(path string) error {
	s, err := helperStore(path)
	if err != nil {
		return err
	}
	ctx := context.Background()
	failed := make(chan error)
	for caller := range 8 {
		go func() {
			for {
				r := record(fmt.Sprintf("user%d", caller))
				if _, err := s.Create(ctx, r, lanyard.Limit{}); err != nil {
					failed <- err
					return
				}
				say("in " + r.SID.String())
				if r.SID[15]%2 == 0 {
					continue
				}
				say("ask " + r.SID.String())
				if _, err := s.Revoke(ctx, lanyard.End{SID: r.SID, Reason: lanyard.ReasonLogout, Now: now, Until: until}); err != nil {
					failed <- err
					return
				}
				say("out " + r.SID.String())
			}
		}()
	}
	return <-failed
}

// say writes a line with one system call, so that lines of several callers do
// not mix and a killed process leaves whole ones.
func say(line string) { _, _ = os.Stdout.WriteString(line + "\n") }

// helpWrite creates and ends records from so many callers and says "done" after
// each call.
func helpWrite(path string, callers, records int) error {
	s, err := helperStore(path)
	if err != nil {
		return err
	}
	defer s.Close()
	say("begin")
	errs := make(chan error, callers)
	for caller := range callers {
		go func() {
			var err error
			for n := 0; n < records/callers && err == nil; n++ {
				r := record(fmt.Sprintf("user%d", caller))
				if _, err = s.Create(context.Background(), r, lanyard.Limit{}); err != nil {
					break
				}
				say("done")
				_, err = s.Revoke(context.Background(), lanyard.End{SID: r.SID, Reason: lanyard.ReasonLogout, Now: now, Until: until})
				say("done")
			}
			errs <- err
		}()
	}
	for range callers {
		if err := <-errs; err != nil {
			return err
		}
	}
	say("end")
	return nil
}

// helpFill creates the number of live records that follows the path, reads them
// all, and says how many kilobytes of memory the process ever held.
func helpFill(path string) error {
	path, number, _ := strings.Cut(path, " ")
	records, err := strconv.Atoi(number)
	if err != nil {
		return err
	}
	s, err := helperStore(path)
	if err != nil {
		return err
	}
	defer s.Close()
	ctx := context.Background()
	const callers = 100
	errs := make(chan error, callers)
	for caller := range callers {
		go func() {
			var err error
			for n := caller; n < records && err == nil; n += callers {
				r := record(fmt.Sprintf("user%08d", n))
				if _, err = s.Create(ctx, r, lanyard.Limit{Max: 5, Now: now, Until: until}); err == nil {
					_, err = s.Get(ctx, r.SID)
				}
			}
			errs <- err
		}()
	}
	for range callers {
		if err := <-errs; err != nil {
			return err
		}
	}
	page := lanyard.Page{}
	for more := true; more; more = page.Next != "" {
		if page, err = s.List(ctx, lanyard.Query{After: page.Next, Limit: 1000}); err != nil {
			return err
		}
		for _, r := range page.Records {
			if _, err := s.Get(ctx, r.SID); err != nil {
				return err
			}
		}
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(status)) {
		if peak, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			say(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(peak), "kB")))
		}
	}
	return nil
}
