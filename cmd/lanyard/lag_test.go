package main

import (
	"context"
	"encoding/json"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard/api"
	"github.com/lanyard-go/lanyard/revocation"
)

// follow runs a follower of the server's feed until the test ends or stop is
// called.
func (p *process) follow(t *testing.T, name, authorization string) (f *revocation.Follower, stop func()) {
	t.Helper()
	f, err := revocation.NewFollower(revocation.FollowerConfig{
		Endpoints: []string{p.url + "/v1/revocations"}, Issuer: p.url, Name: name,
		Authorize: func(r *http.Request) {
			r.Header.Set("Authorization", strings.TrimPrefix(authorization, "Authorization: "))
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { f.Run(ctx) })
	stop = func() { cancel(); running.Wait() }
	t.Cleanup(stop)
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		if state, _, _ := f.State(); state == revocation.Fresh {
			return f, stop
		}
		if time.Now().After(end) {
			t.Fatalf("the follower is not in step; the server:\n%s", p.log)
		}
	}
}

// lanyard canary tells how late real followers met its revocations, and fails if
// there are none, or one has gone.
//
// req: REVOKE-3
func TestCanaryMeasuresTheLag(t *testing.T) {
	t.Parallel()
	p := start(t, dataDir(t))
	canary := func(args ...string) (out canaryResult, code int, stderr string) {
		t.Helper()
		text, stderr, code := command(t, "", append([]string{"canary", "--json", "--data", p.data}, args...)...)
		if text != "" {
			if err := json.Unmarshal([]byte(text), &out); err != nil {
				t.Fatalf("%v in %s", err, text)
			}
		}
		return out, code, stderr
	}
	if out, code, stderr := canary("--count", "1"); code != 1 || out.Sent != 1 || !strings.Contains(stderr, "no verifier follows") {
		t.Errorf("without verifiers: code %d, %+v, %s", code, out, stderr)
	}
	header, _ := p.addClient(t, "orders", "--follow")
	p.follow(t, "orders-1", header)
	_, stop := p.follow(t, "orders-2", header)

	for range 2 { // the second does not count what the first has made
		out, code, stderr := canary("--count", "40", "--rate", "200")
		if code != 0 || out.Sent != 40 || out.BoundMS != 2000 || len(out.Verifiers) != 2 {
			t.Fatalf("code %d, %+v, %s", code, out, stderr)
		}
		for i, v := range out.Verifiers {
			if v.Name != []string{"orders-1", "orders-2"}[i] || v.Client != "orders" || v.Seen != 40 || v.P50 > v.P99 || v.P99 > v.Max || v.Max > 2000 || v.Max > out.Max {
				t.Errorf("a verifier is %+v of %+v", v, out)
			}
		}
	}
	// Only canaries have been revoked, and they do not count as anybody's lag.
	var v api.Verifiers
	admin, secret := p.addClient(t, "ops", "--administer")
	if err := json.Unmarshal([]byte(p.send(t, "GET", "/v1/admin/verifiers", "", admin).want(t, 200).body), &v); err != nil {
		t.Fatal(err)
	}
	for _, one := range v.Verifiers {
		if one.Lag.Count != 0 || one.Canaries != 80 {
			t.Errorf("the verifier is %+v", one)
		}
	}

	// From elsewhere, for people, with one verifier gone.
	stop()
	var out []byte
	var err error
	for range 3 { // on a machine with far too much to do the store may be away for a moment
		cmd := exec.Command(binary, "canary", "--count", "3", "--server", p.url+","+p.url)
		cmd.Env = append(environment(), "LANYARD_CLIENT_ID=ops", "LANYARD_CLIENT_SECRET="+secret)
		if out, err = cmd.CombinedOutput(); !strings.Contains(string(out), "cannot be answered right now") {
			break
		}
	}
	if err == nil || !strings.Contains(string(out), "verifier orders-2 met none of 3 revocations") || !strings.Contains(string(out), "revoked 3; the bound is 2000 ms") {
		t.Errorf("with a verifier gone: %v\n%s", err, out)
	}
	for _, args := range [][]string{{"--rate", "0"}, {"--rate", "nan"}, {"--count", "0"}, {"--count", "10001"}, {"--duration", "0s"}} {
		if _, code, stderr := canary(args...); code != 2 {
			t.Errorf("%q: code %d, %s", args, code, stderr)
		}
	}
}

func TestPercentilesAreOfTheLagsThatWereMet(t *testing.T) {
	var lags []int64
	for i := range 1000 {
		lags = append(lags, int64(1000-i))
	}
	for _, c := range []struct {
		lags []int64
		want percentiles
	}{
		{nil, percentiles{}},
		{[]int64{7}, percentiles{7, 7, 7, 7}},
		{[]int64{9, -2}, percentiles{0, 9, 9, 9}}, // clocks that disagree
		{lags, percentiles{500, 990, 999, 1000}},
	} {
		before := slices.Clone(c.lags)
		if got := percentilesOf(c.lags); got != c.want || !slices.Equal(before, c.lags) {
			t.Errorf("of %d lags: %+v, want %+v", len(c.lags), got, c.want)
		}
	}
}

// Lags told of before the measurement are left out, whatever a node has kept or
// forgotten of them.
func TestOnlyLagsOfThisMeasurementCount(t *testing.T) {
	told := func(n uint64, ms ...int64) api.Verifier { return api.Verifier{Canaries: n, CanaryMS: ms} }
	type nodes = map[string]api.Verifier
	for name, c := range map[string]struct {
		before, after nodes
		want          []int64
	}{
		"a verifier that is new":          {nil, nodes{"a": told(2, 5, 6)}, []int64{5, 6}},
		"one with a history":              {nodes{"a": told(2, 5, 6)}, nodes{"a": told(3, 5, 6, 7)}, []int64{7}},
		"one of which only some are kept": {nodes{"a": told(100)}, nodes{"a": told(105, 8, 9)}, []int64{8, 9}},
		"one that its node had forgotten": {nodes{"a": told(100)}, nodes{"a": told(1, 4)}, []int64{4}},
		"one that went to another node":   {nodes{"a": told(1, 3)}, nodes{"a": told(1, 3), "b": told(1, 2)}, []int64{2}},
		"one that met nothing":            {nodes{"a": told(1, 3)}, nodes{"a": told(1, 3)}, nil},
	} {
		if got := news(c.before, c.after); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
