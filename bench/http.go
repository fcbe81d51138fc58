package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lanyard-go/lanyard/bench/contender"
)

//go:embed clients.lua
var clientsLua []byte

// loaded are the contenders that wrk visits besides the bare handler.
var loaded = []contender.Kind{
	contender.LanyardCookie, contender.LanyardToken, contender.LanyardSQLite,
	contender.SCSMemory, contender.SCSSQLite, contender.GorillaCookie, contender.JWTES256,
}

// layout is how server and client share the machine.
type layout struct {
	name              string
	server            []string // in front of the server's command
	client            []string // in front of wrk, and its threads and connections
	byCookie, byToken *bound   // what share of bare is the target
}

// Machines where the two share all processors are what the targets, and the
// figures of others they were set beside, come from. With a processor each the
// server's own work weighs more, because the client takes none of its time.
var layouts = []layout{
	{"both on all processors", nil, []string{"wrk", "-t2", "-c64"}, atLeast(0.9), atLeast(0.8)},
	{"a processor each", []string{"taskset", "-c", "0"}, []string{"taskset", "-c", "1", "wrk", "-t1", "-c32"}, nil, nil},
}

// http loads every contender's server from outside, one at a time, with visits
// to the bare handler before and after each: what counts is the share of it.
func (b *bench) http(ctx context.Context, dir string) (section, error) {
	s := section{Title: "A private page over HTTP", Notes: []string{
		fmt.Sprintf("Each server is a process of its own, wrk another: once both on all processors with 64 connections in two threads, once each on a processor of its own with 32 connections. %d clients ask in turn, so all but the first sight of each token are repeats. Every visit stands between two to the bare handler, a net/http server that is sent the same requests, writes the same page and looks at nothing; the ratio is the share of their rate. The targets are for shared processors, where the figures they were set beside come from.", people),
	}}
	if why := cannotLoad(); why != "" {
		s.Rows = append(s.Rows, left("a private page over HTTP", why))
		return s, nil
	}
	script := filepath.Join(dir, "clients.lua")
	if err := os.WriteFile(script, clientsLua, 0o600); err != nil {
		return s, err
	}
	for _, l := range layouts {
		rows, err := b.httpRows(ctx, dir, script, l)
		if err != nil {
			return s, fmt.Errorf("%s: %w", l.name, err)
		}
		s.Rows = append(s.Rows, rows...)
	}
	return s, nil
}

func (b *bench) httpRows(ctx context.Context, dir, script string, l layout) (rows []row, err error) {
	var closers []func() error
	defer func() { closeAll(&err, closers) }()
	wrk := &load{command: l.client, script: script, time: max(time.Second, b.span(time.Second).Round(time.Second))}
	open := func(kind contender.Kind) (*target, error) {
		t, p, err := startSite(ctx, dir, l.server, kind)
		if err != nil {
			return nil, err
		}
		closers = append(closers, p.stop)
		_, err = wrk.visit(ctx, t) // warms it up
		return t, err
	}
	bare, err := open(contender.Bare)
	if err != nil {
		return nil, err
	}
	targets := map[contender.Kind]*target{}
	for _, kind := range loaded {
		if targets[kind], err = open(kind); err != nil {
			return nil, err
		}
	}
	for range max(1, int(10*b.scale)) {
		for _, kind := range loaded {
			t := targets[kind]
			// The same requests, since longer ones cost anybody more.
			same := &target{pid: bare.pid, url: bare.url, badges: t.badges}
			before, err := wrk.visit(ctx, same)
			if err != nil {
				return nil, err
			}
			own, err := wrk.visit(ctx, t)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", kind, err)
			}
			after, err := wrk.visit(ctx, same)
			if err != nil {
				return nil, err
			}
			t.note(own, before, after)
		}
	}
	for _, r := range []struct {
		what string
		kind contender.Kind
		goal *bound
	}{
		{"cookie, memory store; bare handler", contender.LanyardCookie, l.byCookie},
		{"token, memory store; bare handler", contender.LanyardToken, l.byToken},
		{"cookie, SQLite; bare handler", contender.LanyardSQLite, nil},
	} {
		t := targets[r.kind]
		rows = append(rows, compared(l.name+": "+r.what, perSecond(median(t.rates)), perSecond(median(t.floors)), t.share(), r.goal),
			compared(l.name+": the server's processor time for each of these answers; bare handler", duration(1e9*median(t.costs)), duration(1e9*median(t.least)), t.cost(), nil))
	}
	for _, r := range []struct {
		what       string
		ours, peer contender.Kind
	}{
		{"cookie, memory store", contender.LanyardCookie, contender.SCSMemory},
		{"cookie, SQLite", contender.LanyardSQLite, contender.SCSSQLite},
		{"cookie, memory store", contender.LanyardCookie, contender.GorillaCookie},
		{"token", contender.LanyardToken, contender.JWTES256},
	} {
		ours, peer := targets[r.ours], targets[r.peer]
		what := fmt.Sprintf("%s: %s; %s, which reaches %s of bare", l.name, r.what, r.peer, share(peer.share()))
		rows = append(rows, compared(what, perSecond(median(ours.rates)), perSecond(median(peer.rates)), ours.share()/peer.share(), nil))
	}
	return rows, nil
}

// cannotLoad says what is missing on this machine.
func cannotLoad() string {
	if runtime.NumCPU() < 2 {
		return "server and client need a processor each"
	}
	for _, tool := range []string{"wrk", "taskset"} {
		if _, err := exec.LookPath(tool); err != nil {
			return tool + " is not installed"
		}
	}
	return ""
}

// target is a server under load with what was measured of it.
type target struct {
	pid           int
	url, badges   string
	rates, floors []float64 // its answers per second, and the bare handler's around them
	costs, least  []float64 // its processor time for an answer in seconds, and the bare handler's
}

func (t *target) note(own, before, after visit) {
	t.rates = append(t.rates, own.rate)
	t.floors = append(t.floors, (before.rate+after.rate)/2)
	t.costs = append(t.costs, own.cost)
	t.least = append(t.least, (before.cost+after.cost)/2)
}

// share is the median share of the bare handler's rate.
func (t *target) share() float64 { return medianRatio(t.rates, t.floors) }

// cost is the median ratio to the bare handler's processor time.
func (t *target) cost() float64 { return medianRatio(t.costs, t.least) }

// visit is what one run of wrk on a server came to.
type visit struct {
	rate float64 // good answers per second
	cost float64 // seconds of the server's processor time for each
}

// load runs wrk.
type load struct {
	command   []string
	script    string
	arguments []string // for the script, after the file of badges
	time      time.Duration
}

var (
	requestRate  = regexp.MustCompile(`(?m)^Requests/sec:\s+([0-9.]+)$`)
	requestCount = regexp.MustCompile(`(?m)^\s*([0-9]+) requests in`)
)

// visit loads a server for a while. One bad answer is an error.
func (l *load) visit(ctx context.Context, t *target) (visit, error) {
	before, err := processorTime(t.pid)
	if err != nil {
		return visit{}, err
	}
	args := slices.Concat(l.command, []string{"-d", fmt.Sprintf("%.0fs", l.time.Seconds()), "-s", l.script, t.url, "--", t.badges}, l.arguments)
	out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput()
	if err != nil {
		return visit{}, fmt.Errorf("running wrk: %w: %s", err, out)
	}
	after, err := processorTime(t.pid)
	if err != nil {
		return visit{}, err
	}
	rate, answers := found(requestRate, out), found(requestCount, out)
	if rate == 0 || answers == 0 || bytes.Contains(out, []byte("Non-2xx")) || bytes.Contains(out, []byte("Socket errors")) {
		return visit{}, errors.New("wrk says: " + string(out))
	}
	return visit{rate, (after - before).Seconds() / answers}, nil
}

// found returns the number that a pattern marks, or 0.
func found(pattern *regexp.Regexp, text []byte) float64 {
	m := pattern.FindSubmatch(text)
	if m == nil {
		return 0
	}
	x, _ := strconv.ParseFloat(string(m[1]), 64)
	return x
}

// processorTime is how long the threads of a process have been running.
func processorTime(pid int) (time.Duration, error) {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil || len(threads) == 0 {
		return 0, fmt.Errorf("reading the processor time of a server: no threads, %w", err)
	}
	total := time.Duration(0)
	for _, path := range threads {
		text, err := os.ReadFile(path)
		if errors.Is(err, os.ErrNotExist) {
			continue // the thread has ended
		}
		if err != nil {
			return 0, fmt.Errorf("reading the processor time of a server: %w", err)
		}
		running, _, _ := strings.Cut(string(text), " ")
		ns, err := strconv.ParseInt(running, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("reading the processor time of a server: %w", err)
		}
		total += time.Duration(ns)
	}
	return total, nil
}
