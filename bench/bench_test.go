package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard/bench/contender"
	"github.com/lanyard-go/lanyard/token"
)

func TestRaceMeasuresTheSlowerContenderAsSlower(t *testing.T) {
	work := func(each int) func(int) error {
		sum := 0
		return func(n int) error {
			for range n * each {
				sum++
				if sum < 0 {
					return errors.New("overflow")
				}
			}
			return nil
		}
	}
	r, err := takeTurns(processor, 50*time.Millisecond, time.Millisecond, lap{"once", work(1000)}, lap{"four times", work(4000)})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.times[0]) < minRounds || len(r.times[0]) != len(r.times[1]) {
		t.Errorf("%d and %d rounds, want the same number, at least %d", len(r.times[0]), len(r.times[1]), minRounds)
	}
	if x := r.ratio(1, 0); x < 2 || x > 8 {
		t.Errorf("four times the work takes %.2f times as long", x)
	}
	if _, err := takeTurns(processor, time.Millisecond, time.Millisecond, lap{"broken", func(int) error { return errors.ErrUnsupported }}); err == nil {
		t.Error("a contender's error is lost")
	}
}

func TestRatioIsTheMedianOfRoundsAndNotOfTimes(t *testing.T) {
	// The machine was ten times slower in the second round, for both.
	r := &race{times: [][]float64{{1, 10, 1}, {2, 20, 3}}}
	if x := r.ratio(1, 0); x != 2 {
		t.Errorf("ratio is %v, want 2", x)
	}
	if x := r.ns(1); x != 3 {
		t.Errorf("median time is %v, want 3", x)
	}
	if x := median([]float64{4, 1, 2, 3}); x != 2.5 {
		t.Errorf("median of four is %v, want 2.5", x)
	}
}

func TestRowsSayWhetherTheTargetIsMet(t *testing.T) {
	for _, row := range []struct {
		name               string
		row                row
		ratio, target, met string
	}{
		{"small ratio, met", compared("", "", "", 1./25, atMost(1./20)), "1/25", "≤ 1/20", "yes"},
		{"small ratio, missed", compared("", "", "", 1./19, atMost(1./20)), "1/19", "≤ 1/20", "no"},
		{"share, missed", compared("", "", "", 0.89, atLeast(0.9)), "0.89", "≥ 0.90", "no"},
		{"large ratio, met", compared("", "", "", 13.91, atLeast(4.5)), "13.9", "≥ 4.50", "yes"},
		{"no target", compared("", "", "", 0.5, nil), "0.50", "", ""},
		{"bytes, missed", absolute("", 31e6, "", atMost(30e6), megabytes), "", "≤ 30 MB", "no"},
		{"bytes, met exactly", absolute("", 500, "", atMost(500), bytesEach), "", "≤ 500 B", "yes"},
		{"time, met", absolute("", 24e6, "", atMost(300e6), duration), "", "≤ 300 ms", "yes"},
	} {
		if r := row.row; r.Ratio != row.ratio || r.Target != row.target || r.Met != row.met {
			t.Errorf("%s: ratio %q, target %q, met %q; want %q, %q, %q", row.name, r.Ratio, r.Target, r.Met, row.ratio, row.target, row.met)
		}
	}
}

func TestReportNamesWhatWasMissedAndWhatWasLeftOut(t *testing.T) {
	good := section{Title: "Speed", Rows: []row{compared("fast", "1 ns", "9 ns", 1./9, atMost(1./5))}, Notes: []string{"A note."}}
	bad := section{Title: "Size", Rows: []row{absolute("binary", 31e6, "", atMost(30e6), megabytes), left("load", "no wrk")}}
	r := &report{Command: "bash bench/run.sh", Sections: []section{good, bad}, Facts: []fact{{"date", "today"}}, Took: time.Minute}
	text, err := r.markdown()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| fast | 1 ns | 9 ns | 1/9 | ≤ 1/5 | yes |", "- Size: binary: 31 MB, the target is ≤ 30 MB\n", "- load: no wrk\n",
		"A note.", "| date | today |", "bash bench/run.sh\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the report lacks %q:\n%s", want, text)
		}
	}
	r.Sections = r.Sections[:1]
	if text, err = r.markdown(); err != nil || !strings.Contains(text, "Every target above was met") || strings.Contains(text, "Not measured") {
		t.Errorf("a report without a miss says otherwise: %v\n%s", err, text)
	}
}

func TestPageTakesAPartThatWasMeasuredByItself(t *testing.T) {
	size := func(bytes float64) section {
		return section{Title: "Size", Rows: []row{absolute("binary", bytes, "", atMost(30e6), megabytes)}, Notes: []string{"A note."}}
	}
	speed := section{Title: "Speed", Rows: []row{absolute("time", 9e6, "", atMost(5e6), duration)}}
	page, err := (&report{Command: "run", Sections: []section{speed, size(31e6)}}).markdown()
	if err != nil {
		t.Fatal(err)
	}
	alone := func(bytes float64) *report {
		return &report{Sections: []section{size(bytes)}, Facts: []fact{{"date", "today"}}}
	}
	if page, err = withSection(page, alone(29e6)); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]int{
		"| 29 MB |": 1, "31 MB": 0, "A note.": 1, "by itself on today": 1, "## Size\n": 1, "## Speed\n": 1,
		"\n- Speed: time: 9 ms, the target is": 1, "- Size": 0, "## How to read": 1, scaleBegin: 1,
	} {
		if n := strings.Count(page, text); n != want {
			t.Errorf("%q is there %d times, want %d:\n%s", text, n, want, page)
		}
	}
	again, err := withSection(page, alone(31e6))
	if err != nil || !strings.Contains(again, "\n- Speed: time: 9 ms, the target is ≤ 5 ms\n- Size: binary: 31 MB") {
		t.Errorf("what is missed now is not listed: %v\n%s", err, again)
	}
	if back, err := withSection(again, alone(29e6)); err != nil || back != page {
		t.Errorf("the same part twice gives another page: %v\n%s", err, back)
	}
	if _, err := withSection("# Something else\n", alone(29e6)); err == nil {
		t.Error("a page without the part was taken")
	}
}

func TestHitRatioCountsTokensThatAreStillRemembered(t *testing.T) {
	tokens, err := contender.NewTokens(token.EdDSA, 64)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		remember int
		good     func(float64) bool
	}{
		{64, func(x float64) bool { return x > 0.9 }},
		{-1, func(x float64) bool { return x == 0 }},
	} {
		v, err := tokens.Verifier(row.remember)
		if err != nil {
			t.Fatal(err)
		}
		if x, err := hitRatio(v, tokens.Texts); err != nil || !row.good(x) {
			t.Errorf("a verifier that remembers %d has a hit ratio of %.2f, %v", row.remember, x, err)
		}
	}
}

func TestUnknownArgumentsAreRefusedBeforeAnythingRuns(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, args := range [][]string{{"now"}, {"serve", "-kind", "nobody", "-dir", t.TempDir()}} {
		if err := run(ctx, args); err == nil {
			t.Errorf("%q was accepted", args)
		}
	}
}
