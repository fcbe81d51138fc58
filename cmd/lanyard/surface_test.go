package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// listening are the addresses that a process takes connections on, as the kernel
// writes them.
func listening(t *testing.T, pid int) (out []string) {
	t.Helper()
	sockets := map[string]bool{}
	fds, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil || len(fds) == 0 {
		t.Fatalf("the open files of the server cannot be seen: %v", err)
	}
	for _, fd := range fds {
		if target, err := os.Readlink(fd); err == nil && strings.HasPrefix(target, "socket:[") {
			sockets[strings.Trim(target, "socket:[]")] = true
		}
	}
	for _, table := range []string{"tcp", "tcp6", "udp", "udp6"} {
		text := read(t, fmt.Sprintf("/proc/%d/net/%s", pid, table))
		for line := range strings.Lines(text) {
			f := strings.Fields(line)
			const listen, unconnected = "0A", "07"
			if len(f) > 9 && (f[3] == listen || f[3] == unconnected) && sockets[f[9]] {
				out = append(out, table+" "+f[1])
			}
		}
	}
	return out
}

// req: HTTP-24
func TestTheDefaultListenerShowsNothingOfTheInside(t *testing.T) {
	t.Parallel()
	p := start(t, dataDir(t))
	_, port, _ := strings.Cut(strings.TrimPrefix(p.url, "http://"), ":")
	var n int
	fmt.Sscan(port, &n)
	if got, want := listening(t, p.cmd.Process.Pid), fmt.Sprintf("tcp 0100007F:%04X", n); len(got) != 1 || got[0] != want {
		t.Errorf("the server listens on %q, want %s alone", got, want)
	}
	for _, path := range []string{"/metrics", "/debug/pprof/", "/debug/pprof/heap", "/debug/vars", "/debug/", "/.git/config", "/v1/admin/metrics"} {
		p.send(t, "GET", path, "").want(t, 404)
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for path, body := range map[string]string{"/livez": "ok\n", "/readyz": "ok\n", "/openapi.yaml": ""} {
		r := p.send(t, "GET", path, "").want(t, 200)
		if body != "" && r.body != body {
			t.Errorf("%s says %q", path, r.body)
		}
		for _, word := range []string{host, "go1.", filepath.Dir(p.data), "initial-admin"} {
			if strings.Contains(r.body, word) {
				t.Errorf("%s tells %q", path, word)
			}
		}
		for _, name := range []string{"Server", "X-Powered-By", "Via"} {
			if r.header.Get(name) != "" {
				t.Errorf("%s: header %s: %s", path, name, r.header.Get(name))
			}
		}
	}
}

// req: HTTP-24
func TestAdministrationAndMetricsMoveToTheirOwnAddress(t *testing.T) {
	t.Parallel()
	admin := freeAddress(t)
	p := start(t, dataDir(t), "--admin-listen", admin)
	client, _ := p.addClient(t, "ops", "--administer")
	for _, path := range []string{"/metrics", "/v1/admin/users", "/v1/admin/audit", "/console"} {
		p.send(t, "GET", path, "", client).want(t, 404)
	}
	p.url = "http://" + admin
	p.send(t, "GET", "/v1/admin/users", "", client).want(t, 200)
	p.send(t, "GET", "/metrics", "").want(t, 200)
	p.send(t, "GET", "/debug/pprof/", "", client).want(t, 404)
	if got := listening(t, p.cmd.Process.Pid); len(got) != 2 {
		t.Errorf("the server listens on %q", got)
	}
}

// req: OPS-8
func TestTheProgramHoldsNothingThatIsForTests(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for pkg := range strings.Lines(string(out)) {
		pkg = strings.TrimSpace(pkg)
		for _, part := range []string{"testing", "httptest", "storetest", "internal/lab", "net/http/pprof", "iotest", "cryptotest"} {
			if pkg == part || strings.HasSuffix(pkg, "/"+part) || strings.HasPrefix(pkg, part+"/") {
				t.Errorf("the program imports %s", pkg)
			}
		}
	}
	p := start(t, dataDir(t))
	if users := p.lanyard(t, "", "users", "list", "--json"); strings.Count(users, `"name"`) != 1 {
		t.Errorf("a first start makes one user, not %s", users)
	}
	if clients := p.lanyard(t, "", "clients", "list", "--json"); strings.Count(clients, `"id"`) != 1 || !strings.Contains(clients, `"public": true`) {
		t.Errorf("a first start knows one public client, not %s", clients)
	}
}

// req: KEY-14
func TestNoPrivateKeyIsInTheSourceOrTheProgram(t *testing.T) {
	t.Parallel()
	key := regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/]{32}|"d": ?"[\w-]{43,}"`)
	if !key.MatchString("-----BEGIN PRIVATE KEY-----\n" + strings.Repeat("A", 64)) {
		t.Fatal("the pattern finds nothing")
	}
	if m := key.FindString(read(t, binary)); m != "" {
		t.Errorf("a private key is in the program: %.40s", m)
	}
	files := 0
	err := filepath.WalkDir(filepath.Join("..", ".."), func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == ".git" || d.Name() == "testdata"):
			return filepath.SkipDir
		case !d.Type().IsRegular() || strings.HasSuffix(path, "_test.go"):
			return nil // published test vectors have keys that everybody knows
		}
		switch filepath.Ext(path) {
		case ".go", ".yaml", ".yml", ".toml", ".json", ".sh", ".md", ".pem", ".env":
			files++
			if m := key.FindString(read(t, path)); m != "" {
				t.Errorf("%s: a private key is in it: %.40s", path, m)
			}
		}
		return nil
	})
	if err != nil || files < 50 {
		t.Errorf("%d files were read: %v", files, err)
	}
}

// The limits of idle connections and of answers that nobody reads are minutes
// long and are waited for in long runs only.
//
// req: HTTP-17
func TestSlowAndLargeClientsAreCutOff(t *testing.T) {
	t.Parallel()
	p := start(t, dataDir(t))
	p.send(t, "GET", "/livez", "", "X-Large: "+strings.Repeat("x", 100<<10)).want(t, 431)
	p.send(t, "POST", "/v1/login", `{"username":"`+strings.Repeat("x", 100<<10)+`"}`).want(t, 413)
	p.send(t, "POST", "/login", "username="+strings.Repeat("x", 100<<10), "Accept: text/html").want(t, 413)

	const get = "GET /openapi.yaml HTTP/1.1\r\nHost: localhost\r\n\r\n"
	for _, test := range []struct {
		name       string
		sends      string
		noMore     bool // of what is sent; the client then waits
		from, upTo time.Duration
	}{
		{"a header that does not end", "GET /livez HTTP/1.1\r\nHost: localhost\r\n", true, 5 * time.Second, 25 * time.Second},
		{"a body that does not come", "POST /v1/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{", true, 20 * time.Second, 50 * time.Second},
		{"a connection without a request", get, true, 90 * time.Second, 150 * time.Second},
		{"answers that are not read", strings.Repeat(get, 50), false, 30 * time.Second, 120 * time.Second},
	} {
		if test.from > 20*time.Second && !soak() {
			continue // takes minutes
		}
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			conn, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			begun := time.Now()
			conn.SetDeadline(begun.Add(test.upTo))
			for ok := true; ok; ok = err == nil && !test.noMore {
				_, err = io.WriteString(conn, test.sends)
			}
			if test.noMore && err == nil {
				_, err = io.Copy(io.Discard, bufio.NewReader(conn))
			}
			took := time.Since(begun)
			if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
				t.Fatalf("the connection still stands after %v", took)
			}
			if took < test.from {
				t.Errorf("the connection was closed after %v already: %v", took, err)
			}
		})
	}
}
