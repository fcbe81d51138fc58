package browsertest

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// tabs is how many a person has open.
const tabs = 20

// openPages signs ada in and opens that many tabs with the application, all on
// a machine whose clock is off by so much.
func (o *origin) openPages(n int, off time.Duration) []*tab {
	o.t.Helper()
	first := o.newTab()
	first.signIn("ada", password)
	all := []*tab{first}
	for range n - 1 {
		all = append(all, first.sibling())
	}
	for _, b := range all {
		b.open(fmt.Sprintf("/app/?off=%d", off.Milliseconds()))
	}
	for _, b := range all {
		b.until(`window.tab?.session.state === "live"`)
	}
	o.t.Cleanup(func() {
		for _, b := range all {
			b.onlyLostAnswers()
		}
	})
	return all
}

// onlyLostAnswers fails if a page complains about anything but the network.
func (b *tab) onlyLostAnswers() {
	b.t.Helper()
	for _, p := range b.complaints() {
		if !strings.HasPrefix(p, "network:") {
			b.t.Error("the page complains:", p)
		}
	}
}

// events are what the module of a tab has said of one kind, as JSON.
func (b *tab) events(kind string) string {
	b.t.Helper()
	return eval[string](b, fmt.Sprintf(`JSON.stringify(tab.seen.filter((e) => e.type === %q))`, kind))
}

// Time is moved, for the server, the service and the pages alike: five minutes at a
// time, so that each round finds every token expired. Every tenth round the machine
// sleeps meanwhile: then the pages' own running clock misses it. One in ten answers
// of the server is lost on its way. With LANYARD_SOAK=1 there are 1000 rounds.
//
// req: CLIENT-6, CLIENT-8
func TestTwentyTabsDrawOneTokenForEachExpiryAndAreNeverSignedOut(t *testing.T) {
	rounds := 100
	if os.Getenv("LANYARD_SOAK") == "1" {
		rounds = 1000
	}
	o := newOrigin(t)
	pages := o.openPages(tabs, 10*time.Minute)
	first := pages[0]
	o.everybody(pages, "before", false)
	o.mu.Lock()
	o.lossy, o.drawn, o.rounds, o.most = true, 0, nil, 0
	o.mu.Unlock()
	started := time.Now()
	for i := range rounds {
		o.everybody(pages, fmt.Sprint("round ", i), i%10 == 9)
		if i%20 == 10 {
			first.keys("x") // somebody is there, or the session would be left to end
		}
		if i == rounds/2 {
			// Somebody sets the clock, from ten minutes ahead to ten behind.
			eval[[]any](first, fmt.Sprintf(`tab.setClock(%d, -20 * 60_000)`, tabs))
		}
	}
	o.mu.Lock()
	drawn := append(slices.Clone(o.rounds[1:]), o.drawn)
	answers, lost, most := o.answers, o.lost, o.most
	o.lossy = false
	o.mu.Unlock()
	for i, n := range drawn {
		if n != 1 {
			t.Errorf("round %d: %d tokens arrived, want 1", i, n)
		}
	}
	if len(drawn) != rounds {
		t.Errorf("%d rounds, want %d", len(drawn), rounds)
	}
	if most != 1 {
		t.Errorf("up to %d requests for a token were in flight at the same time, want 1", most)
	}
	for i, b := range pages {
		if got := b.events("signedout"); got != "[]" {
			t.Errorf("tab %d was signed out: %s", i, got)
		}
	}
	t.Logf("%d expirations in %d tabs in %v: %d answers, %d of them lost, at most %d request for a token in flight", rounds, tabs, time.Since(started).Round(time.Second), answers, lost, most)
	if lost*30 < answers {
		t.Errorf("only %d of %d answers were lost", lost, answers)
	}

	t.Run("a frozen tab wakes up signed in", func(t *testing.T) {
		frozen := pages[15:]
		for _, b := range frozen {
			b.lifecycle(page.SetWebLifecycleStateStateFrozen)
		}
		first.until(`tab.frozen() === 5`)
		eval[any](first, fmt.Sprintf(`tab.round(%d, 3000, true).then((got) => { tab.got = got.join() }), null`, 15))
		first.until(`tab.got !== undefined && tab.heard() >= 14`)
		if heard := eval[int](first, `tab.heard()`); heard != 14 {
			t.Fatalf("%d tabs did something, and 14 others are awake", heard)
		}
		for _, b := range frozen {
			b.lifecycle(page.SetWebLifecycleStateStateActive)
		}
		first.until(`tab.heard() === 19`)
		if n := count(o, func() int { return o.drawn }); n != 1 {
			t.Errorf("%d tokens arrived, want 1", n)
		}
		for i, b := range pages {
			if got := b.events("signedout"); got != "[]" || eval[int](b, `tab.orders()`) != 200 {
				t.Errorf("tab %d: signed out: %s", i, got)
			}
		}
	})

	t.Run("signing out reaches every tab and ends in one logout", func(t *testing.T) {
		o.mu.Lock()
		o.drop = "/v1/logout" // and the answer is lost
		o.mu.Unlock()
		at := eval[float64](first, `(() => { const at = clock.real(); tab.session.signOut(); return at })()`)
		o.wantOut(t, pages, at)
		o.wantOneLogout(t, pages)
	})

	t.Run("offline it reaches every tab as well, and the server is told once", func(t *testing.T) {
		first.open("/login")
		first.fill("username", "ada")
		first.fill("password", password)
		first.press("Sign in")
		first.open("/app/")
		for _, b := range pages {
			// The other tabs hear of the new session from the one that has it.
			b.until(`window.tab?.session.state === "live"`)
		}
		o.mu.Lock()
		o.tried, o.logouts = 0, 0
		o.mu.Unlock()
		for _, b := range pages {
			b.network(false)
		}
		at := eval[float64](first, `(() => { tab.seen.length = 0; const at = clock.real(); tab.session.signOut(); return at })()`)
		o.wantOut(t, pages, at)
		if o.wantLive("ada", 1); count(o, func() int { return o.tried }) != 0 {
			t.Error("the server was told, so nothing was offline")
		}
		for _, b := range pages {
			b.network(true)
		}
		o.wantOneLogout(t, pages)
	})
}

// everybody lets five minutes go by and has every tab call the service.
func (o *origin) everybody(pages []*tab, what string, asleep bool) {
	o.t.Helper()
	got := eval[[]any](pages[0], fmt.Sprintf(`tab.round(%d, 300, %t)`, len(pages), asleep))
	for _, status := range got {
		if status != 200.0 {
			o.t.Errorf("%s: a tab got %v", what, status)
		}
	}
	if len(got) != len(pages) {
		o.t.Errorf("%s: %d tabs called the service", what, len(got))
	}
}

// wantOut waits until every tab is signed out, and prints how long after the
// press the last of them was. A second is the promise to a person at an idle
// machine.
func (o *origin) wantOut(t *testing.T, pages []*tab, from float64) {
	t.Helper()
	var last float64
	for _, b := range pages {
		b.until(`tab.session.state === "out"`)
		last = max(last, eval[float64](b, `tab.seen.findLast((e) => e.type === "signedout").at`))
	}
	took := time.Duration((last - from) * float64(time.Millisecond))
	t.Logf("%d tabs were signed out within %v", len(pages), took.Round(time.Millisecond))
	if took > 5*time.Second {
		t.Error("that is too late")
	}
}

// wantOneLogout waits until the server knows, wakes every tab up in all ways there
// are, waits until none of them has anything left to do, and counts.
func (o *origin) wantOneLogout(t *testing.T, pages []*tab) {
	t.Helper()
	for deadline := time.Now().Add(2 * patience); len(o.live("ada")) > 0; <-time.After(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the server was not told")
		}
	}
	for _, b := range pages {
		eval[bool](b, `["online", "focus", "pageshow"].forEach((type) => dispatchEvent(new Event(type))), true`)
	}
	for _, b := range pages {
		b.untilIdle()
	}
	if tried, done := count(o, func() int { return o.tried }), count(o, func() int { return o.logouts }); tried != 1 || done != 1 {
		t.Errorf("%d logouts were asked for and %d made, want one", tried, done)
	}
}

// untilIdle waits until a page holds no lock, waits for none and has no timer: from
// then on it does nothing by itself.
func (b *tab) untilIdle() {
	b.t.Helper()
	const busy = `navigator.locks.query().then(({ held, pending }) => held.length + pending.length + clock.pending())`
	for deadline := time.Now().Add(2 * patience); ; <-time.After(20 * time.Millisecond) {
		if n := eval[int](b, busy); n == 0 {
			return
		} else if time.Now().After(deadline) {
			b.t.Fatalf("the page still has %d locks and timers", n)
		}
	}
}

func (b *tab) lifecycle(state page.SetWebLifecycleStateState) {
	b.t.Helper()
	if _, err := chromedp.Call(b.ctx, page.SetWebLifecycleState, page.SetWebLifecycleStateParams{State: state}); err != nil {
		b.t.Fatal(err)
	}
}

// network takes the tab off the network, or puts it back.
func (b *tab) network(on bool) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	rule := &network.Conditions{Offline: !on, DownloadThroughput: -1, UploadThroughput: -1}
	_, err := chromedp.Call(ctx, network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{MatchedNetworkConditions: []*network.Conditions{rule}})
	if err == nil {
		_, err = chromedp.Call(ctx, network.OverrideNetworkState, network.OverrideNetworkStateParams{Offline: !on, DownloadThroughput: -1, UploadThroughput: -1})
	}
	if err != nil {
		b.t.Fatal(err)
	}
}
