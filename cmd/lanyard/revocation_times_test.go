package main

import (
	"fmt"
	"slices"
	"time"
)

// times is how long things took.
type times []time.Duration

func (x *times) add(d time.Duration) { *x = append(*x, d) }

func merged(parts []times) times { return slices.Concat(parts...) }

// at returns what the share q of them does not exceed.
func (x times) at(q float64) time.Duration {
	if len(x) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(x))
	return sorted[min(int(q*float64(len(x))), len(x)-1)]
}

func (x times) String() string {
	r := func(q float64) time.Duration { return x.at(q).Round(100 * time.Microsecond) }
	return fmt.Sprintf("p50 %v, p99 %v, p99.9 %v, longest %v", r(.5), r(.99), r(.999), r(1))
}
