package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/lanyard-go/lanyard/revocation"
)

// line is what one follower costs on the network, in plain HTTP/1.1.
type line struct {
	quiet, busy   float64 // bytes a second that the node sends, without revocations and with five a second
	asked, asking float64 // bytes a second that the follower sends
	acks          float64 // a second, without revocations
	event         float64 // bytes of a revocation, one after another
}

// meter counts what passes a listener's connections.
type meter struct {
	net.Listener
	in, out atomic.Int64
}

func (m *meter) Accept() (net.Conn, error) {
	c, err := m.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &metered{c, m}, nil
}

type metered struct {
	net.Conn
	m *meter
}

func (c *metered) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.m.in.Add(int64(n))
	return n, err
}

func (c *metered) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.m.out.Add(int64(n))
	return n, err
}

// weighLine measures one real follower for a while.
func weighLine(ctx context.Context, length time.Duration) (_ line, err error) {
	const rate = 5
	f, err := newFeed(0)
	if err != nil {
		return line{}, err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return line{}, err
	}
	m := &meter{Listener: l}
	srv := &http.Server{Handler: f.handler(ctx), ReadHeaderTimeout: 10 * time.Second}
	go srv.Serve(m)
	defer func() { err = errors.Join(err, srv.Close()) }()
	flock, err := newFlock(ctx, "http://"+l.Addr().String()+"/feed", 1)
	if err != nil {
		return line{}, err
	}
	defer flock.close()
	phase := func(work func() error) (in, out, acks float64, err error) {
		i, o := m.in.Load(), m.out.Load()
		a, _ := flock.counts()
		began := time.Now()
		err = work()
		took := time.Since(began).Seconds()
		after, _ := flock.counts()
		return float64(m.in.Load()-i) / took, float64(m.out.Load()-o) / took, float64(after-a) / took, err
	}
	var w line
	if w.asked, w.quiet, w.acks, err = phase(func() error { return pause(ctx, length) }); err != nil {
		return w, err
	}
	w.asking, w.busy, _, err = phase(func() error {
		for range int(length.Seconds() * rate) {
			if err := f.end(1); err != nil {
				return err
			}
			if err := pause(ctx, time.Second/rate); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return w, err
	}
	e := revocation.Event{Name: revocation.EventRevoked, Cursor: cursor(1), Entries: []revocation.Entry{{
		Kind: revocation.KindSession, SID: revocation.SID{1}, Reason: "logout", At: time.Now().UnixMilli(), Keep: 10 * time.Minute,
	}}}
	frame, err := e.Frame()
	w.event = float64(len(frame.Append(nil, 1000)))
	return w, err
}
