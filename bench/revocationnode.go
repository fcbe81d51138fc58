package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lanyard-go/lanyard/revocation"
)

// feedCommand is the argument by which this program runs itself as a node that
// serves followers.
const feedCommand = "feed"

const (
	feedIssuer = "https://app.example"
	feedBound  = 2 * time.Second
	// feedCursor is the length of the cursors: that of Redis after a million
	// revocations, which has two bytes for each of 64 partitions.
	feedCursor = 192
)

// feed is what a node serves, without the store behind it. Cursors are numbers.
type feed struct {
	hub   *revocation.Hub
	start time.Time
	lease time.Duration // what followers are granted; zero: as a node that renews its own four times a bound

	mu    sync.Mutex
	n     uint64
	ended map[uint64]time.Duration // when what is behind a cursor was appended, until all have acknowledged it
}

func newFeed(ring int) (*feed, error) {
	f := &feed{start: time.Now(), ended: make(map[uint64]time.Duration)}
	var err error
	if f.hub, err = revocation.NewHub(revocation.HubConfig{Source: f, Issuer: feedIssuer, Bound: feedBound, Ring: ring}); err != nil {
		return nil, err
	}
	return f, f.hub.Append(nil, cursor(0))
}

func cursor(n uint64) string { return fmt.Sprintf("%0*d", feedCursor, n) }

// Lease implements [revocation.Source].
func (f *feed) Lease() time.Duration {
	if f.lease > 0 {
		return f.lease
	}
	return feedBound - time.Since(f.start)%(feedBound/4)
}

// Covers implements [revocation.Source].
func (f *feed) Covers(have, want string) (bool, error) {
	h, err1 := strconv.ParseUint(have, 10, 64)
	w, err2 := strconv.ParseUint(want, 10, 64)
	return h >= w, errors.Join(err1, err2)
}

// CatchUp implements [revocation.Source].
func (f *feed) CatchUp(context.Context) error { return nil }

// handler serves the feed where followers look for it.
func (f *feed) handler(ctx context.Context) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /feed", func(w http.ResponseWriter, r *http.Request) { f.hub.ServeStream(ctx, w, r) })
	mux.HandleFunc("GET /feed/snapshot", f.hub.ServeSnapshot)
	mux.HandleFunc("POST /feed/ack", func(w http.ResponseWriter, r *http.Request) { f.hub.ServeAck(w, r, "bench") })
	return mux
}

// listen serves the feed on an address of its own until ctx ends.
func (f *feed) listen(ctx context.Context) (url string, stop func() error, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	srv := &http.Server{Handler: f.handler(ctx), ReadHeaderTimeout: 10 * time.Second}
	go srv.Serve(l)
	return "http://" + l.Addr().String() + "/feed", srv.Close, nil
}

// end appends the ends of so many sessions in one batch.
func (f *feed) end(sessions int) error {
	f.mu.Lock()
	f.n++
	n := f.n
	f.mu.Unlock()
	entries := make([]revocation.Entry, sessions)
	for i := range entries {
		entries[i] = revocation.Entry{Kind: revocation.KindSession, At: time.Now().UnixMilli(), Keep: time.Hour}
		rand.Read(entries[i].SID[:])
	}
	now, err := uptime()
	if err != nil {
		return err
	}
	// So that a follower on this machine can tell how late it met the batch.
	entries[0].Reason = strconv.FormatInt(int64(now), 10)
	f.mu.Lock()
	f.ended[n] = now
	f.mu.Unlock()
	return f.hub.Append(entries, cursor(n))
}

// uptime is the one clock that all processes of a machine share, and that nobody
// sets.
func uptime() (time.Duration, error) {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		return 0, fmt.Errorf("reading the time since the machine's start: %w", err)
	}
	return time.Duration(t.Nano()), nil
}

// lateness is how late an entry that end has made is met now.
func lateness(e *revocation.Entry) (time.Duration, error) {
	sent, err := strconv.ParseInt(e.Reason, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("an entry without its time: %w", err)
	}
	now, err := uptime()
	return now - time.Duration(sent), err
}

// covered notes, until ctx ends, how long each batch took until every follower had
// acknowledged it.
func (f *feed) covered(ctx context.Context) (took []float64) {
	for {
		select {
		case <-ctx.Done():
			return took
		case <-f.hub.Moved():
		}
		at, err1 := strconv.ParseUint(f.hub.Covered().Cursor, 10, 64)
		now, err2 := uptime()
		if err1 != nil || err2 != nil {
			continue
		}
		f.mu.Lock()
		for n, ended := range f.ended {
			if n <= at {
				took = append(took, float64(now-ended))
				delete(f.ended, n)
			}
		}
		f.mu.Unlock()
	}
}

// feedReport is what a node writes down when it has done.
type feedReport struct {
	Covered []float64 // ns from each append until all followers had acknowledged it
}

// serveFeed is a node: it ends a session every so often and serves followers until
// standard input ends, so that it never outlives its parent.
func serveFeed(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("bench "+feedCommand, flag.ContinueOnError)
	every := flags.Duration("every", 200*time.Millisecond, "time between two revocations")
	out := flags.String("report", "", "the `file` for what was measured")
	if err := flags.Parse(args); err != nil {
		return err
	}
	f, err := newFeed(0)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	url, shut, err := f.listen(ctx)
	if err != nil {
		return err
	}
	defer shut()
	go func() {
		io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	fmt.Println("ready " + url)
	report := make(chan feedReport, 1)
	go func() { report <- feedReport{f.covered(ctx)} }()
	tick := time.NewTicker(*every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			text, err := json.Marshal(<-report)
			if err != nil {
				return err
			}
			return os.WriteFile(*out, text, 0o600)
		case <-tick.C:
			if err := f.end(1); err != nil {
				return err
			}
		}
	}
}
