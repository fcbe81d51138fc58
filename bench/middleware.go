package main

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard/bench/contender"
)

const (
	people = 1000    // who are signed in at each site and ask in turn
	crowd  = 100_000 // the same, where it is about many
)

// middleware lets every site answer its private page, without a network.
func (b *bench) middleware(ctx context.Context, dir string) (section, error) {
	s := section{Title: "A private page, in process", Notes: []string{
		fmt.Sprintf("The whole middleware and a page that writes the subject's name, %d people in turn. scs and gorilla/sessions keep the same facts as our record: subject, method, device label, user agent, address, two times.", people),
		"scs has no idle limit unless asked; with one it saves the session on each request. Ours always has one and writes at most once a minute and session. gorilla/sessions keeps everything in the cookie and cannot end a session early, golang-jwt likewise.",
		fmt.Sprintf("With %d people in turn nearly nothing is found in the processor's caches, nor in our memory of cookies seen before.", crowd),
	}}
	p, err := b.pages(ctx, dir, people, 10*time.Second,
		contender.LanyardCookie, contender.SCSMemory, contender.SCSMemoryIdle, contender.GorillaCookie,
		contender.LanyardSQLite, contender.SCSSQLite,
		contender.LanyardToken, contender.JWTES256, contender.JWTEdDSA)
	if err != nil {
		return s, err
	}
	many, err := b.pages(ctx, dir, crowd, 4*time.Second, contender.LanyardCookie, contender.SCSMemory)
	if err != nil {
		return s, err
	}
	s.Rows = []row{
		p.pair("cookie, memory store; scs", contender.LanyardCookie, contender.SCSMemory, atMost(1./20)),
		p.allocations("cookie, memory store, allocations; scs", contender.LanyardCookie, contender.SCSMemory, atMost(6)),
		many.pair(fmt.Sprintf("cookie, memory store, %d people; scs", crowd), contender.LanyardCookie, contender.SCSMemory, nil),
		p.pair("cookie, memory store; scs with an idle limit", contender.LanyardCookie, contender.SCSMemoryIdle, nil),
		p.pair("cookie, memory store; gorilla/sessions cookie store", contender.LanyardCookie, contender.GorillaCookie, nil),
		p.pair("cookie, SQLite; scs", contender.LanyardSQLite, contender.SCSSQLite, nil),
		p.pair("token seen before; golang-jwt ES256", contender.LanyardToken, contender.JWTES256, nil),
		p.pair("token seen before; golang-jwt EdDSA", contender.LanyardToken, contender.JWTEdDSA, nil),
		p.allocations("token seen before, allocations; golang-jwt ES256", contender.LanyardToken, contender.JWTES256, nil),
	}
	return s, nil
}

// pages is what visits to the private pages of several sites came to.
type pages struct {
	kinds  []contender.Kind
	race   *race
	allocs []float64
}

// pages opens the sites, each with n people, and lets them take turns.
func (b *bench) pages(ctx context.Context, dir string, n int, span time.Duration, kinds ...contender.Kind) (*pages, error) {
	return b.visits(ctx, dir, n, span, contender.NewVisitor, kinds...)
}

// visits is pages with visitors of another kind.
func (b *bench) visits(ctx context.Context, dir string, n int, span time.Duration, visitor func(*contender.Site) *contender.Visitor, kinds ...contender.Kind) (_ *pages, err error) {
	p := &pages{kinds: kinds}
	var laps []lap
	var closers []func() error
	defer func() { closeAll(&err, closers) }()
	for _, kind := range kinds {
		home, err := sub(dir)
		if err != nil {
			return nil, err
		}
		site, err := contender.Open(ctx, kind, n, contender.Base{Dir: home})
		if err != nil {
			return nil, err
		}
		closers = append(closers, site.Close)
		v := visitor(site)
		laps = append(laps, lap{string(kind), v.Visit})
		if err := v.Visit(n); err != nil { // everybody has been seen once
			return nil, err
		}
		p.allocs = append(p.allocs, testing.AllocsPerRun(1000, func() {
			if e := v.Visit(1); e != nil {
				err = e
			}
		}))
		if err != nil {
			return nil, err
		}
	}
	p.race, err = takeTurns(processor, b.span(span), 20*time.Millisecond, laps...)
	return p, err
}

// pair compares the times of two sites.
func (p *pages) pair(what string, ours, peer contender.Kind, goal *bound) row {
	i, j := slices.Index(p.kinds, ours), slices.Index(p.kinds, peer)
	return compared(what, duration(p.race.ns(i)), duration(p.race.ns(j)), p.race.ratio(i, j), goal)
}

// allocations compares how often two sites allocate memory on each request.
func (p *pages) allocations(what string, ours, peer contender.Kind, goal *bound) row {
	i, j := slices.Index(p.kinds, ours), slices.Index(p.kinds, peer)
	return absolute(what, p.allocs[i], count(p.allocs[j]), goal, count)
}
