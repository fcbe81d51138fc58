package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard/bench/contender"
)

//go:embed pages.lua
var pagesLua []byte

// rivals are the pairs: first and last do the same work, the one between is our
// default beside gorilla/csrf.
var rivals = []struct{ ours, peer contender.Kind }{
	{contender.PagesLanyard, contender.PagesSCS},
	{contender.PagesLanyard, contender.PagesSCSGorilla},
	{contender.PagesLanyardToken, contender.PagesSCSGorilla},
}

// actions are what a browser does.
var actions = []struct {
	name, method string
	sends        bool
}{{"page with a form", "GET", false}, {"form sent", "POST", true}}

// browser measures all that stands between a browser and a page that takes forms:
// cookie, session, check against forged requests, headers.
func (b *bench) browser(ctx context.Context, dir string) (section, error) {
	s := section{Title: "Pages for browsers", Notes: []string{
		fmt.Sprintf("Cookie, session, check against forged requests, security headers and a page with a form, %d people in turn, all sessions in memory; the application, its headers and its page are the same code for all.", people),
		"By headers: `Sec-Fetch-Site`, then `Origin`; ours as in the profile `standard`, beside scs with `http.CrossOriginProtection`. By headers and token: ours demands, besides, the masked token bound to the session, as in the profile `strict`; gorilla/csrf demands its own masked token, bound to a cookie of its own, and compares `Origin`, but does not look at `Sec-Fetch-Site`. It makes a token on every request, ours when a page asks for one. scs has no idle limit here and so writes nothing; ours has one.",
		"Over HTTP each server is a process and wrk another, both on all processors. Every visit stands between two to the bare server, which is sent the same requests and writes the same page with the same headers, without a token, and looks at nothing; ratios are of the shares of its rate.",
	}}
	rows, err := b.decisions()
	if err != nil {
		return s, err
	}
	s.Rows = rows
	for _, a := range actions {
		rows, err := b.pagesInProcess(ctx, dir, a.name, a.sends)
		if err != nil {
			return s, err
		}
		s.Rows = append(s.Rows, rows...)
	}
	if why := cannotLoad(); why != "" {
		s.Rows = append(s.Rows, left("pages for browsers over HTTP", why))
		return s, nil
	}
	rows, err = b.pagesOverHTTP(ctx, dir)
	s.Rows = append(s.Rows, rows...)
	return s, err
}

// decisions measures the check of headers by itself.
func (b *bench) decisions() ([]row, error) {
	deciders := contender.Deciders()
	var laps []lap
	for _, d := range deciders {
		laps = append(laps, lap{d.Name, d.Pass})
	}
	r, err := takeTurns(processor, b.span(2*time.Second), 5*time.Millisecond, laps...)
	if err != nil {
		return nil, err
	}
	var rows []row
	for i, by := range []string{"Sec-Fetch-Site", "Origin"} {
		ours, peer := 2*i, 2*i+1
		one := absolute("the decision alone, by "+by+"; net/http", r.ns(ours), duration(r.ns(peer)), atMost(200), duration)
		one.Ratio = quotient(r.ratio(ours, peer))
		allocs := func(d *contender.Decider) float64 {
			return testing.AllocsPerRun(1000, func() { err = errors.Join(err, d.Pass(1)) })
		}
		rows = append(rows, one, absolute("the same, allocations", allocs(deciders[ours]), count(allocs(deciders[peer])), atMost(0), count))
	}
	return rows, err
}

// pagesInProcess lets the sites take turns at one action.
func (b *bench) pagesInProcess(ctx context.Context, dir, action string, sends bool) ([]row, error) {
	p, err := b.visits(ctx, dir, people, 6*time.Second, func(s *contender.Site) *contender.Visitor {
		return contender.NewPageVisitor(s, sends)
	}, contender.PageKinds()...)
	if err != nil {
		return nil, err
	}
	var rows []row
	for _, pair := range rivals {
		what := fmt.Sprintf("%s: %s; %s", action, pair.ours, pair.peer)
		rows = append(rows, p.pair(what, pair.ours, pair.peer, nil),
			p.allocations("the same, allocations", pair.ours, pair.peer, nil))
	}
	return rows, nil
}

// pagesOverHTTP loads each site's server with each action, one at a time, with
// visits to the bare one before and after each.
func (b *bench) pagesOverHTTP(ctx context.Context, dir string) (rows []row, err error) {
	script := filepath.Join(dir, "pages.lua")
	if err := os.WriteFile(script, pagesLua, 0o600); err != nil {
		return nil, err
	}
	var closers []func() error
	defer func() { closeAll(&err, closers) }()
	kinds := contender.PageKinds()
	servers := make([]*target, len(kinds))
	for i, kind := range kinds {
		var p *process
		if servers[i], p, err = startSite(ctx, dir, nil, kind); err != nil {
			return nil, err
		}
		closers = append(closers, p.stop)
	}
	for _, a := range actions {
		wrk := &load{command: layouts[0].client, script: script, arguments: []string{a.method}, time: max(time.Second, b.span(time.Second).Round(time.Second))}
		targets := map[contender.Kind]*target{}
		for i, kind := range kinds {
			targets[kind] = &target{pid: servers[i].pid, url: servers[i].url, badges: servers[i].badges}
			if _, err := wrk.visit(ctx, targets[kind]); err != nil { // warms it up
				return nil, fmt.Errorf("%s, %s: %w", kind, a.name, err)
			}
		}
		for range max(1, int(5*b.scale)) {
			for _, kind := range kinds[1:] {
				t := targets[kind]
				// The same requests, since longer ones cost anybody more.
				bare := &target{pid: servers[0].pid, url: servers[0].url, badges: t.badges}
				before, err := wrk.visit(ctx, bare)
				if err != nil {
					return nil, err
				}
				own, err := wrk.visit(ctx, t)
				if err != nil {
					return nil, fmt.Errorf("%s, %s: %w", kind, a.name, err)
				}
				after, err := wrk.visit(ctx, bare)
				if err != nil {
					return nil, err
				}
				t.note(own, before, after)
			}
		}
		for _, pair := range rivals {
			ours, peer := targets[pair.ours], targets[pair.peer]
			what := fmt.Sprintf("over HTTP, %s: %s, which reaches %s of bare; %s, %s", a.name, pair.ours, share(ours.share()), pair.peer, share(peer.share()))
			rows = append(rows,
				compared(what, perSecond(median(ours.rates)), perSecond(median(peer.rates)), ours.share()/peer.share(), nil),
				compared("the server's processor time for each of these answers", duration(1e9*median(ours.costs)), duration(1e9*median(peer.costs)), ours.cost()/peer.cost(), nil))
		}
	}
	return rows, nil
}
