package web

import (
	"strconv"
	"time"
)

// moment is an instant as a page shows it: machine form, words, and the full date for the tooltip.
type moment struct {
	Stamp string // RFC 3339, UTC; empty for the zero time
	Full  string
	Exact string // date and time to the second, for logs
	Text  string
}

// newMoment words t as seen from now. A zero t is "never"; with a zero now the date itself is the text.
func newMoment(now, t time.Time) moment {
	if t.IsZero() {
		return moment{Text: "never"}
	}
	t = t.UTC()
	m := moment{Stamp: t.Format(time.RFC3339), Full: t.Format("Monday 2 January 2006, 15:04:05 UTC"), Exact: t.Format("2006-01-02 15:04:05")}
	switch d := now.Sub(t); {
	case now.IsZero():
		m.Text = t.Format("2 Jan 2006, 15:04 UTC")
	case d < 0 && -d < 30*time.Second:
		m.Text = "in a moment"
	case d < 0:
		m.Text = "in " + span(-d)
	case d < 30*time.Second:
		m.Text = "just now"
	default:
		m.Text = span(d) + " ago"
	}
	return m
}

// span words a duration in its largest fitting unit, rounded to the nearest: "45 seconds", "4 minutes", "3 days".
func span(d time.Duration) string {
	const day = 24 * time.Hour
	units := []struct {
		size time.Duration
		name string
		from time.Duration // smallest duration that is said in this unit
	}{
		{365 * day, "year", 2 * 365 * day},
		{30 * day, "month", 60 * day},
		{day, "day", 2 * day},
		{time.Hour, "hour", 2 * time.Hour},
		{time.Minute, "minute", time.Minute},
	}
	for _, u := range units {
		if d >= u.from {
			return count(int64((d+u.size/2)/u.size), u.name)
		}
	}
	return count(int64((d+time.Second/2)/time.Second), "second")
}

// wait words how long to wait. It rounds up: whoever comes back when told to must not be too early.
func wait(d time.Duration) string {
	switch {
	case d > 90*time.Minute:
		return count(ceil(d, time.Hour), "hour")
	case d > 90*time.Second:
		return count(ceil(d, time.Minute), "minute")
	default:
		return count(max(1, ceil(d, time.Second)), "second")
	}
}

func ceil(d, unit time.Duration) int64 { return int64((d + unit - 1) / unit) }

func count(n int64, unit string) string {
	if n == 1 {
		return "1 " + unit
	}
	return strconv.FormatInt(n, 10) + " " + unit + "s"
}

// fine words a short measured duration: "340 µs", "12 ms", "1.4 s".
func fine(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return strconv.FormatInt(d.Microseconds(), 10) + " µs"
	case d < time.Second:
		return strconv.FormatInt(d.Round(time.Millisecond).Milliseconds(), 10) + " ms"
	default:
		return strconv.FormatFloat(d.Seconds(), 'g', 3, 64) + " s"
	}
}

// seconds is a duration for a script, in whole seconds.
func seconds(d time.Duration) string { return strconv.FormatInt(int64(d/time.Second), 10) }
