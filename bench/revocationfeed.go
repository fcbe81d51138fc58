package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lanyard-go/lanyard/revocation"
)

// throughput is how many entries a second reach followers over HTTP, all in this
// process.
func (b *bench) throughput(ctx context.Context, _ string) ([]row, error) {
	var rows []row
	for _, c := range []struct{ followers, batch int }{{1, 1}, {1, revocation.MaxBatch}, {100, 1}, {100, revocation.MaxBatch}} {
		rate, err := b.pour(ctx, c.followers, c.batch)
		if err != nil {
			return nil, err
		}
		to := "a follower"
		if c.followers > 1 {
			to = fmt.Sprintf("%d followers", c.followers)
		}
		at := "one by one"
		if c.batch > 1 {
			at = fmt.Sprintf("%d at a time", c.batch)
		}
		rows = append(rows, absolute(fmt.Sprintf("feed to %s over HTTP, entries %s", to, at), rate, "", nil, perSecond))
	}
	return rows, nil
}

// pour appends batches for a while, never further ahead of the slowest follower
// than the hub remembers, and returns the entries a second that all of them took in.
func (b *bench) pour(ctx context.Context, followers, batch int) (_ float64, err error) {
	const ahead = 512 // batches
	f, err := newFeed(4 * ahead)
	if err != nil {
		return 0, err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	url, shut, err := f.listen(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, shut()) }()
	taken := make([]atomic.Int64, followers) // batches
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()
	all := make([]*revocation.Follower, followers)
	for i := range all {
		all[i], err = revocation.NewFollower(revocation.FollowerConfig{
			Endpoints: []string{url}, Issuer: feedIssuer,
			Apply: func([]revocation.Entry, string) { taken[i].Add(1) },
		})
		if err != nil {
			return 0, err
		}
		running.Go(func() { all[i].Run(ctx) })
	}
	slowest := func() int64 {
		least := taken[0].Load()
		for i := range taken {
			least = min(least, taken[i].Load())
		}
		return least
	}
	until := func(what string, done func() bool) error {
		for patience := time.Now().Add(30 * time.Second); !done(); {
			if time.Now().After(patience) {
				return fmt.Errorf("%s: not within 30 s, the first follower's troubles are %v", what, all[0].Status().Troubles)
			}
			if err := pause(ctx, 200*time.Microsecond); err != nil {
				return err
			}
		}
		return nil
	}
	err = until("getting in step", func() bool {
		for _, follower := range all {
			if s, _, _ := follower.State(); s == revocation.Blind {
				return false
			}
		}
		return true
	})
	if err != nil {
		return 0, err
	}
	sent := int64(0)
	began := time.Now()
	for time.Since(began) < b.span(3*time.Second) {
		if err := f.end(batch); err != nil {
			return 0, err
		}
		if sent++; sent%(ahead/4) == 0 {
			if err := until("taking entries in", func() bool { return sent-slowest() < ahead }); err != nil {
				return 0, err
			}
		}
	}
	if err := until("taking the last entries in", func() bool { return slowest() == sent }); err != nil {
		return 0, err
	}
	return float64(sent) * float64(batch) / time.Since(began).Seconds(), nil
}
