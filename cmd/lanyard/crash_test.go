package main

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// A killed server must know on its next start everything that it had answered:
// each session that it reported as started, and each end that it reported. What
// it had not answered may have happened or not.

// acknowledged is a session with what its program was told about it.
type acknowledged struct {
	sid, handle string
	ending      bool // its end was asked for
	ended       bool // and reported
}

// busy starts and ends sessions of one subject until the server is gone.
type busy struct {
	p       *process
	client  string
	subject string
	answers *atomic.Int64
	enough  chan struct{} // closed after limit answers
	limit   int64
	known   []*acknowledged
	odd     []string // answers that should not have been
}

func (b *busy) call(method, path, body string, status int) (reply, bool) {
	r, err := b.p.try(method, path, body, b.client)
	if err != nil {
		return r, false // killed before or while it answered
	}
	if r.status != status {
		b.odd = append(b.odd, fmt.Sprintf("%s: %d %s", r.request, r.status, r.body))
		return r, false
	}
	if b.answers.Add(1) == b.limit {
		close(b.enough)
	}
	return r, true
}

func (b *busy) run(t *testing.T) {
	for n := 1; ; n++ {
		r, ok := b.call("POST", "/v1/admin/sessions", `{"subject":"`+b.subject+`","amr":["pwd"],"channel":"cookie"}`, http.StatusOK)
		if !ok {
			return
		}
		_, value, _ := strings.Cut(r.text(t, "cookie.set_cookie"), "=")
		value, _, _ = strings.Cut(value, ";")
		one := &acknowledged{sid: r.text(t, "session.sid"), handle: value}
		b.known = append(b.known, one)
		var ends []*acknowledged
		path, method, body := "/v1/admin/sessions/"+one.sid, "DELETE", ""
		switch n % 8 {
		case 2, 4, 6:
			ends = []*acknowledged{one}
		case 7:
			ends, path, method, body = b.known, "/v1/admin/revoke", "POST", `{"subject":"`+b.subject+`"}`
		}
		if ends == nil {
			continue
		}
		for _, s := range ends {
			s.ending = true
		}
		if _, ok := b.call(method, path, body, http.StatusOK); !ok {
			return
		}
		for _, s := range ends {
			s.ended = true
		}
	}
}

func check(t *testing.T, ask func(t testing.TB, handle string) int, round int, known []*acknowledged) (live, ended int) {
	t.Helper()
	for _, s := range known {
		got := ask(t, s.handle)
		switch {
		case s.ended && got != http.StatusUnauthorized:
			t.Errorf("round %d: session %s: its end was reported, and it gets %d", round, s.sid, got)
		case !s.ending && got != http.StatusOK:
			t.Errorf("round %d: session %s: its start was reported, and it gets %d", round, s.sid, got)
		}
		if s.ended {
			ended++
		} else if !s.ending {
			live++
		}
	}
	return live, ended
}

func TestKillingTheServerLosesNothingThatItAnswered(t *testing.T) {
	t.Parallel()
	rounds := 10
	if soak() {
		rounds = 100
	}
	data := dataDir(t)
	p := start(t, data)
	client, _ := p.addClient(t, "backend", "--create-sessions")
	var all []*acknowledged
	live, ended := 0, 0
	for round := range rounds {
		var answers atomic.Int64
		enough := make(chan struct{})
		workers := make([]*busy, 4)
		var wg sync.WaitGroup
		for i := range workers {
			workers[i] = &busy{
				p: p, client: client, subject: fmt.Sprintf("user%d-%d", round, i),
				answers: &answers, enough: enough, limit: int64(11 + 13*(round%7)),
			}
			wg.Go(func() { workers[i].run(t) })
		}
		done := make(chan struct{})
		go func() { wg.Wait(); close(done) }()
		select {
		case <-enough:
		case <-done: // they met an answer that should not have been
		}
		p.crash(t)
		<-done
		p = start(t, data)
		var now []*acknowledged
		for _, b := range workers {
			for _, odd := range b.odd {
				t.Errorf("round %d: %s", round, odd)
			}
			now = append(now, b.known...)
		}
		l, e := check(t, p.signedIn, round, now)
		live, ended = live+l, ended+e
		all = append(all, now...)
	}
	check(t, p.signedIn, rounds, all)
	if live < 5*rounds || ended < rounds {
		t.Errorf("only %d starts and %d ends were checked", live, ended)
	}
	t.Logf("%d kills: %d reported starts and %d reported ends hold", rounds, live, ended)
	if code := p.stop(t); code != 0 {
		t.Errorf("exit code %d:\n%s", code, p.log)
	}
	if _, problems, code := command(t, "", "verify-audit", filepath.Join(data, "audit.log")); code != 0 {
		t.Errorf("the audit trail: %s", problems)
	}
}
