package main

import (
	"bytes"
	"context"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard/revocation"
)

func testTree(fan int) tree {
	return tree{
		verifiers: 10_000, nodes: 3, fan: fan, bound: feedBound,
		send: 16 * time.Microsecond, ack: 60 * time.Microsecond, connect: time.Millisecond, hop: 500 * time.Microsecond,
	}
}

func TestARevocationReachesEveryVerifierBeforeItIsCovered(t *testing.T) {
	for _, fan := range []int{10, 500, 3000} {
		tr := testTree(fan)
		lags, covered := tr.strict(&draws{1})
		again, _ := tr.strict(&draws{1})
		other, _ := tr.strict(&draws{2})
		switch last := slices.Max(lags); {
		case len(lags) != tr.verifiers:
			t.Errorf("%d verifiers on a relay: %d of %d met it", fan, len(lags), tr.verifiers)
		case slices.Min(lags) < 2*float64(tr.hop):
			t.Errorf("%d verifiers on a relay: somebody met it before it could have come", fan)
		case covered < last+2*float64(tr.hop):
			t.Errorf("%d verifiers on a relay: covered after %v, the last met it after %v", fan, covered, last)
		case !slices.Equal(lags, again) || slices.Equal(lags, other):
			t.Errorf("%d verifiers on a relay: the seed does not decide", fan)
		}
	}
}

func TestWhoeverWasCutOffComesBackOnce(t *testing.T) {
	tr := testTree(500)
	for _, test := range []struct {
		name      string
		gone      int
		away      time.Duration
		everybody bool
		back      int
		first     float64 // ns that the first takes at the least
		retried   bool
	}{
		{"one relay is gone for good", 1, time.Hour, false, 500, 0, true},
		{"only connections are cut", 0, 0, true, 10_000, 0, false},
		{"all relays are away for 3 s", tr.relays(), 3 * time.Second, true, 10_000, 3e9, true},
	} {
		c := tr.disconnect(&draws{1}, test.gone, test.away, test.everybody, true)
		if len(c.times) != test.back || slices.Min(c.times) < test.first || (c.attempts > test.back) != test.retried {
			t.Errorf("%s: %d came back with %d attempts, the first after %v ns", test.name, len(c.times), c.attempts, slices.Min(c.times))
		}
	}
}

func TestQuantilesAreOfTheSortedList(t *testing.T) {
	list := []float64{5, 1, 4, 2, 3}
	for q, want := range map[float64]float64{0: 1, 0.5: 3, 0.99: 5, 1: 5} {
		if x := quantile(list, q); x != want {
			t.Errorf("quantile %v is %v, want %v", q, x, want)
		}
	}
}

// What the parts measure arrives: each follower meets each entry, once, and a node
// sees all of them acknowledge it.
func TestAFlockMeetsWhatANodeEnds(t *testing.T) {
	f, err := newFeed(0)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	url, shut, err := f.listen(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer shut()
	flock, err := newFlock(ctx, url, 3)
	if err != nil {
		t.Fatal(err)
	}
	flock.counting.Store(true)
	const ends = 5
	for range ends {
		if err := f.end(2); err != nil {
			t.Fatal(err)
		}
	}
	for patience := time.Now().Add(10 * time.Second); f.hub.Covered().Cursor != cursor(ends); {
		if time.Now().After(patience) {
			t.Fatalf("covered to %q", f.hub.Covered().Cursor)
		}
		if err := pause(ctx, time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	flock.close()
	for i, lags := range flock.lags {
		if len(lags) != ends || slices.Min(lags) <= 0 {
			t.Errorf("follower %d met %d of %d batches, as late as %v", i, len(lags), ends, lags)
		}
	}
	if _, err := lateness(&revocation.Entry{Reason: "logout"}); err == nil {
		t.Error("an entry without its time has a lag")
	}
}

func TestTheTablesOfTheTreeAreWhole(t *testing.T) {
	var out bytes.Buffer
	if err := relays(t.Context(), []string{"-verifiers", "4000", "-rounds", "2", "-measure", "500ms"}, &out); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out.String()) {
		if strings.Contains(line, "NaN") || strings.Contains(line, "Inf") {
			t.Error(line)
		}
	}
	for _, want := range []string{"nothing revoked", "| 500 | 8 | 3 |", "| 2000 | 2 | 1 |", "steps below a node", "without jitter | 4000 |", strconv.Itoa(feedCursor)} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the tables lack %q:\n%s", want, out.String())
		}
	}
}
