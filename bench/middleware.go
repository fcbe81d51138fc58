package main

import (
	"context"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard/bench/contender"
)

// people is how many are signed in at each site and ask in turn.
const people = 1000

// middleware lets every site answer its private page, without a network.
func (b *bench) middleware(ctx context.Context, dir string) (_ section, err error) {
	s := section{Title: "A private page, in process", Notes: []string{
		"The whole middleware and a page that writes the subject's name, 1000 people in turn. scs and gorilla/sessions keep the same facts as our record: subject, method, device label, user agent, address, two times.",
		"scs has no idle limit unless asked; with one it saves the session on each request. Ours always has one and writes at most once a minute and session. gorilla/sessions keeps everything in the cookie and cannot end a session early, golang-jwt likewise.",
	}}
	kinds := []contender.Kind{
		contender.LanyardCookie, contender.SCSMemory, contender.SCSIdle, contender.GorillaCookie,
		contender.LanyardSQLite, contender.SCSSQLite,
		contender.LanyardToken, contender.JWTES256, contender.JWTEdDSA,
	}
	var laps []lap
	allocs := map[contender.Kind]float64{}
	var closers []func() error
	defer func() { closeAll(&err, closers) }()
	for _, kind := range kinds {
		site, err := contender.Open(ctx, kind, people, dir)
		if err != nil {
			return s, err
		}
		closers = append(closers, site.Close)
		v := contender.NewVisitor(site)
		laps = append(laps, lap{string(kind), v.Visit})
		if err := v.Visit(people); err != nil {
			return s, err
		}
		allocs[kind] = testing.AllocsPerRun(people, func() {
			if e := v.Visit(1); e != nil {
				err = e
			}
		})
		if err != nil {
			return s, err
		}
	}
	r, err := takeTurns(b.span(12*time.Second), 20*time.Millisecond, laps...)
	if err != nil {
		return s, err
	}
	index := map[contender.Kind]int{}
	for i, kind := range kinds {
		index[kind] = i
	}
	pair := func(what string, ours, peer contender.Kind, goal *bound) {
		i, j := index[ours], index[peer]
		s.Rows = append(s.Rows, compared(what, duration(r.ns(i)), duration(r.ns(j)), r.ratio(i, j), goal))
	}
	pair("cookie, memory store; scs", contender.LanyardCookie, contender.SCSMemory, atMost(1./20))
	s.Rows = append(s.Rows, absolute("cookie, memory store, allocations; scs", allocs[contender.LanyardCookie],
		count(allocs[contender.SCSMemory]), atMost(6), count))
	pair("cookie, memory store; scs with an idle limit", contender.LanyardCookie, contender.SCSIdle, nil)
	pair("cookie, memory store; gorilla/sessions cookie store", contender.LanyardCookie, contender.GorillaCookie, nil)
	pair("cookie, SQLite; scs", contender.LanyardSQLite, contender.SCSSQLite, nil)
	pair("token seen before; golang-jwt ES256", contender.LanyardToken, contender.JWTES256, nil)
	pair("token seen before; golang-jwt EdDSA", contender.LanyardToken, contender.JWTEdDSA, nil)
	s.Rows = append(s.Rows, absolute("token seen before, allocations; golang-jwt ES256", allocs[contender.LanyardToken],
		count(allocs[contender.JWTES256]), nil, count))
	return s, nil
}
