package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lanyard-go/lanyard/bench/contender"
)

// stores compares sessions that outlive the process, on the same servers with
// the same settings for all.
func (b *bench) stores(ctx context.Context, dir string) (_ section, err error) {
	s := section{Title: "Stores", Notes: []string{
		fmt.Sprintf("The whole middleware and a private page, %d people in turn, the servers on this machine. PostgreSQL runs with fsync and synchronous_commit on, Redis with appendonly and appendfsync=everysec, SQLite in WAL mode with synchronous=FULL: the same for all. Ours connects to Redis with rueidis and to PostgreSQL with pgx and at most 16 connections, scs with go-redis and pgx and as many as there are callers, with its goredisstore, pgxstore and sqlite3store.", people),
		"The client alone reads the value of each session with a GET on a connection with the same settings. Commands are counted by the server (MONITOR); those that a script calls on the server itself are not sent by anybody. A refresh reads the session and then rotates it.",
		"With an idle limit scs writes on every request. Ours always has one and writes at most once a minute and session. On Redis a lone caller of scs waits for two round trips where ours waits for one, so there no store can be five times as fast.",
	}}
	e, err := contender.StartEngines()
	if err != nil {
		s.Rows = append(s.Rows, left("the stores side by side", err.Error()))
		return s, nil
	}
	defer func() { err = errors.Join(err, e.Stop()) }()
	rows, err := b.redisAlone(ctx, dir, e)
	if err != nil {
		return s, fmt.Errorf("on Redis alone: %w", err)
	}
	s.Rows = append(s.Rows, rows...)
	for _, on := range []engine{
		{"Redis", contender.LanyardRedis, contender.SCSRedis, contender.SCSRedisIdle},
		{"PostgreSQL", contender.LanyardPostgres, contender.SCSPostgres, contender.SCSPostgresIdle},
		{"SQLite", contender.LanyardSQLite, contender.SCSSQLite, contender.SCSSQLiteIdle},
	} {
		rows, err := b.besideSCS(ctx, dir, e, on)
		if err != nil {
			return s, fmt.Errorf("on %s: %w", on.name, err)
		}
		s.Rows = append(s.Rows, rows...)
	}
	return s, nil
}

// redisAlone compares a check with the bare round trip, and counts round trips.
func (b *bench) redisAlone(ctx context.Context, dir string, e *contender.Engines) (rows []row, err error) {
	var closers []func() error
	defer func() { closeAll(&err, closers) }()
	site, base, err := openOn(ctx, e, contender.LanyardRedis, dir)
	if err != nil {
		return nil, err
	}
	closers = append(closers, site.Close)
	floor, err := contender.NewRedisFloor(ctx, site, base)
	if err != nil {
		return nil, err
	}
	closers = append(closers, floor.Close)
	for _, callers := range []int{1, 64} {
		crowd := contender.NewCrowd(site, callers)
		r, err := takeTurns(wall(), b.span(10*time.Second), 50*time.Millisecond,
			lap{"check", crowd.Check}, lap{"the client alone", func(n int) error { return floor.Read(ctx, callers, n) }})
		if err != nil {
			return nil, err
		}
		rows = append(rows, compared("one check through Redis, "+who(callers)+"; the client alone", duration(r.ns(0)), duration(r.ns(1)), r.ratio(0, 1), atMost(1.15)))
	}
	const times = 200
	for _, step := range contender.Steps(ctx, site, 1) {
		if err := step.Run(); err != nil { // the server learns each script
			return nil, fmt.Errorf("%s: %w", step.Name, err)
		}
	}
	for _, step := range contender.Steps(ctx, site, times) {
		n, err := commands(ctx, e.RedisAddr(), step.Run)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", step.Name, err)
		}
		goal := atMost(1)
		if step.Name == "refresh" {
			goal = nil
		}
		rows = append(rows, absolute("round trips to Redis, "+step.Name, float64(n)/times, "", goal, number))
	}
	return rows, nil
}

// engine is ours and scs on one engine.
type engine struct {
	name            string
	ours, scs, idle contender.Kind
}

// besideSCS lets both read and write.
func (b *bench) besideSCS(ctx context.Context, dir string, e *contender.Engines, on engine) (rows []row, err error) {
	var closers []func() error
	defer func() { closeAll(&err, closers) }()
	var sites []*contender.Site
	for _, kind := range []contender.Kind{on.ours, on.scs, on.idle} {
		site, _, err := openOn(ctx, e, kind, dir)
		if err != nil {
			return nil, err
		}
		closers = append(closers, site.Close)
		sites = append(sites, site)
	}
	for _, callers := range []int{1, 64} {
		var laps []lap
		for i, kind := range []contender.Kind{on.ours, on.scs, on.idle} {
			laps = append(laps, lap{string(kind), contender.NewCrowd(sites[i], callers).Visit})
		}
		r, err := takeTurns(wall(), b.span(6*time.Second), 50*time.Millisecond, laps...)
		if err != nil {
			return nil, err
		}
		fivefold := atMost(1. / 5)
		if on.ours == contender.LanyardRedis && callers == 1 {
			fivefold = nil
		}
		rows = append(rows,
			compared(fmt.Sprintf("%s, a page, %s; scs", on.name, who(callers)), duration(r.ns(0)), duration(r.ns(1)), r.ratio(0, 1), atMost(1)),
			compared(fmt.Sprintf("%s, a page, %s; scs with an idle limit", on.name, who(callers)), duration(r.ns(0)), duration(r.ns(2)), r.ratio(0, 2), fivefold))
	}
	for _, callers := range []int{1, 64} {
		goal := atLeast(1.5)
		if callers == 1 {
			goal = nil
		}
		var laps []lap
		for i, kind := range []contender.Kind{on.ours, on.idle} {
			site := sites[2*i] // scs on SQLite is quicker here with the one connection that it has with an idle limit
			laps = append(laps, lap{string(kind), func(n int) error { return site.Logins(ctx, callers, n) }})
		}
		r, err := takeTurns(wall(), b.span(5*time.Second), 100*time.Millisecond, laps...)
		if err != nil {
			return nil, err
		}
		// Rates are as the inverse of times.
		rows = append(rows, compared(fmt.Sprintf("%s, logins, %s; scs", on.name, who(callers)),
			perSecond(1e9/r.ns(0)), perSecond(1e9/r.ns(1)), r.ratio(1, 0), goal))
	}
	return rows, nil
}

// openOn opens a site on databases of its own.
func openOn(ctx context.Context, e *contender.Engines, kind contender.Kind, dir string) (*contender.Site, contender.Base, error) {
	home, err := sub(dir)
	if err != nil {
		return nil, contender.Base{}, err
	}
	base, err := e.Base(ctx, home)
	if err != nil {
		return nil, base, err
	}
	site, err := contender.Open(ctx, kind, people, base)
	return site, base, err
}

func who(callers int) string {
	if callers == 1 {
		return "a lone caller"
	}
	return fmt.Sprintf("%d callers", callers)
}
