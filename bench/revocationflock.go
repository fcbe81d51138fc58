package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lanyard-go/lanyard/revocation"
)

const (
	flockSize  = 2000
	flockEvery = 200 * time.Millisecond // five revocations a second
	flockTime  = time.Minute
)

// flock is many followers in this process, each with a connection of its own for
// its stream and one for what it acknowledges, as if they were services.
type flock struct {
	all      []*revocation.Follower
	counting atomic.Bool
	lags     [][]float64 // ns, of each follower, while counting
	stop     context.CancelFunc
	done     sync.WaitGroup
}

// newFlock starts n followers, one after another, and waits until all are in step.
func newFlock(ctx context.Context, url string, n int) (*flock, error) {
	ctx, stop := context.WithCancel(ctx)
	f := &flock{lags: make([][]float64, n), stop: stop}
	for i := range n {
		follower, err := revocation.NewFollower(revocation.FollowerConfig{
			Endpoints: []string{url}, Issuer: feedIssuer, Name: fmt.Sprintf("f%d", i),
			Apply: func(entries []revocation.Entry, _ string) {
				if late, err := lateness(&entries[0]); err == nil && f.counting.Load() {
					f.lags[i] = append(f.lags[i], float64(late))
				}
			},
		})
		if err != nil {
			stop()
			return nil, err
		}
		f.all = append(f.all, follower)
		f.done.Go(func() { follower.Run(ctx) })
		if i%20 == 19 {
			if err := pause(ctx, 20*time.Millisecond); err != nil {
				f.close()
				return nil, err
			}
		}
	}
	for patience := time.Now().Add(time.Minute); f.blind() > 0; {
		if err := pause(ctx, 50*time.Millisecond); err != nil || time.Now().After(patience) {
			err = errors.Join(err, fmt.Errorf("%d of %d followers are blind after a minute: %v", f.blind(), n, f.troubles()))
			f.close()
			return nil, err
		}
	}
	return f, nil
}

// close ends all followers and waits for them. It may be called again.
func (f *flock) close() {
	f.stop()
	f.done.Wait()
}

// blind counts those that could not tell now.
func (f *flock) blind() (n int) {
	for _, follower := range f.all {
		if s, _, _ := follower.State(); s == revocation.Blind {
			n++
		}
	}
	return n
}

// counts adds up those of all, since the start.
func (f *flock) counts() (acks, connections uint64) {
	for _, follower := range f.all {
		s := follower.Status()
		acks += s.Acks
		connections += s.Connections
	}
	return acks, connections
}

func (f *flock) troubles() map[revocation.Trouble]uint64 {
	sum := make(map[revocation.Trouble]uint64)
	for _, follower := range f.all {
		for t, n := range follower.Status().Troubles {
			sum[t] += n
		}
	}
	return sum
}

// pause waits, less if ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// following is one node with many followers in another process.
func (b *bench) following(ctx context.Context, dir string) (rows []row, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	out := filepath.Join(dir, "feed.json")
	node, err := startProcess(ctx, self, feedCommand, "-every", flockEvery.String(), "-report", out)
	if err != nil {
		return nil, err
	}
	stopped := false
	stop := func() error {
		if stopped {
			return nil
		}
		stopped = true
		node.stdin.Close()
		return node.cmd.Wait()
	}
	defer func() { err = errors.Join(err, stop()) }()
	pid := node.cmd.Process.Pid
	alone, _, err := residentBytes(pid)
	if err != nil {
		return nil, err
	}
	usBefore, _, err := residentBytes(os.Getpid())
	if err != nil {
		return nil, err
	}
	f, err := newFlock(ctx, node.url, flockSize)
	if err != nil {
		return nil, err
	}
	defer f.close()
	progress("%d followers are in step", flockSize)
	if err := pause(ctx, 2*time.Second); err != nil {
		return nil, err
	}
	length := b.span(flockTime)
	acks, connections := f.counts()
	spent, err := processorTime(pid)
	if err != nil {
		return nil, err
	}
	ours, err := processorTime(os.Getpid())
	if err != nil {
		return nil, err
	}
	began := time.Now()
	f.counting.Store(true)
	blind := 0
	for time.Since(began) < length {
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return nil, err
		}
		blind += f.blind()
	}
	f.counting.Store(false)
	took := time.Since(began).Seconds()
	acksAfter, connectionsAfter := f.counts()
	spentAfter, err := processorTime(pid)
	if err != nil {
		return nil, err
	}
	oursAfter, err := processorTime(os.Getpid())
	if err != nil {
		return nil, err
	}
	full, _, err := residentBytes(pid)
	if err != nil {
		return nil, err
	}
	usAfter, _, err := residentBytes(os.Getpid())
	if err != nil {
		return nil, err
	}
	if n := f.troubles(); len(n) > 0 {
		progress("troubles: %v", n)
	}
	f.close()
	lags := slices.Concat(f.lags...)
	if err := stop(); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(out)
	if err != nil {
		return nil, err
	}
	var report feedReport
	if err := json.Unmarshal(text, &report); err != nil {
		return nil, err
	}
	what := fmt.Sprintf("%d followers, %.0f revocations a second", flockSize, float64(time.Second/flockEvery))
	seconds := func(from, to time.Duration) float64 { return (to - from).Seconds() / took }
	return []row{
		absolute(what+", lag p50", quantile(lags, 0.5), "", nil, duration),
		absolute(what+", lag p99", quantile(lags, 0.99), "", atMost(250e6), duration),
		absolute(what+", lag p99.9", quantile(lags, 0.999), "", nil, duration),
		absolute(what+", met of those due", float64(len(lags))/(took*flockSize*float64(time.Second/flockEvery)), "", nil, share),
		absolute(what+", found blind when all were looked at ten times a second", float64(blind), "", atMost(0), count),
		absolute(what+", connections that broke", float64(connectionsAfter-connections), "", atMost(0), count),
		absolute(what+", until the last had acknowledged, p50", quantile(report.Covered, 0.5), "", nil, duration),
		absolute(what+", until the last had acknowledged, p99", quantile(report.Covered, 0.99), "", nil, duration),
		absolute(what+", acknowledgements", float64(acksAfter-acks)/took, "", nil, perSecond),
		absolute(what+", processors that the node keeps busy", seconds(spent, spentAfter), "", nil, share),
		absolute(what+", processors that all followers together keep busy", seconds(ours, oursAfter), "", nil, share),
		absolute("memory of the node for each follower, resident", (full-alone)/flockSize, "", nil, bytesEach),
		absolute("memory of a follower, resident", (usAfter-usBefore)/flockSize, "", nil, bytesEach),
	}, nil
}

// quantile returns the value that the share q of a list does not exceed.
func quantile(list []float64, q float64) float64 {
	if len(list) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(list))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}
