package engines

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

var (
	errNoRedis    = errors.New("the server's program is not installed")
	errRedisEnded = errors.New("the server ended while starting")
)

// RedisServer is a Redis or Valkey server of a test's own, on a free port of
// 127.0.0.1.
type RedisServer struct {
	Addr string // host and port
	Dir  string

	program  string
	settings []string
	cmd      *exec.Cmd
	exited   chan struct{} // closed when cmd has ended
	alive    *os.File      // closing it tells the keeper to clean up
	keeper   *exec.Cmd
	made     atomic.Int64
}

// Redis starts a server with settings such as "appendonly=yes", and stops it
// when the test is over. By default nothing is written to disk. Without the
// program the test is skipped, or fails when the environment says CI=true.
func Redis(t testing.TB, settings ...string) *RedisServer {
	t.Helper()
	return owned(t, "redis-server", "install the package redis-server", settings)
}

// Valkey is [Redis] with Valkey.
func Valkey(t testing.TB, settings ...string) *RedisServer {
	t.Helper()
	return owned(t, "valkey-server", "install the package valkey-server (Debian 12: from backports)", settings)
}

func owned(t testing.TB, program, remedy string, settings []string) *RedisServer {
	t.Helper()
	s, err := startRedis(program, settings)
	if errors.Is(err, errNoRedis) {
		missing(t, program, remedy)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.finish(t) })
	return s
}

func (s *RedisServer) finish(t testing.TB) {
	if t.Failed() {
		t.Logf("the end of the log of %s:\n%s", s.Addr, s.Log())
	}
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
}

// StartRedis is [Redis] for a server that several tests share: the caller stops
// it, in TestMain. Should the process die first, a keeper stops it.
func StartRedis(settings ...string) (*RedisServer, error) {
	return startRedis("redis-server", settings)
}

func startRedis(program string, settings []string) (*RedisServer, error) {
	path := find(program)
	if path == "" {
		return nil, fmt.Errorf("%s: %w", program, errNoRedis)
	}
	dir, err := os.MkdirTemp("", "lanyard-redis-")
	if err != nil {
		return nil, fmt.Errorf("making a directory for %s: %w", program, err)
	}
	s := &RedisServer{Dir: dir, program: path, settings: settings}
	if err := s.keep(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	for range 10 { // a port may be taken by somebody else in between
		var port int
		if port, err = freeRedisPort(); err != nil {
			break
		}
		s.Addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		if err = s.Start(); !errors.Is(err, errRedisEnded) {
			break
		}
	}
	if err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

// freeRedisPort returns a free port whose sister for the Cluster's own talk,
// 10000 above it, is free as well.
func freeRedisPort() (int, error) {
	for range 100 {
		port, err := freePort()
		if err != nil {
			return 0, err
		}
		if port > 55000 {
			port -= 20000 // or the sister would not be a port
		}
		if vacant(port) && vacant(port+10000) {
			return port, nil
		}
	}
	return 0, errors.New("looking for a free port: none with its sister free as well")
}

func vacant(port int) bool {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return false
	}
	return l.Close() == nil
}

// keep starts a process that kills the server and removes its files once this
// process has let go of a pipe, however it ends.
func (s *RedisServer) keep() error {
	read, write, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("making a pipe: %w", err)
	}
	defer read.Close()
	s.keeper = exec.Command("sh", "-c", `read _; kill -9 "$(cat "$0/pid")" 2>/dev/null; rm -rf "$0"`, s.Dir)
	s.keeper.Stdin = read
	s.keeper.Dir = "/"
	s.keeper.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is not for it
	if err := s.keeper.Start(); err != nil {
		write.Close()
		return fmt.Errorf("starting the keeper: %w", err)
	}
	s.alive = write
	return nil
}

// Start starts the server on its port, after Kill or Shutdown, and returns when
// it answers, be it that it is still loading its data.
func (s *RedisServer) Start() error {
	_, port, _ := net.SplitHostPort(s.Addr)
	settings := []string{
		"bind=127.0.0.1", "port=" + port, "dir=" + s.Dir, "save=", "appendonly=no",
		"pidfile=" + filepath.Join(s.Dir, "pid"), "daemonize=no", "enable-debug-command=yes",
		"repl-diskless-sync-delay=0",
	}
	var args []string
	for _, setting := range append(settings, s.settings...) {
		name, value, _ := strings.Cut(setting, "=")
		args = append(args, "--"+name, value)
	}
	return s.launch(exec.Command(s.program, args...))
}

// launch runs the server and returns when it answers.
func (s *RedisServer) launch(cmd *exec.Cmd) error {
	log, err := os.OpenFile(s.logPath(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("opening the server's log: %w", err)
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr, cmd.Dir = log, log, s.Dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting %s: %w", s.program, err)
	}
	s.cmd, s.exited = cmd, make(chan struct{})
	go func(exited chan struct{}) {
		_ = cmd.Wait()
		close(exited)
	}(s.exited)
	// Also before the server writes it, so that the keeper knows whom to end.
	if err := os.WriteFile(filepath.Join(s.Dir, "pid"), []byte(strconv.Itoa(cmd.Process.Pid)), 0o600); err != nil {
		return fmt.Errorf("writing the server's pid: %w", err)
	}
	return s.await(20 * time.Second)
}

// await returns when the server answers.
func (s *RedisServer) await(limit time.Duration) error {
	deadline := time.After(limit)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if s.answers() {
			return nil
		}
		select {
		case <-s.exited:
			return fmt.Errorf("%w\n%s", errRedisEnded, s.Log())
		case <-deadline:
			return fmt.Errorf("the server on %s does not answer within %s\n%s", s.Addr, limit, s.Log())
		case <-tick.C:
		}
	}
}

func (s *RedisServer) answers() bool {
	c, err := net.DialTimeout("tcp", s.Addr, time.Second)
	if err != nil {
		return false
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Second))
	if _, err := c.Write([]byte("PING\r\n")); err != nil {
		return false
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	return err == nil && line != ""
}

// URL returns the address in the form that redisconn takes.
func (s *RedisServer) URL() string { return "redis://" + s.Addr }

// Prefix returns a prefix for keys that no other call returns.
func (s *RedisServer) Prefix() string { return fmt.Sprintf("test%d", s.made.Add(1)) }

// Command runs a command with redis-cli and returns what it prints.
func (s *RedisServer) Command(t testing.TB, args ...string) string {
	t.Helper()
	out, err := s.cli(args...)
	if err != nil {
		t.Fatalf("redis-cli %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func (s *RedisServer) cli(args ...string) (string, error) {
	host, port, _ := net.SplitHostPort(s.Addr)
	program := find("redis-cli")
	if program == "" {
		program = find("valkey-cli")
	}
	out, err := exec.Command(program, append([]string{"-h", host, "-p", port}, args...)...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// Kill ends the server without any warning, as a loss of the machine does for
// its clients. What was written to the system survives.
func (s *RedisServer) Kill(t testing.TB) {
	t.Helper()
	if err := s.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-s.exited
}

// Shutdown ends the server as an operator does, and waits for it.
func (s *RedisServer) Shutdown(t testing.TB) {
	t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-s.exited
}

// Pause makes the server stop answering, with its connections open.
func (s *RedisServer) Pause(t testing.TB) {
	t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
}

// Continue undoes Pause.
func (s *RedisServer) Continue(t testing.TB) {
	t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
}

// Restart kills the server and starts it again on its port and directory.
func (s *RedisServer) Restart(t testing.TB) {
	t.Helper()
	s.Kill(t)
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
}

// Stop ends the server and removes its directory.
func (s *RedisServer) Stop() error {
	if s.cmd != nil && s.cmd.Process != nil {
		_ = s.cmd.Process.Kill() // it may have ended already
		<-s.exited
	}
	err := s.alive.Close()
	_ = s.keeper.Wait() // it has nobody left to kill
	return err
}

// Log returns the end of what the server has written.
func (s *RedisServer) Log() string {
	text, err := os.ReadFile(s.logPath())
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-4000):])
}

func (s *RedisServer) logPath() string { return filepath.Join(s.Dir, "log") }
