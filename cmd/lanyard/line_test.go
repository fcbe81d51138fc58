package main

import (
	"net"
	"sync"
	"testing"
)

// line is a way to a server that a test can cut.
type line struct {
	l      net.Listener
	target string

	mu    sync.Mutex
	state lineState
	conns map[net.Conn]bool
	moved *sync.Cond // state changed
}

type lineState int

const (
	whole   lineState = iota
	cut               // connections are closed, new ones too
	stalled           // connections stay, and nothing arrives at either end
)

// newLine opens a way to an address, which itself is at Addr.
func newLine(t *testing.T, target string) *line {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	x := &line{l: l, target: target, conns: map[net.Conn]bool{}}
	x.moved = sync.NewCond(&x.mu)
	go x.accept()
	t.Cleanup(func() {
		l.Close()
		x.set(cut)
	})
	return x
}

// Addr is where the line begins.
func (x *line) Addr() string { return x.l.Addr().String() }

func (x *line) set(s lineState) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.state = s
	if s == cut {
		for c := range x.conns {
			c.Close()
		}
	}
	x.moved.Broadcast()
}

func (x *line) accept() {
	for {
		near, err := x.l.Accept()
		if err != nil {
			return
		}
		go x.join(near)
	}
}

func (x *line) join(near net.Conn) {
	defer near.Close()
	if !x.open(near) {
		return
	}
	far, err := net.Dial("tcp", x.target)
	if err != nil {
		return
	}
	defer far.Close()
	if !x.open(far) {
		return
	}
	done := make(chan struct{}, 2)
	go x.copy(far, near, done)
	go x.copy(near, far, done)
	<-done
	near.Close()
	far.Close()
	<-done
	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.conns, near)
	delete(x.conns, far)
}

// open notes a connection, unless the line is cut.
func (x *line) open(c net.Conn) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.state == cut {
		return false
	}
	x.conns[c] = true
	return true
}

func (x *line) copy(to, from net.Conn, done chan<- struct{}) {
	defer func() { done <- struct{}{} }()
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		x.mu.Lock()
		for x.state == stalled {
			x.moved.Wait()
		}
		x.mu.Unlock()
		if n > 0 {
			if _, err := to.Write(b[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
