package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/bench/contender"
)

// nearCache compares pages of nodes that follow the revocations, as `lanyard
// serve` does, and keep records near, with scs on the same servers.
func (b *bench) nearCache(ctx context.Context, dir string) (rows []row, err error) {
	e, err := contender.StartEngines()
	if err != nil {
		return []row{left("the near cache on Redis and PostgreSQL", err.Error())}, nil
	}
	defer func() { err = errors.Join(err, e.Stop()) }()
	for _, on := range []engine{
		{"Redis", contender.LanyardRedis, contender.SCSRedis, contender.SCSRedisIdle},
		{"PostgreSQL", contender.LanyardPostgres, contender.SCSPostgres, contender.SCSPostgresIdle},
	} {
		more, err := b.nearOn(ctx, dir, e, on)
		if err != nil {
			return nil, fmt.Errorf("near cache on %s: %w", on.name, err)
		}
		rows = append(rows, more...)
	}
	return rows, nil
}

func (b *bench) nearOn(ctx context.Context, dir string, e *contender.Engines, on engine) (rows []row, err error) {
	var closers []func() error
	defer func() { closeAll(&err, closers) }()
	kinds := []contender.Kind{on.ours, on.scs, on.idle}
	var sites []*contender.Site
	var bases []contender.Base
	for _, kind := range kinds {
		site, base, err := openOn(ctx, e, kind, dir)
		if err != nil {
			return nil, err
		}
		closers = append(closers, site.Close)
		sites, bases = append(sites, site), append(bases, base)
	}
	other, err := contender.Open(ctx, on.ours, 1, bases[0])
	if err != nil {
		return nil, err
	}
	closers = append(closers, other.Close)
	running, stop := context.WithCancel(ctx)
	var nodes sync.WaitGroup
	for _, site := range []*contender.Site{sites[0], other} {
		nodes.Go(func() { site.Manager.Run(running) })
	}
	closers = append(closers, func() error { stop(); nodes.Wait(); return nil })
	if err := inStep(sites[0]); err != nil {
		return nil, err
	}
	for _, callers := range []int{1, 64} {
		var laps []lap
		for i, kind := range kinds {
			laps = append(laps, lap{string(kind), contender.NewCrowd(sites[i], callers).Visit})
		}
		r, err := takeTurns(wall(), b.span(6*time.Second), 50*time.Millisecond, laps...)
		if err != nil {
			return nil, err
		}
		goal, idle := atMost(1./40), atMost(1./40)
		if on.ours == contender.LanyardPostgres {
			goal, idle = atMost(1), atMost(1./5)
		}
		what := fmt.Sprintf("%s, a page with the near cache, %s; ", on.name, who(callers))
		rows = append(rows,
			compared(what+"scs", duration(r.ns(0)), duration(r.ns(1)), r.ratio(0, 1), goal),
			compared(what+"scs with an idle limit", duration(r.ns(0)), duration(r.ns(2)), r.ratio(0, 2), idle))
	}
	more, err := endElsewhere(ctx, on.name, sites[0], other)
	return append(rows, more...), err
}

// endElsewhere ends sessions at another node on the same store and looks whether
// this one, which keeps them near, still lets anybody in afterwards.
func endElsewhere(ctx context.Context, engine string, site, other *contender.Site) ([]row, error) {
	const ends = 200
	accepted := 0
	var times []float64
	for _, badge := range site.Badges[:ends] {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, feedIssuer+"/private", nil)
		if err != nil {
			return nil, err
		}
		badge.Set(r)
		s, err := site.Manager.Check(r)
		if err != nil {
			return nil, err
		}
		began := time.Now()
		if err := other.Manager.End(ctx, s.SID(), lanyard.EndOptions{Reason: lanyard.ReasonAdmin}); err != nil {
			return nil, err
		}
		times = append(times, float64(time.Since(began)))
		if s, err := site.Manager.Check(r); err == nil && s.Subject() != "" {
			accepted++
		}
	}
	return []row{
		absolute(fmt.Sprintf("%s, accepted from the near cache after the end at another node had returned, of %d ends", engine, ends), float64(accepted), "", atMost(0), count),
		absolute(fmt.Sprintf("%s, such an end", engine), median(times), "", nil, duration),
	}, nil
}

// inStep waits until a page costs no round trip: until everybody's second visit is
// ten times as quick as one that asks the store.
func inStep(site *contender.Site) error {
	v := contender.NewVisitor(site)
	visit := func() (time.Duration, error) {
		began := time.Now()
		err := v.Visit(people)
		return time.Since(began), err
	}
	asking, err := visit()
	if err != nil {
		return err
	}
	for patience := time.Now().Add(10 * time.Second); ; {
		took, err := visit()
		if err != nil {
			return err
		}
		if took < asking/10 {
			return nil
		}
		if time.Now().After(patience) {
			return fmt.Errorf("after 10 s %d pages still take %v", people, took)
		}
	}
}
