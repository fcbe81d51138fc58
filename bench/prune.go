package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/bench/contender"
)

const (
	pruneCallers = 8
	pruneEvery   = 20 * time.Millisecond
	// pruneBefore and pruneAfter are how long requests run before and after the
	// sessions expire. The server prunes every 15 seconds.
	pruneBefore = 10 * time.Second
	pruneAfter  = 50 * time.Second
)

// pruneServer is lanyard serve on a store that a population fills.
type pruneServer struct {
	binary  string
	kind    contender.Kind
	base    contender.Base
	program contender.Badge // of a program that may create sessions
}

func (p *pruneServer) start(ctx context.Context) (*process, error) {
	store := "sqlite"
	switch p.kind {
	case contender.LanyardPostgres:
		store = p.base.Postgres
	case contender.LanyardRedis:
		store = p.base.Redis
	}
	return startProcess(ctx, p.binary, "serve", "--data", p.base.Dir, "--store", store, "--listen", "127.0.0.1:0", "--log-level", "error")
}

// keys makes the data directory, with a program that may create sessions, and
// returns the keys of the server's secret.
func (p *pruneServer) keys(ctx context.Context) (*lanyard.Keys, error) {
	// Any store will do for that.
	srv, err := startProcess(ctx, p.binary, "serve", "--data", p.base.Dir, "--store", "sqlite:"+filepath.Join(p.base.Dir, "first.db"), "--listen", "127.0.0.1:0", "--log-level", "error")
	if err != nil {
		return nil, err
	}
	if err := errors.Join(p.addProgram(ctx), srv.stop()); err != nil {
		return nil, err
	}
	return serverKeys(p.base.Dir)
}

func (p *pruneServer) addProgram(ctx context.Context) error {
	const name = "benchmark"
	text, err := exec.CommandContext(ctx, p.binary, "clients", "add", name, "--create-sessions", "--json", "--data", p.base.Dir).Output()
	var added struct{ Secret string }
	if err == nil {
		err = json.Unmarshal(text, &added)
	}
	if err != nil {
		return fmt.Errorf("adding a program: %w", err)
	}
	secret := base64.StdEncoding.EncodeToString([]byte(name + ":" + added.Secret))
	p.program = contender.Badge{Name: "Authorization", Value: "Basic " + secret}
	return nil
}

// latencies are of requests, in nanoseconds: those from the moment at which the
// sessions expired, sorted, and the longest before. Sync is the longest time that
// a sync of another file took meanwhile, ready how long the server took to start,
// resident its memory in bytes at the end.
type latencies struct {
	after                        []float64
	quiet, sync, ready, resident float64
}

// within returns what so many of a thousand requests stay below.
func (l *latencies) within(perMille int) float64 { return l.after[(len(l.after)-1)*perMille/1000] }

// worst adds n sessions that expire at one moment and sends requests meanwhile.
// It closes the population: the server must be alone on a file.
func (p *pruneServer) worst(ctx context.Context, all *contender.Population, n int) (latencies, error) {
	badges := all.Badges()
	// How long that takes is not known before: as much again is left for the start.
	probe := time.Now()
	if err := all.Expiring(ctx, n/20, probe.Add(time.Hour)); err != nil {
		return latencies{}, err
	}
	expire := time.Now().Add(2*20*time.Since(probe) + 3*pruneBefore)
	progress("adding %d sessions that expire at %s", n, expire.Format(time.TimeOnly))
	if err := all.Expiring(ctx, n, expire); err != nil {
		return latencies{}, err
	}
	if err := errors.Join(contender.Settle(ctx, p.kind, p.base), all.Close()); err != nil {
		return latencies{}, err
	}
	srv, err := p.start(ctx)
	if err != nil {
		return latencies{}, err
	}
	if time.Until(expire) < pruneBefore {
		return latencies{}, errors.Join(errors.New("the sessions expired before the server was ready"), srv.stop())
	}
	if err := sleep(ctx, time.Until(expire)-pruneBefore); err != nil {
		return latencies{}, errors.Join(err, srv.stop())
	}
	progress("sending requests")
	found, err := p.steady(ctx, srv.url, badges, expire)
	if err == nil {
		found.ready = float64(srv.took)
		found.resident, _, err = residentBytes(srv.cmd.Process.Pid)
	}
	if err := errors.Join(err, srv.stop()); err != nil {
		return latencies{}, err
	}
	due, err := contender.Due(ctx, p.kind, p.base)
	if err == nil && due > 0 {
		err = fmt.Errorf("after %s the server had not ended all of the %d sessions", pruneAfter, n)
	}
	return found, err
}

// steady sends requests at a steady pace until some time after the sessions
// expire.
func (p *pruneServer) steady(ctx context.Context, url string, badges []contender.Badge, expire time.Time) (latencies, error) {
	transport := &http.Transport{MaxIdleConnsPerHost: pruneCallers}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: 10 * time.Second}
	var mu sync.Mutex
	var before, after []float64
	var longest time.Duration
	var failed error
	var wg sync.WaitGroup
	// The first ones open the connections.
	begin := time.Now()
	wg.Go(func() {
		took, err := longestSync(ctx, p.base.Dir, expire.Add(pruneAfter))
		mu.Lock()
		defer mu.Unlock()
		longest, failed = took, errors.Join(failed, err)
	})
	for c := range pruneCallers {
		wg.Go(func() {
			due := begin.Add(time.Duration(c) * pruneEvery / pruneCallers)
			for i := 0; due.Before(expire.Add(pruneAfter)); i++ {
				if err := sleep(ctx, time.Until(due)); err != nil {
					return
				}
				badge := badges[(i*pruneCallers+c)*7919%len(badges)]
				err := p.ask(ctx, client, url, badge, i)
				took := float64(time.Since(due))
				mu.Lock()
				failed = errors.Join(failed, err)
				switch {
				case i < 50:
				case due.Before(expire):
					before = append(before, took)
				default:
					after = append(after, took)
				}
				mu.Unlock()
				if err != nil {
					return
				}
				due = due.Add(pruneEvery)
			}
		})
	}
	wg.Wait()
	if err := errors.Join(failed, ctx.Err()); err != nil {
		return latencies{}, err
	}
	slices.Sort(after)
	return latencies{after: after, quiet: slices.Max(before), sync: float64(longest)}, nil
}

// longestSync writes a page of a file in dir and syncs it, four times a second
// until the end, and returns the longest time a sync took: what the disk, and
// whoever else uses it, make a change wait that has nothing before it.
func longestSync(ctx context.Context, dir string, end time.Time) (longest time.Duration, err error) {
	f, err := os.CreateTemp(dir, "sync-")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	page := make([]byte, 4096)
	for time.Now().Before(end) {
		if _, err := f.WriteAt(page, 0); err != nil {
			return 0, err
		}
		start := time.Now()
		if err := f.Sync(); err != nil {
			return 0, err
		}
		longest = max(longest, time.Since(start))
		if sleep(ctx, 250*time.Millisecond) != nil {
			break
		}
	}
	return longest, nil
}

// ask signs somebody in or changes the application's data in a session, each
// once in twenty times, and else checks the session.
func (p *pruneServer) ask(ctx context.Context, client *http.Client, url string, badge contender.Badge, turn int) error {
	var r *http.Request
	var err error
	switch turn % 20 {
	case 9:
		body := fmt.Sprintf(`{"subject":"visitor%04d","amr":["pwd"],"channel":"cookie"}`, turn)
		if r, err = http.NewRequestWithContext(ctx, http.MethodPost, url+"/v1/admin/sessions", strings.NewReader(body)); err != nil {
			return err
		}
		p.program.Set(r)
		r.Header.Set("Content-Type", "application/json")
	case 19:
		if r, err = http.NewRequestWithContext(ctx, http.MethodPatch, url+"/v1/session/data", strings.NewReader(`{"cart":1}`)); err != nil {
			return err
		}
		badge.Set(r)
		r.Header.Set("Content-Type", "application/merge-patch+json")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	default:
		return useOne(ctx, client, url+"/v1/session", badge)
	}
	return send(client, r)
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
