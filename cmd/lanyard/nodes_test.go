package main

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard/internal/engines"
)

// nodes are servers on one store, behind an address that sends each request to
// the next one.
type nodes struct {
	*process // the address in front
	args     []string

	mu   sync.Mutex
	each []*process
}

// node is the nth one, as often as all come round.
func (x *nodes) node(n int) *process {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.each[n%len(x.each)]
}

// startNodes starts n servers that share a data directory, a store and a
// directory.
func startNodes(t *testing.T, n int, store, directory string, args ...string) *nodes {
	t.Helper()
	var turn atomic.Uint64
	x := &nodes{process: &process{data: dataDir(t), out: newOutput()}}
	front := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			u, err := url.Parse(x.node(int(turn.Add(1))).url)
			if err != nil {
				panic(err)
			}
			r.SetURL(u)
			r.Out.Host = r.In.Host
			r.SetXForwarded()
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			http.Error(w, "no node answers: "+err.Error(), http.StatusBadGateway)
		},
	})
	t.Cleanup(front.Close)
	x.url = front.URL
	x.args = append([]string{"--store", store, "--directory", directory, "--issuer", front.URL, "--trusted-proxies", "127.0.0.1/32"}, args...)
	for range n {
		x.each = append(x.each, start(t, x.data, x.args...))
	}
	return x
}

// refusedEverywhere expects every node to refuse what a badge asks.
func (x *nodes) refusedEverywhere(t *testing.T, header string) {
	t.Helper()
	for i, p := range x.each {
		if got := p.send(t, "GET", "/v1/session?passive=1", "", header).status; got != http.StatusUnauthorized {
			t.Errorf("node %d answers a badge that has ended with %d", i, got)
		}
	}
}

// TestOneSessionOnManyNodes passes through the whole life of both badges with
// every request on another node.
//
// req: STORE-4
func TestOneSessionOnManyNodes(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(t *testing.T) (n int, store, directory string){
		"two nodes on PostgreSQL": func(t *testing.T) (int, string, string) {
			db := postgresServer.Get(t)
			return 2, db.Database(t), db.Database(t)
		},
		"three nodes on a Redis Cluster": func(t *testing.T) (int, string, string) {
			return 3, engines.RedisClusterOf(t, 3, 1).URL(), "sqlite"
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n, store, directory := open(t)
			x := startNodes(t, n, store, directory, "--refresh-retry-window", "1s")
			x.wholeLife(t)
			for i, p := range x.each {
				if code := p.stop(t); code != 0 {
					t.Errorf("node %d: exit code %d:\n%s", i, code, p.log)
				}
			}
		})
	}
}

func (x *nodes) wholeLife(t *testing.T) {
	t.Helper()
	origin := "Origin: " + x.url
	x.lanyard(t, goodPassword, "users", "add", "ada", "--password-stdin")
	admin, _ := x.addClient(t, "backend", "--administer", "--create-sessions")

	handle := x.login(t, "ada", goodPassword)
	tokens := func() (access, refresh, sid string) {
		r := x.send(t, "POST", "/v1/login", loginBody("ada", goodPassword, "token")).want(t, 200)
		return r.text(t, "access_token"), r.text(t, "refresh_token"), r.text(t, "session.sid")
	}
	renew := func(token string) reply {
		return x.send(t, "POST", "/oauth2/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}.Encode())
	}
	access, refresh, sid := tokens()
	for range 2 * len(x.each) {
		x.send(t, "GET", "/v1/session", "", cookieHeader(handle)).want(t, 200)
		x.send(t, "GET", "/v1/session", "", bearer(access)).want(t, 200)
	}
	list := x.send(t, "GET", "/v1/sessions", "", cookieHeader(handle)).want(t, 200)
	if n := len(list.object(t)["sessions"].([]any)); n != 2 {
		t.Fatalf("the list shows %d sessions, want 2: %s", n, list.body)
	}

	// Refreshed on one node, repeated on another, replayed on a third.
	next := renew(refresh).want(t, 200).text(t, "refresh_token")
	if again := renew(refresh).want(t, 200).text(t, "refresh_token"); again != next {
		t.Error("two nodes gave one refresh token two successors")
	}
	last := renew(next).want(t, 200)
	access = last.text(t, "access_token")
	time.Sleep(1100 * time.Millisecond) // past the retry window, of which the servers keep the time
	if got := renew(next).want(t, 400).text(t, "error"); got != "invalid_grant" {
		t.Errorf("a replayed refresh token: %s", got)
	}
	renew(last.text(t, "refresh_token")).want(t, 400)
	x.refusedEverywhere(t, bearer(access))
	history := x.send(t, "GET", "/v1/admin/sessions/"+sid, "", admin).want(t, 200)
	if !strings.Contains(history.body, `"refresh_reuse"`) {
		t.Errorf("the history does not say why the session ended: %s", history.body)
	}
	x.send(t, "GET", "/v1/session", "", cookieHeader(handle)).want(t, 200)

	// One session ends the other.
	access, refresh, sid = tokens()
	x.send(t, "DELETE", "/v1/sessions/"+sid, "", cookieHeader(handle), origin).want(t, 204)
	x.refusedEverywhere(t, bearer(access))
	renew(refresh).want(t, 400)

	// Application data from many tabs through all nodes at once: nothing is lost.
	const tabs = 12
	var all sync.WaitGroup
	for i := range tabs {
		all.Go(func() {
			r, err := x.try("PATCH", "/v1/session/data", `{"n`+strconv.Itoa(i)+`":1}`, cookieHeader(handle), origin)
			if err != nil || r.status != http.StatusOK {
				t.Errorf("tab %d: %v %d %s", i, err, r.status, r.body)
			}
		})
	}
	all.Wait()
	data := x.send(t, "GET", "/v1/session/data", "", cookieHeader(handle)).want(t, 200)
	for i := range tabs {
		if !strings.Contains(data.body, `"n`+strconv.Itoa(i)+`":1`) {
			t.Errorf("n%d was lost: %s", i, data.body)
		}
	}

	// A hand-off begun on one node is redeemed on another, once.
	code := x.send(t, "POST", "/v1/session/handoff", `{"channel":"token"}`, cookieHeader(handle), origin).want(t, 200).text(t, "code")
	linked := x.send(t, "POST", "/v1/session/redeem", `{"code":"`+code+`"}`).want(t, 200).text(t, "access_token")
	x.send(t, "POST", "/v1/session/redeem", `{"code":"`+code+`"}`).want(t, 400)

	x.send(t, "POST", "/v1/logout", "", cookieHeader(handle), origin).want(t, 204)
	x.refusedEverywhere(t, cookieHeader(handle))
	x.refusedEverywhere(t, bearer(linked))

	// The end of everything of a subject, from outside.
	handle = x.login(t, "ada", goodPassword)
	access, _, _ = tokens()
	x.send(t, "POST", "/v1/admin/revoke", `{"subject":"ada"}`, admin).want(t, 200)
	x.refusedEverywhere(t, cookieHeader(handle))
	x.refusedEverywhere(t, bearer(access))

	// A signing key made by one node signs for all, and no token is refused.
	access, _, _ = tokens()
	x.send(t, "POST", "/v1/admin/keys/rotate", "", admin).want(t, 200)
	for range 2 * len(x.each) {
		x.send(t, "GET", "/v1/session", "", bearer(access)).want(t, 200)
	}
}
