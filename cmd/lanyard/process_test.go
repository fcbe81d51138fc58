package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long a busy machine may take for what normally takes well
// under a second.
const patience = time.Minute

// process is a server that runs as a user runs it.
type process struct {
	data   string
	url    string
	cmd    *exec.Cmd
	out    *output
	log    logFile
	exited chan struct{} // closed when it is gone; then code holds
	code   int
}

// output is what a program wrote so far.
type output struct {
	mu    sync.Mutex
	text  bytes.Buffer
	wrote chan struct{}
}

func newOutput() *output { return &output{wrote: make(chan struct{}, 1)} }

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	select {
	case o.wrote <- struct{}{}:
	default:
	}
	return o.text.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// logFile is where a program writes its log itself, so that whatever it logged
// before it said that it is ready can be read when it did. It has no name.
type logFile struct{ *os.File }

func newLogFile() (logFile, error) {
	f, err := os.CreateTemp("", "lanyard-log-*")
	if err != nil {
		return logFile{}, err
	}
	return logFile{f}, os.Remove(f.Name())
}

func (l logFile) String() string {
	b, err := io.ReadAll(io.NewSectionReader(l, 0, 1<<40))
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// quickExit spares a program with the race detector the second that it waits at
// its end for reports of other threads.
const quickExit = "GORACE=atexit_sleep_ms=0"

// environment is that of the tests without settings of whoever runs them.
func environment(more ...string) []string {
	env := []string{quickExit}
	for _, entry := range os.Environ() {
		if !strings.HasPrefix(entry, "LANYARD_") {
			env = append(env, entry)
		}
	}
	return append(env, more...)
}

var readyLine = regexp.MustCompile(`(?m)^ready (https?://\S+)$`)

// launch starts `lanyard serve` on a data directory, any free port, and returns
// when it is ready or gone.
func launch(data string, args ...string) (*process, error) {
	return launchAs([]string{binary}, data, args...)
}

// launchAs is launch with other words for the program, such as those of one that
// gives up root in front of it.
func launchAs(program []string, data string, args ...string) (*process, error) {
	log, err := newLogFile()
	if err != nil {
		return nil, err
	}
	p := &process{data: data, out: newOutput(), log: log, exited: make(chan struct{})}
	line := append(slices.Clone(program), "serve", "--listen", "127.0.0.1:0", "--data", data)
	line = append(line, args...)
	p.cmd = exec.Command(line[0], line[1:]...)
	p.cmd.Env = environment()
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.log.File
	return p, p.begin()
}

// begin starts the program and returns when it is ready or gone.
func (p *process) begin() error {
	// A test that dies must not leave its servers behind.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		return err
	}
	go func() {
		p.cmd.Wait()
		p.code = p.cmd.ProcessState.ExitCode()
		close(p.exited)
	}()
	limit := time.After(patience)
	for {
		if m := readyLine.FindStringSubmatch(p.out.String()); m != nil {
			p.url = m[1]
			return nil
		}
		select {
		case <-p.out.wrote:
		case <-p.exited:
			return nil
		case <-limit:
			p.cmd.Process.Kill()
			return errors.New("the server was not ready in time:\n" + p.log.String())
		}
	}
}

// start is launch for a server that must come up. It is killed when the test
// ends, if it still runs.
func start(t testing.TB, data string, args ...string) *process {
	t.Helper()
	p, err := launch(data, args...)
	if err != nil {
		t.Fatal(err)
	}
	p.attend(t)
	return p
}

// attend expects a program that has come up, and kills it when the test ends, if
// it still runs.
func (p *process) attend(t testing.TB) {
	t.Helper()
	if p.url == "" {
		t.Fatalf("the server stopped with code %d:\n%s", p.code, p.log)
	}
	t.Cleanup(func() {
		p.cmd.Process.Kill()
		<-p.exited
		if strings.Contains(p.log.String(), "DATA RACE") {
			t.Errorf("the server has a data race:\n%s", p.log)
		}
	})
}

// refused starts a server that must not come up, and returns its exit code and
// what it said.
func refused(t testing.TB, data string, args ...string) (int, string) {
	t.Helper()
	p, err := launch(data, args...)
	if err != nil {
		t.Fatal(err)
	}
	if p.url != "" {
		p.cmd.Process.Kill()
		<-p.exited
		t.Fatalf("the server started with %q", args)
	}
	return p.code, p.log.String()
}

// stop asks the server to stop and returns its exit code.
func (p *process) stop(t testing.TB) int {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	return p.wait(t)
}

func (p *process) wait(t testing.TB) int {
	t.Helper()
	select {
	case <-p.exited:
	case <-time.After(patience):
		t.Fatalf("the server did not stop:\n%s", p.log)
	}
	return p.code
}

// crash kills the server as kill -9 does.
func (p *process) crash(t testing.TB) {
	t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-p.exited
}

// lanyard runs a command to its end on the server's data directory.
func (p *process) lanyard(t testing.TB, stdin string, args ...string) string {
	t.Helper()
	out, stderr, code := command(t, stdin, append(args, "--data", p.data)...)
	if code != 0 {
		t.Fatalf("lanyard %q: exit code %d\n%s", args, code, stderr)
	}
	return out
}

// command runs the program to its end, in a directory of its own.
func command(t testing.TB, stdin string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, problems bytes.Buffer
	cmd := exec.Command(binary, args...)
	cmd.Env, cmd.Dir = environment(), t.TempDir()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &problems
	if err := cmd.Run(); err != nil {
		if _, ok := errors.AsType[*exec.ExitError](err); !ok {
			t.Fatal(err)
		}
	}
	return out.String(), problems.String(), cmd.ProcessState.ExitCode()
}

// dataDir is a place for a data directory that is not there yet.
func dataDir(t testing.TB) string { return filepath.Join(t.TempDir(), "lanyard-data") }

func readAll(t testing.TB, r io.Reader) string {
	t.Helper()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
