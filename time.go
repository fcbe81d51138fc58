package lanyard

import "time"

// Time is a moment in whole milliseconds since the Unix epoch. Records use it
// instead of [time.Time] because every store can keep it exactly, it has no
// zone, and it compares with <. Zero means none.
type Time int64

// TimeOf truncates t to whole milliseconds. The zero [time.Time] gives zero.
func TimeOf(t time.Time) Time {
	if t.IsZero() {
		return 0
	}
	return Time(t.UnixMilli())
}

// Time returns the moment in UTC, or the zero [time.Time] when t is zero.
func (t Time) Time() time.Time {
	if t == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(t)).UTC()
}

// Add returns t moved by d, cut to whole milliseconds.
func (t Time) Add(d time.Duration) Time { return t + Time(d/time.Millisecond) }

// Sub returns the time from u to t.
func (t Time) Sub(u Time) time.Duration { return time.Duration(t-u) * time.Millisecond }
