package redis_test

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard"
)

const base lanyard.Time = 1_800_000_000_000

// session returns a live session of a subject, as a browser gives it, with the
// n-th SID.
func session(subject string, n int) *lanyard.Record {
	at := base + lanyard.Time(n)
	r := &lanyard.Record{
		State: lanyard.StateLive, Channel: lanyard.ChannelCookie, Subject: subject, Generation: 1,
		CreatedAt: at, AuthTime: at, LastActive: at, IdleExpiresAt: at + 1_800_000, ExpiresAt: at + 43_200_000,
		Methods: []string{"pwd"},
		Device: lanyard.Device{
			Label:     "Chrome on Linux",
			UserAgent: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Test/12",
			IP:        "203.0.113.77",
		},
	}
	rand.Read(r.Handle[:])
	tag := uint64(lanyard.SubjectPartition(subject))
	binary.BigEndian.PutUint64(r.SID[:8], uint64(at)<<16|tag<<6)
	binary.BigEndian.PutUint64(r.SID[8:], uint64(n))
	return r
}

func subjectOf(n int) string { return fmt.Sprintf("user%08d", n) }

// start creates a session.
func start(t testing.TB, s lanyard.Store, r *lanyard.Record) *lanyard.Record {
	t.Helper()
	if _, err := s.Create(ctx, r, lanyard.Limit{}); err != nil {
		t.Fatal(err)
	}
	return r
}

func logout(sid lanyard.SID) lanyard.End {
	return lanyard.End{SID: sid, Reason: lanyard.ReasonLogout, By: "alice", Now: base + 10, Until: base + 20}
}

// eventually calls f until it succeeds, for at most the given time.
func eventually(t testing.TB, limit time.Duration, f func(ctx context.Context) error) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(limit)
	for {
		call, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
		err := f(call)
		cancel()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("still after %s: %v", limit, err)
		}
	}
}

// proxy forwards connections to a server until it is told to let them hang: then
// they stay open and nothing comes through.
type proxy struct {
	listener net.Listener
	target   string

	mu    sync.Mutex
	hung  bool
	conns []net.Conn
}

func newProxy(t testing.TB, target string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, target: target}
	t.Cleanup(func() { l.Close(); p.cut() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(c)
		}
	}()
	return p
}

func (p *proxy) serve(in net.Conn) {
	out, err := net.Dial("tcp", p.target)
	if err != nil {
		in.Close()
		return
	}
	p.mu.Lock()
	p.conns = append(p.conns, in, out)
	p.mu.Unlock()
	go p.copy(out, in)
	p.copy(in, out)
}

func (p *proxy) copy(to io.Writer, from io.Reader) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		p.mu.Lock()
		hung := p.hung
		p.mu.Unlock()
		if err != nil {
			return
		}
		if hung {
			continue // swallowed: neither side learns of it
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

func (p *proxy) hang(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hung = on
}

// cut closes all connections.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		c.Close()
	}
	p.conns = nil
}
