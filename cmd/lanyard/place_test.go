package main

import (
	"database/sql"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/lanyard-go/lanyard/store/sqlite"
)

func TestATakenPortIsNamed(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	data := dataDir(t)
	code, said := refused(t, data, "--listen", l.Addr().String())
	if code != 1 || !strings.Contains(said, "setting listen: "+l.Addr().String()+" is taken by another program; choose another address") {
		t.Errorf("exit code %d: %s", code, said)
	}
	if _, err := os.Stat(data); err == nil {
		t.Error("the data directory was made although the port was taken")
	}
	code, said = refused(t, data, "--admin-listen", l.Addr().String())
	if code != 1 || !strings.Contains(said, "setting admin-listen: ") {
		t.Errorf("exit code %d: %s", code, said)
	}
}

// req: LOGIN-18
func TestTwoFirstStartsShareNothing(t *testing.T) {
	t.Parallel()
	secrets := func(data string) map[string]string {
		found := map[string]string{}
		files, err := filepath.Glob(filepath.Join(data, "keys", "*.pem"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no signing key in %s: %v", data, err)
		}
		for _, f := range append(files, filepath.Join(data, "server.secret"), filepath.Join(data, "initial-admin")) {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(string(b)) {
				if !strings.HasPrefix(line, "-----") && !strings.HasPrefix(line, "name: ") {
					found[strings.TrimSpace(line)] = f
				}
			}
			if info, err := os.Stat(f); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: mode %v, %v", f, info.Mode(), err)
			}
		}
		return found
	}
	first, second := start(t, dataDir(t)), start(t, dataDir(t))
	one, two := secrets(first.data), secrets(second.data)
	if len(one) < 4 || len(two) < 4 {
		t.Fatalf("too little was found: %d and %d lines", len(one), len(two))
	}
	for line, file := range one {
		if two[line] != "" {
			t.Errorf("%s and %s share a line", file, two[line])
		}
	}
	// Nor does the password of one open the other.
	a, b := initialPassword(t, first.data), initialPassword(t, second.data)
	first.send(t, "POST", "/v1/login", loginBody("admin", b, "cookie")).want(t, 401)
	second.send(t, "POST", "/v1/login", loginBody("admin", a, "cookie")).want(t, 401)
	if len(a) < 25 || strings.Contains(first.out.String()+first.log.String(), a) {
		t.Error("the first password is short, or was printed where nobody reads it once")
	}
	// The file has done its work at the first login.
	first.login(t, "admin", a)
	if _, err := os.Stat(filepath.Join(first.data, "initial-admin")); err == nil {
		t.Error("the file with the first password is still there")
	}
	// A configured secret that is empty or cannot be read stops the server.
	first.crash(t)
	secret := filepath.Join(first.data, "server.secret")
	if err := os.WriteFile(secret, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if code, said := refused(t, first.data); code != 1 || !strings.Contains(said, "is empty") {
		t.Errorf("exit code %d: %s", code, said)
	}
	if err := os.Remove(secret); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(secret, 0o700); err != nil {
		t.Fatal(err)
	}
	if code, said := refused(t, first.data); code != 1 || !strings.Contains(said, secret) {
		t.Errorf("exit code %d: %s", code, said)
	}
}

func initialPassword(t testing.TB, data string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(data, "initial-admin"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), "password: ")
	pw, _, ok := strings.Cut(rest, "\n")
	if !ok {
		t.Fatal("no password in initial-admin")
	}
	return pw
}

func TestOfManyServersStartedAtOnceOneGetsTheDirectory(t *testing.T) {
	t.Parallel()
	data := dataDir(t)
	started := make([]*process, 4)
	var wg sync.WaitGroup
	for i := range started {
		wg.Go(func() {
			p, err := launch(data)
			if err != nil {
				t.Error(err)
				return
			}
			started[i] = p
		})
	}
	wg.Wait()
	ready := 0
	for _, p := range started {
		switch {
		case p == nil:
		case p.url != "":
			ready++
			p.send(t, "POST", "/v1/login", loginBody("admin", initialPassword(t, data), "cookie")).want(t, 200)
			if code := p.stop(t); code != 0 {
				t.Errorf("exit code %d:\n%s", code, p.log)
			}
		case p.code != 1 || !strings.Contains(p.log.String(), "in use by another lanyard process"):
			t.Errorf("exit code %d: %s", p.code, p.log)
		}
	}
	if ready != 1 {
		t.Errorf("%d servers run on one data directory", ready)
	}
}

// Modes do not bind root, so that root runs the program as somebody else.
func TestADirectoryThatIsNotOursIsNamed(t *testing.T) {
	t.Parallel()
	program := []string{binary}
	if os.Geteuid() == 0 {
		if _, err := exec.LookPath("setpriv"); err != nil {
			unavailable(t, "setpriv is needed to give up root (Debian package util-linux)")
		}
		program = []string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", binary}
	}
	room := t.TempDir()
	for dir := room; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		name  string
		mode  os.FileMode
		data  string
		wants string
	}{
		{"a directory that cannot be entered", 0o000, "closed", "setting data: "},
		{"a directory that cannot be written to", 0o555, "readonly", "setting data: "},
		{"a directory that cannot be made", 0o555, "parent/lanyard-data", "setting data: making the directory"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := filepath.Join(room, strings.Split(test.data, "/")[0])
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(dir, test.mode); err != nil {
				t.Fatal(err)
			}
			defer os.Chmod(dir, 0o700)
			p, err := launchAs(program, filepath.Join(room, test.data))
			if err != nil {
				t.Fatal(err)
			}
			if p.url != "" || p.code != 1 || !strings.Contains(p.log.String(), test.wants) || !strings.Contains(p.log.String(), "permission denied") {
				t.Errorf("exit code %d: %s", p.code, p.log)
			}
		})
	}
	file := filepath.Join(room, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if code, said := refused(t, file); code != 1 || !strings.Contains(said, "is not a directory") {
		t.Errorf("exit code %d: %s", code, said)
	}
}

func TestADatabaseThatAnotherProcessLocksStopsTheStart(t *testing.T) {
	t.Parallel()
	data := dataDir(t)
	start(t, data).stop(t)
	for setting, name := range map[string]string{"setting store: ": "sessions.db", "setting directory: ": "directory.db"} {
		unlock := lockDatabase(t, filepath.Join(data, name), "PRAGMA locking_mode = EXCLUSIVE")
		code, said := refused(t, data)
		if code != 1 || !strings.Contains(said, setting) || !strings.Contains(said, name) || !strings.Contains(said, "locked") {
			t.Errorf("%s: exit code %d: %s", name, code, said)
		}
		unlock()
	}
	start(t, data)
}

// Another program that only writes, such as a copy being made, is waited for;
// what cannot wait any longer is refused and nothing else happens.
func TestWritesWaitForAnotherProcessAndThenAreRefused(t *testing.T) {
	t.Parallel()
	p := start(t, dataDir(t))
	client, _ := p.addClient(t, "backend", "--create-sessions")
	const login = `{"subject":"ada","amr":["pwd"],"channel":"token"}`
	token := p.send(t, "POST", "/v1/admin/sessions", login, client).want(t, 200).text(t, "access_token")
	unlock := lockDatabase(t, filepath.Join(p.data, "sessions.db"), "SELECT 1")
	r := p.send(t, "POST", "/v1/admin/sessions", login, client).want(t, 503)
	if r.header.Get("Retry-After") == "" || strings.Contains(r.body, "lock") {
		t.Errorf("the refusal: %v %s", r.header, r.body)
	}
	p.send(t, "GET", "/v1/session?passive=1", "", bearer(token)).want(t, 200)
	unlock()
	p.send(t, "POST", "/v1/admin/sessions", login, client).want(t, 200)
	if !strings.Contains(p.log.String(), "the session store could not be asked") {
		t.Errorf("the log does not tell:\n%s", p.log)
	}
}

// lockDatabase begins to write to a database in a connection prepared by how.
func lockDatabase(t *testing.T, path, how string) (unlock func()) {
	t.Helper()
	db, err := sql.Open("sqlite", sqlite.DSN(path))
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	for _, statement := range []string{how, "BEGIN IMMEDIATE"} {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	return func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A full disk refuses what cannot be kept, and loses nothing that was kept.
func TestAFullDiskRefusesAndLosesNothing(t *testing.T) {
	t.Parallel()
	mount := t.TempDir()
	if err := syscall.Mount("tmpfs", mount, "tmpfs", 0, "size=3m,mode=0700"); err != nil {
		unavailable(t, "a small file system cannot be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(mount, 0); err != nil {
			t.Error(err)
		}
	})
	data := filepath.Join(mount, "lanyard-data")
	p := start(t, data)
	client, _ := p.addClient(t, "backend", "--create-sessions")
	begin := func(i int) reply {
		return p.send(t, "POST", "/v1/admin/sessions", fmt.Sprintf(`{"subject":"user%d","amr":["pwd"],"channel":"cookie"}`, i), client)
	}
	kept := map[string]string{}
	keep := func(r reply) {
		cookie := r.text(t, "cookie.set_cookie")
		_, value, _ := strings.Cut(cookie, "=")
		value, _, _ = strings.Cut(value, ";")
		kept[r.text(t, "session.sid")] = value
	}
	keep(begin(0).want(t, 200))

	filler := filepath.Join(mount, "filler")
	fill(t, filler)
	full := 0
	for i := 1; full < 3 && i < 20000; i++ {
		switch r := begin(i); r.status {
		case 200:
			keep(r)
		case 503:
			full++
			if r.header.Get("Retry-After") == "" || strings.Contains(r.body, "disk") {
				t.Errorf("the refusal: %v %s", r.header, r.body)
			}
		default:
			t.Fatalf("status %d: %s", r.status, r.body)
		}
	}
	if full == 0 {
		t.Fatal("the disk never was full")
	}
	if !strings.Contains(p.log.String(), "full") {
		t.Errorf("the log does not name the cause:\n%s", p.log)
	}
	for sid, handle := range kept {
		if got := p.signedIn(t, handle); got != 200 {
			t.Fatalf("session %s: %d while the disk is full", sid, got)
		}
	}

	// A server that is started now still knows everybody; one that would have to
	// make its files says what is missing.
	p.crash(t)
	p = start(t, data)
	for sid, handle := range kept {
		if got := p.signedIn(t, handle); got != 200 {
			t.Fatalf("session %s: %d after a start on a full disk", sid, got)
		}
	}
	p.crash(t)
	if code, said := refused(t, filepath.Join(mount, "other")); code != 1 || !strings.Contains(said, "no space left on device") {
		t.Errorf("exit code %d: %s", code, said)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	p = start(t, data)
	for sid, handle := range kept {
		if got := p.signedIn(t, handle); got != 200 {
			t.Fatalf("session %s: %d after the disk was full", sid, got)
		}
	}
	begin(0).want(t, 200)
	if _, problems, code := command(t, "", "verify-audit", filepath.Join(data, "audit.log")); code != 0 {
		t.Error(problems)
	}
}

// fill takes all the room of a file system.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	block := make([]byte, 4096)
	for err == nil {
		_, err = f.Write(block)
	}
}
