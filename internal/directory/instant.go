package directory

import "time"

// Instants are kept as milliseconds since 1970 in UTC, which every engine
// returns as it was given. Zero means never.

func (d *Directory) now() time.Time {
	return d.clock().UTC().Truncate(time.Millisecond)
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func instant(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
