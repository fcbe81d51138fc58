package server

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/audit"
	"github.com/lanyard-go/lanyard/internal/directory"
	"github.com/lanyard-go/lanyard/password"
)

// clock is a time source that only the test moves, unless it is a real one:
// deadlines of connections are by the machine's clock.
type clock struct {
	ms   atomic.Int64
	real bool
}

func (c *clock) Now() time.Time {
	if c.real {
		return time.Now()
	}
	return time.UnixMilli(c.ms.Load()).UTC()
}
func (c *clock) advance(d time.Duration) { c.ms.Add(d.Milliseconds()) }

// strictly lets the clock run while do waits for leases to run out.
func (x *site) strictly(do func() *answer) *answer {
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
				x.clock.advance(10 * time.Millisecond)
			}
		}
	}()
	return do()
}

// site is a server that listens, with users ada and bob and the administrator
// root.
type site struct {
	t     *testing.T
	s     *Server
	clock *clock
	url   string // as its visitors know it
	front *httptest.Server
	back  *httptest.Server // with AdminListen
	http  *http.Client
	known *lockedLog // everything that was answered
	ids   int        // of assertions, so far
}

const goodPassword = "correct horse battery staple"

// knownHash is made once: hashing is what logins cost, and most tests need only
// the user.
var knownHash = sync.OnceValue(func() string {
	h, err := password.New(password.Config{})
	if err != nil {
		panic(err)
	}
	hash, err := h.Hash(context.Background(), goodPassword)
	if err != nil {
		panic(err)
	}
	return hash
})

// defaults are the settings that lanyard serve has when nothing is set.
func defaults(dir string) Config {
	return Config{
		Listen: "127.0.0.1:0", Data: dir, Store: "sqlite", Profile: "standard", RevocationBound: 2 * time.Second,
		ServiceName: "lanyard", PasswordMinLength: 15, LogLevel: "info", LogFormat: "text", ShutdownTimeout: time.Second,
	}
}

var testDrivers = Drivers{SQLite: func(dsn string) (*sql.DB, error) { return sql.Open("sqlite", dsn) }}

// newSite opens a server with the settings that change makes of the defaults.
func newSite(t *testing.T, change ...func(*Config)) *site {
	t.Helper()
	c := &clock{}
	c.ms.Store(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).UnixMilli())
	return openSite(t, c, change...)
}

// newLiveSite is one that goes by the machine's clock and follows its own feed.
func newLiveSite(t *testing.T, change ...func(*Config)) *site {
	t.Helper()
	x := openSite(t, &clock{real: true}, change...)
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { x.s.m.Run(ctx) })
	t.Cleanup(func() { stop(); running.Wait() })
	for state, _ := x.s.m.Node(); state.Lease == 0; state, _ = x.s.m.Node() {
		time.Sleep(time.Millisecond)
	}
	return x
}

func openSite(t *testing.T, clock *clock, change ...func(*Config)) *site {
	t.Helper()
	cfg := defaults(t.TempDir())
	for _, c := range change {
		c(&cfg)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	x := &site{t: t, clock: clock, known: &lockedLog{}}
	x.s, err = Open(t.Context(), cfg, Options{Drivers: testDrivers, Now: x.clock.Now, Addr: l.Addr(), Logs: x.known})
	if err != nil {
		t.Fatal(err)
	}
	var lines strings.Builder
	for _, name := range []string{"ada", "bob", "root"} {
		fmt.Fprintf(&lines, "{\"name\":%q,\"hash\":%q,\"admin\":%v}\n", name, knownHash(), name == "root")
	}
	if _, err := x.s.dir.ImportUsers(t.Context(), strings.NewReader(lines.String())); err != nil {
		t.Fatal(err)
	}
	x.front = serveOn(l, x.s.httpServer(x.s.Handler()))
	x.url = x.s.Issuer()
	if x.s.AdminHandler() != nil {
		al, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		x.back = serveOn(al, x.s.httpServer(x.s.AdminHandler()))
	}
	x.http = x.client(l.Addr().String())
	t.Cleanup(func() {
		x.s.Drain() // streams stay open until then
		x.http.CloseIdleConnections()
		x.front.Close()
		if x.back != nil {
			x.back.Close()
		}
		if err := x.s.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	return x
}

func serveOn(l net.Listener, srv *http.Server) *httptest.Server {
	ts := &httptest.Server{Listener: l, Config: srv}
	ts.Start()
	return ts
}

// client reaches one listener, whatever host is asked for, and follows nothing.
func (x *site) client(addr string) *http.Client {
	return &http.Client{
		Timeout:       time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DisableCompression: true,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				var d net.Dialer
				return d.DialContext(ctx, "tcp", addr)
			},
		},
	}
}

// answer is what came back, read to its end.
type answer struct {
	t      *testing.T
	status int
	header http.Header
	body   string
	asked  string
}

// option changes a request before it is sent.
type option func(*http.Request)

func header(name, value string) option { return func(r *http.Request) { r.Header.Set(name, value) } }
func also(name, value string) option   { return func(r *http.Request) { r.Header.Add(name, value) } }
func basicAuth(id, secret string) option {
	return func(r *http.Request) { r.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(secret)) }
}

// call sends a request: body is a form, text of the Content-Type that options
// say, or something that becomes JSON. The answer is held against openapi.yaml.
func (x *site) call(method, target string, body any, options ...option) *answer {
	x.t.Helper()
	return x.callAt(x.http, method, target, body, options...)
}

func (x *site) callAt(c *http.Client, method, target string, body any, options ...option) *answer {
	x.t.Helper()
	r, err := http.NewRequest(method, x.url+target, nil)
	if err != nil {
		x.t.Fatal(err)
	}
	setBody(x.t, r, body)
	for _, o := range options {
		o(r)
	}
	res, err := c.Do(r)
	if err != nil {
		x.t.Fatalf("%s %s: %v", method, target, err)
	}
	return x.received(r, res)
}

func setBody(t *testing.T, r *http.Request, body any) {
	t.Helper()
	var text string
	switch b := body.(type) {
	case nil:
		return
	case string:
		text = b
	case url.Values:
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		text = b.Encode()
	default:
		raw, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		text = string(raw)
	}
	r.Body = io.NopCloser(strings.NewReader(text))
	r.ContentLength = int64(len(text))
}

func (x *site) received(r *http.Request, res *http.Response) *answer {
	x.t.Helper()
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		x.t.Fatalf("%s %s: reading the answer: %v", r.Method, r.URL, err)
	}
	a := &answer{t: x.t, status: res.StatusCode, header: res.Header, body: string(raw), asked: r.Method + " " + r.URL.RequestURI()}
	for _, problem := range contract().check(r.Method, r.URL.Path, a) {
		x.t.Errorf("%s: answer %d is not as openapi.yaml says: %s", a.asked, a.status, problem)
	}
	return a
}

// direct hands a request to the handler as if it had come from an address.
func (x *site) direct(from, method, target string, body any, options ...option) *answer {
	x.t.Helper()
	r := httptest.NewRequest(method, x.url+target, nil)
	r.TLS = nil
	r.RemoteAddr = from
	setBody(x.t, r, body)
	for _, o := range options {
		o(r)
	}
	rec := httptest.NewRecorder()
	x.s.Handler().ServeHTTP(rec, r)
	return x.received(r, rec.Result())
}

// want fails the test unless the status, and the error code if one is given,
// are these.
func (a *answer) want(status int, code ...string) *answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("%s: got %d %s, want %d", a.asked, a.status, a.body, status)
	}
	if len(code) > 0 && a.code() != code[0] {
		a.t.Fatalf("%s: got %s, want the code %s", a.asked, a.body, code[0])
	}
	return a
}

func (a *answer) code() string {
	var e struct {
		Code string `json:"error"`
	}
	json.Unmarshal([]byte(a.body), &e)
	return e.Code
}

func (a *answer) json(v any) {
	a.t.Helper()
	if err := json.Unmarshal([]byte(a.body), v); err != nil {
		a.t.Fatalf("%s: %v in %s", a.asked, err, a.body)
	}
}

// field reads one text out of a JSON answer, by a path of names.
func (a *answer) field(names ...string) string {
	a.t.Helper()
	var v any
	a.json(&v)
	for _, name := range names {
		m, ok := v.(map[string]any)
		if !ok {
			a.t.Fatalf("%s: no %v in %s", a.asked, names, a.body)
		}
		v = m[name]
	}
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

// setCookie returns the value of a cookie that the answer sets.
func (a *answer) setCookie(name string) (value string, found bool) {
	for _, c := range (&http.Response{Header: a.header}).Cookies() {
		if c.Name == name {
			return c.Value, true
		}
	}
	return "", false
}

// badge is a session held by a client.
type badge struct {
	sid, cookie, csrf, access, refresh string
	origin                             string
}

func (x *site) badgeOf(a *answer) *badge {
	x.t.Helper()
	a.want(200)
	b := &badge{sid: a.field("session", "sid"), csrf: a.field("csrf_token"), access: a.field("access_token"), refresh: a.field("refresh_token"), origin: x.url}
	b.cookie, _ = a.setCookie(x.s.m.CookieName())
	return b
}

// login signs in with the password.
func (x *site) login(name, channel string, options ...option) *badge {
	x.t.Helper()
	return x.badgeOf(x.call("POST", "/v1/login", map[string]string{"username": name, "password": goodPassword, "channel": channel, "device": "test " + channel}, options...))
}

// signedIn makes the session that a login would make, without its hashing.
func (x *site) signedIn(name, channel string) *badge {
	x.t.Helper()
	c, _ := lanyard.ParseChannel(channel)
	g, err := x.s.m.Start(x.t.Context(), lanyard.Login{Subject: name, Methods: []string{"pwd"}, Class: classPassword, Channel: c, UserAgent: "Go-http-client/1.1", IP: "127.0.0.1"})
	if err != nil {
		x.t.Fatal(err)
	}
	b := &badge{sid: g.Session.SID().String(), cookie: g.Handle.Reveal(), access: g.Access.Reveal(), refresh: g.Refresh.Reveal(), origin: x.url}
	if channel == "cookie" {
		if b.csrf, err = x.s.m.CSRFToken(g.Session); err != nil {
			x.t.Fatal(err)
		}
	}
	return b
}

// as presents a badge the way its client does: a cookie with the headers of the
// own pages, or a token.
func (x *site) as(b *badge) option {
	return func(r *http.Request) {
		if b.access != "" {
			r.Header.Set("Authorization", "Bearer "+b.access)
			return
		}
		r.Header.Set("Cookie", x.s.m.CookieName()+"="+b.cookie)
		r.Header.Set("Origin", b.origin)
	}
}

// refresh exchanges a refresh token.
func (x *site) refresh(token string, options ...option) *answer {
	x.t.Helper()
	return x.call("POST", "/oauth2/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}, options...)
}

// program registers a client and returns its secret.
func (x *site) program(c directory.Client) string {
	x.t.Helper()
	secret, err := x.s.dir.AddClient(x.t.Context(), c)
	if err != nil {
		x.t.Fatal(err)
	}
	return secret.Reveal()
}

// ownToken is a program's token for its own calls.
func (x *site) ownToken(id, secret string) *badge {
	x.t.Helper()
	a := x.call("POST", "/oauth2/token", url.Values{"grant_type": {"client_credentials"}}, basicAuth(id, secret)).want(200)
	return &badge{access: a.field("access_token"), origin: x.url}
}

// events lists the audit trail of a session as NAME or NAME:REASON.
func (x *site) events(sid string) []string {
	x.t.Helper()
	records, err := x.s.trail.Query(audit.Filter{SID: sid, Limit: 1000})
	if err != nil {
		x.t.Fatal(err)
	}
	var out []string
	for _, r := range records {
		name := string(r.Event.Name)
		if r.Event.Reason != "" {
			name += ":" + r.Event.Reason
		}
		out = append(out, name)
	}
	return out
}

// live counts the sessions that are not over, of one subject or of everybody.
func (x *site) live(subject string) int {
	x.t.Helper()
	list, _, err := x.s.m.List(x.t.Context(), lanyard.Query{Subject: subject, LiveAt: lanyard.TimeOf(x.clock.Now()), Limit: 1000})
	if err != nil {
		x.t.Fatal(err)
	}
	return len(list)
}

// lockedLog collects what concurrent requests log.
type lockedLog struct {
	mu   sync.Mutex
	b    bytes.Buffer
	word string
	do   func()
}

func (l *lockedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	var do func()
	if l.do != nil && bytes.Contains(p, []byte(l.word)) {
		do, l.do = l.do, nil
	}
	n, err := l.b.Write(p)
	l.mu.Unlock()
	if do != nil {
		do()
	}
	return n, err
}

// when calls do once, at the first line with the word in it, in the middle of
// the request that logs it. Do must not log anything.
func (l *lockedLog) when(word string, do func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.word, l.do = word, do
}

func (l *lockedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
