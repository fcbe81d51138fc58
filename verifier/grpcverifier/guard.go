// Package grpcverifier mounts a [verifier.Verifier] on a gRPC server: a unary and
// a stream interceptor that read the access token from the metadata key
// "authorization", as "Bearer TOKEN".
//
// Start with [New]; every method is guarded unless it is listed as public. In a
// handler [verifier.From] has the caller. The package encrypts nothing: a server
// that is reached over a network needs transport credentials, or tokens travel in
// the clear.
package grpcverifier

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/lanyard-go/lanyard/verifier"
)

// Config is what a [Guard] needs.
type Config struct {
	// Verifier judges the tokens. Required.
	Verifier *verifier.Verifier
	// Needs says what a method takes, by its full name "/package.Service/Method",
	// or "/package.Service/" for those of a service that are not named. Every
	// other method takes any person who is signed in.
	Needs map[string]verifier.Need
	// Public lists methods, named as in Needs, that nobody has to sign in for. A
	// bad token is refused there too.
	Public []string
}

// Guard refuses calls whose token does not hold or does not suffice. It is safe
// for concurrent use.
type Guard struct {
	v      *verifier.Verifier
	needs  map[string]verifier.Need
	public map[string]bool
}

// New checks the configuration and names the field that is wrong.
func New(cfg Config) (*Guard, error) {
	if cfg.Verifier == nil {
		return nil, errors.New("grpcverifier: Config.Verifier is required")
	}
	g := &Guard{v: cfg.Verifier, needs: make(map[string]verifier.Need), public: make(map[string]bool)}
	for name, need := range cfg.Needs {
		if !isMethod(name) {
			return nil, fmt.Errorf("grpcverifier: Config.Needs: %q is not /package.Service/Method", name)
		}
		g.needs[name] = need
	}
	for _, name := range cfg.Public {
		if !isMethod(name) {
			return nil, fmt.Errorf("grpcverifier: Config.Public: %q is not /package.Service/Method", name)
		}
		if _, both := g.needs[name]; both {
			return nil, fmt.Errorf("grpcverifier: Config.Public: %q is in Needs too", name)
		}
		g.public[name] = true
	}
	return g, nil
}

// isMethod refuses names that no call could ever have, which would leave a method
// guarded by another rule than the one written down.
func isMethod(name string) bool {
	return strings.HasPrefix(name, "/") && strings.Count(name, "/") == 2 && !strings.HasPrefix(name, "//")
}

// need returns what a method takes, and whether it takes nobody. What is said of
// the method goes before what is said of its service.
func (g *Guard) need(method string) (need verifier.Need, public bool) {
	for _, name := range []string{method, method[:strings.LastIndexByte(method, '/')+1]} {
		if need, ok := g.needs[name]; ok {
			return need, false
		}
		if g.public[name] {
			return verifier.Need{}, true
		}
	}
	return verifier.Need{}, false
}

// Unary implements [grpc.UnaryServerInterceptor].
func (g *Guard) Unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	c, _, err := g.admit(ctx, info.FullMethod)
	if err != nil {
		return nil, err
	}
	return handler(verifier.WithCaller(ctx, c), req)
}

// admit returns the caller of a call and what its method needs, or the refusal as
// a status.
func (g *Guard) admit(ctx context.Context, method string) (c *verifier.Caller, need verifier.Need, err error) {
	need, public := g.need(method)
	if public {
		c, err = g.v.Check(ctx, header(ctx))
	} else {
		c, err = g.v.Admit(ctx, header(ctx), need)
	}
	return c, need, g.told(ctx, c, err)
}

// told logs a refusal and makes a status of it.
func (g *Guard) told(ctx context.Context, c *verifier.Caller, err error) error {
	if err == nil {
		return nil
	}
	g.v.LogRefused(ctx, c, err)
	return statusOf(err)
}

// header is what a call says of its caller.
func header(ctx context.Context) http.Header {
	md, _ := metadata.FromIncomingContext(ctx)
	return http.Header{"Authorization": md["authorization"], "Dpop": md["dpop"]}
}
