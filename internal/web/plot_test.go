package web

import (
	"bytes"
	"strconv"
	"strings"
	"testing"
	"time"
)

func number(t *testing.T, s string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestThePlotStaysInItsFrame(t *testing.T) {
	for name, lag := range map[string]Lag{
		"no time at all": {0, 0, 0, 1},
		"a millisecond":  {time.Millisecond, time.Millisecond, time.Millisecond, 1},
		"the bound":      {20 * time.Millisecond, time.Second, 2 * time.Second, 9},
		"an hour":        {time.Second, time.Minute, time.Hour, 9},
	} {
		p := plotOf([]LagMinute{{59, lag}, {0, lag}, {12, Lag{}}, {60, lag}, {-1, lag}}, 2*time.Second)
		if len(p.Bars) != 2 {
			t.Fatalf("%s: %d bars", name, len(p.Bars))
		}
		for _, b := range p.Bars {
			for _, y := range []string{b.P50, b.P99, b.Max} {
				if v := number(t, y); v < plotTop-.1 || v > plotBottom {
					t.Errorf("%s: a bar begins at %s", name, y)
				}
			}
			for _, h := range []string{b.P50Height, b.P99Height} {
				if v := number(t, h); v <= 0 || v > plotBottom-plotTop+.1 {
					t.Errorf("%s: a bar is %s high", name, h)
				}
			}
			if number(t, b.P50) < number(t, b.P99) || number(t, b.P99) < number(t, b.Max) {
				t.Errorf("%s: the order is wrong: %+v", name, b)
			}
			if l, r := number(t, b.MaxLeft), number(t, b.MaxRight); l < plotLeft-.1 || r > plotRight+.1 || l >= r {
				t.Errorf("%s: a bar goes from %v to %v", name, l, r)
			}
		}
		if number(t, p.Bars[0].X) >= number(t, p.Bars[1].X) {
			t.Errorf("%s: the past is on the right", name)
		}
	}
}

func TestThePlotIsThereInWords(t *testing.T) {
	v := ConsoleRevocationView{Bound: 2 * time.Second}
	if got := v.summary(); got != "Nothing was revoked in the last hour." {
		t.Error(got)
	}
	v.Hour = Lag{3 * time.Millisecond, 40 * time.Millisecond, 900 * time.Millisecond, 1204}
	v.Plot = []LagMinute{{4, v.Hour}}
	if got := v.summary(); !strings.Contains(got, "1,204 times: half within 3 ms, 99 of 100 within 40 ms, the latest after 900 ms. All of them within the bound of 2 s.") {
		t.Error(got)
	}
	var b bytes.Buffer
	if err := newPages(t).ConsoleRevocation(&b, v); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), `<desc id="plot-text">`+v.summary()) || !strings.Contains(b.String(), `aria-labelledby="hour plot-text"`) {
		t.Error("the plot has no text")
	}
	v.Hour.Max = 3 * time.Second
	if got := v.summary(); !strings.Contains(got, "The latest came after the bound of 2 s.") {
		t.Error(got)
	}
}
