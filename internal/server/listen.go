package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/lanyard-go/lanyard/audit"
)

// SocketName is the socket in a data directory on which commands talk to the
// server that runs on it.
const SocketName = "lanyard.sock"

// Listen opens the address to serve on. It comes before Open, because the
// default issuer names the port that was really given.
func Listen(address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, wrong("listen", "%s is taken by another program; choose another address, such as --listen 127.0.0.1:0 for any free port", address)
	}
	if err != nil {
		return nil, wrong("listen", "%v", err)
	}
	return l, nil
}

// limits of a connection: a client that is slow or sends much costs bounded
// time and memory. All cookies that a browser keeps for one domain, 180 of 4 KiB,
// fit into the header: net/http would answer a longer one without any handler,
// and the page that leads out of that is ours.
func (s *Server) httpServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second,
		WriteTimeout: 60 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 1 << 20,
		ErrorLog: log.New(logWriter{s.log}, "", 0),
	}
}

type logWriter struct{ log *slog.Logger }

// Write hands net/http's own complaints to the log.
func (l logWriter) Write(b []byte) (int, error) {
	l.log.Debug("http", "message", string(b))
	return len(b), nil
}

// Serve serves until ctx ends, then lets requests finish and returns nil. Ready
// is called once everything listens.
func (s *Server) Serve(ctx context.Context, l net.Listener, ready func()) error {
	conf, err := s.TLSConfig()
	if err != nil {
		return err
	}
	type served struct {
		srv *http.Server
		l   net.Listener
	}
	list := []served{{s.httpServer(s.handler), secured(l, conf)}}
	if s.admin != nil {
		al, err := net.Listen("tcp", s.cfg.AdminListen)
		if err != nil {
			return wrong("admin-listen", "%v", err)
		}
		list = append(list, served{s.httpServer(s.admin), secured(al, conf)})
	}
	commands, err := s.takeCommands()
	if err != nil {
		return err
	}
	commanded := make(chan struct{})
	serving, stopCommands := context.WithCancel(ctx)
	defer func() { stopCommands(); <-commanded }()
	go func() {
		defer close(commanded)
		s.serveCommands(serving, commands)
	}()

	work, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()
	worked := make(chan error, 1)
	go func() { worked <- s.Run(work) }()
	failed := make(chan error, len(list))
	for _, one := range list {
		go func() {
			if err := one.srv.Serve(one.l); !errors.Is(err, http.ErrServerClosed) {
				failed <- fmt.Errorf("serving: %w", err)
			}
		}()
	}
	s.note(audit.Event{Name: audit.ServerStarted})
	ready()
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	s.Drain()
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.ShutdownTimeout)
	defer cancel()
	for _, one := range list {
		if e := one.srv.Shutdown(stop); e != nil {
			s.log.Warn("requests did not finish in time and were cut off", "error", e)
			one.srv.Close()
		}
	}
	s.hooks.Wait()
	s.note(audit.Event{Name: audit.ServerStopped})
	stopWork()
	<-worked
	return err
}

func secured(l net.Listener, conf *tls.Config) net.Listener {
	if conf == nil {
		return l
	}
	return tls.NewListener(l, conf)
}

// note writes an event that no request caused.
func (s *Server) note(e audit.Event) {
	e.Time, e.Actor = s.now().UTC(), "system"
	if err := s.trail.Record(context.Background(), e); err != nil {
		s.sinkFailed(context.Background(), e, err)
	}
}

// listenSocket opens the socket for commands. It gets its mode in a directory
// that nobody else can enter, before it appears under its name.
func listenSocket(dir string) (net.Listener, error) {
	stage, err := os.MkdirTemp(dir, ".sock-*")
	if err != nil {
		return nil, fmt.Errorf("making the command socket: %w", err)
	}
	defer os.RemoveAll(stage)
	short, done, err := ShortPath(stage)
	if err != nil {
		return nil, err
	}
	defer done()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(short, "s"), Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("making the command socket: %w", err)
	}
	l.SetUnlinkOnClose(false)
	path := filepath.Join(stage, "s")
	if err := errors.Join(os.Chmod(path, 0o600), os.Rename(path, filepath.Join(dir, SocketName))); err != nil {
		l.Close()
		return nil, fmt.Errorf("making the command socket: %w", err)
	}
	return l, nil
}

// commandSocket is the socket of a data directory with the right to be it.
type commandSocket struct {
	net.Listener
	lock *os.File
	path string
}

// takeCommands opens the socket for commands, unless another of the processes
// that share the data directory has it: then nil.
func (s *Server) takeCommands() (*commandSocket, error) {
	path := filepath.Join(s.cfg.Data, SocketName)
	lock, err := lockFile(path+".lock", syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	l, err := listenSocket(s.cfg.Data)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return &commandSocket{l, lock, path}, nil
}

// serveCommands answers commands until ctx ends. Without the socket it waits for
// the process that has it to go.
func (s *Server) serveCommands(ctx context.Context, c *commandSocket) {
	for c == nil {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Second):
		}
		var err error
		if c, err = s.takeCommands(); err != nil {
			s.log.Error("taking over the command socket failed", "error", err)
		}
	}
	srv := s.httpServer(s.local)
	srv.ReadTimeout, srv.WriteTimeout = 0, 0 // imports and backups take their time
	done := make(chan error, 1)
	go func() { done <- srv.Serve(c) }()
	select {
	case <-ctx.Done():
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.ShutdownTimeout)
		defer cancel()
		if err := srv.Shutdown(stop); err != nil {
			srv.Close()
		}
	case err := <-done:
		s.log.Error("commands are not served any more", "error", err)
	}
	os.Remove(c.path)
	c.lock.Close()
}

// ShortPath returns another name for a directory that fits into the 108 bytes of
// a socket address however deep it lies. Call done after use.
func ShortPath(dir string) (short string, done func(), err error) {
	if len(dir) < 80 {
		return dir, func() {}, nil
	}
	f, err := os.Open(dir)
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d", f.Fd()), func() { f.Close() }, nil
}
