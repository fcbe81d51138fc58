package main

import (
	"fmt"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// lap is one contender of a race: run does the same thing n times.
type lap struct {
	name string
	run  func(n int) error
}

// race is the outcome of contenders that took turns: the time of one operation
// in nanoseconds, by contender and round.
type race struct {
	times [][]float64
}

// minRounds is the least from which a median is taken.
const minRounds = 5

// clock tells how much time has been used, from any beginning.
type clock func() (time.Duration, error)

// wall is the time that passes: for contenders that wait, or use other threads.
func wall() clock {
	start := time.Now()
	return func() (time.Duration, error) { return time.Since(start), nil }
}

// processor is the time that this thread has been running. On a machine with
// nothing else to do it is the time that passes; on a busy one it leaves out
// what other programs take. Collecting garbage in the background is left out
// too, which favours those who leave much of it.
func processor() (time.Duration, error) {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		return 0, fmt.Errorf("reading the processor time: %w", err)
	}
	return time.Duration(t.Nano()), nil
}

// time runs n operations on the clock.
func (l lap) time(c clock, n int) (time.Duration, error) {
	began, err := c()
	if err != nil {
		return 0, err
	}
	if err := l.run(n); err != nil {
		return 0, fmt.Errorf("%s: %w", l.name, err)
	}
	ended, err := c()
	return ended - began, err
}

// takeTurns lets the contenders run in turn, each for about a slice of time on
// the clock, until the total has passed. The order changes from round to round,
// also its direction, so that nobody always runs in the wake of the same other
// one.
func takeTurns(c clock, total, slice time.Duration, laps ...lap) (*race, error) {
	runtime.LockOSThread() // the thread whose time is measured
	defer runtime.UnlockOSThread()
	counts := make([]int, len(laps))
	for i, l := range laps {
		n, err := calibrate(c, slice, l)
		if err != nil {
			return nil, err
		}
		counts[i] = n
	}
	r := &race{times: make([][]float64, len(laps))}
	start := time.Now()
	for round := 0; round < minRounds || time.Since(start) < total; round++ {
		for j := range laps {
			i := (round/2 + j) % len(laps)
			if round%2 == 1 {
				i = len(laps) - 1 - i
			}
			took, err := laps[i].time(c, counts[i])
			if err != nil {
				return nil, err
			}
			r.times[i] = append(r.times[i], float64(took)/float64(counts[i]))
		}
	}
	return r, nil
}

// calibrate finds how many operations fill a slice. It warms the contender up.
func calibrate(c clock, slice time.Duration, l lap) (int, error) {
	for n := 1; ; n *= 2 {
		took, err := l.time(c, n)
		if err != nil {
			return 0, err
		}
		if took >= slice/2 {
			return max(1, int(float64(n)*float64(slice)/float64(took))), nil
		}
	}
}

// ns returns the median time of one operation of contender i in nanoseconds.
func (r *race) ns(i int) float64 { return median(r.times[i]) }

// ratio returns the median of the ratios of contender i's time to contender j's
// in the same round.
func (r *race) ratio(i, j int) float64 { return medianRatio(r.times[i], r.times[j]) }

// excess returns by how much contender i's time is over contender j's, the median
// of rounds.
func (r *race) excess(i, j int) float64 {
	all := make([]float64, len(r.times[i]))
	for k := range all {
		all[k] = r.times[i][k] - r.times[j][k]
	}
	return median(all)
}

// note adds a round.
func (r *race) note(times ...float64) {
	if r.times == nil {
		r.times = make([][]float64, len(times))
	}
	for i, t := range times {
		r.times[i] = append(r.times[i], t)
	}
}

// medianRatio is the median of the ratios of neighbours, not the ratio of the
// medians: what slowed both at one moment does not count.
func medianRatio(ours, theirs []float64) float64 {
	all := make([]float64, len(ours))
	for i := range all {
		all[i] = ours[i] / theirs[i]
	}
	return median(all)
}

func median(list []float64) float64 {
	sorted := slices.Sorted(slices.Values(list))
	n := len(sorted)
	if n%2 == 1 {
		return sorted[n/2]
	}
	return (sorted[n/2-1] + sorted[n/2]) / 2
}
