package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard/api"
)

// fleet is servers on one store, services that follow their feeds, and clients
// that check badges at all of them.
type fleet struct {
	*nodes
	bound    time.Duration
	backend  string // proves the program that starts and ends sessions
	orders   serviceSettings
	services []*service
	client   *http.Client
	began    time.Time

	mu      sync.Mutex
	holders []*holder
	odd     []string // answers that should not have been

	accepted, refused, unsure, unanswered atomic.Int64
}

// startFleet starts so many nodes on a store, and services that are spread over
// them.
func startFleet(t *testing.T, nodes, services int, store, directory string, args ...string) *fleet {
	t.Helper()
	f := &fleet{
		nodes: startNodes(t, nodes, store, directory, args...), bound: 2 * time.Second, began: time.Now(),
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}},
	}
	t.Cleanup(f.client.CloseIdleConnections)
	f.backend, _ = f.addClient(t, "backend", "--administer", "--create-sessions", "--grant", "refresh_token")
	_, secret := f.addClient(t, "orders", "--follow", "--introspect", "--audience", f.url)
	f.orders = serviceSettings{Issuer: f.url, Client: "orders", Secret: secret}
	for i := range services {
		in := f.orders
		in.Name = fmt.Sprintf("orders-%d", i)
		f.services = append(f.services, startService(t, in, f.node(i), f.node(i+1)))
	}
	return f
}

// clock is the time that everything in a test is compared by. All processes are on
// one machine, and whatever is timed is timed here.
func (f *fleet) clock() time.Duration { return time.Since(f.began) }

// holder is somebody who is signed in.
type holder struct {
	subject                     string
	sid, token, refresh, handle string // sid is that of the last one

	asking atomic.Bool // its end was asked for
	// From when on no check that begins may accept it, at a node and at a service;
	// 0: nobody has promised anything yet.
	atNodes, atServices atomic.Int64
}

// What a holder has.
const (
	withToken = 1 << iota
	withCookie
)

// insistently makes a call until it is answered with something else than 503, and
// returns how many times it was.
func insistently(call func() (status int, err error)) (away int, err error) {
	for limit := time.Now().Add(patience); ; away++ {
		status, err := call()
		if err != nil || status != http.StatusServiceUnavailable || time.Now().After(limit) {
			return away, err
		}
		time.Sleep(50 * time.Millisecond) // as a client that was told to come back later
	}
}

// signIn starts the sessions of somebody new.
func (f *fleet) signIn(p *process, subject string, what int) (*holder, error) {
	h := &holder{subject: subject}
	for _, channel := range []string{"token", "cookie"} {
		if channel == "token" && what&withToken == 0 || channel == "cookie" && what&withCookie == 0 {
			continue
		}
		var got api.AdminSession
		var r reply
		_, err := insistently(func() (int, error) {
			var err error
			r, err = request(p.url, "POST", "/v1/admin/sessions", fmt.Sprintf(`{"subject":%q,"amr":["pwd"],"channel":%q}`, subject, channel), f.backend)
			return r.status, err
		})
		if err == nil && r.status != http.StatusOK {
			err = fmt.Errorf("starting a session: %d %s", r.status, r.body)
		}
		if err == nil {
			err = json.Unmarshal([]byte(r.body), &got)
		}
		if err != nil {
			return nil, err
		}
		h.sid = got.Session.SID
		if channel == "token" {
			h.token, h.refresh = got.AccessToken, got.RefreshToken
			continue
		}
		_, value, _ := strings.Cut(got.Cookie.SetCookie, "=")
		h.handle, _, _ = strings.Cut(value, ";")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.holders = append(f.holders, h)
	return h, nil
}

// end has a node end all that somebody has, in one call. What it promises counts
// from its answer, but the bound from when the end was written down.
func (f *fleet) end(p *process, h *holder, mode string) (api.AdminRevoked, reply, error) {
	h.asking.Store(true)
	method, path, body := "DELETE", "/v1/admin/sessions/"+h.sid+"?mode="+mode, ""
	if h.token != "" && h.handle != "" {
		method, path, body = "POST", "/v1/admin/revoke", fmt.Sprintf(`{"subject":%q,"mode":%q}`, h.subject, mode)
	}
	var done api.AdminRevoked
	r, err := request(p.url, method, path, body, f.backend)
	now := f.clock()
	if err != nil || r.status != http.StatusOK {
		return done, r, err
	}
	if err := json.Unmarshal([]byte(r.body), &done); err != nil {
		return done, r, err
	}
	h.atNodes.Store(int64(now))
	if mode != "strict" {
		now += f.bound - time.Duration(done.WaitedMS)*time.Millisecond
	}
	h.atServices.Store(int64(now))
	return done, r, nil
}

// surelyEnd is end for as long as the answer is that the store is away.
func (f *fleet) surelyEnd(p *process, h *holder, mode string) (done api.AdminRevoked, took, waited times, err error) {
	_, err = insistently(func() (int, error) {
		begun := time.Now()
		var r reply
		var err error
		done, r, err = f.end(p, h, mode)
		took.add(time.Since(begun))
		waited.add(time.Duration(done.WaitedMS) * time.Millisecond)
		switch {
		case err != nil, r.status == http.StatusOK, r.status == http.StatusServiceUnavailable && r.header.Get("Retry-After") != "":
			return r.status, err
		}
		return r.status, fmt.Errorf("%s: %d %s", r.request, r.status, r.body)
	})
	if err == nil && h.atNodes.Load() == 0 {
		err = errors.New("the store stays away")
	}
	return done, took, waited, err
}

// door is a place where badges are checked.
type door struct {
	name    string
	url     func() string
	path    string
	service bool
	cookie  bool
}

// doors are all places: each service, and each node for both badges.
func (f *fleet) doors() (all []*door) {
	for _, s := range f.services {
		all = append(all, &door{s.name, func() string { return s.url }, "/bounded", true, false})
	}
	for i := range f.each {
		url := func() string { return f.node(i).url }
		all = append(all, &door{fmt.Sprintf("node %d", i), url, "/v1/session?passive=1", false, true})
		all = append(all, &door{fmt.Sprintf("node %d with a token", i), url, "/v1/session?passive=1", false, false})
	}
	return all
}

// takes reports whether somebody has a badge for the door.
func (d *door) takes(h *holder) bool {
	if d.cookie {
		return h.handle != ""
	}
	return h.token != ""
}

// check checks a badge once, and whether the answer is one that may be. It returns
// the status, 0 if there was no answer.
func (f *fleet) check(ctx context.Context, d *door, h *holder) int {
	begun := f.clock()
	req, err := http.NewRequestWithContext(ctx, "GET", d.url()+d.path, nil)
	if err != nil {
		panic(err)
	}
	if d.cookie {
		req.Header.Set("Cookie", sessionCookie+"="+h.handle)
	} else {
		req.Header.Set("Authorization", "Bearer "+h.token)
	}
	res, err := f.client.Do(req)
	if err != nil {
		f.unanswered.Add(1)
		return 0
	}
	io.Copy(io.Discard, res.Body)
	res.Body.Close()
	until := time.Duration(h.atNodes.Load())
	if d.service {
		until = time.Duration(h.atServices.Load())
	}
	switch {
	case res.StatusCode == http.StatusOK:
		f.accepted.Add(1)
		if until != 0 && begun > until {
			f.report("%s accepts %s in a check begun %v after the last moment for that", d.name, h.subject, begun-until)
		}
	case res.StatusCode == http.StatusUnauthorized:
		f.refused.Add(1)
		if !h.asking.Load() {
			f.report("%s refuses %s, whose sessions nobody ended", d.name, h.subject)
		}
	case res.StatusCode == http.StatusServiceUnavailable:
		f.unsure.Add(1)
	default:
		f.report("%s answers %s with %d", d.name, h.subject, res.StatusCode)
	}
	return res.StatusCode
}

func (f *fleet) report(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.odd = append(f.odd, fmt.Sprintf(format, args...))
}

// everywhere checks somebody's badges at all doors at once and returns how many
// answered with each status.
func (f *fleet) everywhere(ctx context.Context, h *holder) map[int]int {
	var mu sync.Mutex
	var all sync.WaitGroup
	got := make(map[int]int)
	for _, d := range f.doors() {
		if d.takes(h) {
			all.Go(func() {
				status := f.check(ctx, d, h)
				mu.Lock()
				defer mu.Unlock()
				got[status]++
			})
		}
	}
	all.Wait()
	return got
}

// until checks somebody's badges at all doors until all answer with the status.
func (f *fleet) until(t *testing.T, h *holder, status int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		got := f.everywhere(ctx, h)
		if got[status] > 0 && len(got) == 1 {
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("%s: want %d at every door, and the answers stay %v", h.subject, status, got)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// lately is how many of those who signed in last are checked.
const lately = 64

// hammer checks badges of those who signed in lately at every door, so many times
// a second in all, until it is told to stop. At each door so many checks are under
// way at once.
func (f *fleet) hammer(perSecond, atOnce int) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	doors := f.doors()
	every := time.Duration(len(doors)*atOnce) * time.Second / time.Duration(perSecond)
	for i, d := range doors {
		for j := range atOnce {
			all.Go(func() {
				tick := time.NewTicker(every)
				defer tick.Stop()
				for n := i*31 + j*17; ; n += 29 {
					if h := f.one(n, d); h != nil {
						f.check(ctx, d, h)
					}
					select {
					case <-ctx.Done():
						return
					case <-tick.C:
					}
				}
			})
		}
	}
	return func() {
		cancel()
		all.Wait()
	}
}

// one of those who signed in lately and have a badge for the door, nil if none.
func (f *fleet) one(n int, d *door) *holder {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := f.holders[max(0, len(f.holders)-lately):]
	for i := range list {
		if h := list[(n+i)%len(list)]; d.takes(h) {
			return h
		}
	}
	return nil
}

// finish reports what should not have been.
func (f *fleet) finish(t *testing.T) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, odd := range f.odd[:min(len(f.odd), 20)] {
		t.Error(odd)
	}
	if len(f.odd) > 20 {
		t.Errorf("and %d more", len(f.odd)-20)
	}
	t.Logf("checks: %d accepted, %d refused, %d not decided, %d not answered",
		f.accepted.Load(), f.refused.Load(), f.unsure.Load(), f.unanswered.Load())
	if t.Failed() {
		for _, s := range f.services {
			t.Logf("%s:\n%s", s.name, tail(s.log.String()))
		}
		for i := range f.each {
			t.Logf("node %d:\n%s", i, tail(trouble(f.node(i).log.String())))
		}
	}
}

// trouble leaves out of a log what requests write into it.
func trouble(log string) string {
	var out []string
	for line := range strings.Lines(log) {
		if !strings.Contains(line, "request_id=") {
			out = append(out, line)
		}
	}
	return strings.Join(out, "")
}
