package browsertest

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/api"
	"github.com/lanyard-go/lanyard/internal/server"
)

// cookieName is the session cookie under its default name.
const cookieName = lanyard.DefaultCookieName

// password is everybody's, unless a test is about passwords.
const password = "five quiet herons above Lisbon"

// clock stands still until a test moves it, so that "just now" and "wait one
// second" are the same on a slow machine.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func (c *clock) set(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = at
}

// logs are the operator's log of a server, for a test that fails.
type logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// site is a server as the command runs it, on a data directory of its own.
type site struct {
	t     *testing.T
	srv   *server.Server
	url   string // http://localhost:PORT
	clock *clock
	data  string // directory

	mayFail bool // the server has a reason to log errors
}

// newSite serves, with the settings that change makes of the defaults, until the
// test is over. At the end it fails the test if the server had to log an error.
func newSite(t *testing.T, change ...func(*server.Config)) *site {
	t.Helper()
	needChromium(t)
	l, err := server.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	out := &logs{}
	s := &site{t: t, clock: &clock{at: time.Now().Truncate(time.Second)}}
	cfg := server.Config{
		Listen: "127.0.0.1:0", Data: t.TempDir(), Store: "sqlite", Profile: "standard", RevocationBound: 2 * time.Second,
		ServiceName: "lanyard", PasswordMinLength: 15, LogLevel: "info", LogFormat: "text", ShutdownTimeout: 10 * time.Second,
	}
	for _, c := range change {
		c(&cfg)
	}
	s.data = cfg.Data
	drivers := server.Drivers{SQLite: func(dsn string) (*sql.DB, error) { return sql.Open("sqlite", dsn) }}
	s.srv, err = server.Open(t.Context(), cfg, server.Options{Drivers: drivers, Logs: out, Now: s.clock.now, Addr: l.Addr()})
	if err != nil {
		l.Close()
		t.Fatal(err)
	}
	s.url = s.srv.URL()
	ctx, stop := context.WithCancel(context.Background())
	ready, done := make(chan struct{}), make(chan error, 1)
	go func() { done <- s.srv.Serve(ctx, l, func() { close(ready) }) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error("serving:", err)
		}
		if err := s.srv.Close(); err != nil {
			t.Error("closing:", err)
		}
		for line := range strings.Lines(out.String()) {
			// Security events can be critical without being a fault of ours.
			if strings.Contains(line, "level=ERROR") && !strings.Contains(line, " event=") && !s.mayFail {
				t.Error("the server failed:", line)
			}
		}
		if t.Failed() {
			t.Logf("the server's log:\n%s", out)
		}
	})
	select {
	case <-ready:
	case err := <-done:
		done <- err
		t.Fatal("the server stopped at the start:", err)
	}
	return s
}

// addUser adds somebody the way the owner of the data directory does.
func (s *site) addUser(name, pw string, admin bool) {
	s.t.Helper()
	body, err := json.Marshal(map[string]any{"name": name, "password": pw, "admin": admin})
	if err != nil {
		s.t.Fatal(err)
	}
	r := httptest.NewRequest("POST", "/local/users", bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	s.srv.LocalHandler().ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		s.t.Fatalf("adding the user %s: %d %s", name, w.Code, w.Body)
	}
}

// live returns the live sessions of a user as the server has them.
func (s *site) live(subject string) []*lanyard.Session {
	s.t.Helper()
	list, _, err := s.srv.Manager().List(s.t.Context(), lanyard.Query{Subject: subject, LiveAt: lanyard.TimeOf(s.clock.now()), Limit: 1000})
	if err != nil {
		s.t.Fatal(err)
	}
	return list
}

// wantLive fails unless a user has that many live sessions.
func (s *site) wantLive(subject string, n int) {
	s.t.Helper()
	if got := len(s.live(subject)); got != n {
		s.t.Errorf("%s has %d live sessions, want %d", subject, got, n)
	}
}

// program is a client without a browser, which signed in over HTTP.
type program struct {
	site  *site
	login api.Login
}

// signInProgram signs in on the token channel.
func (s *site) signInProgram(name, device string) *program {
	s.t.Helper()
	p := &program{site: s}
	status, body := s.call("POST", "/v1/login", nil, api.LoginRequest{Username: name, Password: password, Channel: "token", Device: device})
	if status != http.StatusOK {
		s.t.Fatalf("signing in a program: %d %s", status, body)
	}
	if err := json.Unmarshal(body, &p.login); err != nil {
		s.t.Fatal(err)
	}
	return p
}

// do makes a call with the program's access token and returns the status.
func (p *program) do(method, path string, body any) int {
	p.site.t.Helper()
	status, _ := p.site.call(method, path, http.Header{"Authorization": {"Bearer " + p.login.AccessToken}}, body)
	return status
}

// want fails unless the program's next call has that status.
func (p *program) want(status int) {
	p.site.t.Helper()
	if got := p.do("GET", "/v1/session", nil); got != status {
		p.site.t.Errorf("the next call of %q: %d, want %d", p.login.Session.Device, got, status)
	}
}

// wantHandle fails unless a session cookie in anybody's hands has that status.
func (s *site) wantHandle(handle string, status int) {
	s.t.Helper()
	got, _ := s.call("GET", "/v1/session", http.Header{"Cookie": {cookieName + "=" + handle}}, nil)
	if got != status {
		s.t.Errorf("a call with the session cookie: %d, want %d", got, status)
	}
}

// call makes one request over HTTP, outside of the browser.
func (s *site) call(method, path string, header http.Header, body any) (int, []byte) {
	s.t.Helper()
	var b bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&b).Encode(body); err != nil {
			s.t.Fatal(err)
		}
	}
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, &b)
	if err != nil {
		s.t.Fatal(err)
	}
	for name, values := range header {
		r.Header[name] = values
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer bytes.Buffer
	if _, err := answer.ReadFrom(resp.Body); err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode, answer.Bytes()
}
