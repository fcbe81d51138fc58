package browsertest

import (
	"context"
	"crypto/tls"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// setting is the server, and what of its defences is taken away from it, so that
// the next one is seen to hold by itself.
type setting struct {
	name    string
	profile string
	weaken  func(*stage) // nil: nothing is taken away
	from    []attacker
}

var settings = []setting{
	{name: "standard", profile: "standard", from: attackers},
	{name: "strict", profile: "strict", from: attackers},
	{name: "SameSite=None", profile: "standard", from: []attacker{second, opaque}, weaken: func(s *stage) { s.withoutSameSite() }},
	{name: "no Fetch Metadata", profile: "standard", from: []attacker{sibling, opaque}, weaken: func(s *stage) {
		s.withoutSameSite()
		s.front.change(func(r *rules) { r.strip = []string{"Sec-Fetch-Site"} })
	}},
	{name: "no headers", profile: "standard", from: []attacker{second}, weaken: func(s *stage) {
		s.withoutSameSite()
		s.front.change(func(r *rules) { r.strip = []string{"Sec-Fetch-Site", "Origin"} })
	}},
}

// withoutSameSite has browsers send the cookies with every site's requests.
func (s *stage) withoutSameSite() {
	s.front.change(func(r *rules) { r.after = sameSiteNone })
}

// cell counts what became of the requests of one way from one attacker.
type cell map[string]int

// What becomes of a request, in the words of the table.
const (
	stoppedByBrowser = "not sent"
	preflight        = "preflight"
	isGET            = "GET"
	byFetchMetadata  = "Sec-Fetch-Site"
	byOrigin         = "Origin"
	byToken          = "token"
	noCookie         = "no cookie"
	wrongMethod      = "method"
	wrongType        = "content type"
	ownCredential    = "own credential"
)

// figures of one run: way, attacker, cell.
type figures map[string]map[attacker]cell

// The matrix of forgeries: each way in which a page can send a request, to each
// endpoint that changes something, from each place an attacker can be. Nothing
// changes, in any of the settings; and with all defences off the same requests
// do what they say.
//
// req: CSRF-1, CSRF-8, CSRF-13, CSRF-14, CSRF-18
// attack: B10, C1, C2, C3, C6, C10
func TestMatrixOfForgeries(t *testing.T) {
	browser, conf := openBrowser(t)
	e := newEvil(t, conf)
	all, settings, from := map[string]figures{}, settings, attackers
	if cut {
		settings, from = settings[:1], attackers[:1]
	}
	for _, c := range settings {
		t.Run(c.name, func(t *testing.T) { all[c.name] = forge(t, browser, conf, e, c) })
	}
	t.Run("protection off", func(t *testing.T) { all["off"] = forgeUnprotected(t, browser, conf, e, from) })
	if t.Failed() || len(all) != len(settings)+1 {
		return // or only some of it was asked for
	}
	wantWorking(t, all["off"], from)
	if !cut {
		compareTable(t, all)
	}
}

func forge(t *testing.T, browser context.Context, conf *tls.Config, e *evil, c setting) figures {
	s := newStage(t, browser, conf, c.profile)
	tried := ways
	if c.weaken != nil {
		c.weaken(s)
		// What can only send a GET is stopped by that, with whatever headers.
		tried = slices.DeleteFunc(slices.Clone(ways), func(x way) bool { return x.get })
	}
	b := s.openTab()
	s.signInHere(b)
	e.front.Store(s.front)
	out := figures{}
	jar, state := s.jar(b), s.state()
	for i, from := range c.from {
		e.visit(b, from)
		for j, x := range tried {
			_, events := s.journal.since(0)
			for _, found := range e.send(b, from, x, s.shots(fmt.Sprintf("a%d-%d-", i, j))) {
				t.Errorf("%s, %s: the page reads %s", from, x.name, found)
			}
			if list, _ := s.journal.since(events); len(changes(list)) > 0 {
				t.Errorf("%s, %s: %v", from, x.name, changes(list))
			}
			for _, d := range differences(state, s.state()) {
				t.Errorf("%s, %s: %s", from, x.name, d)
			}
			for _, d := range differences(jar, s.jar(b)) {
				t.Errorf("%s, %s: the browser's cookie %s", from, x.name, d)
			}
			if t.Failed() {
				t.FailNow() // one breach is enough to look at
			}
		}
	}
	if got := b.open("/account"); got != 200 {
		t.Errorf("the account page of who was attacked: %d", got)
	}
	b.at("/account")
	// Counted at the end, when all that is late has come too.
	why := s.journal.refusals()
	for i, from := range c.from {
		for j, x := range tried {
			if out[x.name] == nil {
				out[x.name] = map[attacker]cell{}
			}
			out[x.name][from] = s.judge(t, from, x, s.front.visitsOf(fmt.Sprintf("a%d-%d-", i, j)), why)
		}
	}
	return out
}

// shots are the requests of one way to all endpoints.
func (s *stage) shots(prefix string) (out []shot) {
	for k, x := range s.targets {
		tag := fmt.Sprintf("%s%d", prefix, k)
		body, kind := x.body(s.values)
		pairs := x.fields(s.t, s.values)
		query := url.Values{"_method": {x.method()}}
		for _, p := range pairs {
			query.Add(p[0], p[1])
		}
		address := s.url + x.path(s.values)
		out = append(out, shot{
			Tag: tag, URL: address + "?t=" + tag, Get: address + "?" + query.Encode() + "&t=" + tag,
			Verb: x.method(), Type: kind, Text: body, Pairs: pairs,
		})
	}
	return out
}

// judge says what became of each request.
func (s *stage) judge(t *testing.T, from attacker, x way, visits map[int][]visit, why map[string]string) cell {
	out := cell{}
	for k, target := range s.targets {
		verdict := stoppedByBrowser
		for _, v := range visits[k] {
			verdict = verdictOf(target, v, why[v.request])
			if verdict == "" {
				t.Errorf("%s, %s: %s %s was answered with %d: %+v", from, x.name, v.method, target.pattern, v.status, v)
			}
		}
		if x.isStopped(from) && verdict != stoppedByBrowser {
			t.Errorf("%s, %s: Chromium sends it after all; take it off the list of what is stopped", from, x.name)
		}
		out[verdict]++
	}
	return out
}

// verdictOf is what kept a request from changing anything, or "" if nothing did.
func verdictOf(x target, v visit, refused string) string {
	switch refused {
	case "cross_site", "same_site", "bad_header":
		return byFetchMetadata
	case "origin_null", "origin_mismatch", "scheme_mismatch":
		return byOrigin
	case "no_headers", "token_required":
		return byToken
	}
	switch {
	case v.method == http.MethodOptions:
		return preflight
	case v.method == http.MethodGet || v.method == http.MethodHead:
		return isGET
	case x.own:
		return ownCredential
	case v.status == http.StatusMethodNotAllowed:
		return wrongMethod
	case v.status == http.StatusUnsupportedMediaType:
		return wrongType
	case !v.session: // whatever it says, there was nobody to do it for
		return noCookie
	}
	return ""
}

// forgeUnprotected counts the requests that work without any defence.
func forgeUnprotected(t *testing.T, browser context.Context, conf *tls.Config, e *evil, from []attacker) figures {
	out := figures{}
	for i, from := range from {
		s := newStage(t, browser, conf, "standard")
		s.withoutSameSite()
		b := s.openTab()
		s.signInHere(b)
		s.defenceless()
		e.front.Store(s.front)
		e.visit(b, from)
		for j, x := range ways {
			prefix := fmt.Sprintf("o%d-%d-", i, j)
			list := slices.DeleteFunc(s.shots(prefix), func(one shot) bool {
				x := targets[endpointOf(one.Tag)]
				return x.own || x.hashes && (cut || from != second)
			})
			e.send(b, from, x, list)
			got := cell{"tried": len(list)}
			for _, visits := range s.front.visitsOf(prefix) {
				if slices.ContainsFunc(visits, func(v visit) bool { return v.worked }) {
					got["worked"]++
				}
				if slices.ContainsFunc(visits, func(v visit) bool { return v.session && v.method != http.MethodOptions }) {
					got["with the cookie"]++
				}
			}
			if out[x.name] == nil {
				out[x.name] = map[attacker]cell{}
			}
			out[x.name][from] = got
		}
	}
	return out
}

func (c cell) String() string {
	names := slices.SortedFunc(maps.Keys(c), func(a, b string) int {
		if c[a] != c[b] {
			return c[b] - c[a]
		}
		return strings.Compare(a, b)
	})
	for i, name := range names {
		names[i] = fmt.Sprintf("%s %d", name, c[name])
	}
	return strings.Join(names, ", ")
}

// wantWorking fails unless each way that sends the cookie worked at least once
// with protection off: what never works shows nothing when it is refused.
func wantWorking(t *testing.T, off figures, from []attacker) {
	for _, x := range ways {
		for _, from := range from {
			c := off[x.name][from]
			switch {
			case x.isStopped(from):
				if c["worked"] > 0 {
					t.Errorf("%s, %s: Chromium sends it after all; take it off the list of what is stopped", from, x.name)
				}
			case x.bare:
				if c["with the cookie"] > 0 {
					t.Errorf("%s, %s: it does send the cookie", from, x.name)
				}
			case c["worked"] < 3:
				t.Errorf("%s, %s: with protection off only %d requests worked", from, x.name, c["worked"])
			}
		}
	}
}
