package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/bench/contender"
	"github.com/lanyard-go/lanyard/token"
)

// server weighs the lanyard binary: its size, how long it takes to be ready, and
// its memory with many live sessions that have all been used.
func (b *bench) server(ctx context.Context, dir string) (section, error) {
	const sessions = 100_000
	s := section{Title: "The server", Notes: []string{
		fmt.Sprintf("`lanyard serve` with its defaults on a database of %d live sessions, the median of five starts. Memory is what the process keeps resident after every one of those sessions has been used once over HTTP.", sessions),
	}}
	if b.lanyard == "" {
		s.Rows = append(s.Rows, left("the server", "no binary given"))
		return s, nil
	}
	info, err := os.Stat(b.lanyard)
	if err != nil {
		return s, err
	}
	s.Rows = append(s.Rows, absolute("size of the binary", float64(info.Size()), "", atMost(30e6), megabytes))

	data := filepath.Join(dir, "data")
	start := func() (*process, error) {
		return startProcess(ctx, b.lanyard, "serve", "--data", data, "--listen", "127.0.0.1:0", "--log-level", "error")
	}
	first, err := start() // makes the database and the keys
	if err != nil {
		return s, err
	}
	if err := first.stop(); err != nil {
		return s, err
	}
	badges, err := fillServer(ctx, data, sessions)
	if err != nil {
		return s, fmt.Errorf("filling the store: %w", err)
	}
	var times []float64
	for range 4 {
		p, err := start()
		if err != nil {
			return s, err
		}
		times = append(times, float64(p.took))
		if err := p.stop(); err != nil {
			return s, err
		}
	}
	p, err := start()
	if err != nil {
		return s, err
	}
	times = append(times, float64(p.took))
	err = use(ctx, p.url, badges)
	resident, peak := 0.0, 0.0
	if err == nil {
		resident, peak, err = residentBytes(p.cmd.Process.Pid)
	}
	if err := errors.Join(err, p.stop()); err != nil {
		return s, err
	}
	s.Rows = append(s.Rows,
		absolute("start to ready, existing database", median(times), "", atMost(300e6), duration),
		absolute(fmt.Sprintf("resident memory, %d live sessions on SQLite", sessions), resident, "", atMost(150e6), megabytes),
		absolute("the same at its highest", peak, "", nil, megabytes))
	return s, nil
}

// fillServer signs people in on the database of a server that is not running,
// with the server's own secret, so that it accepts their cookies.
func fillServer(ctx context.Context, data string, n int) (badges []contender.Badge, err error) {
	keys, err := serverKeys(data)
	if err != nil {
		return nil, err
	}
	f, err := contender.OpenFile(ctx, filepath.Join(data, "sessions.db"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	m, err := contender.Manager(f.Store, keys, token.ES256)
	if err != nil {
		return nil, err
	}
	return contender.Fill(ctx, m, n)
}

// serverKeys reads the secret in a server's data directory.
func serverKeys(data string) (*lanyard.Keys, error) {
	text, err := os.ReadFile(filepath.Join(data, "server.secret"))
	if err != nil {
		return nil, err
	}
	id, value, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
	number, err := strconv.ParseUint(id, 10, 8)
	if err != nil {
		return nil, fmt.Errorf("reading the server's secret: %w", err)
	}
	secret, err := base64.StdEncoding.DecodeString(value)
	if err != nil {
		return nil, fmt.Errorf("reading the server's secret: %w", err)
	}
	return lanyard.NewKeys(lanyard.ServerSecret{ID: byte(number), Value: secret})
}

// use asks the server once about each session.
func use(ctx context.Context, url string, badges []contender.Badge) error {
	const callers = 8
	transport := &http.Transport{MaxIdleConnsPerHost: callers}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: 10 * time.Second}
	errs := make([]error, callers)
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			for i := c; i < len(badges) && errs[c] == nil; i += callers {
				errs[c] = useOne(ctx, client, url+"/v1/session", badges[i])
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func useOne(ctx context.Context, client *http.Client, url string, badge contender.Badge) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	badge.Set(r)
	return send(client, r)
}

// send makes a request that has to succeed.
func send(client *http.Client, r *http.Request) error {
	resp, err := client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("a good session was answered with status %d", resp.StatusCode)
	}
	return nil
}

// residentBytes reads what a process keeps in memory, now and at most.
func residentBytes(pid int) (now, most float64, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, fmt.Errorf("reading the memory of the server: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, ":")
		kib, _ := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 64)
		switch name {
		case "VmRSS":
			now = kib * 1024
		case "VmHWM":
			most = kib * 1024
		}
	}
	if now == 0 {
		return 0, 0, errors.New("reading the memory of the server: no VmRSS")
	}
	return now, most, nil
}
