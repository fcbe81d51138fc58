package main

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience is how long a busy machine may take to start a program.
const patience = time.Minute

// build compiles a command of this module.
func build(t *testing.T, name string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), filepath.Base(name))
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./"+name)
	cmd.Dir = filepath.Join("..", "..")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building %s: %v\n%s", name, err, out)
	}
	return program
}

// start runs a program until the test ends, and returns the address that it says
// it is ready at.
func start(t *testing.T, env []string, program string, args ...string) string {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Env = env
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var talk strings.Builder
	cmd.Stderr = &talk
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(patience, func() { cmd.Process.Kill() })
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Logf("%s said:\n%s", filepath.Base(program), talk.String())
		}
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if address, ok := strings.CutPrefix(lines.Text(), "ready "); ok {
			late.Stop()
			go io.Copy(io.Discard, out)
			return address
		}
	}
	t.Fatalf("%s ended before it was ready", filepath.Base(program))
	return ""
}

// clean is the environment without settings of whoever runs the tests.
func clean(more ...string) []string {
	var env []string
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "LANYARD_") && !strings.HasPrefix(e, "ORDERS_") {
			env = append(env, e)
		}
	}
	return append(env, more...)
}

// call sends JSON and returns status, header and decoded body.
func call(t *testing.T, method, address, access, body string) (*http.Response, map[string]any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if access != "" {
		r.Header.Set("Authorization", "Bearer "+access)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	out := map[string]any{}
	if b, err := io.ReadAll(res.Body); err != nil {
		t.Fatal(err)
	} else if len(b) > 0 && json.Unmarshal(b, &out) != nil {
		t.Logf("%s %s answered %s", method, address, b)
	}
	return res, out
}

// The real server in one process, the service in another.
func TestOrdersTakeTheTokensOfAServerInAnotherProcess(t *testing.T) {
	lanyard, orders := build(t, "cmd/lanyard"), build(t, "examples/orders")
	data := filepath.Join(t.TempDir(), "data")
	issuer := start(t, clean(), lanyard, "serve", "--listen", "127.0.0.1:0", "--data", data, "--audience", "orders", "--audience", "billing")
	initial, err := os.ReadFile(filepath.Join(data, "initial-admin"))
	if err != nil {
		t.Fatal(err)
	}
	password := regexp.MustCompile(`(?m)^password: (\S+)$`).FindSubmatch(initial)
	if password == nil {
		t.Fatalf("no password in %s", initial)
	}
	add := exec.CommandContext(t.Context(), lanyard, "clients", "add", "orders", "--follow", "--introspect", "--audience", "orders", "--json", "--data", data)
	add.Env = clean()
	out, err := add.Output()
	if err != nil {
		t.Fatalf("adding a client: %v", err)
	}
	var client struct {
		Secret string `json:"secret"`
	}
	if err := json.Unmarshal(out, &client); err != nil || client.Secret == "" {
		t.Fatalf("adding a client printed %s", out)
	}
	base := start(t, clean("ORDERS_CLIENT_ID=orders", "ORDERS_CLIENT_SECRET="+client.Secret), orders, "-listen", "127.0.0.1:0", "-issuer", issuer)
	careless := start(t, clean(), orders, "-listen", "127.0.0.1:0", "-issuer", issuer)

	login := func(resource string) string {
		t.Helper()
		res, in := call(t, "POST", issuer+"/v1/login", "", `{"username":"admin","password":"`+string(password[1])+`","channel":"token","resource":"`+resource+`"}`)
		access, _ := in["access_token"].(string)
		if access == "" {
			t.Fatalf("login answered %d %v", res.StatusCode, in)
		}
		return access
	}
	// Both answer 503 as long as they are not ready, which the first one is once it
	// has reached the feed.
	for over := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if res, _ := call(t, "GET", base+"/readyz", "", ""); res.StatusCode == 200 {
			break
		} else if time.Now().After(over) {
			t.Fatalf("not ready: %d", res.StatusCode)
		}
	}
	access := login("orders")
	for _, at := range []string{base, careless} {
		if res, _ := call(t, "POST", at+"/orders", access, `{"item":"tea"}`); res.StatusCode != 201 {
			t.Errorf("an order: %d", res.StatusCode)
		}
		if res, in := call(t, "GET", at+"/orders", access, ""); res.StatusCode != 200 || len(in["orders"].([]any)) != 1 {
			t.Errorf("the orders: %d %v", res.StatusCode, in)
		}
		if res, _ := call(t, "GET", at+"/orders", "", ""); res.StatusCode != 401 || res.Header.Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("nobody: %d %v", res.StatusCode, res.Header)
		}
		if res, in := call(t, "GET", at+"/orders", login("billing"), ""); res.StatusCode != 401 || in["error"] != "invalid_token" {
			t.Errorf("a token for another service: %d %v", res.StatusCode, in)
		}
	}

	if res, _ := call(t, "DELETE", base+"/orders", access, ""); res.StatusCode != 204 {
		t.Errorf("a live route: %d", res.StatusCode)
	}

	// A session that has ended is refused, and its open stream is over, as soon as
	// the feed says so, and by a live route at once.
	gone := login("orders")
	r, err := http.NewRequestWithContext(t.Context(), "GET", base+"/orders/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+gone)
	stream, err := http.DefaultClient.Do(r)
	if err != nil || stream.StatusCode != 200 {
		t.Fatalf("the stream: %v, %v", stream, err)
	}
	defer stream.Body.Close()
	if res, _ := call(t, "POST", issuer+"/v1/logout", gone, ""); res.StatusCode != 204 {
		t.Fatalf("logout: %d", res.StatusCode)
	}
	if res, _ := call(t, "DELETE", base+"/orders", gone, ""); res.StatusCode != 401 {
		t.Errorf("an ended session on a live route: %d", res.StatusCode)
	}
	ended := time.Now()
	if _, err := io.Copy(io.Discard, stream.Body); err != nil {
		t.Errorf("the stream: %v", err)
	}
	t.Logf("the stream was over %v after the logout", time.Since(ended))
	if res, in := call(t, "GET", base+"/orders", gone, ""); res.StatusCode != 401 || in["error"] != "invalid_token" {
		t.Errorf("an ended session where the feed is followed: %d %v", res.StatusCode, in)
	}
	if res, _ := call(t, "GET", careless+"/orders", gone, ""); res.StatusCode != 200 {
		t.Errorf("an ended session where nobody asks: %d", res.StatusCode)
	}
}
