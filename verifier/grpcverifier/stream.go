package grpcverifier

import (
	"context"
	"errors"
	"sync"

	"google.golang.org/grpc"

	"github.com/lanyard-go/lanyard/verifier"
)

// Stream implements [grpc.StreamServerInterceptor]. A stream can outlive its
// token. So it ends, whatever its handler does, as soon as the token has expired
// or the verifier's feed says that the session has ended; the handler's context
// is cancelled then. The token is also judged again at each message in either
// direction, with the freshness that the method needs. What else the method needs
// is judged at the start.
func (g *Guard) Stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	c, need, err := g.admit(ss.Context(), info.FullMethod)
	if err != nil {
		return err
	}
	if c.Issuer() == "" { // nobody, on a public method
		return handler(srv, &stream{ServerStream: ss, ctx: verifier.WithCaller(ss.Context(), c)})
	}
	watch, stop := c.WatchWith(ss.Context(), need.Freshness)
	defer stop()
	s := &stream{ServerStream: ss, guard: g, caller: c, freshness: need.Freshness, ctx: verifier.WithCaller(watch, c)}
	return s.serve(srv, handler)
}

// stream judges the token with each message.
type stream struct {
	grpc.ServerStream
	guard     *Guard // nil for nobody
	caller    *verifier.Caller
	freshness verifier.Freshness
	ctx       context.Context

	mu      sync.Mutex
	refused error // once refused, for good
}

// serve runs the handler until it returns or the token is dead. A handler that
// waits for a message notices neither its context nor anything else but the end
// of the stream, and only returning from here ends a stream.
func (s *stream) serve(srv any, handler grpc.StreamHandler) error {
	done, panicked := make(chan error, 1), make(chan any, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				panicked <- p
			}
		}()
		done <- handler(srv, s)
	}()
	over := s.ctx.Done()
	for {
		select {
		case p := <-panicked:
			panic(p) // where the server's other interceptors recover it
		case err := <-done:
			if refused := s.end(context.Cause(s.ctx)); refused != nil {
				return refused // whatever the handler made of it
			}
			return err
		case <-over:
			if refused := s.end(context.Cause(s.ctx)); refused != nil {
				return refused
			}
			over = nil // the client is gone, and the handler notices
		}
	}
}

// end refuses the stream for good if cause is a refusal, and returns what it was
// refused for, if it was.
func (s *stream) end(cause error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := errors.AsType[*verifier.Refused](cause); ok && s.refused == nil {
		s.refused = s.guard.told(s.ctx, s.caller, cause)
	}
	return s.refused
}

// Context has the caller, and ends with the session.
func (s *stream) Context() context.Context { return s.ctx }

// RecvMsg gives the handler no message that came when the token was dead.
func (s *stream) RecvMsg(m any) error {
	if err := s.ServerStream.RecvMsg(m); err != nil {
		return err
	}
	return s.still()
}

// SendMsg sends nothing once the token is dead.
func (s *stream) SendMsg(m any) error {
	if err := s.still(); err != nil {
		return err
	}
	return s.ServerStream.SendMsg(m)
}

func (s *stream) still() error {
	if s.guard == nil {
		return nil
	}
	if refused := s.end(nil); refused != nil {
		return refused
	}
	_, err := s.guard.v.Admit(s.ctx, header(s.ctx), verifier.Need{Freshness: s.freshness, Programs: true})
	return s.end(err)
}
