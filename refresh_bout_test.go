package lanyard_test

import (
	"context"
	"maps"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard"
)

// bout is a family and a manager side by side: each step does the same to both and
// compares.
type bout struct {
	*world
	t       *testing.T
	open    func(*clock) *world // the manager again, on the same store
	model   family
	hand    []held // every token the client received, in order
	last    *lanyard.Grant
	granted time.Time // when last was
	sid     lanyard.SID
	off     *bool // the subject is disabled

	presented atomic.Int64
	counted   map[string]int
}

func newBout(t *testing.T, store lanyard.Store, profileName string) *bout {
	t.Helper()
	off := new(bool)
	b := &bout{t: t, off: off, model: family{strict: profileName == "strict"}, counted: map[string]int{}}
	b.open = func(c *clock) *world {
		return newWorldOn(t, store, c, profile(profileName), func(cfg *lanyard.Config) {
			cfg.TokenCacheSize = 16 // there are thousands of managers
			cfg.Subject = func(context.Context, string) (lanyard.SubjectState, error) {
				return lanyard.SubjectState{Disabled: *off}, nil
			}
		})
	}
	b.world = b.open(newClock())
	b.took(b.startToken())
	b.sid = b.last.Session.SID()
	text := b.last.Refresh.Reveal()
	b.hand = []held{{text: text}}
	b.model.current, b.model.rotated, b.model.agent, b.model.from = text, b.clock.Now(), phone, someRange
	return b
}

// use fills in what a step leaves out: the token back places from the newest in
// the client's hand, presented by the usual client at home.
func (b *bout) use(back int, change ...func(*presented)) presented {
	p := presented{held: b.hand[max(0, len(b.hand)-1-back)], client: lanyard.BuiltinClient, agent: phone, ip: homeIP, at: b.clock.Now()}
	for _, f := range change {
		f(&p)
	}
	return p
}

func (b *bout) took(g *lanyard.Grant) { b.last, b.granted = g, b.clock.Now() }

func (b *bout) call(p presented) (*lanyard.Grant, error) {
	b.presented.Add(1)
	return b.Renew(context.Background(), p.text, lanyard.Renewal{Client: p.client, UserAgent: p.agent, IP: p.ip, Scope: p.scope})
}

// present does it once.
func (b *bout) present(p presented) {
	b.t.Helper()
	v := b.model.judge(p)
	g, err := b.call(p)
	b.expect(p, v, g, err)
	b.count(map[string]int{v.outcome: 1})
}

// expect compares one answer and tells the model of it.
func (b *bout) expect(p presented, v verdict, g *lanyard.Grant, err error) {
	b.t.Helper()
	switch {
	case v.grants && err != nil:
		b.t.Fatalf("the model says %s, the manager %v", v.outcome, err)
	case !v.grants && err == nil:
		b.t.Fatalf("the model says %s, the manager granted", v.outcome)
	case !v.grants:
		wantPublicOneOf(b.t, err)
		b.model.apply(p, v, "")
		return
	}
	text := g.Refresh.Reveal()
	if (v.outcome == repeats || v.outcome == movesOver) && b.model.current != "" && text != b.model.current {
		b.t.Fatalf("%s: another successor than the first", v.outcome)
	}
	b.model.apply(p, v, text)
	b.took(g)
	for _, h := range b.hand {
		if h.text == text {
			return
		}
	}
	b.hand = append(b.hand, held{text, b.model.generation, b.model.counter})
}

// wantPublicOneOf is for refusals by the table: one of two codes, and no word
// of why.
func wantPublicOneOf(t *testing.T, err error) {
	t.Helper()
	refused, ok := err.(*lanyard.Refused)
	if !ok {
		t.Fatalf("%v is not a refusal", err)
	}
	if status, code, _ := refused.Public(); status != 400 || code != "invalid_grant" && code != "invalid_scope" {
		t.Fatalf("%v is shown as %d %s", err, status, code)
	}
}

func (b *bout) count(want map[string]int) {
	b.t.Helper()
	got := b.counts.take("refresh")
	if !maps.Equal(got, want) {
		b.t.Fatalf("counted %v, the model says %v", got, want)
	}
	for outcome, n := range got {
		b.counted[outcome] += n
	}
}

// parallel presents one token from three callers at once.
func (b *bout) parallel(p presented) {
	b.t.Helper()
	const callers = 3
	type result struct {
		g   *lanyard.Grant
		err error
	}
	var results [callers]result
	together(callers, func(i int) { results[i].g, results[i].err = b.call(p) })
	// All are alike, so the model may take them in any order; the granted come
	// first.
	var granted, refused []result
	for _, r := range results {
		if r.err == nil {
			granted = append(granted, r)
		} else {
			refused = append(refused, r)
		}
	}
	want, mixed := map[string]int{}, 0
	for _, r := range append(granted, refused...) {
		v := b.model.judge(p)
		over := b.model.over
		b.expect(p, v, r.g, r.err)
		if b.model.over != "" && over == "" || mixed > 0 {
			mixed++ // from the first that ends it on, others may have judged before
			continue
		}
		want[v.outcome]++
	}
	got := b.counts.take("refresh")
	rest := 0
	for outcome, n := range got {
		b.counted[outcome] += n
		if rest += n - want[outcome]; want[outcome] > n {
			b.t.Fatalf("counted %v, the model says %v", got, want)
		}
	}
	if rest != mixed {
		b.t.Fatalf("counted %v, the model says %v and %d refused", got, want, mixed)
	}
	for outcome, n := range got {
		if n > want[outcome] && outcome != reuseRecent && outcome != reuseStale && outcome != "refused-ended" && outcome != "refused-subject_disabled" {
			b.t.Fatalf("counted %v, the model says %v and %d refused", got, want, mixed)
		}
	}
}

// crash kills the process between the commit and the answer and starts it again.
func (b *bout) crash(p presented) {
	b.t.Helper()
	v := b.model.judge(p)
	b.store.after(func(call string) {
		if call == "Update" {
			panic("killed")
		}
	})
	g, err, killed := b.callKilled(p)
	if want := v.grants && v.writes; killed != want {
		b.t.Fatalf("the model says %s, killed at its write: %v", v.outcome, killed)
	}
	if killed {
		b.model.apply(p, v, "")
		b.count(map[string]int{})
		b.presented.Add(-1) // nobody was left to count it
	} else {
		b.expect(p, v, g, err)
		b.count(map[string]int{v.outcome: 1})
	}
	b.world = b.open(b.clock)
}

func (b *bout) callKilled(p presented) (g *lanyard.Grant, err error, killed bool) {
	defer func() { killed = recover() != nil }()
	g, err = b.call(p)
	return g, err, false
}

// outage lets the store refuse the write.
func (b *bout) outage(p presented) {
	b.t.Helper()
	v := b.model.judge(p)
	b.store.arm(func(call string, _ int) error {
		if call == "Update" {
			return errEngine
		}
		return nil
	})
	g, err := b.call(p)
	b.store.arm(nil)
	if v.grants && v.writes {
		wantPublic(b.t, err, 503, "temporarily_unavailable")
		b.count(map[string]int{"store_failed": 1})
		return
	}
	b.expect(p, v, g, err)
	b.count(map[string]int{v.outcome: 1})
}

// regress has the store acknowledge a rotation and forget it.
func (b *bout) regress(p presented) {
	b.t.Helper()
	v := b.model.judge(p)
	if v.outcome != rotates && v.outcome != rollsAhead {
		b.present(p)
		return
	}
	b.store.loseNext(1)
	g, err := b.call(p)
	if err != nil {
		b.t.Fatal(err)
	}
	b.hand = append(b.hand, held{g.Refresh.Reveal(), b.model.generation, p.counter + 1})
	b.took(g)
	b.count(map[string]int{v.outcome: 1})
}

func (b *bout) stepUp() {
	b.t.Helper()
	if b.model.over != "" || *b.off {
		return
	}
	s, err := b.Lookup(b.t.Context(), b.sid)
	if err != nil {
		b.t.Fatal(err)
	}
	g, err := b.Elevate(b.t.Context(), s, lanyard.Elevation{Methods: []string{"otp"}})
	if err != nil {
		b.t.Fatal(err)
	}
	b.model.stepUp(g.Refresh.Reveal(), b.clock.Now())
	b.hand = append(b.hand, held{g.Refresh.Reveal(), b.model.generation, b.model.counter})
	b.took(g)
}

// check compares what is left.
func (b *bout) check() {
	b.t.Helper()
	rec := b.record(b.sid)
	if rec.Ended() != (b.model.over != "") {
		b.t.Fatalf("the session ended: %v (%s), the model says %q", rec.Ended(), rec.EndReason, b.model.over)
	}
	if f := rec.Refresh; b.model.over == "" && int(f.Counter) != b.model.counter {
		b.t.Fatalf("the family is at %d, the model at %d", f.Counter, b.model.counter)
	}
	total := 0
	for _, n := range b.counted {
		total += n
	}
	if total != int(b.presented.Load()) {
		b.t.Fatalf("%d presentations, %d counted: %v", b.presented.Load(), total, b.counted)
	}
}
