package main

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/lanyard-go/lanyard/token"
)

// newIssuer serves metadata and keys; the function returned issues tokens.
func newIssuer(t *testing.T) (address string, issue func(change func(*token.Claims)) string) {
	t.Helper()
	keys, err := token.NewKeySet(token.KeysConfig{})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/oauth-authorization-server", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"issuer":"http://%s","jwks_uri":"http://%s/jwks"}`, r.Host, r.Host)
	})
	mux.HandleFunc("GET /jwks", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/jwk-set+json")
		w.Write(keys.JWKS(time.Now()))
	})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	signer, err := token.NewIssuer(token.IssuerConfig{Issuer: srv.URL, Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	return srv.URL, func(change func(*token.Claims)) string {
		now := time.Now()
		c := token.Claims{Subject: "ann", Audience: []string{"orders"}, ClientID: "web", ID: "1", SID: "s", IssuedAt: now, Expiry: now.Add(time.Minute), AuthTime: now}
		if change != nil {
			change(&c)
		}
		raw, err := signer.Issue(c)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
}

// serve builds and runs the program until the test ends.
func serve(t *testing.T, issuer string) *grpc.ClientConn {
	t.Helper()
	program := filepath.Join(t.TempDir(), "grpcorders")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("building: %v\n%s", err, out)
	}
	cmd := exec.Command(program, "-listen", "127.0.0.1:0", "-issuer", issuer)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() })
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	line, _ := bufio.NewReader(out).ReadString('\n')
	late.Stop()
	address, ok := strings.CutPrefix(strings.TrimSpace(line), "ready ")
	if !ok {
		t.Fatalf("the program said %q", line)
	}
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func TestOrdersOverGRPCInAnotherProcess(t *testing.T) {
	issuer, issue := newIssuer(t)
	conn := serve(t, issuer)
	call := func(method, raw string, in, out proto.Message) codes.Code {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if raw != "" {
			ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+raw)
		}
		return status.Code(conn.Invoke(ctx, "/"+serviceName+"/"+method, in, out))
	}
	for _, test := range []struct {
		name, method, raw string
		want              codes.Code
	}{
		{"anybody may ping", "Ping", "", codes.OK},
		{"a bad token is refused even there", "Ping", "x", codes.Unauthenticated},
		{"nobody", "Place", "", codes.Unauthenticated},
		{"a person", "Place", issue(nil), codes.OK},
		{"a sign-in of yesterday", "Place", issue(func(c *token.Claims) { c.AuthTime = c.AuthTime.Add(-24 * time.Hour) }), codes.Unauthenticated},
		{"another audience", "Place", issue(func(c *token.Claims) { c.Audience = []string{"billing"} }), codes.Unauthenticated},
	} {
		var in, out proto.Message = wrapperspb.String("tea"), &wrapperspb.UInt64Value{}
		if test.method == "Ping" {
			in, out = &emptypb.Empty{}, &emptypb.Empty{}
		}
		if got := call(test.method, test.raw, in, out); got != test.want {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
	var count wrapperspb.UInt64Value
	if got := call("Place", issue(nil), wrapperspb.String("milk"), &count); got != codes.OK || count.GetValue() != 2 {
		t.Errorf("the second order: %v, %d", got, count.GetValue())
	}
}
