package server

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/api"
	"github.com/lanyard-go/lanyard/internal/directory"
	"github.com/lanyard-go/lanyard/revocation"
)

// stream is an open feed, read as any program would.
type stream struct {
	t    *testing.T
	res  *http.Response
	in   *bufio.Scanner
	stop context.CancelFunc
}

type feedEvent struct {
	name, id string
	data     struct {
		N       int    `json:"n"`
		Issuer  string `json:"issuer"`
		Bound   int    `json:"bound_ms"`
		Reason  string `json:"reason"`
		Entries []struct {
			Kind    string `json:"kind"`
			SID     string `json:"sid"`
			Subject string `json:"subject"`
			KID     string `json:"kid"`
			Reason  string `json:"reason"`
		} `json:"entries"`
	}
}

func (x *site) follow(target string, options ...option) *stream {
	x.t.Helper()
	ctx, stop := context.WithCancel(x.t.Context())
	r, err := http.NewRequestWithContext(ctx, "GET", x.url+target, nil)
	if err != nil {
		x.t.Fatal(err)
	}
	for _, o := range options {
		o(r)
	}
	res, err := x.http.Do(r)
	if err != nil {
		x.t.Fatal(err)
	}
	f := &stream{x.t, res, bufio.NewScanner(res.Body), stop}
	x.t.Cleanup(f.close)
	if got := res.Header.Get("Content-Type"); res.StatusCode != 200 || !strings.HasPrefix(got, "text/event-stream") || res.Header.Get("Cache-Control") != "no-store" {
		x.t.Fatalf("the stream begins with %d %v", res.StatusCode, res.Header)
	}
	return f
}

func (f *stream) close() { f.stop(); f.res.Body.Close() }

// next returns the next event, false at the end of the stream.
func (f *stream) next() (e feedEvent, ok bool) {
	f.t.Helper()
	var data []string
	for f.in.Scan() {
		field, value, _ := strings.Cut(f.in.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "event":
			e.name = value
		case "id":
			e.id = value
		case "data":
			data = append(data, value)
		case "":
			if f.in.Text() != "" {
				continue // a comment
			}
			if err := json.Unmarshal([]byte(strings.Join(data, "\n")), &e.data); err != nil {
				f.t.Fatalf("%v in %q", err, data)
			}
			return e, true
		}
	}
	return e, false
}

// until reads on to an event of a name.
func (f *stream) until(name string) feedEvent {
	f.t.Helper()
	for {
		e, ok := f.next()
		if !ok {
			f.t.Fatalf("the stream ended before %s: %v", name, f.in.Err())
		}
		if e.name == name {
			return e
		}
	}
}

// ends fails the test if the stream goes on for long.
func (f *stream) ends() {
	f.t.Helper()
	defer time.AfterFunc(20*time.Second, f.stop).Stop()
	for {
		if _, ok := f.next(); !ok {
			break
		}
	}
	if err := f.in.Err(); err != nil {
		f.t.Fatalf("the stream did not end by itself: %v", err)
	}
}

// poll asks again until ok, or fails the test.
func (x *site) poll(what string, ok func() bool) {
	x.t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			x.t.Fatalf("not within 20 s: %s", what)
		}
	}
}

// snapshotCursor takes a snapshot as a follower that starts does.
func (x *site) snapshotCursor(o option) string {
	x.t.Helper()
	a := x.call("GET", "/v1/revocations/snapshot", nil, o).want(200)
	snap, err := revocation.ReadSnapshot(strings.NewReader(a.body), 1000)
	if err != nil || snap.Issuer != x.url {
		x.t.Fatalf("the snapshot: %+v, %v", snap, err)
	}
	return snap.Cursor
}

// Each end is on the feed exactly once, with its reason, for whoever is there and
// for whoever comes back.
//
// req: REVOKE-23
func TestEndsAreOnTheFeedOverHTTP(t *testing.T) {
	x := newLiveSite(t)
	secret := x.program(directory.Client{ID: "orders", Grants: allGrants, MayFollow: true})
	orders := basicAuth("orders", secret)
	gone := x.signedIn("ada", "token")
	x.call("DELETE", "/v1/admin/sessions/"+gone.sid, nil, x.as(x.signedIn("root", "token"))).want(200)

	// A follower with a cursor of elsewhere is sent for a snapshot.
	for _, elsewhere := range []option{header("Last-Event-ID", "elsewhere"), func(r *http.Request) { r.URL.RawQuery = "after=elsewhere" }} {
		cold := x.follow("/v1/revocations", orders, elsewhere)
		if hello, _ := cold.next(); hello.name != "hello" || hello.data.N != 0 || hello.data.Issuer != x.url || hello.data.Bound != 2000 {
			t.Fatalf("the first event is %+v", hello)
		}
		if e, _ := cold.next(); e.name != "resync" || e.data.N != 1 {
			t.Fatalf("a cursor of elsewhere is answered with %+v", e)
		}
		cold.ends()
	}
	start := x.snapshotCursor(orders)
	live := x.follow("/v1/revocations?after="+start, orders)
	if e := live.until("heartbeat"); e.id != start || e.data.Issuer != x.url {
		t.Errorf("the heartbeat is %+v, the snapshot's cursor %s", e, start)
	}
	ended := map[string]lanyard.Reason{}
	for _, how := range []lanyard.Reason{lanyard.ReasonLogout, lanyard.ReasonAdmin} {
		b := x.signedIn("bob", "token")
		ended[b.sid] = how
		if how == lanyard.ReasonLogout {
			x.call("POST", "/v1/logout", nil, x.as(b)).want(204)
		} else {
			x.call("DELETE", "/v1/admin/sessions/"+b.sid, nil, x.as(x.signedIn("root", "token"))).want(200)
		}
	}
	read := func(f *stream) (last string, at int) {
		t.Helper()
		seen := map[string]bool{}
		for len(seen) < len(ended) {
			e := f.until("revoked")
			for _, one := range e.data.Entries {
				if seen[one.SID] || one.Kind != "session" || one.Reason != string(ended[one.SID]) {
					t.Errorf("on the feed is %+v", one)
				}
				seen[one.SID] = true
			}
			last, at = e.id, e.data.N
		}
		return last, at
	}
	last, n := read(live)
	if n < 2 {
		t.Errorf("the last event has the number %d", n)
	}
	// Whoever comes back gets the same, by either way to name the cursor, and
	// nothing twice.
	read(x.follow("/v1/revocations?after="+start, basicAuth("orders", secret)))
	read(x.follow("/v1/revocations", orders, header("Last-Event-ID", start)))
	b := x.signedIn("ada", "cookie")
	back := x.follow("/v1/revocations", orders, header("Last-Event-ID", last))
	x.call("POST", "/v1/logout", nil, x.as(b)).want(204)
	if e := back.until("revoked"); len(e.data.Entries) != 1 || e.data.Entries[0].SID != b.sid {
		t.Errorf("after the last cursor comes %+v", e)
	}
}

func TestWhoMayFollowTheFeed(t *testing.T) {
	x := newLiveSite(t)
	secret := x.program(directory.Client{ID: "orders", Grants: allGrants, MayFollow: true})
	other := x.program(directory.Client{ID: "billing", Grants: allGrants, MayIntrospect: true, MayAdminister: true})
	removed := x.program(directory.Client{ID: "old", Grants: allGrants, MayFollow: true})
	token := x.ownToken("old", removed)
	if err := x.s.dir.RemoveClient(t.Context(), "old"); err != nil {
		t.Fatal(err)
	}
	x.call("POST", "/v1/logout", nil, x.as(x.signedIn("ada", "token"))).want(204)
	ack := `{"follower":"orders-1","cursor":"x"}`
	for _, c := range []struct {
		who    string
		option option
		status int
		code   string
	}{
		{"nobody", func(*http.Request) {}, 401, "invalid_client"},
		{"a wrong secret", basicAuth("orders", other), 401, "invalid_client"},
		{"a program without the right", basicAuth("billing", other), 403, "forbidden"},
		{"such a program's own token", x.as(x.ownToken("billing", other)), 403, "forbidden"},
		{"a person's token", x.as(x.signedIn("root", "token")), 403, "forbidden"},
		{"a person's cookie", x.as(x.signedIn("root", "cookie")), 401, "invalid_client"},
		{"a token of nobody's", header("Authorization", "Bearer x"), 401, "invalid_token"},
		{"a token of a program that was removed", x.as(token), 401, "invalid_client"},
	} {
		for _, target := range []string{"GET /v1/revocations", "GET /v1/revocations/snapshot", "POST /v1/revocations/ack"} {
			method, path, _ := strings.Cut(target, " ")
			var body any
			if method == "POST" {
				body = ack
			}
			a := x.call(method, path, body, c.option)
			if a.status != c.status || a.code() != c.code || a.status == 401 && a.header.Get("WWW-Authenticate") == "" {
				t.Errorf("%s by %s: got %d %s %v", target, c.who, a.status, a.body, a.header)
			}
		}
	}
	for name, o := range map[string]option{"its secret": basicAuth("orders", secret), "its own token": x.as(x.ownToken("orders", secret))} {
		if cursor := x.snapshotCursor(o); cursor == "" {
			t.Errorf("%s: no cursor", name)
		}
		x.follow("/v1/revocations?after=elsewhere", o).until("resync")
		x.call("POST", "/v1/revocations/ack", ack, o).want(409, "unknown_cursor")
	}
}

func TestAnAcknowledgementIsAnsweredWithALease(t *testing.T) {
	x := newLiveSite(t)
	secret := x.program(directory.Client{ID: "orders", Grants: allGrants, MayFollow: true})
	orders := basicAuth("orders", secret)
	x.call("POST", "/v1/logout", nil, x.as(x.signedIn("ada", "token"))).want(204)
	cursor := x.snapshotCursor(orders)
	var a struct {
		Newest string `json:"newest"`
		Lease  int64  `json:"lease_ms"`
	}
	x.call("POST", "/v1/revocations/ack", map[string]any{
		"follower": "orders-1", "id": "a", "cursor": cursor, "local": true, "lags": [][2]int{{3, 2}, {12, 1}}, "canary_ms": []int{4},
	}, orders).want(200).json(&a)
	if a.Newest != cursor || a.Lease <= 0 || a.Lease > 2000 {
		t.Errorf("the answer is %+v", a)
	}
	for name, body := range map[string]string{
		"no name":              `{"cursor":"x"}`,
		"a name with a blank":  `{"follower":"a b","cursor":"x"}`,
		"no cursor":            `{"follower":"a"}`,
		"a member not known":   `{"follower":"a","cursor":"x","lease_ms":9}`,
		"a bucket there isn't": `{"follower":"a","cursor":"x","lags":[[160,1]]}`,
		"no JSON":              `x`,
		"two":                  `{"follower":"a","cursor":"x"}{}`,
	} {
		if a := x.call("POST", "/v1/revocations/ack", body, orders); a.status != 400 || a.code() != "invalid_request" {
			t.Errorf("%s: got %d %s", name, a.status, a.body)
		}
	}
	x.call("GET", "/v1/revocations?after=%00", nil, orders).want(400, "invalid_request")
	x.call("POST", "/v1/revocations/ack", map[string]any{"follower": "orders-1", "cursor": cursor, "instance": "another"}, orders).want(421, "other_instance")

	// What it said, and what it was promised, is shown to administrators.
	var v api.Verifiers
	x.call("GET", "/v1/admin/verifiers?canary=1", nil, x.as(x.signedIn("root", "token"))).want(200).json(&v)
	if len(v.Verifiers) != 1 || v.BoundMS != 2000 || v.Node.LeaseMS <= 0 || v.Node.Followers != 1 || len(v.Node.Local) != 1 {
		t.Fatalf("the list is %+v", v)
	}
	one := v.Verifiers[0]
	if one.Name != "orders-1" || one.Client != "orders" || one.ID != "a" || !one.Local || one.LeaseMS <= 0 || one.Behind != 0 ||
		one.Lag.Count != 3 || one.Lag.P50MS != 3 || one.Lag.P99MS != 12 || one.Canaries != 1 || len(one.CanaryMS) != 1 || one.CanaryMS[0] != 4 {
		t.Errorf("the verifier is %+v", one)
	}
	for name, o := range map[string]option{"a user": x.as(x.signedIn("ada", "token")), "a follower": orders} {
		if a := x.call("GET", "/v1/admin/verifiers", nil, o); a.status != 403 {
			t.Errorf("%s sees the list: %d %s", name, a.status, a.body)
		}
	}
}

// A stream does not outlive the right to it, nor the server.
func TestOpenStreamsEndWithTheRightToThem(t *testing.T) {
	x := newLiveSite(t)
	x.s.followers.recheck = 5 * time.Millisecond
	first := x.program(directory.Client{ID: "orders", Grants: allGrants, MayFollow: true})
	second := x.program(directory.Client{ID: "billing", Grants: allGrants, MayFollow: true})
	x.call("POST", "/v1/logout", nil, x.as(x.signedIn("ada", "token"))).want(204)
	cursor := x.snapshotCursor(basicAuth("orders", first))
	a := x.follow("/v1/revocations?after="+cursor, basicAuth("orders", first))
	b := x.follow("/v1/revocations?after="+cursor, basicAuth("billing", second))
	a.until("heartbeat")
	b.until("heartbeat")
	x.call("DELETE", "/v1/admin/clients/orders", nil, x.as(x.signedIn("root", "token"))).want(204)
	a.ends()
	b.until("heartbeat") // the other goes on
	x.s.Drain()
	b.ends()
	x.poll("the streams are counted out", func() bool { return x.s.feed.Hub().Load().Streams == 0 })
}

func TestTheFeedIsOnTheAdministrativeAddress(t *testing.T) {
	x := newLiveSite(t, func(c *Config) { c.AdminListen = "127.0.0.1:0" })
	secret := x.program(directory.Client{ID: "orders", Grants: allGrants, MayFollow: true})
	orders := basicAuth("orders", secret)
	x.call("GET", "/v1/revocations/snapshot", nil, orders).want(404)
	x.http = x.client(x.back.Listener.Addr().String())
	x.call("POST", "/v1/logout", nil, x.as(x.signedIn("ada", "token"))).want(204)
	x.follow("/v1/revocations?after="+x.snapshotCursor(orders), orders).until("heartbeat")
}
