package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard/internal/engines"
)

// What the tests of this file do to a store or a node while work goes on, none
// of it may sign anybody out, lose a start or an end that was reported, or need
// a restart afterwards. While the store is away the answer is 503.

// steady starts and ends sessions of one subject through all nodes. It goes on
// over answers of 503, whose outcome nobody was told.
type steady struct {
	x       *nodes
	client  string
	subject string
	known   []*acknowledged
	odd     []string
	good    atomic.Int64 // answers
	away    atomic.Int64 // answers of 503
}

// call makes one request; ok means that it was answered as it should.
func (s *steady) call(p *process, method, path, body string, status int) (reply, bool) {
	r, err := request(p.url, method, path, body, s.client)
	switch {
	case err != nil:
		return r, false // a node that was killed
	case r.status == http.StatusServiceUnavailable:
		s.away.Add(1)
		if r.header.Get("Retry-After") == "" || r.header.Get("Set-Cookie") != "" {
			s.odd = append(s.odd, fmt.Sprintf("%s: 503 with Retry-After %q and Set-Cookie %q", r.request, r.header.Get("Retry-After"), r.header.Get("Set-Cookie")))
		}
		return r, false
	case r.status != status:
		s.odd = append(s.odd, fmt.Sprintf("%s: %d, want %d: %s", r.request, r.status, status, r.body))
		return r, false
	}
	s.good.Add(1)
	return r, true
}

func (s *steady) run(t *testing.T, stop <-chan struct{}) {
	for n := 1; ; n++ {
		select {
		case <-stop:
			return
		default:
		}
		p := s.x.node(n)
		r, ok := s.call(p, "POST", "/v1/admin/sessions", `{"subject":"`+s.subject+`","amr":["pwd"],"channel":"cookie"}`, http.StatusOK)
		if !ok {
			time.Sleep(5 * time.Millisecond) // as a client that was told to come back later
			continue
		}
		_, value, _ := strings.Cut(r.text(t, "cookie.set_cookie"), "=")
		value, _, _ = strings.Cut(value, ";")
		one := &acknowledged{sid: r.text(t, "session.sid"), handle: value}
		s.known = append(s.known, one)
		if n%2 == 0 {
			one.ending = true
			p = s.x.node(n / 2)
			// An end whose answer was lost may have happened: then there is nothing
			// to end any more, which is fine.
			if _, ok := s.call(p, "DELETE", "/v1/admin/sessions/"+one.sid, "", http.StatusOK); ok {
				one.ended = true
			}
		}
	}
}

// refresher is an honest client: it exchanges its refresh token again and again,
// and repeats the call when it got no answer.
type refresher struct {
	x        *nodes
	token    string
	rotated  atomic.Int64
	repeated int
	odd      string
}

func (f *refresher) run(stop <-chan struct{}) {
	body := func() string {
		return url.Values{"grant_type": {"refresh_token"}, "refresh_token": {f.token}}.Encode()
	}
	for n := 0; ; n++ {
		select {
		case <-stop:
			return
		case <-time.After(300 * time.Millisecond):
		}
		r, err := request(f.x.node(n).url, "POST", "/oauth2/token", body())
		var answer struct {
			Next string `json:"refresh_token"`
		}
		switch {
		case err != nil, r.status == http.StatusServiceUnavailable, r.status == http.StatusTooManyRequests:
			f.repeated++
		case r.status == http.StatusOK && json.Unmarshal([]byte(r.body), &answer) == nil && answer.Next != "":
			f.token = answer.Next
			f.rotated.Add(1)
		default:
			f.odd = fmt.Sprintf("after %d rotations and %d repeats: %d %s", f.rotated.Load(), f.repeated, r.status, r.body)
			return
		}
	}
}

// through runs a fault under load and then looks whether everything holds.
func (x *nodes) through(t *testing.T, fault func(t *testing.T)) {
	t.Helper()
	x.lanyard(t, goodPassword, "users", "add", "ada", "--password-stdin")
	client, _ := x.addClient(t, "backend", "--administer", "--create-sessions")
	handle := x.login(t, "ada", goodPassword)
	r := x.send(t, "POST", "/v1/login", loginBody("ada", goodPassword, "token")).want(t, 200)
	access, refresh := r.text(t, "access_token"), r.text(t, "refresh_token")

	stop := make(chan struct{})
	workers := make([]*steady, 4)
	var all sync.WaitGroup
	for i := range workers {
		workers[i] = &steady{x: x, client: client, subject: fmt.Sprintf("user%d", i)}
		all.Go(func() { workers[i].run(t, stop) })
	}
	honest := make([]*refresher, 2)
	for i := range honest {
		r := x.send(t, "POST", "/v1/login", loginBody("ada", goodPassword, "token")).want(t, 200)
		honest[i] = &refresher{x: x, token: r.text(t, "refresh_token")}
		all.Go(func() { honest[i].run(stop) })
	}
	progress := func() (n int64) {
		for _, w := range workers {
			n += w.good.Load()
		}
		return n
	}
	await := func(what string, more int64) {
		t.Helper()
		limit := time.Now().Add(patience)
		for from := progress(); progress() < from+more; {
			if time.Now().After(limit) {
				for _, p := range x.each {
					t.Logf("a node's log:\n%s", tail(p.log.String()))
				}
				t.Fatalf("%s: nothing is answered any more", what)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	func() {
		defer func() { close(stop); all.Wait() }()
		await("before the fault", 50)
		fault(t)
		await("after the fault", 100)
		// Each honest client gets through again.
		for _, f := range honest {
			from := f.rotated.Load()
			for limit := time.Now().Add(patience); f.rotated.Load() == from && time.Now().Before(limit); {
				time.Sleep(10 * time.Millisecond)
			}
			if f.rotated.Load() == from {
				t.Error("an honest client cannot refresh after the fault")
			}
		}
	}()

	live, ended, away := 0, 0, int64(0)
	for _, w := range workers {
		for _, odd := range w.odd {
			t.Error(odd)
		}
		away += w.away.Load()
		for i, p := range x.each {
			l, e := check(t, p.settledHandle, i, w.known)
			live, ended = live+l, ended+e
		}
	}
	t.Logf("%d reported starts and %d reported ends hold, %d answers of 503", live/len(x.each), ended/len(x.each), away)

	for _, f := range honest {
		if f.odd != "" || f.rotated.Load() == 0 {
			t.Errorf("an honest client with %d rotations was signed out: %s", f.rotated.Load(), f.odd)
		}
		t.Logf("a client exchanged its refresh token %d times and repeated %d calls", f.rotated.Load(), f.repeated)
	}

	// Whoever was signed in before is signed in now, by either badge.
	for i, p := range x.each {
		if got := p.settled(t, cookieHeader(handle)); got != http.StatusOK {
			t.Errorf("node %d: the cookie of before gets %d", i, got)
		}
		if got := p.settled(t, bearer(access)); got != http.StatusOK {
			t.Errorf("node %d: the access token of before gets %d", i, got)
		}
	}
	last := reply{status: http.StatusServiceUnavailable}
	for limit := time.Now().Add(patience); last.status == http.StatusServiceUnavailable && time.Now().Before(limit); {
		last = x.send(t, "POST", "/oauth2/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}}.Encode())
	}
	last.want(t, 200)
}

// settled tells the status that a badge gets once the store answers.
func (p *process) settled(t testing.TB, header string) int {
	t.Helper()
	got := http.StatusServiceUnavailable
	for limit := time.Now().Add(patience); got == http.StatusServiceUnavailable && time.Now().Before(limit); {
		got = p.send(t, "GET", "/v1/session?passive=1", "", header).status
	}
	return got
}

func (p *process) settledHandle(t testing.TB, handle string) int {
	t.Helper()
	return p.settled(t, cookieHeader(handle))
}

func tail(log string) string {
	lines := strings.Split(strings.TrimSpace(log), "\n")
	return strings.Join(lines[max(0, len(lines)-15):], "\n")
}

// req: STORE-7, REVOKE-12
func TestNobodyIsSignedOutByWhatHappensToPostgreSQL(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]func(t *testing.T, db *engines.PostgresServer, way *line, x *nodes){
		"killed": func(t *testing.T, db *engines.PostgresServer, way *line, x *nodes) {
			db.Kill(t)
			time.Sleep(2 * time.Second)
			startAgain(t, db.Start)
		},
		"restarted": func(t *testing.T, db *engines.PostgresServer, way *line, x *nodes) {
			db.Restart(t)
		},
		"stopped for a while": func(t *testing.T, db *engines.PostgresServer, way *line, x *nodes) {
			db.Pause(t)
			time.Sleep(5 * time.Second)
			db.Continue(t)
		},
		"cut off": func(t *testing.T, db *engines.PostgresServer, way *line, x *nodes) {
			way.set(cut)
			time.Sleep(3 * time.Second)
			way.set(whole)
		},
		"on a line that swallows everything": func(t *testing.T, db *engines.PostgresServer, way *line, x *nodes) {
			way.set(stalled)
			time.Sleep(5 * time.Second)
			way.set(whole)
		},
		"served by a node that is killed": func(t *testing.T, db *engines.PostgresServer, way *line, x *nodes) {
			x.replace(t, 0)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := engines.Postgres(t, "fsync=on")
			u, err := url.Parse(db.Database(t))
			if err != nil {
				t.Fatal(err)
			}
			way := newLine(t, u.Host)
			u.Host = way.Addr()
			x := startNodes(t, 2, u.String(), "sqlite")
			x.through(t, func(t *testing.T) { fault(t, db, way, x) })
		})
	}
}

func TestNobodyIsSignedOutByWhatHappensToRedis(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]func(t *testing.T, db *engines.RedisServer, way *line, x *nodes){
		"killed": func(t *testing.T, db *engines.RedisServer, way *line, x *nodes) {
			db.Kill(t)
			time.Sleep(2 * time.Second)
			startAgain(t, db.Start)
		},
		"stopped for a while": func(t *testing.T, db *engines.RedisServer, way *line, x *nodes) {
			db.Pause(t)
			time.Sleep(5 * time.Second)
			db.Continue(t)
		},
		"cut off": func(t *testing.T, db *engines.RedisServer, way *line, x *nodes) {
			way.set(cut)
			time.Sleep(3 * time.Second)
			way.set(whole)
		},
		"on a line that swallows everything": func(t *testing.T, db *engines.RedisServer, way *line, x *nodes) {
			way.set(stalled)
			time.Sleep(5 * time.Second)
			way.set(whole)
		},
		"served by a node that is killed": func(t *testing.T, db *engines.RedisServer, way *line, x *nodes) {
			x.replace(t, 1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := engines.Redis(t, "appendonly=yes", "appendfsync=always")
			way := newLine(t, db.Addr)
			x := startNodes(t, 2, "redis://"+way.Addr(), "sqlite")
			x.through(t, func(t *testing.T) { fault(t, db, way, x) })
		})
	}
}

func startAgain(t *testing.T, start func() error) {
	t.Helper()
	if err := start(); err != nil {
		t.Error(err)
	}
}

// replace kills a node and starts another in its place.
func (x *nodes) replace(t *testing.T, i int) {
	t.Helper()
	x.each[i].crash(t)
	time.Sleep(time.Second)
	p := start(t, x.data, x.args...)
	x.mu.Lock()
	defer x.mu.Unlock()
	x.each[i] = p
}

func TestNobodyIsSignedOutByWhatHappensToACluster(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]func(t *testing.T, c *engines.RedisCluster){
		// A replica that is told to take over waits until it has everything.
		"handed over to its replicas": func(t *testing.T, c *engines.RedisCluster) {
			for _, primary := range c.Nodes[:3] {
				c.ReplicaOf(t, primary).Command(t, "cluster", "failover")
				time.Sleep(time.Second)
			}
		},
		"whose slots move": func(t *testing.T, c *engines.RedisCluster) {
			from, to := c.Nodes[0], c.Nodes[1]
			id := func(n *engines.RedisServer) string { return strings.TrimSpace(n.Command(t, "cluster", "myid")) }
			from.Command(t, "--cluster", "reshard", from.Addr, "--cluster-from", id(from), "--cluster-to", id(to),
				"--cluster-slots", "300", "--cluster-yes")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := engines.RedisClusterOf(t, 3, 1, "appendonly=yes", "appendfsync=always")
			x := startNodes(t, 2, c.URL(), "sqlite")
			x.through(t, func(t *testing.T) { fault(t, c) })
		})
	}
}

// TestAClusterLosesAPrimary kills one. What its replica had not heard of yet may
// be lost, as docs/redis.md says; all that is older holds, and work goes on
// without a restart of anything.
func TestAClusterLosesAPrimary(t *testing.T) {
	t.Parallel()
	c := engines.RedisClusterOf(t, 3, 1, "appendonly=yes", "appendfsync=always")
	x := startNodes(t, 2, c.URL(), "sqlite")
	client, _ := x.addClient(t, "backend", "--administer", "--create-sessions")
	var old []*acknowledged
	for i := range 60 { // over all partitions, and so over all primaries
		r := x.send(t, "POST", "/v1/admin/sessions", fmt.Sprintf(`{"subject":"user%d","amr":["pwd"],"channel":"cookie"}`, i), client).want(t, 200)
		_, value, _ := strings.Cut(r.text(t, "cookie.set_cookie"), "=")
		value, _, _ = strings.Cut(value, ";")
		one := &acknowledged{sid: r.text(t, "session.sid"), handle: value, ended: i%3 == 0, ending: i%3 == 0}
		if one.ended {
			x.send(t, "DELETE", "/v1/admin/sessions/"+one.sid, "", client).want(t, 200)
		}
		old = append(old, one)
	}
	time.Sleep(time.Second) // replicas are at most this far behind here
	c.Nodes[0].Kill(t)
	limit := time.Now().Add(patience)
	for _, one := range old {
		for x.send(t, "GET", "/v1/session?passive=1", "", cookieHeader(one.handle)).status == http.StatusServiceUnavailable {
			if time.Now().After(limit) {
				t.Fatal("the cluster has not recovered")
			}
			time.Sleep(100 * time.Millisecond)
		}
	}
	for i, p := range x.each {
		live, ended := check(t, p.settledHandle, i, old)
		if live != 40 || ended != 20 {
			t.Errorf("node %d: %d live and %d ended were checked", i, live, ended)
		}
	}
	x.send(t, "POST", "/v1/admin/sessions", `{"subject":"new","amr":["pwd"],"channel":"cookie"}`, client).want(t, 200)
}

// TestAStoreThatForgotSignsNobodyOut puts a store back to what it was a while
// ago, as a failover to a replica that was behind does: clients hold refresh
// tokens that it has not heard of, and go on.
func TestAStoreThatForgotSignsNobodyOut(t *testing.T) {
	t.Parallel()
	db := engines.Redis(t, "appendonly=no")
	x := startNodes(t, 2, db.URL(), "sqlite")
	x.lanyard(t, goodPassword, "users", "add", "ada", "--password-stdin")
	r := x.send(t, "POST", "/v1/login", loginBody("ada", goodPassword, "token")).want(t, 200)
	sid := r.text(t, "session.sid")
	refresh := func(n int) {
		t.Helper()
		for range n {
			r = x.send(t, "POST", "/oauth2/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {r.text(t, "refresh_token")}}.Encode()).want(t, 200)
		}
	}
	refresh(2)
	db.Command(t, "save")
	refresh(3)
	db.Kill(t)
	startAgain(t, db.Start)
	for x.send(t, "GET", "/readyz", "").status != http.StatusOK {
		time.Sleep(50 * time.Millisecond)
	}
	refresh(3)
	x.send(t, "GET", "/v1/session", "", bearer(r.text(t, "access_token"))).want(t, 200)
	client, _ := x.addClient(t, "backend", "--administer")
	events := x.send(t, "GET", "/v1/admin/sessions/"+sid, "", client).want(t, 200)
	if !strings.Contains(events.body, "store_regressed") {
		t.Errorf("the history does not say that the store had forgotten: %s", events.body)
	}
}
