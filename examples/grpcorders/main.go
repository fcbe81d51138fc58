// Command grpcorders is the orders service over gRPC: it takes the access tokens
// of `lanyard serve` with an interceptor for every method.
//
//	lanyard serve --audience orders
//	cd examples/grpcorders && go run . -issuer http://localhost:8080 -audience orders
//
// It listens on this machine only, without TLS. The service is described by hand
// with messages that gRPC brings, so that the example needs no generated code.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"log/slog"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/lanyard-go/lanyard/verifier"
	"github.com/lanyard-go/lanyard/verifier/grpcverifier"
)

const serviceName = "orders.v1.Orders"

// orders counts those of each person, in memory.
type orders struct {
	mu    sync.Mutex
	count map[string]uint64
}

// place adds an order of whoever calls and says how many there are.
func (o *orders) place(ctx context.Context, item *wrapperspb.StringValue) (*wrapperspb.UInt64Value, error) {
	if item.GetValue() == "" {
		return nil, status.Error(codes.InvalidArgument, "an order has an item")
	}
	who := verifier.From(ctx).Subject()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.count[who]++
	return wrapperspb.UInt64(o.count[who]), nil
}

// unary describes a method as generated code would.
func unary[In, Out any](name string, f func(context.Context, *In) (*Out, error)) grpc.MethodDesc {
	return grpc.MethodDesc{MethodName: name, Handler: func(srv any, ctx context.Context, dec func(any) error, next grpc.UnaryServerInterceptor) (any, error) {
		in := new(In)
		if err := dec(in); err != nil {
			return nil, err
		}
		info := &grpc.UnaryServerInfo{Server: srv, FullMethod: "/" + serviceName + "/" + name}
		return next(ctx, in, info, func(ctx context.Context, in any) (any, error) { return f(ctx, in.(*In)) })
	}}
}

// newServer guards every method but Ping; an order needs a recent sign-in.
func newServer(v *verifier.Verifier) (*grpc.Server, error) {
	guard, err := grpcverifier.New(grpcverifier.Config{
		Verifier: v, Public: []string{"/" + serviceName + "/Ping"},
		Needs: map[string]verifier.Need{"/" + serviceName + "/Place": {MaxAge: 10 * time.Minute}},
	})
	if err != nil {
		return nil, err
	}
	o := &orders{count: make(map[string]uint64)}
	ping := func(_ context.Context, in *emptypb.Empty) (*emptypb.Empty, error) { return in, nil }
	srv := grpc.NewServer(grpc.UnaryInterceptor(guard.Unary), grpc.StreamInterceptor(guard.Stream))
	srv.RegisterService(&grpc.ServiceDesc{ServiceName: serviceName, HandlerType: (*any)(nil), Methods: []grpc.MethodDesc{unary("Place", o.place), unary("Ping", ping)}}, o)
	return srv, nil
}

func main() {
	cfg := verifier.Config{SkipRevocationCheck: true, Logger: slog.Default()}
	flag.StringVar(&cfg.Issuer, "issuer", "http://localhost:8080", "whose tokens to take")
	flag.StringVar(&cfg.Audience, "audience", "orders", "this service in those tokens")
	listen := flag.String("listen", "localhost:8083", "address to serve on")
	flag.Parse()
	v, err := verifier.New(cfg)
	if err != nil {
		log.Fatal(err)
	}
	go v.Run(context.Background())
	srv, err := newServer(v)
	if err != nil {
		log.Fatal(err)
	}
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("ready %s\n", l.Addr())
	log.Fatal(srv.Serve(l))
}
