package grpcverifier

import (
	"context"
	"sync"

	"google.golang.org/grpc"

	"github.com/lanyard-go/lanyard/verifier"
)

// Stream implements [grpc.StreamServerInterceptor]. A stream can outlive its
// token, so the token is judged again at each message in either direction, and
// the stream ends with the first that comes after the token has expired, was
// revoked or cannot be judged. What the method needs is judged at the start.
func (g *Guard) Stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	ctx, err := g.admit(ss.Context(), info.FullMethod)
	if err != nil {
		return err
	}
	s := &stream{ServerStream: ss, guard: g, ctx: ctx}
	err = handler(srv, s)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refused != nil {
		// Whatever the handler made of it.
		return s.refused
	}
	return err
}

// stream judges the token with each message.
type stream struct {
	grpc.ServerStream
	guard *Guard
	ctx   context.Context

	mu      sync.Mutex
	refused error // once refused, for good
}

// Context has the caller.
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
	if verifier.From(s.ctx).Issuer() == "" {
		return nil // nobody, on a public method
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refused == nil {
		_, s.refused = s.guard.check(s.ctx)
	}
	return s.refused
}
