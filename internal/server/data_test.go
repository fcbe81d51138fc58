package server

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/api"
)

func TestDataIsMergedAndVersioned(t *testing.T) {
	x := newSite(t)
	web, app := x.signedIn("ada", "cookie"), x.signedIn("ada", "token")
	a := x.call("GET", "/v1/session/data", nil, x.as(web)).want(200)
	if a.body != "{}\n" {
		t.Errorf("new data is %s", a.body)
	}
	first := a.header.Get("ETag")
	patch := func(text string, o ...option) *answer {
		t.Helper()
		return x.call("PATCH", "/v1/session/data", text, append([]option{x.as(web), header("Content-Type", "application/merge-patch+json")}, o...)...)
	}
	// RFC 7396, appendix A and more.
	for _, c := range []struct{ patch, want string }{
		{`{"a":"b","n":12345678901234567890.10,"deep":{"x":1,"y":[1,{"z":null}]}}`, `{"a":"b","deep":{"x":1,"y":[1,{"z":null}]},"n":12345678901234567890.10}`},
		{`{"a":null,"gone":null}`, `{"deep":{"x":1,"y":[1,{"z":null}]},"n":12345678901234567890.10}`},
		{`{"deep":{"x":null,"w":{"v":null,"u":2}}}`, `{"deep":{"w":{"u":2},"y":[1,{"z":null}]},"n":12345678901234567890.10}`},
		{`{"n":{"m":null}}`, `{"deep":{"w":{"u":2},"y":[1,{"z":null}]},"n":{}}`},
		{`{"deep":"flat","n":null}`, `{"deep":"flat"}`},
		{`{"deep":{"again":true}}`, `{"deep":{"again":true}}`},
		{`{"<script>":"\u2028é"}`, ``},
		{`{"<script>":null,"deep":null}`, `{}`},
	} {
		if a := patch(c.patch).want(200); c.want != "" && a.body != c.want+"\n" {
			t.Errorf("after %s: got %s, want %s", c.patch, a.body, c.want)
		}
	}
	if a := patch(`{}`); a.header.Get("ETag") != first {
		t.Error("equal data has another version")
	}
	one := patch(`{"cart":1}`, header("If-Match", first)).want(200).header.Get("ETag")
	patch(`{"cart":2}`, header("If-Match", first)).want(412, "precondition_failed")
	patch(`{"cart":2}`, header("If-Match", `"other"`)).want(412, "precondition_failed")
	for _, tag := range []string{"W/" + one, strings.Trim(one, `"`), `"`, one + ", " + first, `""`} {
		if a := patch(`{"cart":2}`, header("If-Match", tag)); a.status != 400 && a.status != 412 {
			t.Errorf("If-Match: %s: got %d %s", tag, a.status, a.body)
		}
	}
	patch(`{"cart":3}`, header("If-Match", "*")).want(200)
	// Activity and a step-up keep data and version; other sessions have their own.
	tag := x.call("GET", "/v1/session/data", nil, x.as(web)).want(200).header.Get("ETag")
	x.clock.advance(2 * time.Minute)
	x.call("GET", "/v1/session", nil, x.as(web)).want(200)
	web = x.badgeOf(x.call("POST", "/v1/elevate", api.ElevateRequest{Password: goodPassword}, x.as(web)))
	if a := x.call("GET", "/v1/session/data", nil, x.as(web)).want(200); a.body != "{\"cart\":3}\n" || a.header.Get("ETag") != tag {
		t.Errorf("after a step-up: got %s %s, want %s", a.body, a.header.Get("ETag"), tag)
	}
	if a := x.call("GET", "/v1/session/data", nil, x.as(app)).want(200); a.body != "{}\n" {
		t.Errorf("another session has %s", a.body)
	}
	big := `{"big":"` + strings.Repeat("x", lanyard.MaxData-100) + `"}`
	patch(big).want(200)
	patch(`{"more":"`+strings.Repeat("x", 200)+`"}`).want(413, "too_large")
}

// No change of many at once is lost, and of those with one version one wins.
func TestConcurrentChangesOfDataAreAllKept(t *testing.T) {
	x := newSite(t)
	b := x.signedIn("ada", "token")
	tag := x.call("GET", "/v1/session/data", nil, x.as(b)).want(200).header.Get("ETag")
	const n = 12
	var wg sync.WaitGroup
	won := make(chan int, n)
	for i := range n {
		wg.Go(func() {
			a := x.call("PATCH", "/v1/session/data", map[string]int{fmt.Sprint("k", i): i}, x.as(b))
			if a.status != 200 && a.status != 503 {
				t.Errorf("got %d %s", a.status, a.body)
			}
			if a.status == 200 {
				won <- i
			}
		})
	}
	wg.Wait()
	close(won)
	var data map[string]int
	x.call("GET", "/v1/session/data", nil, x.as(b)).want(200).json(&data)
	acknowledged := 0
	for i := range won {
		acknowledged++
		if v, ok := data[fmt.Sprint("k", i)]; !ok || v != i {
			t.Errorf("the change of k%d was acknowledged and is lost", i)
		}
	}
	if acknowledged == 0 || len(data) != acknowledged {
		t.Errorf("%d changes were acknowledged, %d are there", acknowledged, len(data))
	}
	tag = x.call("GET", "/v1/session/data", nil, x.as(b)).want(200).header.Get("ETag")
	winners := make(chan bool, n)
	for i := range n {
		wg.Go(func() {
			a := x.call("PATCH", "/v1/session/data", map[string]int{"one": i}, x.as(b), header("If-Match", tag))
			if a.status == 200 {
				winners <- true
			} else if a.status != 412 && a.status != 503 {
				t.Errorf("got %d %s", a.status, a.body)
			}
		})
	}
	wg.Wait()
	if len(winners) != 1 {
		t.Errorf("%d of %d changes with one version won", len(winners), n)
	}
}
