package main

import (
	"fmt"
	"slices"
	"time"
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

// takeTurns lets the contenders run in turn, each for about a slice of time,
// until the total is used up. Who starts changes with each round, so that
// nobody always runs in the wake of the same other one.
func takeTurns(total, slice time.Duration, laps ...lap) (*race, error) {
	counts := make([]int, len(laps))
	for i, l := range laps {
		n, err := calibrate(slice, l)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", l.name, err)
		}
		counts[i] = n
	}
	r := &race{times: make([][]float64, len(laps))}
	start := time.Now()
	for round := 0; round < minRounds || time.Since(start) < total; round++ {
		for j := range laps {
			i := (round + j) % len(laps)
			began := time.Now()
			if err := laps[i].run(counts[i]); err != nil {
				return nil, fmt.Errorf("%s: %w", laps[i].name, err)
			}
			r.times[i] = append(r.times[i], float64(time.Since(began))/float64(counts[i]))
		}
	}
	return r, nil
}

// calibrate finds how many operations fill a slice. It warms the contender up.
func calibrate(slice time.Duration, l lap) (int, error) {
	for n := 1; ; n *= 2 {
		began := time.Now()
		if err := l.run(n); err != nil {
			return 0, err
		}
		if took := time.Since(began); took >= slice/2 {
			return max(1, int(float64(n)*float64(slice)/float64(took))), nil
		}
	}
}

// ns returns the median time of one operation of contender i in nanoseconds.
func (r *race) ns(i int) float64 { return median(r.times[i]) }

// ratio returns the median of the ratios of contender i's time to contender j's
// in the same round.
func (r *race) ratio(i, j int) float64 {
	all := make([]float64, len(r.times[i]))
	for k := range all {
		all[k] = r.times[i][k] / r.times[j][k]
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
