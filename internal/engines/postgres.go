package engines

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// errNoPostgres: the server's programs are not on this machine.
var errNoPostgres = errors.New("postgres is not installed")

var errEnded = errors.New("postgres ended while starting")

// PostgresServer is a PostgreSQL server of a test's own, on a free port of
// 127.0.0.1. The role postgres may do everything and needs no password; every
// other role has to give its own.
type PostgresServer struct {
	Dir  string // the data directory
	Port int

	bin      string
	settings []string
	cmd      *exec.Cmd
	exited   chan struct{} // closed when cmd has ended
	keeper   *exec.Cmd
	alive    *os.File // closing it tells the keeper to clean up
	made     atomic.Int64
}

// Postgres starts a server with settings such as "fsync=on", which override
// those of the harness, and stops it when the test is over. By default nothing
// is synced. Without the server's programs the test is skipped, or fails when
// the environment says CI=true.
func Postgres(t testing.TB, settings ...string) *PostgresServer {
	t.Helper()
	s, err := StartPostgres(settings...)
	if errors.Is(err, errNoPostgres) {
		missing(t, "postgres", "install the package postgresql")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the end of the server's log:\n%s", s.Log())
		}
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// StartPostgres is [Postgres] for a server that several tests share: the caller
// stops it, in TestMain. Should the process die first, a keeper stops it.
func StartPostgres(settings ...string) (*PostgresServer, error) {
	initdb := find("initdb", "/usr/lib/postgresql/*/bin")
	if initdb == "" {
		return nil, errNoPostgres
	}
	if linked, err := filepath.EvalSymlinks(initdb); err == nil {
		initdb = linked // its sisters are where it really is
	}
	// Not below t.TempDir: user postgres must be able to reach it.
	home, err := os.MkdirTemp("", "lanyard-postgres-")
	if err != nil {
		return nil, fmt.Errorf("making a directory for postgres: %w", err)
	}
	s := &PostgresServer{Dir: filepath.Join(home, "data"), bin: filepath.Dir(initdb), settings: settings}
	if err := s.initialise(home); err != nil {
		return nil, errors.Join(err, os.RemoveAll(home))
	}
	if err := s.keep(home); err != nil {
		return nil, errors.Join(err, os.RemoveAll(home))
	}
	for range 5 { // the port may be taken by somebody else in between
		if s.Port, err = freePort(); err != nil {
			break
		}
		if err = s.Start(); err == nil {
			return s, nil
		}
		if !errors.Is(err, errEnded) {
			break
		}
	}
	return nil, errors.Join(err, s.Stop())
}

// command runs a program of PostgreSQL, as user postgres if the test is run by
// root, because PostgreSQL refuses root.
func (s *PostgresServer) command(program string, args ...string) *exec.Cmd {
	path := filepath.Join(s.bin, program)
	if os.Getuid() != 0 {
		return exec.Command(path, args...)
	}
	return exec.Command("setpriv", append([]string{"--reuid=postgres", "--regid=postgres", "--clear-groups", path}, args...)...)
}

func (s *PostgresServer) initialise(home string) error {
	if os.Getuid() == 0 {
		if err := chownPostgres(home); err != nil {
			return err
		}
	}
	cmd := s.command("initdb", "-D", s.Dir, "-U", "postgres", "-A", "trust", "--no-sync", "--locale=C.UTF-8", "-E", "UTF8")
	cmd.Dir = home
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("running initdb: %w\n%s", err, out)
	}
	hba := "local all all trust\nhost all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
	if err := os.WriteFile(filepath.Join(s.Dir, "pg_hba.conf"), []byte(hba), 0o600); err != nil {
		return fmt.Errorf("writing pg_hba.conf: %w", err)
	}
	return nil
}

// chownPostgres gives a path to user postgres.
func chownPostgres(path string) error {
	u, err := user.Lookup("postgres")
	if err != nil {
		return fmt.Errorf("looking up user postgres: %w", err)
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	if err := os.Chown(path, uid, gid); err != nil {
		return fmt.Errorf("giving a directory to user postgres: %w", err)
	}
	return nil
}

// keep starts a process that stops the server and removes its files once this
// process has let go of a pipe, however it ends.
func (s *PostgresServer) keep(home string) error {
	read, write, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("making a pipe: %w", err)
	}
	defer read.Close()
	stop := s.command("pg_ctl", "stop", "-D", s.Dir, "-m", "immediate", "-s")
	s.keeper = exec.Command("sh", append([]string{"-c", `read _; "$@" 2>/dev/null; rm -rf "$0"`, home}, stop.Args...)...)
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
// it answers.
func (s *PostgresServer) Start() error {
	log, err := os.OpenFile(s.logPath(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("opening the log of postgres: %w", err)
	}
	defer log.Close()
	args := []string{"-D", s.Dir}
	for _, setting := range append([]string{
		"listen_addresses=127.0.0.1", "port=" + strconv.Itoa(s.Port), "unix_socket_directories=" + s.SocketDir(),
		"fsync=off", "max_connections=200", "log_min_messages=warning", "logging_collector=off",
	}, s.settings...) {
		args = append(args, "-c", setting)
	}
	cmd := s.command("postgres", args...)
	cmd.Stdout, cmd.Stderr, cmd.Dir = log, log, s.SocketDir()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting postgres: %w", err)
	}
	s.cmd, s.exited = cmd, make(chan struct{})
	go func(exited chan struct{}) {
		_ = cmd.Wait()
		close(exited)
	}(s.exited)
	if err := s.await(30 * time.Second); err != nil {
		return fmt.Errorf("%w\n%s", err, s.Log())
	}
	return nil
}

// await returns when the server answers.
func (s *PostgresServer) await(limit time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		_, err := s.psql(ctx, "postgres", "SELECT 1")
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("postgres does not answer: %w", err)
		case <-s.exited:
			return errEnded
		case <-tick.C:
		}
	}
}

// psql runs statements as role postgres, each by itself, and returns the values
// they answer, a row a line.
func (s *PostgresServer) psql(ctx context.Context, database string, statements ...string) (string, error) {
	args := []string{"-d", s.URL(database), "-XqAt", "-v", "ON_ERROR_STOP=1"}
	for _, text := range statements {
		args = append(args, "-c", text)
	}
	out, err := exec.CommandContext(ctx, filepath.Join(s.bin, "psql"), args...).CombinedOutput()
	text := strings.TrimSpace(string(out))
	if err != nil {
		return "", fmt.Errorf("running psql: %w: %s", err, text)
	}
	return text, nil
}

// URL returns the address of a database of the server, for role postgres.
func (s *PostgresServer) URL(database string) string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/%s?sslmode=disable", s.Port, database)
}

// SocketDir returns the directory of the server's Unix socket.
func (s *PostgresServer) SocketDir() string { return filepath.Dir(s.Dir) }

// Database makes an empty database and returns its URL. It goes with the server.
func (s *PostgresServer) Database(t testing.TB) string {
	t.Helper()
	name := fmt.Sprintf("test%d", s.made.Add(1))
	s.Exec(t, "postgres", "CREATE DATABASE "+name+" TEMPLATE template0")
	return s.URL(name)
}

// Exec runs statements in a database as role postgres, each by itself, and
// returns the values they answer, a row a line.
func (s *PostgresServer) Exec(t testing.TB, database string, statements ...string) string {
	t.Helper()
	out, err := s.psql(t.Context(), database, statements...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Kill ends all processes of the server at once with SIGKILL, as a failing
// machine would, except that the files stay as they were written.
func (s *PostgresServer) Kill(t testing.TB) {
	t.Helper()
	all, err := signalFamily(s.cmd.Process.Pid, syscall.SIGKILL)
	if err == nil {
		err = awaitEnd(all) // or the next start finds their shared memory
	}
	if err != nil {
		t.Fatal(err)
	}
	<-s.exited
}

// Shutdown ends the server in order ("fast" mode: transactions in progress are
// undone, connections closed).
func (s *PostgresServer) Shutdown(t testing.TB) {
	t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	<-s.exited
}

// Restart is Shutdown and Start on the same port and files.
func (s *PostgresServer) Restart(t testing.TB) {
	t.Helper()
	s.Shutdown(t)
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
}

// Pause stops every process of the server where it is, until Continue: its
// connections stay open and nothing answers.
func (s *PostgresServer) Pause(t testing.TB) {
	t.Helper()
	if _, err := signalFamily(s.cmd.Process.Pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
}

// Continue undoes Pause.
func (s *PostgresServer) Continue(t testing.TB) {
	t.Helper()
	if err := s.resume(); err != nil {
		t.Fatal(err)
	}
}

func (s *PostgresServer) resume() error {
	_, err := signalFamily(s.cmd.Process.Pid, syscall.SIGCONT)
	return err
}

// Stop ends the server, paused or not, and removes its files.
func (s *PostgresServer) Stop() error {
	if s.cmd != nil && s.cmd.Process != nil {
		select {
		case <-s.exited:
		default:
			_ = s.resume()
		}
	}
	if err := errors.Join(s.alive.Close(), s.keeper.Wait()); err != nil {
		return fmt.Errorf("stopping postgres: %w", err)
	}
	return nil
}

func (s *PostgresServer) logPath() string { return filepath.Join(s.SocketDir(), "log") }

// Log returns the end of what the server has written.
func (s *PostgresServer) Log() string {
	text, err := os.ReadFile(s.logPath())
	if err != nil {
		return err.Error()
	}
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	return strings.TrimSpace(string(bytes.Join(lines[max(0, len(lines)-40):], []byte("\n"))))
}

// SharedPostgres is one server for all tests of a package, started by the first
// that asks. TestMain calls Stop after the tests.
type SharedPostgres struct {
	Settings []string // as for [Postgres]

	once   sync.Once
	server *PostgresServer
	err    error
}

// Get returns the server. Without its programs the test is skipped, or fails
// when the environment says CI=true.
func (p *SharedPostgres) Get(t testing.TB) *PostgresServer {
	t.Helper()
	p.once.Do(func() { p.server, p.err = StartPostgres(p.Settings...) })
	if errors.Is(p.err, errNoPostgres) {
		missing(t, "postgres", "install the package postgresql")
	}
	if p.err != nil {
		t.Fatal(p.err)
	}
	return p.server
}

// Stop stops the server, if it was started.
func (p *SharedPostgres) Stop() error {
	if p.server == nil {
		return nil
	}
	return p.server.Stop()
}
