package server

import (
	"net/url"
	"strings"
	"testing"

	"github.com/lanyard-go/lanyard/internal/directory"
	"github.com/lanyard-go/lanyard/revocation"
)

func TestTheConsoleShowsTheLagAndWaitsForEverybody(t *testing.T) {
	x := newLiveSite(t)
	secret := x.program(directory.Client{ID: "orders", MayFollow: true})
	orders := basicAuth("orders", secret)
	b := x.browser().wears(x.signedIn("root", "cookie"))
	first := b.send("GET", "/console/revocation", nil).want(200).body
	if !strings.Contains(first, "Nobody follows") || !strings.Contains(first, "Nothing was revoked in the last hour") || strings.Contains(first, "<svg class=\"plot\"") {
		t.Errorf("before anything has happened the page is %s", first)
	}
	x.call("POST", "/v1/logout", nil, x.as(x.signedIn("ada", "token"))).want(204)
	x.call("POST", "/v1/revocations/ack", map[string]any{
		"follower": "orders-1", "cursor": x.snapshotCursor(orders), "local": true, "lags": [][2]int{{revocation.LagBucket(3), 99}, {revocation.LagBucket(63), 1}},
	}, orders).want(200)

	victim := x.signedIn("bob", "token")
	page := b.send("GET", "/console/sessions/"+victim.sid, nil).want(200)
	if !strings.Contains(page.body, "That takes 2 s at most") {
		t.Errorf("the button is not explained: %s", page.body)
	}
	form := url.Values{"csrf_token": {page.token()}, "reason": {"lost"}, "mode": {"slow"}}
	b.send("POST", "/console/sessions/"+victim.sid+"/end", form).want(400)
	form.Set("mode", "strict")
	a := b.send("POST", "/console/sessions/"+victim.sid+"/end", form).want(303)
	done := b.send("GET", a.header.Get("Location"), nil).want(200).body
	for _, said := range []string{"no service accepts it any more. That took ", "On some of their routes these may accept it until a token expires: orders-1."} {
		if !strings.Contains(done, said) {
			t.Errorf("the page after it does not say %q: %s", said, done)
		}
	}
	x.call("GET", "/v1/session", nil, x.as(victim)).want(401)

	after := b.send("GET", "/console/revocation", nil).want(200).body
	for _, said := range []string{
		`<svg class="plot"`, "verifiers met revocations 100 times: half within 3 ms, 99 of 100 within 3 ms, the latest after 63 ms",
		"orders-1", "Also without bound", "session " + victim.sid,
	} {
		if !strings.Contains(after, said) {
			t.Errorf("the page does not say %q", said)
		}
	}
	x.browser().wears(x.signedIn("ada", "cookie")).send("GET", "/console/revocation", nil).want(403)
}
