package web

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// The plot is drawn in these units, and scaled by the browser.
const (
	plotWidth  = 400.0
	plotHeight = 190.0
	plotLeft   = 44.0
	plotRight  = 392.0
	plotTop    = 12.0
	plotBottom = 164.0
	plotStep   = (plotRight - plotLeft) / 60
)

// plotted is a plot of lags: minutes to the right, milliseconds upwards by powers of ten.
type plotted struct {
	Bars  []plotBar
	Ticks []plotTick
	Bound plotTick
	top   float64 // the decade at the upper end
}

// plotBar is one minute: from nothing to p50 and to p99, and a mark at the latest.
type plotBar struct {
	X, Width          string
	P50, P50Height    string
	P99, P99Height    string
	MaxLeft, MaxRight string
	Max               string
}

// plotTick is a line across, and what it is called.
type plotTick struct{ Y, TextY, Label string }

func plotOf(minutes []LagMinute, bound time.Duration) plotted {
	longest := bound
	for _, m := range minutes {
		longest = max(longest, m.Max)
	}
	p := plotted{top: max(1, math.Ceil(decade(longest)-1e-9))}
	for d := 0.0; d <= p.top; d++ {
		p.Ticks = append(p.Ticks, p.tick(time.Duration(math.Pow(10, d))*time.Millisecond))
	}
	p.Bound = p.tick(bound)
	for _, m := range minutes {
		if m.Count == 0 || m.Ago < 0 || m.Ago > 59 {
			continue
		}
		x := plotRight - float64(m.Ago+1)*plotStep
		bar := plotBar{X: unit(x + .6), Width: unit(plotStep - 1.2), MaxLeft: unit(x), MaxRight: unit(x + plotStep), Max: unit(p.y(m.Max))}
		bar.P50, bar.P50Height = unit(p.y(m.P50)), unit(plotBottom-p.y(m.P50))
		bar.P99, bar.P99Height = unit(p.y(m.P99)), unit(plotBottom-p.y(m.P99))
		p.Bars = append(p.Bars, bar)
	}
	return p
}

// decade is the power of ten of d in milliseconds. All below one count as one.
func decade(d time.Duration) float64 {
	return max(0, math.Log10(float64(d)/float64(time.Millisecond)))
}

// y is where d stands. Even the shortest lag shows.
func (p *plotted) y(d time.Duration) float64 {
	share := min(1, decade(d)/p.top)
	return plotBottom - 2 - share*(plotBottom-2-plotTop)
}

func (p *plotted) tick(d time.Duration) plotTick {
	y := p.y(d)
	return plotTick{unit(y), unit(y + 3.5), fine(d)}
}

func unit(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) }

// summary says in words what the plot shows.
func (v *ConsoleRevocationView) summary() string {
	if v.Hour.Count == 0 {
		return "Nothing was revoked in the last hour."
	}
	within := "All of them within the bound of " + fine(v.Bound) + "."
	if v.Hour.Max > v.Bound {
		within = "The latest came after the bound of " + fine(v.Bound) + "."
	}
	return fmt.Sprintf("In the last hour verifiers met revocations %s times: half within %s, 99 of 100 within %s, the latest after %s. %s",
		figure(v.Hour.Count), fine(v.Hour.P50), fine(v.Hour.P99), fine(v.Hour.Max), within)
}
