package grpcverifier_test

import (
	"bytes"
	"context"

	"io"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthgrpc "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/lanyard-go/lanyard/token"
	"github.com/lanyard-go/lanyard/verifier"
	"github.com/lanyard-go/lanyard/verifier/grpcverifier"
)

const (
	testIssuer   = "https://id.example"
	testAudience = "orders"

	check = "/grpc.health.v1.Health/Check"
	watch = "/grpc.health.v1.Health/Watch"
)

// health is a service with a unary and a streaming method: Watch sends whenever
// it is told to.
type health struct {
	healthgrpc.UnimplementedHealthServer
	send chan struct{}
}

func (h *health) Check(ctx context.Context, _ *healthgrpc.HealthCheckRequest) (*healthgrpc.HealthCheckResponse, error) {
	if c := verifier.From(ctx); c.Program() || c.SignedIn() && c.Subject() != "ann" {
		return nil, status.Error(codes.Internal, "not the caller")
	}
	return &healthgrpc.HealthCheckResponse{}, nil
}

func (h *health) Watch(_ *healthgrpc.HealthCheckRequest, ss grpc.ServerStreamingServer[healthgrpc.HealthCheckResponse]) error {
	if verifier.From(ss.Context()).Subject() != "ann" {
		return status.Error(codes.Internal, "not the caller")
	}
	for {
		select {
		case <-ss.Context().Done():
			return nil
		case <-h.send:
			if ss.Send(&healthgrpc.HealthCheckResponse{}) != nil {
				return nil // a handler that says nothing of it
			}
		}
	}
}

// world is an issuer, a server and a client of it.
type world struct {
	t       *testing.T
	sign    *token.Issuer
	client  healthgrpc.HealthClient
	health  *health
	revoked atomic.Bool
	blind   atomic.Bool
	log     bytes.Buffer
}

// Check implements verifier.Revocation.
func (w *world) Check(context.Context, *token.Claims) error {
	switch {
	case w.blind.Load():
		return io.ErrUnexpectedEOF
	case w.revoked.Load():
		return verifier.ErrRevoked
	}
	return nil
}

func newWorld(t *testing.T, cfg grpcverifier.Config) *world {
	t.Helper()
	w := &world{t: t, health: &health{send: make(chan struct{})}}
	keys, err := token.NewKeySet(token.KeysConfig{})
	if err != nil {
		t.Fatal(err)
	}
	if w.sign, err = token.NewIssuer(token.IssuerConfig{Issuer: testIssuer, Keys: keys}); err != nil {
		t.Fatal(err)
	}
	if cfg.Verifier, err = verifier.New(verifier.Config{
		Issuer: testIssuer, Audience: testAudience, Keys: keys, Revocation: w, Logger: slog.New(slog.NewTextHandler(&w.log, nil)),
	}); err != nil {
		t.Fatal(err)
	}
	g, err := grpcverifier.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	srv := grpc.NewServer(grpc.UnaryInterceptor(g.Unary), grpc.StreamInterceptor(g.Stream))
	healthgrpc.RegisterHealthServer(srv, w.health)
	l := bufconn.Listen(1 << 20)
	go srv.Serve(l)
	t.Cleanup(srv.Stop)
	conn, err := grpc.NewClient("passthrough:///x", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	w.client = healthgrpc.NewHealthClient(conn)
	return w
}

func (w *world) token(change func(*token.Claims)) string {
	w.t.Helper()
	now := time.Now()
	c := token.Claims{
		Subject: "ann", Audience: []string{testAudience}, ClientID: "web", ID: "1", SID: "s", IssuedAt: now, Expiry: now.Add(time.Minute),
		AuthTime: now, ACR: "aal1", Scope: "orders:read",
	}
	if change != nil {
		change(&c)
	}
	raw, err := w.sign.Issue(c)
	if err != nil {
		w.t.Fatal(err)
	}
	return raw
}

// with is a context whose call carries these values of authorization.
func with(ctx context.Context, values ...string) context.Context {
	for _, v := range values {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", v)
	}
	return ctx
}

func (w *world) call(values ...string) error {
	_, err := w.client.Check(with(w.t.Context(), values...), &healthgrpc.HealthCheckRequest{})
	return err
}

// told returns what the details of a refusal say.
func told(t *testing.T, err error) (reason string, demands map[string]string, retry time.Duration) {
	t.Helper()
	for _, d := range status.Convert(err).Details() {
		switch d := d.(type) {
		case *errdetails.ErrorInfo:
			if d.Domain != grpcverifier.Domain {
				t.Errorf("domain %q", d.Domain)
			}
			reason, demands = d.Reason, d.Metadata
		case *errdetails.RetryInfo:
			retry = d.RetryDelay.AsDuration()
		}
	}
	return reason, demands, retry
}

func TestUnaryCalls(t *testing.T) {
	w := newWorld(t, grpcverifier.Config{})
	good := w.token(nil)
	for _, test := range []struct {
		name   string
		values []string
		code   codes.Code
		reason string
	}{
		{"a person", []string{"Bearer " + good}, codes.OK, ""},
		{"nobody", nil, codes.Unauthenticated, "unauthorized"},
		{"another scheme", []string{"Basic YTpi"}, codes.Unauthenticated, "unauthorized"},
		{"rubbish", []string{"Bearer x"}, codes.Unauthenticated, "invalid_token"},
		{"two tokens", []string{"Bearer " + good, "Bearer " + good}, codes.Unauthenticated, "invalid_request"},
		{"another audience", []string{"Bearer " + w.token(func(c *token.Claims) { c.Audience = []string{"billing"} })}, codes.Unauthenticated, "invalid_token"},
		{"bound to a key", []string{"Bearer " + w.token(func(c *token.Claims) { c.JKT = "x" })}, codes.Unauthenticated, "invalid_token"},
		{"the scheme for bound tokens", []string{"DPoP " + good}, codes.Unauthenticated, "invalid_token"},
		{"a program", []string{"Bearer " + w.token(func(c *token.Claims) { c.SID, c.Subject = "", "client:web" })}, codes.Unauthenticated, "invalid_token"},
	} {
		err := w.call(test.values...)
		reason, _, _ := told(t, err)
		if status.Code(err) != test.code || reason != test.reason {
			t.Errorf("%s: %v, reason %q", test.name, err, reason)
		}
		if err != nil && strings.Contains(err.Error(), good) {
			t.Errorf("%s: the token is in the error", test.name)
		}
	}
	w.revoked.Store(true)
	if reason, _, _ := told(t, w.call("Bearer "+good)); reason != "invalid_token" {
		t.Errorf("revoked: %q", reason)
	}
	w.blind.Store(true)
	err := w.call("Bearer " + good)
	if reason, _, retry := told(t, err); status.Code(err) != codes.Unavailable || reason != "temporarily_unavailable" || retry != time.Second || strings.Contains(err.Error(), "EOF") {
		t.Errorf("nobody can tell: %v, %q, %v", err, reason, retry)
	}
}

func TestNeedsOfMethods(t *testing.T) {
	scope := verifier.Need{Scope: "orders:write"}
	for _, test := range []struct {
		name    string
		cfg     grpcverifier.Config
		token   bool
		code    codes.Code
		demands map[string]string
	}{
		{"public, by nobody", grpcverifier.Config{Public: []string{check}}, false, codes.OK, nil},
		{"public service, by nobody", grpcverifier.Config{Public: []string{"/grpc.health.v1.Health/"}}, false, codes.OK, nil},
		{"public service with a guarded method", grpcverifier.Config{Public: []string{"/grpc.health.v1.Health/"}, Needs: map[string]verifier.Need{check: {}}}, false, codes.Unauthenticated, map[string]string{}},
		{"a scope", grpcverifier.Config{Needs: map[string]verifier.Need{check: scope}}, true, codes.PermissionDenied, map[string]string{"scope": "orders:write"}},
		{"a scope of the service", grpcverifier.Config{Needs: map[string]verifier.Need{"/grpc.health.v1.Health/": scope}}, true, codes.PermissionDenied, map[string]string{"scope": "orders:write"}},
		{"a scope of another method", grpcverifier.Config{Needs: map[string]verifier.Need{watch: scope}}, true, codes.OK, nil},
		{"a class and an age", grpcverifier.Config{Needs: map[string]verifier.Need{check: {Classes: []string{"aal2"}, MaxAge: time.Minute}}}, true, codes.Unauthenticated, map[string]string{"acr_values": "aal2", "max_age": "60"}},
	} {
		w := newWorld(t, test.cfg)
		var values []string
		if test.token {
			values = append(values, "Bearer "+w.token(nil))
		}
		err := w.call(values...)
		_, demands, _ := told(t, err)
		if status.Code(err) != test.code || len(demands) != len(test.demands) {
			t.Errorf("%s: %v %v", test.name, err, demands)
		}
		for k, want := range test.demands {
			if demands[k] != want {
				t.Errorf("%s: %s is %q", test.name, k, demands[k])
			}
		}
	}
}

func TestStreamEndsWithItsToken(t *testing.T) {
	w := newWorld(t, grpcverifier.Config{})
	open := func(values ...string) grpc.ServerStreamingClient[healthgrpc.HealthCheckResponse] {
		t.Helper()
		s, err := w.client.Watch(with(t.Context(), values...), &healthgrpc.HealthCheckRequest{})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	if _, err := open().Recv(); status.Code(err) != codes.Unauthenticated {
		t.Errorf("nobody: %v", err)
	}
	s := open("Bearer " + w.token(nil))
	for range 3 {
		w.health.send <- struct{}{}
		if _, err := s.Recv(); err != nil {
			t.Fatal(err)
		}
	}
	w.revoked.Store(true)
	w.health.send <- struct{}{}
	_, err := s.Recv()
	if reason, _, _ := told(t, err); status.Code(err) != codes.Unauthenticated || reason != "invalid_token" {
		t.Errorf("after the session has ended: %v", err)
	}
}

func TestNewNamesTheFieldThatIsWrong(t *testing.T) {
	v, err := verifier.New(verifier.Config{Issuer: testIssuer, Audience: "x", SkipRevocationCheck: true})
	if err != nil {
		t.Fatal(err)
	}
	for want, cfg := range map[string]grpcverifier.Config{
		"Config.Verifier": {},
		"Config.Needs":    {Verifier: v, Needs: map[string]verifier.Need{"Check": {}}},
		"Config.Public":   {Verifier: v, Public: []string{"/grpc.health.v1.Health"}},
		"in Needs too":    {Verifier: v, Public: []string{check}, Needs: map[string]verifier.Need{check: {}}},
	} {
		if _, err := grpcverifier.New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
