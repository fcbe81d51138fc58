package audit

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// childEnv makes the test binary run one of the programs below instead of its
// tests: a writer that gets killed, and one on a full disk.
const childEnv = "LANYARD_AUDIT_TEST_CHILD"

func TestMain(m *testing.M) {
	switch program, path, _ := strings.Cut(os.Getenv(childEnv), ":"); program {
	case "":
		os.Exit(m.Run())
	case "writer":
		exit(writeForever(path))
	case "full":
		exit(writeToFullDisk(path))
	}
	os.Exit(2)
}

func exit(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(0)
}

func child(t *testing.T, program, path string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), childEnv+"="+program+":"+path)
	return cmd
}

// writeForever prints the number of each event that Record accepted.
func writeForever(path string) error {
	f, err := OpenFile(path, FileConfig{})
	if err != nil {
		return err
	}
	for i := 1; ; i++ {
		if err := f.Record(context.Background(), numbered(i)); err != nil {
			return err
		}
		fmt.Println(f.Head().Seq)
		if i%100 == 0 {
			if err := f.Sync(); err != nil {
				return err
			}
		}
	}
}

func TestAKilledWriterLosesNothingItAccepted(t *testing.T) {
	path := newPath(t)
	accepted := uint64(0)
	for round := range 5 {
		cmd := child(t, "writer", path)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for range 50 + 137*round {
			if !lines.Scan() {
				t.Fatalf("the writer stopped: %v", cmd.Wait())
			}
		}
		if _, err := OpenFile(path, FileConfig{}); !errors.Is(err, ErrLocked) {
			t.Errorf("while another process writes: %v", err)
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		last := lines.Text()
		for lines.Scan() {
			last = lines.Text()
		}
		if err := cmd.Wait(); err == nil {
			t.Error("the writer was not killed")
		}
		if accepted, err = strconv.ParseUint(last, 10, 64); err != nil {
			t.Fatal(err)
		}
		f := mustOpen(t, path, FileConfig{})
		if got := f.Head().Seq; got < accepted {
			t.Errorf("round %d: %d events were accepted, %d are there", round, accepted, got)
		}
		mustClose(t, f)
	}
	if report := verified(t, path); report.Head.Seq < accepted {
		t.Errorf("report %+v, accepted %d", report, accepted)
	}
}

// writeToFullDisk runs into a limit on the size of files, which fails writes half
// way as a full disk does, and goes on when there is room again.
func writeToFullDisk(path string) error {
	// The kernel sends the signal with the error; its default is death.
	signal.Ignore(syscall.SIGXFSZ)
	f, err := OpenFile(path, FileConfig{})
	if err != nil {
		return err
	}
	var unlimited syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &unlimited); err != nil {
		return err
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 5000, Max: unlimited.Max}); err != nil {
		return err
	}
	accepted := uint64(0)
	for i := 1; ; i++ {
		err := f.Record(context.Background(), numbered(i))
		if err == nil {
			accepted++
			continue
		}
		if !errors.Is(err, syscall.EFBIG) {
			return fmt.Errorf("on a full disk: %w", err)
		}
		break
	}
	if accepted < 5 || f.Head().Seq != accepted {
		return fmt.Errorf("%d events accepted, the head is %v", accepted, f.Head())
	}
	report, err := VerifyFile(path)
	if err != nil || report.Head != f.Head() {
		return fmt.Errorf("the refused event left traces: %+v, %w", report, err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &unlimited); err != nil {
		return err
	}
	if err := f.Record(context.Background(), numbered(0)); err != nil {
		return fmt.Errorf("with room again: %w", err)
	}
	if err := f.Close(); err != nil {
		return err
	}
	report, err = VerifyFile(path)
	if err != nil || uint64(report.Lines) != accepted+1 || report.Repairs != 0 {
		return fmt.Errorf("at the end: %+v, %w", report, err)
	}
	return nil
}

func TestAFullDiskRefusesEventsWithoutHarmingTheChain(t *testing.T) {
	if out, err := child(t, "full", newPath(t)).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
