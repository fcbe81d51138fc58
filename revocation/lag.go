package revocation

import (
	"math/bits"
	"time"
)

// LagBuckets is the number of buckets of [Lags].
const LagBuckets = 160

// Lags is a histogram of how late entries were met. Up to 15 ms each millisecond
// has a bucket of its own; above, a bucket is an eighth of a power of two wide,
// so that a value read from it is at most 12.5 % too high. The last bucket takes
// everything from 65 minutes on. The zero value is empty.
type Lags [LagBuckets]uint64

// LagBucket returns the bucket of a lag in whole milliseconds. A negative one,
// which only clocks that disagree can make, counts as none.
func LagBucket(ms int64) int {
	const fine = 16
	if ms < fine {
		return int(max(ms, 0))
	}
	e := bits.Len64(uint64(ms)) - 1
	return min(fine+(e-4)*8+int(ms>>(e-3)&7), LagBuckets-1)
}

// LagBound returns the longest lag that a bucket stands for.
func LagBound(bucket int) time.Duration {
	const fine = 16
	if bucket < fine {
		return time.Duration(bucket) * time.Millisecond
	}
	e, eighth := 4+(bucket-fine)/8, (bucket-fine)%8
	width := int64(1) << (e - 3)
	return time.Duration((8+int64(eighth))*width+width-1) * time.Millisecond
}

// Add counts an entry that was met ms milliseconds late.
func (l *Lags) Add(ms int64) { l[LagBucket(ms)]++ }

// Count returns how many entries were counted.
func (l *Lags) Count() (n uint64) {
	for _, c := range l {
		n += c
	}
	return n
}

// Quantile returns the lag that the share q of all entries does not exceed, such
// as 0.99, by the upper end of its bucket; zero if there are no entries.
func (l *Lags) Quantile(q float64) time.Duration {
	total := l.Count()
	var sum uint64
	for i, c := range l {
		sum += c
		if c > 0 && float64(sum) >= q*float64(total) {
			return LagBound(i)
		}
	}
	return 0
}
