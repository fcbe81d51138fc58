package lanyard_test

import (
	"encoding/json"
	"maps"
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/api"
)

// visit is a family at a desk, side by side with the model.
type visit struct {
	*desk
	model  family
	hand   []held
	sid    lanyard.SID
	access string // the newest
	issued time.Time
}

func (d *desk) visit(strict bool) *visit {
	d.t.Helper()
	d.clock.advance(time.Minute) // what limits requests starts afresh
	if d.disabled {
		d.own("/v1/admin/users/ann/enable", nil)
		d.disabled = false
	}
	g := d.start()
	text := g.Refresh.Reveal()
	return &visit{
		desk: d, sid: g.Session.SID(), hand: []held{{text: text}}, access: g.Access.Reveal(), issued: d.clock.Now(),
		model: family{client: shop, strict: strict, current: text, rotated: d.clock.Now(), agent: phone, from: someRange},
	}
}

func (v *visit) use(back int, change ...func(*presented)) presented {
	p := presented{held: v.hand[max(0, len(v.hand)-1-back)], client: shop, agent: phone, ip: homeIP, at: v.clock.Now()}
	for _, f := range change {
		f(&p)
	}
	return p
}

// present sends it with its client's proof.
func (v *visit) present(p presented) {
	v.t.Helper()
	want := v.model.judge(p)
	v.expect(p, want, v.renew(p, v.assertion(p.client, nil)), false)
	v.count(want.outcome)
}

// unproven sends it with a proof that is wrong in some way.
func (v *visit) unproven(p presented, assertion string) {
	v.t.Helper()
	p.unproven = true
	want := v.model.judge(p)
	v.expect(p, want, v.renew(p, assertion), false)
	v.count(want.outcome)
}

// lost sends it, and the answer never arrives.
func (v *visit) lost(p presented) {
	v.t.Helper()
	want := v.model.judge(p)
	v.expect(p, want, v.renew(p, v.assertion(p.client, nil)), true)
	v.count(want.outcome)
}

// crowd is three at once with one token, of whom the last cannot prove himself.
func (v *visit) crowd(p presented) {
	v.t.Helper()
	proofs := []string{v.assertion(shop, nil), v.assertion(shop, nil), v.assertion("nobody", map[string]any{"iss": shop, "sub": shop})}
	intruder := p
	intruder.unproven = true
	var answers [3]*httptest.ResponseRecorder
	together(len(answers), func(i int) {
		if i == 2 {
			answers[i] = v.renew(intruder, proofs[i])
			return
		}
		answers[i] = v.renew(p, proofs[i])
	})
	want := map[string]int{noClient: 1}
	v.expect(intruder, v.model.judge(intruder), answers[2], false)
	both := answers[:2]
	slices.SortFunc(both, func(a, b *httptest.ResponseRecorder) int { return a.Code - b.Code }) // the granted first
	for _, a := range both {
		verdict := v.model.judge(p)
		v.expect(p, verdict, a, false)
		want[verdict.outcome]++
	}
	got := v.counted()
	if v.model.over != "" { // each of the two may have judged before the other ended it
		total := 0
		for _, n := range got {
			total += n
		}
		if total != 3 || got[noClient] != 1 {
			v.t.Fatalf("three presentations are counted as %v", got)
		}
		return
	}
	if !maps.Equal(got, want) {
		v.t.Fatalf("counted %v, the model says %v", got, want)
	}
}

// expect compares an answer with the model's and tells the model of it.
func (v *visit) expect(p presented, want verdict, w *httptest.ResponseRecorder, lost bool) {
	v.t.Helper()
	if want.grants != (w.Code == 200) {
		v.t.Fatalf("the model says %s, the server %d %s", want.outcome, w.Code, w.Body)
	}
	if !want.grants {
		var e api.OAuthError
		if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil {
			v.t.Fatal(err)
		}
		code := map[string]string{noClient: "invalid_client", "refused-scope_grown": "invalid_scope"}[want.outcome]
		if code == "" {
			code = "invalid_grant"
		}
		if e.Code != code {
			v.t.Fatalf("%s is shown as %s", want.outcome, e.Code)
		}
		v.model.apply(p, want, "")
		return
	}
	var answer api.Login
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		v.t.Fatal(err)
	}
	text := answer.RefreshToken
	if (want.outcome == repeats || want.outcome == movesOver) && v.model.current != "" && text != v.model.current {
		v.t.Fatalf("%s: another successor than the first", want.outcome)
	}
	if lost {
		v.model.apply(p, want, v.model.kept(want))
		return
	}
	v.model.apply(p, want, text)
	v.access, v.issued = answer.AccessToken, v.clock.Now()
	for _, h := range v.hand {
		if h.text == text {
			return
		}
	}
	v.hand = append(v.hand, held{text, v.model.generation, v.model.counter})
}

// kept is what the model knows of the current token when an answer is lost: after
// a repetition what it knew before, after a rotation nothing.
func (f *family) kept(v verdict) string {
	if v.outcome == repeats || v.outcome == movesOver {
		return f.current
	}
	return ""
}

func (v *visit) count(outcome string) {
	v.t.Helper()
	if got := v.counted(); !maps.Equal(got, map[string]int{outcome: 1}) {
		v.t.Fatalf("counted %v, the model says %s", got, outcome)
	}
}

// revoke asks for the end of the family; a client without proof is not heard.
func (v *visit) revoke(assertion string, proven bool) {
	v.t.Helper()
	w := v.post("/oauth2/revoke", v.use(0), url.Values{"client_id": {shop}, "token": {v.use(0).text}}, assertion)
	switch {
	case !proven && w.Code != 401:
		v.t.Fatalf("a client without proof is answered with %d %s", w.Code, w.Body)
	case proven && w.Code != 200:
		v.t.Fatalf("%d %s", w.Code, w.Body)
	case proven:
		v.model.over = "refused-ended"
		v.counted()
	default:
		v.count(noClient)
	}
}

// check compares what is left.
func (v *visit) check() {
	v.t.Helper()
	s, err := v.Manager().Lookup(v.t.Context(), v.sid)
	if err != nil {
		v.t.Fatal(err)
	}
	if why := s.EndReason(); (why != "") != (v.model.over != "") {
		v.t.Fatalf("the session ended for %q, the model says %q", why, v.model.over)
	}
	if v.clock.Now().Sub(v.issued) < time.Minute && v.works(v.access) != (v.model.over == "") {
		v.t.Fatalf("the newest access token works: %v, the model says %q", v.model.over != "", v.model.over)
	}
}

// visitSteps is what happens at a desk. Each kind of wrong proof is a step.
var visitSteps = []struct {
	name string
	do   func(*visit)
}{
	{"rotate", func(v *visit) { v.present(v.use(0)) }},
	{"retry", func(v *visit) { v.present(v.use(1)) }},
	{"retry from the train", func(v *visit) { v.present(v.use(1, from(trainIP))) }},
	{"replay of the one before", func(v *visit) { v.present(v.use(2)) }},
	{"2 s pass", func(v *visit) { v.clock.advance(2 * time.Second) }},
	{"28 s pass", func(v *visit) { v.clock.advance(28 * time.Second) }},
	{"the answer is lost", func(v *visit) { v.lost(v.use(0)) }},
	{"the answer to a retry is lost", func(v *visit) { v.lost(v.use(1)) }},
	{"three callers, one without proof", func(v *visit) { v.crowd(v.use(0)) }},
	{"another client", func(v *visit) { v.present(v.use(0, client(rival))) }},
	{"more scope", func(v *visit) { v.present(v.use(0, func(p *presented) { p.scope = "admin" })) }},
	{"garbage", func(v *visit) { v.present(v.use(0, func(p *presented) { p.text = "garbage" })) }},
	{"logout", func(v *visit) { v.revoke(v.assertion(shop, nil), true) }},
	{"the user is disabled", func(v *visit) {
		v.own("/v1/admin/users/ann/disable", nil)
		v.disabled = true
		v.model.over = "refused-ended"
	}},

	{"a proof by somebody's key", func(v *visit) {
		v.unproven(v.use(0), v.assertion("nobody", map[string]any{"iss": shop, "sub": shop}))
	}},
	{"a proof by another client's key", func(v *visit) {
		v.unproven(v.use(0), v.assertion(rival, map[string]any{"iss": shop, "sub": shop}))
	}},
	{"another client's own proof", func(v *visit) { v.unproven(v.use(0), v.assertion(rival, nil)) }},
	{"a proof that was used", func(v *visit) { v.unproven(v.use(0), v.used()) }},
	{"a proof that has expired", func(v *visit) {
		v.unproven(v.use(0), v.assertion(shop, map[string]any{"exp": v.clock.Now().Unix()}))
	}},
	{"a proof for another server", func(v *visit) {
		v.unproven(v.use(0), v.assertion(shop, map[string]any{"aud": "https://other.example"}))
	}},
	{"a replay without proof", func(v *visit) {
		v.unproven(v.use(2), v.assertion("nobody", map[string]any{"iss": shop, "sub": shop}))
	}},
	{"logout without proof", func(v *visit) {
		v.revoke(v.assertion("nobody", map[string]any{"iss": shop, "sub": shop}), false)
	}},
}

// A wrong proof changes nothing, whatever came before and whatever comes after:
// the token it brought is neither used up nor found to be stolen.
//
// req: REFRESH-1, REFRESH-2, REFRESH-3, REFRESH-8
func TestRefreshFollowsItsTableWithClientsThatProveThemselves(t *testing.T) {
	for _, profileName := range []string{"standard", "strict"} {
		t.Run(profileName, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, profileName)
			play := func(order ...int) {
				t.Helper()
				defer func() {
					if t.Failed() {
						for _, step := range order {
							t.Logf("step: %s", visitSteps[step].name)
						}
					}
				}()
				v := d.visit(profileName == "strict")
				for _, step := range order {
					visitSteps[step].do(v)
					v.check()
				}
			}
			for first := range visitSteps {
				for second := range visitSteps {
					if soak() > 1 {
						play(first, second)
					}
				}
			}
			random := dice(1)
			for range 50 * soak() {
				order := make([]int, 4+random.below(6))
				for i := range order {
					order[i] = random.below(len(visitSteps))
				}
				play(order...)
			}
		})
	}
}
