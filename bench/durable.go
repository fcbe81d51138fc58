package main

import (
	"context"
	"fmt"
	"time"

	"github.com/lanyard-go/lanyard/bench/contender"
)

// durable compares ways to create sessions that survive a loss of power.
func (b *bench) durable(ctx context.Context, dir string) (_ section, err error) {
	s := section{Title: "Durable creation on SQLite", Notes: []string{
		"Everybody writes to a file of their own on the same disk, in WAL mode with synchronous=FULL. A transaction each: our tables, all their indexes, our statements and pragmas, with a commit for every session, the callers taking turns on one prepared connection. Ours shares a commit among those who wait.",
		"A login is the manager's Start beside Load, Put and Commit of scs, which has no index by subject.",
	}}
	laps := []struct {
		name string
		open func(context.Context, string) (*contender.Creator, error)
	}{
		{"store", contender.StoreCreator}, {"a transaction each", contender.PlainCreator},
		{"login", contender.LoginCreator}, {"scs", contender.SCSCreator},
	}
	var creators []*contender.Creator
	var closers []func() error
	defer func() { closeAll(&err, closers) }()
	for _, l := range laps {
		c, err := l.open(ctx, dir)
		if err != nil {
			return s, fmt.Errorf("%s: %w", l.name, err)
		}
		closers = append(closers, c.Close)
		creators = append(creators, c)
	}
	for _, callers := range []int{64, 1} {
		who := fmt.Sprintf("%d callers", callers)
		slice, shared, lone := 200*time.Millisecond, atLeast(4.5), (*bound)(nil)
		if callers == 1 {
			who, slice, shared, lone = "a lone caller", 50*time.Millisecond, nil, atMost(1.05)
		}
		var turns []lap
		for i, c := range creators {
			turns = append(turns, lap{laps[i].name, func(n int) error { return c.Together(ctx, callers, n) }})
		}
		r, err := takeTurns(wall(), b.span(10*time.Second), slice, turns...)
		if err != nil {
			return s, err
		}
		rate := func(i int) string { return perSecond(1e9 / r.ns(i)) }
		if callers == 1 {
			s.Rows = append(s.Rows,
				compared(who+", time each; a transaction each", duration(r.ns(0)), duration(r.ns(1)), r.ratio(0, 1), lone),
				compared(who+", time of a login; scs", duration(r.ns(2)), duration(r.ns(3)), r.ratio(2, 3), nil))
			continue
		}
		// Rates are as the inverse of times.
		s.Rows = append(s.Rows,
			compared(who+"; a transaction each", rate(0), rate(1), r.ratio(1, 0), shared),
			compared(who+", logins; scs", rate(2), rate(3), r.ratio(3, 2), nil))
	}
	return s, nil
}
