package web

import (
	"testing"
	"time"
)

func TestMomentsReadAsPeopleSayThem(t *testing.T) {
	const day = 24 * time.Hour
	tests := []struct {
		name string
		now  time.Time
		t    time.Time
		want string
	}{
		{"no time at all", at, time.Time{}, "never"},
		{"no now to count from", time.Time{}, at, "23 Nov 2026, 03:04 UTC"},
		{"the same instant", at, at, "just now"},
		{"a moment ago", at, ago(29 * time.Second), "just now"},
		{"seconds ago", at, ago(30 * time.Second), "30 seconds ago"},
		{"one minute ago", at, ago(time.Minute), "1 minute ago"},
		{"minutes ago", at, ago(4 * time.Minute), "4 minutes ago"},
		{"almost two hours ago", at, ago(119 * time.Minute), "119 minutes ago"},
		{"hours ago", at, ago(26 * time.Hour), "26 hours ago"},
		{"days ago", at, ago(6 * day), "6 days ago"},
		{"months ago", at, ago(90 * day), "3 months ago"},
		{"years ago", at, ago(800 * day), "2 years ago"},
		{"a moment ahead", at, in(10 * time.Second), "in a moment"},
		{"days ahead", at, in(8 * day), "in 8 days"},
		{"another zone is told as UTC", time.Time{}, at.In(time.FixedZone("x", 7200)), "23 Nov 2026, 03:04 UTC"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := newMoment(tt.now, tt.t).Text; got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestWaitIsNeverTooShort(t *testing.T) {
	tests := []struct {
		d    time.Duration
		want string
	}{
		{time.Millisecond, "1 second"},
		{44*time.Second + 1, "45 seconds"},
		{90 * time.Second, "90 seconds"},
		{91 * time.Second, "2 minutes"},
		{121 * time.Second, "3 minutes"},
		{91 * time.Minute, "2 hours"},
	}
	for _, tt := range tests {
		if got := wait(tt.d); got != tt.want {
			t.Errorf("wait(%v) = %q, want %q", tt.d, got, tt.want)
		}
	}
}

func TestFiguresAreGroupedAndMeasured(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1284: "1,284", 1234567: "1,234,567", -1284: "-1,284", -284: "-284"} {
		if got := figure(n); got != want {
			t.Errorf("figure(%d) = %q, want %q", n, got, want)
		}
	}
	for d, want := range map[time.Duration]string{340 * time.Microsecond: "340 µs", 38 * time.Millisecond: "38 ms", 2 * time.Second: "2 s", 1440 * time.Millisecond: "1.44 s", 200 * time.Second: "200 s"} {
		if got := fine(d); got != want {
			t.Errorf("fine(%v) = %q, want %q", d, got, want)
		}
	}
}

func TestRoutesKeepAnIDInItsSegment(t *testing.T) {
	for id, want := range map[string]string{
		"ada":         "/console/users/ada/disable",
		"a/b":         "/console/users/a%2Fb/disable",
		"a?b#c d":     "/console/users/a%3Fb%23c%20d/disable",
		"a%2fb":       "/console/users/a%252fb/disable",
		"x@y.example": "/console/users/x@y.example/disable",
	} {
		if got := route("/console/users/", id, "/disable"); got != want {
			t.Errorf("route of %q = %q, want %q", id, got, want)
		}
	}
}
