package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard/bench/contender"
)

// openEngines starts the servers, or skips the test where they are not.
func openEngines(t *testing.T) *contender.Engines {
	t.Helper()
	e, err := contender.StartEngines()
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skipf("this needs PostgreSQL and Redis: %v", err)
	}
	t.Cleanup(func() {
		if err := e.Stop(); err != nil {
			t.Error(err)
		}
	})
	return e
}

func TestCommandsAreCountedOncePerRoundTripAndNotWithinScripts(t *testing.T) {
	e := openEngines(t)
	ask := func(lines ...string) func() error {
		return func() error {
			c, err := dialRedis(t.Context(), e.RedisAddr())
			if err != nil {
				return err
			}
			defer c.conn.Close()
			for _, line := range lines {
				if err := c.say(line); err != nil {
					return err
				}
			}
			return nil
		}
	}
	for _, row := range []struct {
		name string
		do   func() error
		want int
	}{
		{"nothing", ask(), 0},
		{"two commands", ask("SET a 1", "GET nobody"), 2},
		{"a script that calls three", ask(`EVAL "redis.call('SET','b',1) redis.call('SET','c',1) return redis.call('TTL','b')" 0`), 1},
		{"what clients ask by themselves, and a command", ask("PING", "ROLE", "SET a 2"), 1},
	} {
		if n, err := commands(t.Context(), e.RedisAddr(), row.do); err != nil || n != row.want {
			t.Errorf("%s: counted %d, %v; want %d", row.name, n, err, row.want)
		}
	}
	if _, err := commands(t.Context(), e.RedisAddr(), func() error { return errors.ErrUnsupported }); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("what went wrong while counting is lost: %v", err)
	}
	if _, err := commands(t.Context(), e.RedisAddr(), ask("NONSENSE")); err == nil {
		t.Error("a command that the server refused is no error")
	}
}

func TestPageKeepsWhatARunWithScaleWrote(t *testing.T) {
	page, err := (&report{Command: "run"}).markdown()
	if err != nil {
		t.Fatal(err)
	}
	if scaleOf(page) != "" {
		t.Errorf("a fresh page has numbers of -scale: %q", scaleOf(page))
	}
	part, err := (&report{
		Command: "run", Scale: true, Took: time.Minute, Facts: []fact{{"date", "today"}},
		Sections: []section{{Title: "Many", Rows: []row{absolute("worst", 60e6, "", atMost(50e6), duration)}}},
	}).markdown()
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second run finds the first one's
		if page, err = withScale(page, part); err != nil {
			t.Fatal(err)
		}
	}
	if n := strings.Count(page, "## Many"); n != 1 || scaleOf(page) != part {
		t.Errorf("the part is there %d times, and reads\n%s\nwant\n%s", n, scaleOf(page), part)
	}
	if !strings.Contains(part, "- Many: worst: 60 ms, the target is ≤ 50 ms") || !strings.Contains(part, "date today") {
		t.Errorf("the part does not say what was missed, or where:\n%s", part)
	}
	fresh, err := (&report{Command: "run"}).markdown()
	if err != nil {
		t.Fatal(err)
	}
	if kept, err := withScale(fresh, scaleOf(page)); err != nil || kept != page {
		t.Errorf("another whole run changes the part: %v\n%s", err, kept)
	}
	if _, err := withScale("# Something else\n", part); err == nil {
		t.Error("a page without a place for the part was taken")
	}
}

func TestRunsThatCouldNotKeepTheirNumbersAreRefused(t *testing.T) {
	out := filepath.Join(t.TempDir(), "page.md")
	for _, args := range [][]string{{"-only", "stores", "-out", out}, {"-only", "nothing of that name"}, {"-scale", "-out", out}} {
		if err := run(t.Context(), args); err == nil {
			t.Errorf("%q was accepted", args)
		}
	}
}

func TestExcessIsTheMedianOfDifferences(t *testing.T) {
	var r race
	r.note(5, 2)
	r.note(50, 20) // the machine was slow
	r.note(6, 2)
	if x := r.excess(0, 1); x != 4 {
		t.Errorf("the excess is %v, want 4", x)
	}
}
