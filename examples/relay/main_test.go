package main

import (
	"bufio"
	"context"
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

	"github.com/lanyard-go/lanyard/revocation"
)

// patience is how long a busy machine may take.
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
		if !strings.HasPrefix(e, "LANYARD_") && !strings.HasPrefix(e, "RELAY_") {
			env = append(env, e)
		}
	}
	return append(env, more...)
}

// post sends JSON and returns the status and the decoded body.
func post(t *testing.T, address, access, body string) (int, map[string]any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "POST", address, strings.NewReader(body))
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
	var out map[string]any
	if b, err := io.ReadAll(res.Body); err != nil {
		t.Fatal(err)
	} else if len(b) > 0 && json.Unmarshal(b, &out) != nil {
		t.Fatalf("%s answered %s", address, b)
	}
	return res.StatusCode, out
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it never came to this: " + what)
		}
	}
}

// The real server, a relay behind it and a relay behind that, each in a process
// of its own, and somebody who follows the last.
func TestAnEndReachesWhoFollowsARelayOfARelay(t *testing.T) {
	lanyard, relay := build(t, "cmd/lanyard"), build(t, "examples/relay")
	data := filepath.Join(t.TempDir(), "data")
	issuer := start(t, clean(), lanyard, "serve", "--listen", "127.0.0.1:0", "--data", data)
	initial, err := os.ReadFile(filepath.Join(data, "initial-admin"))
	if err != nil {
		t.Fatal(err)
	}
	password := regexp.MustCompile(`(?m)^password: (\S+)$`).FindSubmatch(initial)
	if password == nil {
		t.Fatalf("no password in %s", initial)
	}
	add := exec.CommandContext(t.Context(), lanyard, "clients", "add", "relay-1", "--follow", "--json", "--data", data)
	add.Env = clean()
	out, err := add.Output()
	var client struct {
		Secret string `json:"secret"`
	}
	if err != nil || json.Unmarshal(out, &client) != nil || client.Secret == "" {
		t.Fatalf("adding a client: %v, %s", err, out)
	}
	first := start(t, clean("RELAY_CLIENT_ID=relay-1", "RELAY_CLIENT_SECRET="+client.Secret, "RELAY_FOLLOWERS=relay-2:abc"),
		relay, "-listen", "127.0.0.1:0", "-issuer", issuer, "-upstream", issuer+"/v1/revocations", "-name", "relay-1")
	second := start(t, clean("RELAY_CLIENT_ID=relay-2", "RELAY_CLIENT_SECRET=abc", "RELAY_FOLLOWERS=orders:xyz billing:123"),
		relay, "-listen", "127.0.0.1:0", "-issuer", issuer, "-upstream", first+"/v1/revocations", "-name", "relay-2")

	follow := func(name, secret string) *revocation.Follower {
		t.Helper()
		f, err := revocation.NewFollower(revocation.FollowerConfig{
			Endpoints: []string{second + "/v1/revocations"}, Issuer: issuer, Name: name,
			Authorize: func(r *http.Request) { r.SetBasicAuth(name, secret) },
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { f.Run(ctx); close(done) }()
		t.Cleanup(func() { stop(); <-done })
		return f
	}
	stranger, orders := follow("stranger", "123"), follow("orders", "xyz")
	eventually(t, "the follower is in step", func() bool { s, _, _ := orders.State(); return s != revocation.Blind })
	_, in := post(t, issuer+"/v1/login", "", `{"username":"admin","password":"`+string(password[1])+`","channel":"token"}`)
	access, _ := in["access_token"].(string)
	if access == "" {
		t.Fatalf("login answered %v", in)
	}
	before := orders.Status()
	if status, in := post(t, issuer+"/v1/logout", access, ""); status != http.StatusNoContent {
		t.Fatalf("logout: %d %v", status, in)
	}
	eventually(t, "the end has arrived", func() bool { return orders.Status().Entries > before.Entries })
	eventually(t, "a stranger is refused", func() bool { return stranger.Status().Troubles[revocation.TroubleCredentials] > 0 })
	if s := stranger.Status(); s.Snapshots > 0 || s.Connections > 0 {
		t.Errorf("a stranger got %+v", s)
	}
	ready := func() string {
		res, err := http.Get(second + "/readyz")
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.Status + " " + string(b)
	}
	eventually(t, "the relay is ready", func() bool { s := ready(); return strings.HasPrefix(s, "200 ") && strings.Contains(s, "1 follow here") })
}

func TestFollowersHaveANameAndASecret(t *testing.T) {
	for _, text := range []string{"", " ", "orders", "orders:", ":secret", "a:b c"} {
		if _, err := parseFollowers(text); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
	if f, err := parseFollowers("a:b c:d:e"); err != nil || len(f) != 2 {
		t.Errorf("%v, %v", f, err)
	}
}
