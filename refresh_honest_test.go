package lanyard_test

import (
	"testing"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/store/memory"
)

// device is an honest client: two tabs that share one stored refresh token and
// take no lock, on a network that loses a tenth of all answers and as much of
// the requests, and that may change between a request and its repeat.
type device struct {
	*world
	d      dice
	stored string
	near   string // the network it is on
	far    string // the one it may change to

	asked, lost, changed int
}

// tab is one tab's wish for a new access token.
type tab struct {
	at   time.Duration // since the cycle began, when it next does something
	read string        // what it took from the storage with its request
	got  string        // the answer under way, empty if there is none
	done bool
	try  int
}

const (
	// An answer is under way for less than this.
	slowest = 900 * time.Millisecond
	// Without an answer a tab asks again after this long, so that many repeats
	// fit into the retry window.
	patience = 2500 * time.Millisecond
)

// cycle renews the access token in both tabs, who notice at about the same
// moment that it is about to expire.
func (c *device) cycle() {
	begin := c.clock.Now()
	tabs := [2]*tab{{}, {at: time.Duration(c.d.below(1500)) * time.Millisecond}}
	for !tabs[0].done || !tabs[1].done {
		next := tabs[0]
		if next.done || !tabs[1].done && tabs[1].at < next.at {
			next = tabs[1]
		}
		c.clock.set(begin.Add(next.at))
		c.act(next)
	}
}

func (c *device) act(b *tab) {
	if b.got != "" { // the answer arrives
		c.stored, b.done = b.got, true
		return
	}
	// Whatever the storage holds now: the other tab may have renewed it.
	if b.try > 0 && c.stored != b.read {
		b.done = true
		return
	}
	b.try++
	b.read = c.stored
	if b.try > 1 && c.d.below(4) == 0 {
		c.near, c.far = c.far, c.near
		c.changed++
	}
	if c.d.below(10) == 0 { // the request never arrives
		c.lost++
		b.at += patience
		return
	}
	c.asked++
	g, err := c.Renew(c.t.Context(), b.read, lanyard.Renewal{UserAgent: phone, IP: c.near})
	if err != nil {
		c.t.Fatalf("signed out after %d requests: %v", c.asked, err)
	}
	if c.d.below(10) == 0 { // the answer never arrives
		c.lost++
		b.at += patience
		return
	}
	b.got = g.Refresh.Reveal()
	b.at += time.Duration(50+c.d.below(int(slowest/time.Millisecond)-50)) * time.Millisecond
}

// flaky lets a device renew n times and returns the counts.
func flaky(t *testing.T, store lanyard.Store, n int) map[string]int {
	t.Helper()
	w := newWorldOn(t, store, newClock(), func(c *lanyard.Config) {
		c.Policy.AbsoluteTimeout = 400 * 24 * time.Hour
		c.Policy.AccessTokenTTL = time.Minute
	})
	c := &device{world: w, d: 7, near: homeIP, far: trainIP}
	c.stored = w.startToken().Refresh.Reveal()
	for c.asked < n {
		c.cycle()
		c.clock.advance(50 * time.Second)
		if c.d.below(20) == 0 { // somewhere else altogether, between two refreshes
			c.far = []string{trainIP, hotelIP, ""}[c.d.below(3)]
		}
		w.events.take()
	}
	counts := w.counts.take("refresh")
	total := 0
	for _, k := range counts {
		total += k
	}
	if total != c.asked {
		t.Errorf("%d requests, %d counted: %v", c.asked, total, counts)
	}
	if counts[rotates] == 0 || counts[repeats] == 0 || counts[movesOver] == 0 || len(counts) != 3 {
		t.Errorf("an honest client is counted as %v", counts)
	}
	t.Logf("%d requests arrived, %d were lost or their answers, %d changes of network: %v", c.asked, c.lost, c.changed, counts)
	return counts
}

// An honest client is not signed out, whatever its network does: 5000 refreshes,
// or 100 000 with LANYARD_SOAK=1.
//
// req: REFRESH-4
func TestHonestClientWithAFlakyNetworkIsNeverSignedOut(t *testing.T) {
	n := 5_000
	if soak() > 1 {
		n = 100_000
	}
	t.Run("memory", func(t *testing.T) { t.Parallel(); flaky(t, memory.New(), n) })
	t.Run("sqlite", func(t *testing.T) { t.Parallel(); flaky(t, openSQLite(t), n/5) })
}
