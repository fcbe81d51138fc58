package main

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/lanyard-go/lanyard/bench/contender"
	"github.com/lanyard-go/lanyard/revocation"
	"github.com/lanyard-go/lanyard/token"
)

const (
	fewEntries  = 10_000
	manyEntries = 1_000_000
)

// follow starts a follower of a feed with so many entries and returns it when it is
// in step, with how long that took. Its lease holds for the whole run.
func follow(ctx context.Context, entries int) (_ *revocation.Follower, took time.Duration, stop func(), err error) {
	f, err := newFeed(0)
	if err != nil {
		return nil, 0, nil, err
	}
	f.lease = 4 * time.Minute
	for left := entries; left > 0; left -= revocation.MaxBatch {
		if err := f.end(min(left, revocation.MaxBatch)); err != nil {
			return nil, 0, nil, err
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	url, shut, err := f.listen(ctx)
	if err != nil {
		cancel()
		return nil, 0, nil, err
	}
	follower, err := revocation.NewFollower(revocation.FollowerConfig{Endpoints: []string{url}, Issuer: feedIssuer, MaxLease: 5 * time.Minute})
	if err != nil {
		cancel()
		return nil, 0, nil, errors.Join(err, shut())
	}
	var running sync.WaitGroup
	stop = func() {
		cancel()
		running.Wait()
		shut()
	}
	began := time.Now()
	running.Go(func() { follower.Run(ctx) })
	for {
		if s, _, _ := follower.State(); s != revocation.Blind {
			took = time.Since(began)
			break
		}
		if time.Since(began) > time.Minute {
			stop()
			return nil, 0, nil, fmt.Errorf("a follower of %d entries is blind after a minute: %v", entries, follower.Status().Troubles)
		}
		if err := pause(ctx, time.Millisecond); err != nil {
			stop()
			return nil, 0, nil, err
		}
	}
	if n := follower.Status().Entries; n != entries {
		stop()
		return nil, 0, nil, fmt.Errorf("%d entries have arrived, %d were sent", n, entries)
	}
	return follower, took, stop, nil
}

// coldStart is the time in which a follower that knows nothing is in step with a
// feed of a million entries.
func (b *bench) coldStart(ctx context.Context, _ string) ([]row, error) {
	var times []float64
	for range 3 {
		_, took, stop, err := follow(ctx, manyEntries)
		if err != nil {
			return nil, err
		}
		stop()
		runtime.GC()
		times = append(times, float64(took))
	}
	return []row{absolute(fmt.Sprintf("cold start with %d entries over HTTP, until in step", manyEntries), median(times), "", atMost(2e9), duration)}, nil
}

// addedCost compares the check of tokens that were seen before with the same and
// a look at what has been revoked.
func (b *bench) addedCost(ctx context.Context, _ string) ([]row, error) {
	var rows []row
	var followers []*revocation.Follower
	sizes := []int{fewEntries, manyEntries}
	for _, n := range sizes {
		follower, _, stop, err := follow(ctx, n)
		if err != nil {
			return nil, err
		}
		defer stop()
		followers = append(followers, follower)
	}
	for _, tokens := range []int{people, crowd} {
		r, err := b.seenBefore(tokens, followers)
		if err != nil {
			return nil, err
		}
		for i, goal := range []float64{30, 150} {
			rows = append(rows, absolute(fmt.Sprintf("added to the check of one of %d tokens seen before, %d entries; the whole check", tokens, sizes[i]),
				r.excess(i+1, 0), duration(r.ns(i+1)), atMost(goal), duration))
		}
	}
	return rows, nil
}

// seenBefore lets checks take turns: first without any look at what has been
// revoked, but with the clock read as often, then with each of the followers.
func (b *bench) seenBefore(n int, followers []*revocation.Follower) (*race, error) {
	tokens, err := contender.NewTokens(token.EdDSA, n)
	if err != nil {
		return nil, err
	}
	v, err := tokens.Verifier(n)
	if err != nil {
		return nil, err
	}
	if _, err := hitRatio(v, tokens.Texts); err != nil { // each has been seen
		return nil, err
	}
	again := func(also func(*revocation.Badge) error) func(int) error {
		at := 0
		badge := revocation.Badge{Generation: 1, Subject: "user00000000", Key: "2026-11"}
		number := uint64(1)
		return func(times int) error {
			for range times {
				at = (at + 61_803) % n
				if _, err := v.Verify(tokens.Texts[at]); err != nil {
					return err
				}
				// A session that nobody has heard of, and another one each time.
				number *= 0x9e3779b97f4a7c15
				binary.NativeEndian.PutUint64(badge.SID[8:], number)
				if err := also(&badge); err != nil {
					return err
				}
			}
			return nil
		}
	}
	var now time.Time
	laps := []lap{{"clock", again(func(*revocation.Badge) error {
		if now = time.Now(); now.IsZero() {
			return errNotHeld
		}
		return nil
	})}}
	for _, follower := range followers {
		laps = append(laps, lap{"with entries", again(follower.Check)})
	}
	runtime.GC()
	return takeTurns(processor, b.span(8*time.Second), 20*time.Millisecond, laps...)
}

// weightOfEntries is what entries take, and how fast they are taken in.
func (b *bench) weightOfEntries(context.Context, string) ([]row, error) {
	sids := make([]revocation.SID, manyEntries)
	for i := range sids {
		rand.Read(sids[i][:])
	}
	batch := make([]revocation.Entry, revocation.MaxBatch)
	var rates []float64
	var each float64
	for range 3 {
		before := heapInUse()
		s := revocation.NewSet()
		runtime.LockOSThread()
		began, err := processor()
		if err != nil {
			return nil, err
		}
		for at := 0; at < len(sids); at += len(batch) {
			n := min(len(batch), len(sids)-at)
			for i := range n {
				batch[i] = revocation.Entry{Kind: revocation.KindSession, SID: sids[at+i], Keep: time.Hour}
			}
			s.Apply(0, batch[:n]...)
		}
		ended, err := processor()
		runtime.UnlockOSThread()
		if err != nil {
			return nil, err
		}
		if s.Len() != manyEntries {
			return nil, fmt.Errorf("%d entries are kept, want %d", s.Len(), manyEntries)
		}
		rates = append(rates, manyEntries/(ended-began).Seconds())
		each = (heapInUse() - before) / manyEntries
		runtime.KeepAlive(s)
	}
	return []row{
		absolute(fmt.Sprintf("memory for each of %d entries", manyEntries), each, "", atMost(40), bytesEach),
		absolute(fmt.Sprintf("entries taken in, up to %d", manyEntries), median(rates), "", nil, perSecond),
	}, nil
}

// heapInUse is what is left on the heap after a collection, in bytes.
func heapInUse() float64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}
