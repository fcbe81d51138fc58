package server

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard/api"
	"github.com/lanyard-go/lanyard/internal/directory"
	"github.com/lanyard-go/lanyard/revocation"
)

// forgetLeases makes what the nodes promise each other unreadable, while sessions
// can still be ended.
func (x *site) forgetLeases() {
	x.t.Helper()
	if _, err := x.sessionsDB().ExecContext(x.t.Context(), "ALTER TABLE session_leases RENAME TO gone"); err != nil {
		x.t.Fatal(err)
	}
}

// A revocation that is stored and cannot be followed up promises nothing, and its
// answer says that the session has ended: it has, and the trail has it too.
func TestAnEndThatIsNotKnownToBeNoticedSaysSo(t *testing.T) {
	x := newSite(t)
	root := x.as(x.signedIn("root", "token"))
	one, other, all, kid := x.signedIn("ada", "token"), x.signedIn("ada", "token"), x.signedIn("bob", "token"), x.s.keys.List(x.clock.Now())[0].ID
	x.forgetLeases()
	for _, c := range []struct {
		method, target string
		body           any
		says           string
	}{
		{"DELETE", "/v1/admin/sessions/" + one.sid + "?reason=lost", nil, "It has ended for good"},
		{"POST", "/v1/admin/revoke", api.AdminRevokeRequest{Subject: "bob"}, "It has ended for good"},
		{"DELETE", "/v1/admin/sessions/" + other.sid + "?mode=strict", nil, "Whether anything has ended is not known"},
		{"POST", "/v1/admin/keys/" + kid + "/withdraw?mode=strict", nil, "The key is withdrawn here"},
	} {
		a := x.call(c.method, c.target, c.body, root).want(503, "temporarily_unavailable")
		if !strings.Contains(a.field("message"), c.says) || a.header.Get("Retry-After") == "" {
			t.Errorf("%s: %s %v", a.asked, a.body, a.header)
		}
	}
	for name, b := range map[string]*badge{"the session": one, "the subject's": all} {
		if a := x.call("GET", "/v1/session", nil, x.as(b)); a.status != 401 {
			t.Errorf("%s goes on: %d", name, a.status)
		}
	}
	if got := fmt.Sprint(x.events(one.sid)); !strings.Contains(got, "admin_action:lost") {
		t.Errorf("the trail has %s", got)
	}
}

func TestAnEndThatCannotBeStoredPromisesNothing(t *testing.T) {
	x := newSite(t)
	root, b := x.as(x.signedIn("root", "token")), x.signedIn("ada", "token")
	x.refuseWrites()
	for _, mode := range []string{"fast", "strict"} {
		a := x.call("DELETE", "/v1/admin/sessions/"+b.sid+"?mode="+mode, nil, root).want(503, "temporarily_unavailable")
		if m := a.field("message"); !strings.Contains(m, "Whether anything has ended is not known") || a.header.Get("Retry-After") == "" {
			t.Errorf("%s: %s", mode, a.body)
		}
	}
	x.call("GET", "/v1/session", nil, x.as(b)).want(200)
}

// A strict revocation waits for a follower that holds a lease, names it, and
// takes the lease's length and no more if that never comes back.
func TestAStrictRevocationWaitsForWhoeverHoldsALease(t *testing.T) {
	x := newLiveSite(t, func(c *Config) { c.RevocationBound = time.Second })
	secret := x.program(directory.Client{ID: "orders", MayFollow: true})
	orders := basicAuth("orders", secret)
	root := x.as(x.signedIn("root", "token"))
	x.call("DELETE", "/v1/admin/sessions/"+x.signedIn("ada", "token").sid, nil, root).want(200)
	x.poll("the engine is known for long enough", func() bool {
		var r api.AdminRevoked
		x.call("POST", "/v1/admin/revoke", api.AdminRevokeRequest{Subject: "nobody", Mode: "strict"}, root).want(200).json(&r)
		return len(r.WaitedFor) == 0 && r.WaitedMS < 500
	})
	// On a busy machine the lease may be over before the revocation begins.
	var b *badge
	var r api.AdminRevoked
	x.poll("a revocation waits for the follower", func() bool {
		b = x.signedIn("bob", "token")
		x.call("POST", "/v1/revocations/ack", map[string]any{"follower": "orders-1", "cursor": x.snapshotCursor(orders), "local": true}, orders).want(200)
		x.call("DELETE", "/v1/admin/sessions/"+b.sid+"?mode=strict", nil, root).want(200).json(&r)
		return len(r.WaitedFor) > 0
	})
	if r.Ended != 1 || r.WaitedMS < 1 || fmt.Sprint(r.WaitedFor) != "[orders-1]" || fmt.Sprint(r.NotCovered) != "[orders-1]" {
		t.Errorf("the answer is %+v", r)
	}
	if w := x.s.waits.newest(); len(w) < 2 || !w[0].settled || w[0].what != "session "+b.sid || w[0].took <= 0 || fmt.Sprint(w[0].local) != "[orders-1]" {
		t.Errorf("the waits are %+v", w)
	}
	x.call("DELETE", "/v1/admin/sessions/"+x.signedIn("bob", "token").sid+"?mode=fast", nil, root).want(200).json(&r)
	if len(r.WaitedFor) > 0 {
		t.Errorf("a fast one waited: %+v", r)
	}
}

// What a verifier tells of itself can be read off the metrics: how late it met
// revocations, and that it is there.
//
// req: REVOKE-3
func TestTheLagIsExported(t *testing.T) {
	x := newLiveSite(t, func(c *Config) { c.AdminListen = "127.0.0.1:0" })
	x.http = x.client(x.back.Listener.Addr().String())
	secret := x.program(directory.Client{ID: "orders", MayFollow: true})
	orders := basicAuth("orders", secret)
	root := x.as(x.signedIn("root", "token"))
	x.call("DELETE", "/v1/admin/sessions/"+x.signedIn("ada", "token").sid+"?mode=strict", nil, root).want(200)
	cursor := x.snapshotCursor(orders)
	for i := range 103 {
		ack := map[string]any{"follower": fmt.Sprint("orders-", i), "cursor": cursor, "lags": [][2]int{{revocation.LagBucket(2), 3}, {revocation.LagBucket(40), 1}}}
		x.call("POST", "/v1/revocations/ack", ack, orders).want(200)
	}
	text := x.call("GET", "/metrics", nil).want(200).body
	for _, line := range []string{
		`lanyard_revocation_lag_seconds_bucket{client="orders",verifier="orders-7",le="0.003"} 3`,
		`lanyard_revocation_lag_seconds_bucket{client="orders",verifier="orders-7",le="0.031"} 3`,
		`lanyard_revocation_lag_seconds_bucket{client="orders",verifier="orders-7",le="0.047"} 4`,
		`lanyard_revocation_lag_seconds_count{client="orders",verifier="orders-7"} 4`,
		`lanyard_revocation_lag_seconds_count{client="",verifier="(other)"} 12`,
		`lanyard_feed_followers 103`, `lanyard_feed_streams 0`, `lanyard_nodes 1`, `lanyard_revocation_bound_seconds 2`,
		`lanyard_revocation_wait_seconds_count{mode="strict"} 1`,
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("the metrics have no line %s", line)
		}
	}
	if n := strings.Count(text, "lanyard_revocation_lag_seconds_count"); n != 101 {
		t.Errorf("there are %d verifiers in the metrics", n)
	}
	for _, name := range []string{"lanyard_feed_oldest_ack_seconds", "lanyard_feed_age_seconds", "lanyard_node_lease_seconds"} {
		if !strings.Contains(text, "\n"+name+" 0.") && !strings.Contains(text, "\n"+name+" 1.") {
			t.Errorf("the metric %s is not there", name)
		}
	}
}

func TestExportedBucketsEndWhereTheFinerOnesDo(t *testing.T) {
	for _, edge := range lagEdges {
		if end := revocation.LagBound(revocation.LagBucket(edge)).Milliseconds(); end != edge {
			t.Errorf("the bucket of %d ms ends at %d", edge, end)
		}
	}
}

// Only the canary's own sessions end with its reason, by which verifiers tell
// apart what was made to measure.
func TestOnlyACanaryEndsAsOne(t *testing.T) {
	x := newSite(t)
	root := x.as(x.signedIn("root", "token"))
	for _, c := range []struct{ subject, why, reason string }{
		{canarySubject, "canary", "canary"}, {canarySubject, "lost", "admin"}, {"ada", "canary", "admin"},
	} {
		b := x.signedIn(c.subject, "token")
		x.call("DELETE", "/v1/admin/sessions/"+b.sid+"?reason="+c.why, nil, root).want(200)
		if got := x.call("GET", "/v1/admin/sessions/"+b.sid, nil, root).want(200).field("session", "end_reason"); got != c.reason {
			t.Errorf("%s, asked for as %s, ended as %s", c.subject, c.why, got)
		}
	}
}
