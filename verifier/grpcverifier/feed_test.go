package grpcverifier_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthgrpc "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/revocation/publish"
	"github.com/lanyard-go/lanyard/store/memory"
	"github.com/lanyard-go/lanyard/token"
	"github.com/lanyard-go/lanyard/verifier"
	"github.com/lanyard-go/lanyard/verifier/grpcverifier"
)

const bound = 500 * time.Millisecond

// silent is a service whose streams send nothing and watch nothing: handlers
// wait, some for ever.
type silent struct {
	healthgrpc.UnimplementedHealthServer
	began, over chan struct{}
	deaf        chan struct{} // closed at the end of the test
}

func (s *silent) Watch(in *healthgrpc.HealthCheckRequest, ss grpc.ServerStreamingServer[healthgrpc.HealthCheckResponse]) error {
	s.began <- struct{}{}
	switch in.Service {
	case "panics":
		panic("as it does")
	case "deaf":
		<-s.deaf
	default:
		<-ss.Context().Done()
		s.over <- struct{}{}
	}
	return nil
}

// A stream that carries nothing ends with its session, whatever its handler does,
// and with the feed.
//
// req: REVOKE-3, REVOKE-12
func TestASilentStreamEndsWithItsSessionAndWithTheFeed(t *testing.T) {
	mux := http.NewServeMux()
	srv := httptest.NewServer(mux)
	keys, err := token.NewKeySet(token.KeysConfig{})
	if err != nil {
		t.Fatal(err)
	}
	feed, err := publish.New(publish.Config{Issuer: srv.URL, Bound: bound})
	if err != nil {
		t.Fatal(err)
	}
	m, err := lanyard.New(memory.New(), lanyard.Config{Issuer: srv.URL, RevocationBound: bound, Feed: feed, TokenKeys: keys})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	mux.HandleFunc("GET /feed", func(w http.ResponseWriter, r *http.Request) { feed.Stream(ctx, w, r) })
	mux.HandleFunc("GET /feed/snapshot", feed.Snapshot)
	mux.HandleFunc("POST /feed/ack", func(w http.ResponseWriter, r *http.Request) { feed.Ack(w, r, "orders") })
	v, err := verifier.New(verifier.Config{Issuer: srv.URL, Audience: srv.URL, Keys: keys, Feed: srv.URL + "/feed"})
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() { m.Run(ctx) })
	running.Go(func() { v.Run(ctx) })
	t.Cleanup(func() { stop(); running.Wait(); srv.CloseClientConnections(); srv.Close() })
	if err := v.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}

	s := &silent{began: make(chan struct{}, 1), over: make(chan struct{}, 1), deaf: make(chan struct{})}
	g, err := grpcverifier.New(grpcverifier.Config{Verifier: v})
	if err != nil {
		t.Fatal(err)
	}
	recovering := func(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) (err error) {
		defer func() {
			if p := recover(); p == "as it does" {
				err = status.Error(codes.DataLoss, "recovered")
			}
		}()
		return handler(srv, ss)
	}
	server := grpc.NewServer(grpc.ChainStreamInterceptor(recovering, g.Stream))
	healthgrpc.RegisterHealthServer(server, s)
	l := bufconn.Listen(1 << 20)
	go server.Serve(l)
	t.Cleanup(func() { close(s.deaf); server.Stop() })
	conn, err := grpc.NewClient("passthrough:///x", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	client := healthgrpc.NewHealthClient(conn)
	login := func() *lanyard.Grant {
		t.Helper()
		g, err := m.Start(t.Context(), lanyard.Login{Subject: "ann", Methods: []string{"pwd"}, Channel: lanyard.ChannelToken})
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	// begin opens a stream whose handler runs.
	begin := func(g *lanyard.Grant, service string) grpc.ServerStreamingClient[healthgrpc.HealthCheckResponse] {
		t.Helper()
		ss, err := client.Watch(with(t.Context(), "Bearer "+g.Access.Reveal()), &healthgrpc.HealthCheckRequest{Service: service})
		if err != nil {
			t.Fatal(err)
		}
		<-s.began
		return ss
	}
	for _, service := range []string{"polite", "deaf"} {
		grant := login()
		ss := begin(grant, service)
		start := time.Now()
		if err := m.End(t.Context(), grant.Session.SID(), lanyard.EndOptions{Reason: lanyard.ReasonLogout}); err != nil {
			t.Fatal(err)
		}
		_, err := ss.Recv()
		if reason, _, _ := told(t, err); status.Code(err) != codes.Unauthenticated || reason != "invalid_token" {
			t.Errorf("%s: ended with %v", service, err)
		}
		if took := time.Since(start); took > bound {
			t.Errorf("%s: it took %v", service, took)
		}
	}
	if _, err := begin(login(), "panics").Recv(); status.Code(err) != codes.DataLoss {
		t.Errorf("a panic did not reach the interceptors around: %v", err)
	}
	<-s.over // of the polite one

	ss := begin(login(), "deaf")
	stop() // node and verifier
	_, err = ss.Recv()
	if reason, _, _ := told(t, err); status.Code(err) != codes.Unavailable || reason != "temporarily_unavailable" {
		t.Errorf("without a feed: ended with %v", err)
	}
}
