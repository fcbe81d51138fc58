package revocation

import (
	"testing"
	"time"
)

func TestLagBucketsCoverEveryLagOnce(t *testing.T) {
	last := -1
	for ms := int64(0); ms < 1<<22; ms += 1 + ms>>12 { // small steps for small lags
		b := LagBucket(ms)
		if b != last && b != last+1 {
			t.Fatalf("%d ms: bucket %d behind %d", ms, b, last)
		}
		last = b
		bound := LagBound(b).Milliseconds()
		if bound < ms || bound > ms+ms/8 {
			t.Fatalf("%d ms is in the bucket up to %d ms", ms, bound)
		}
	}
	if last != LagBuckets-1 || LagBucket(1<<62) != last || LagBucket(-1<<62) != 0 {
		t.Errorf("the last bucket is %d", last)
	}
}

func TestQuantilesOfLags(t *testing.T) {
	var l Lags
	if l.Quantile(0.5) != 0 || l.Count() != 0 {
		t.Error("an empty histogram has a quantile")
	}
	for ms := range int64(1000) {
		l.Add(ms)
	}
	for q, want := range map[float64]time.Duration{0: 0, 0.001: 0, 0.01: 9, 0.5: 511, 0.99: 1023, 1: 1023} {
		if got := l.Quantile(q); got != want*time.Millisecond {
			t.Errorf("quantile %v is %v, want %v ms", q, got, int64(want))
		}
	}
}
