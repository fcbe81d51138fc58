// Command relay stands between a server and services that follow its revocation
// feed: the server sees one follower, and the relay serves thousands. A strict end
// waits for those behind the relay too.
//
//	lanyard clients add relay-1 --follow
//	go run ./examples/relay -issuer http://localhost:8080 -upstream http://localhost:8080/v1/revocations
//
// RELAY_CLIENT_ID and RELAY_CLIENT_SECRET are what it shows upstream;
// RELAY_FOLLOWERS are the names and secrets that it lets in, such as
// "orders:s3cret billing:0ther". Services follow http://localhost:8090/v1/revocations.
// Anywhere but on one machine it needs -cert and -key, and a log of who follows.
package main

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"flag"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/lanyard-go/lanyard/revocation"
)

// followers are the hashes of the secrets of those who may follow, by name.
type followers map[string][32]byte

func parseFollowers(text string) (followers, error) {
	f := followers{}
	for pair := range strings.FieldsSeq(text) {
		name, secret, ok := strings.Cut(pair, ":")
		if !ok || name == "" || secret == "" {
			return nil, errors.New("RELAY_FOLLOWERS: want name:secret pairs with blanks between them")
		}
		f[name] = sha256.Sum256([]byte(secret))
	}
	if len(f) == 0 {
		return nil, errors.New("RELAY_FOLLOWERS: nobody may follow")
	}
	return f, nil
}

// admit lets in those who know a secret. Whose feed ends tell is who signed out
// when, so nobody else may read it.
func (f followers) admit(next func(w http.ResponseWriter, r *http.Request, owner string)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		name, secret, _ := r.BasicAuth()
		want, known := f[name]
		got := sha256.Sum256([]byte(secret))
		if subtle.ConstantTimeCompare(got[:], want[:]) != 1 || !known {
			w.Header().Set("WWW-Authenticate", `Basic realm="revocations"`)
			http.Error(w, "this needs the credentials of a follower", http.StatusUnauthorized)
			return
		}
		next(w, r, name)
	}
}

// routes serves the relay's followers. Streams end with ctx.
func routes(ctx context.Context, r *revocation.Relay, may followers) http.Handler {
	hub := r.Hub()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/revocations", may.admit(func(w http.ResponseWriter, r *http.Request, _ string) { hub.ServeStream(ctx, w, r) }))
	mux.HandleFunc("GET /v1/revocations/snapshot", may.admit(func(w http.ResponseWriter, r *http.Request, _ string) { hub.ServeSnapshot(w, r) }))
	mux.HandleFunc("POST /v1/revocations/ack", may.admit(hub.ServeAck))
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		s := r.Status()
		if s.State == revocation.Blind {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		fmt.Fprintf(w, "%v, %d entries, follows %s; %d follow here\n", s.State, s.Entries, s.Endpoint, hub.Covered().Followers)
	})
	return mux
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	issuer := flag.String("issuer", "http://localhost:8080", "whose feed it is")
	upstream := flag.String("upstream", "http://localhost:8080/v1/revocations", "feeds of nodes or relays, with commas between them, tried in turn")
	name := flag.String("name", "", "how the relay is called upstream; random if empty")
	bound := flag.Duration("bound", 2*time.Second, "as the server's revocation-bound")
	listen := flag.String("listen", "localhost:8090", "address to serve on")
	cert := flag.String("cert", "", "file with the certificate")
	key := flag.String("key", "", "file with its key")
	flag.Parse()
	may, err := parseFollowers(os.Getenv("RELAY_FOLLOWERS"))
	if err != nil {
		return err
	}
	id, secret := os.Getenv("RELAY_CLIENT_ID"), os.Getenv("RELAY_CLIENT_SECRET")
	r, err := revocation.NewRelay(revocation.RelayConfig{
		Upstream: revocation.FollowerConfig{
			Endpoints: strings.Split(*upstream, ","), Issuer: *issuer, Name: *name, Logger: slog.Default(),
			Authorize: func(r *http.Request) { r.SetBasicAuth(id, secret) },
		},
		Bound: *bound,
	})
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	// Secrets and the feed travel over it.
	if addr := l.Addr().(*net.TCPAddr); *cert == "" && !addr.IP.IsLoopback() {
		l.Close()
		return fmt.Errorf("%s is not for this machine alone: set -cert and -key", addr)
	}
	srv := &http.Server{Handler: routes(ctx, r, may), ReadHeaderTimeout: 10 * time.Second}
	done := make(chan struct{})
	go func() { r.Run(ctx); close(done) }()
	context.AfterFunc(ctx, func() { srv.Close() })
	if *cert == "" {
		fmt.Printf("ready http://%s\n", l.Addr())
		err = srv.Serve(l)
	} else {
		fmt.Printf("ready https://%s\n", l.Addr())
		err = srv.ServeTLS(l, *cert, *key)
	}
	if !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	<-done
	return nil
}
