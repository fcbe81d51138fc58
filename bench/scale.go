package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/bench/contender"
)

const (
	fewSessions  = 10_000
	manySessions = 1_000_000
	scaleCallers = 16
)

// scaleEngine is an engine whose stores are compared by their size.
type scaleEngine struct {
	name      string
	ours, scs contender.Kind
	goal      float64 // how many times as long things may take with many sessions
}

// many measures what the number of live sessions costs.
func (b *bench) many(ctx context.Context, dir string) (_ section, err error) {
	few, many := int(fewSessions*b.scale), int(manySessions*b.scale)
	s := section{Title: "Many sessions", Notes: []string{
		fmt.Sprintf("The peer of each time is the same with %d sessions. Two stores on the same server take turns; %d callers work all over the sessions, which have four to a subject. Those that are ended are replaced. Times are by the clock on the wall, divided by the operations: with PostgreSQL and SQLite the callers share syncs of the disk. In memory it is the processor time of a lone caller. The cookies that are checked lie in fresh memory, as if they came from a network.", few, scaleCallers),
		"Bytes are those of the database files, or of the memory of Redis, indexes included, while nothing has been removed yet. scs keeps the same facts and has an index by expiry, or on Redis none at all; it cannot list or end the sessions of a subject without reading all of them.",
		fmt.Sprintf("Pruning is that of `lanyard serve`: %d sessions pass their idle limit at one moment while %d callers send a request every %s each, eighteen in twenty a check, one a login that a program vouches for and one a change of the application's data. Each is the first of its session for a while, so that a check writes down activity, durably like the others. A request counts from the moment it was due, and waits for no less than the disk: the sync beside it is of a file that nobody else uses.", many/10, pruneCallers, pruneEvery),
	}}
	known := b.engine == ""
	if known || b.engine == "memory" {
		known = true
		rows, err := b.manyInMemory(ctx, few, many)
		if err != nil {
			return s, fmt.Errorf("memory: %w", err)
		}
		s.Rows = append(s.Rows, rows...)
	}
	e, err := contender.StartEngines()
	if err != nil {
		s.Rows = append(s.Rows, left("many sessions in PostgreSQL, Redis and SQLite", err.Error()))
		return s, nil
	}
	defer func() { err = errors.Join(err, e.Stop()) }()
	for _, on := range []scaleEngine{
		{"Redis", contender.LanyardRedis, contender.SCSRedis, 1.3},
		{"PostgreSQL", contender.LanyardPostgres, contender.SCSPostgres, 1.3},
		{"SQLite", contender.LanyardSQLite, contender.SCSSQLiteIdle, 2},
	} {
		if b.engine != "" && b.engine != on.name {
			continue
		}
		known = true
		rows, err := b.manyOn(ctx, dir, e, on, few, many)
		if err != nil {
			return s, fmt.Errorf("on %s: %w", on.name, err)
		}
		s.Rows = append(s.Rows, rows...)
	}
	if !known {
		return s, fmt.Errorf("no engine %q is known", b.engine)
	}
	return s, nil
}

// manyInMemory compares the check in process, also with ten times as many if
// there is memory for them.
func (b *bench) manyInMemory(ctx context.Context, few, many int) ([]row, error) {
	rows, err := b.checkInMemory(ctx, few, many, atMost(500))
	if free, e := freeMemory(); err == nil && e == nil && free > float64(many)*10*1600 {
		var more []row
		more, err = b.checkInMemory(ctx, few, 10*many, nil)
		rows = append(rows, more...)
	}
	return rows, err
}

func (b *bench) checkInMemory(ctx context.Context, few, many int, goal *bound) (rows []row, err error) {
	var closers []func() error
	defer func() { closeAll(&err, closers) }()
	// Processor time without the time in which the cookies are laid out.
	apart := time.Duration(0)
	clock := func() (time.Duration, error) {
		t, err := processor()
		return t - apart, err
	}
	var laps []lap
	for _, n := range []int{few, many} {
		progress("filling the memory store with %d sessions", n)
		p, err := contender.NewPopulation(ctx, contender.LanyardCookie, n, contender.Base{}, nil)
		if err != nil {
			return nil, err
		}
		closers = append(closers, p.Close)
		cookies := make([]string, 256)
		laps = append(laps, lap{fmt.Sprint(n), func(n int) error {
			for ; n > 0; n -= len(cookies) {
				these := cookies[:min(n, len(cookies))]
				began, err := processor()
				if err != nil {
					return err
				}
				p.Arrive(these)
				ended, err := processor()
				if err != nil {
					return err
				}
				apart += ended - began
				if err := p.CheckThese(these); err != nil {
					return err
				}
			}
			return nil
		}})
	}
	runtime.GC() // what filling left
	r, err := takeTurns(clock, b.span(10*time.Second), 20*time.Millisecond, laps...)
	if err != nil {
		return nil, err
	}
	return []row{
		compared(fmt.Sprintf("memory, %d sessions, check", many), duration(r.ns(1)), duration(r.ns(0)), r.ratio(1, 0), nil),
		absolute(fmt.Sprintf("memory, %d sessions, what the check takes more", many), r.excess(1, 0), "", goal, duration),
	}, nil
}

// manyOn compares one engine with few and with many sessions.
func (b *bench) manyOn(ctx context.Context, dir string, e *contender.Engines, on scaleEngine, few, many int) (rows []row, err error) {
	var closers []func() error
	defer func() { closeAll(&err, closers) }()
	var both []*contender.Population
	var each float64
	var srv *pruneServer
	for _, n := range []int{few, many} {
		home, err := sub(dir)
		if err != nil {
			return nil, err
		}
		base, err := e.Base(ctx, home)
		if err != nil {
			return nil, err
		}
		var keys *lanyard.Keys
		if n == many && b.lanyard != "" {
			srv = &pruneServer{binary: b.lanyard, kind: on.ours, base: base}
			if keys, err = srv.keys(ctx); err != nil {
				return nil, err
			}
		}
		progress("filling %s with %d sessions", on.name, n)
		before, err := contender.Weight(ctx, on.ours, base)
		if err != nil {
			return nil, err
		}
		p, err := contender.NewPopulation(ctx, on.ours, n, base, keys)
		if err != nil {
			return nil, err
		}
		closers = append(closers, p.Close)
		both = append(both, p)
		if err := contender.Settle(ctx, on.ours, base); err != nil {
			return nil, err
		}
		after, err := contender.Weight(ctx, on.ours, base)
		if err != nil {
			return nil, err
		}
		each = (after - before) / float64(p.Size())
	}
	progress("measuring %s", on.name)
	type act = func(p *contender.Population, n int) error
	cookies := make([]string, 2000)
	ops := []struct {
		name  string
		times int // in a turn
		do    act
	}{
		{"check", len(cookies), func(p *contender.Population, n int) error { return p.CheckTogether(scaleCallers, cookies) }},
		{"create", 200, func(p *contender.Population, n int) error { return p.Create(ctx, scaleCallers, n) }},
		{"rotate", 200, func(p *contender.Population, n int) error { return p.Rotate(ctx, scaleCallers, n) }},
		{"list of a subject", 500, func(p *contender.Population, n int) error { return p.List(ctx, scaleCallers, n) }},
		{"revoke", 200, func(p *contender.Population, n int) error { return p.Revoke(ctx, scaleCallers, n) }},
	}
	races := make([]race, len(ops))
	began := time.Now()
	for round := 0; round < 2*minRounds || time.Since(began) < b.span(30*time.Second); round++ {
		for k, op := range ops {
			times := [2]float64{}
			for j := range both {
				i := (j + round) % 2
				both[i].Arrive(cookies)
				took, err := lap{op.name, func(n int) error { return op.do(both[i], n) }}.time(wall(), op.times)
				if err != nil {
					return nil, err
				}
				times[i] = float64(took) / float64(op.times)
			}
			races[k].note(times[:]...)
		}
	}
	for k, op := range ops {
		r := &races[k]
		rows = append(rows, compared(fmt.Sprintf("%s, %d sessions, %s", on.name, many, op.name), duration(r.ns(1)), duration(r.ns(0)), r.ratio(1, 0), atMost(on.goal)))
	}
	row, err := b.bytesBeside(ctx, dir, e, on, each, many/10)
	if err != nil {
		return nil, err
	}
	rows = append(rows, row)
	if srv == nil {
		return append(rows, left(on.name+", pruning while requests run", "no binary given")), nil
	}
	worst, err := srv.worst(ctx, both[1], many/10)
	if err != nil {
		return nil, fmt.Errorf("pruning: %w", err)
	}
	return append(rows,
		absolute(fmt.Sprintf("%s, worst request while %d of %d sessions are pruned", on.name, many/10, many), worst.within(1000), "", atMost(50e6), duration),
		absolute(on.name+", 999 of 1000 of these requests", worst.within(999), "", nil, duration),
		absolute(on.name+", 99 of 100 of these requests", worst.within(990), "", nil, duration),
		absolute(on.name+", worst request in the seconds before", worst.quiet, "", nil, duration),
		absolute(on.name+", longest sync of a file of its own on that disk meanwhile", worst.sync, "", nil, duration),
		absolute(on.name+", that server's start to ready", worst.ready, "", nil, duration),
		absolute(on.name+", that server's resident memory afterwards", worst.resident, "", nil, megabytes)), nil
}

// bytesBeside weighs sessions of scs on the same engine.
func (b *bench) bytesBeside(ctx context.Context, dir string, e *contender.Engines, on scaleEngine, ours float64, n int) (row, error) {
	progress("filling %s of scs with %d sessions", on.name, n)
	home, err := sub(dir)
	if err != nil {
		return row{}, err
	}
	base, err := e.Base(ctx, home)
	if err != nil {
		return row{}, err
	}
	before, err := contender.Weight(ctx, on.scs, base)
	if err != nil {
		return row{}, err
	}
	site, err := contender.Open(ctx, on.scs, 0, base)
	if err != nil {
		return row{}, err
	}
	err = site.Logins(ctx, scaleCallers, n)
	if err == nil {
		err = contender.Settle(ctx, on.scs, base)
	}
	if err := errors.Join(err, site.Close()); err != nil {
		return row{}, err
	}
	after, err := contender.Weight(ctx, on.scs, base)
	scs := (after - before) / float64(n)
	r := absolute(on.name+", bytes for each session; scs", ours, bytesEach(scs), nil, bytesEach)
	r.Ratio = quotient(ours / scs)
	return r, err
}

func progress(format string, args ...any) { fmt.Fprintf(os.Stderr, "  "+format+"\n", args...) }
