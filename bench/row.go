package main

import (
	"fmt"
	"time"
)

// row is one line of the report.
type row struct {
	What, Ours, Peer string
	Ratio            string
	Target           string
	Met              string // yes, no, or empty without a target
	Reached          string // what was held against the target
	Missing          string // why it could not be measured here
}

// section is a table of the report. Its notes stand below it.
type section struct {
	Title string
	Rows  []row
	Notes []string
}

// bound is what a number is to reach.
type bound struct {
	limit   float64
	atLeast bool
}

func atMost(limit float64) *bound { return &bound{limit, false} }

func atLeast(limit float64) *bound { return &bound{limit, true} }

func (b *bound) met(x float64) bool {
	if b.atLeast {
		return x >= b.limit
	}
	return x <= b.limit
}

// judge fills in the target, written by show, and whether x reaches it.
func (r row) judge(x float64, b *bound, show func(float64) string) row {
	if b == nil {
		return r
	}
	r.Target = "≤ " + show(b.limit)
	if b.atLeast {
		r.Target = "≥ " + show(b.limit)
	}
	r.Met, r.Reached = "no", show(x)
	if b.met(x) {
		r.Met = "yes"
	}
	return r
}

// compared is a row whose ratio, ours divided by the peer's, is the measure.
func compared(what, ours, peer string, ratio float64, b *bound) row {
	return row{What: what, Ours: ours, Peer: peer, Ratio: quotient(ratio)}.judge(ratio, b, quotient)
}

// absolute is a row whose own number is the measure; peer may be empty.
func absolute(what string, ours float64, peer string, b *bound, show func(float64) string) row {
	return row{What: what, Ours: show(ours), Peer: peer}.judge(ours, b, show)
}

// left is a row that could not be measured here.
func left(what, why string) row { return row{What: what, Ours: "not measured", Missing: why} }

// quotient writes small ratios as fractions, the way they are spoken of.
func quotient(x float64) string {
	switch {
	case x > 0 && x <= 0.2:
		return "1/" + number(1/x)
	case x >= 10:
		return number(x)
	}
	return fmt.Sprintf("%.2f", x)
}

// share writes a part of a whole.
func share(x float64) string { return fmt.Sprintf("%.2f", x) }

// number writes three digits, or all before the point.
func number(x float64) string {
	switch {
	case x == float64(int(x)) && x < 1000:
		return fmt.Sprintf("%.0f", x)
	case x < 10:
		return fmt.Sprintf("%.2f", x)
	case x < 100:
		return fmt.Sprintf("%.1f", x)
	}
	return fmt.Sprintf("%.0f", x)
}

func duration(ns float64) string {
	switch {
	case ns < 1e3:
		return number(ns) + " ns"
	case ns < 1e6:
		return number(ns/1e3) + " µs"
	case ns < float64(time.Second):
		return number(ns/1e6) + " ms"
	}
	return number(ns/1e9) + " s"
}

// perSecond writes a rate.
func perSecond(x float64) string {
	if x < 1000 {
		return number(x) + "/s"
	}
	return number(x/1e3) + " k/s"
}

func megabytes(bytes float64) string { return number(bytes/1e6) + " MB" }

func count(x float64) string { return fmt.Sprintf("%.0f", x) }

func bytesEach(x float64) string { return fmt.Sprintf("%.0f B", x) }
