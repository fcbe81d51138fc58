package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/lanyard-go/lanyard/verifier"
)

// serviceVar makes the program of these tests a service that checks tokens by
// itself, as others who follow the feed do.
const serviceVar = "LANYARD_TEST_SERVICE"

// serviceSettings are its value, as JSON.
type serviceSettings struct {
	Issuer, Client, Secret, Name string
	Feeds                        []string
	Local                        bool
}

// serveOrders is that service. It serves until it is killed.
func serveOrders(settings string) error {
	var in serviceSettings
	if err := json.Unmarshal([]byte(settings), &in); err != nil {
		return err
	}
	v, err := verifier.New(verifier.Config{
		Issuer: in.Issuer, Audience: in.Issuer, Feeds: in.Feeds, FollowerName: in.Name, AllowLocal: in.Local,
		Credentials: verifier.Credentials{ClientID: in.Client, Secret: in.Secret}, Timeout: patience, Leeway: -1,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	for _, f := range []verifier.Freshness{verifier.Bounded, verifier.Local, verifier.Live} {
		mux.Handle("GET /"+f.String(), v.Require(verifier.Need{Freshness: f}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintln(w, verifier.From(r.Context()).Subject())
		})))
	}
	// A stream of events that ends with the session.
	mux.Handle("GET /events", v.Require(verifier.Need{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, stop := verifier.From(r.Context()).Watch(r.Context())
		defer stop()
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, "data: open\n\n")
		http.NewResponseController(w).Flush()
		<-ctx.Done()
		why := "other"
		if refused, ok := errors.AsType[*verifier.Refused](context.Cause(ctx)); ok {
			why = string(refused.Cause)
		}
		fmt.Fprintf(w, "data: %s\n\n", why)
	})))
	handler := v.Handler(mux)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	ctx := context.Background() // it is killed
	go v.Run(ctx)
	if err := v.Ready(ctx); err != nil {
		return err
	}
	fmt.Printf("ready http://%s\n", l.Addr())
	return http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/status" {
			json.NewEncoder(w).Encode(v.Status())
			return
		}
		handler.ServeHTTP(w, r)
	}))
}

// service is such a process.
type service struct {
	*process
	name string
	ways []*line // to the nodes whose feeds it knows
}

// startService starts a service that follows the nodes given, tried in turn, each
// on a line of its own. It is in step when startService returns.
func startService(t *testing.T, in serviceSettings, nodes ...*process) *service {
	t.Helper()
	s := &service{process: &process{out: newOutput(), exited: make(chan struct{})}, name: in.Name}
	for _, p := range nodes {
		way := newLine(t, strings.TrimPrefix(p.url, "http://"))
		s.ways = append(s.ways, way)
		in.Feeds = append(in.Feeds, "http://"+way.Addr()+"/v1/revocations")
	}
	settings, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	if s.log, err = newLogFile(); err != nil {
		t.Fatal(err)
	}
	s.cmd = exec.Command(os.Args[0])
	s.cmd.Env = environment(serviceVar + "=" + string(settings))
	s.cmd.Stdout, s.cmd.Stderr = s.out, s.log.File
	if err := s.begin(); err != nil {
		t.Fatal(err)
	}
	s.attend(t)
	return s
}

// set changes all ways of the service to the feed.
func (s *service) set(state lineState) {
	for _, way := range s.ways {
		way.set(state)
	}
}

// status is what the service knows of itself.
func (s *service) status(t testing.TB) (v verifier.Status) {
	t.Helper()
	if err := json.Unmarshal([]byte(s.send(t, "GET", "/status", "").want(t, 200).body), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// wasBlind reports whether there was a moment in which the service could not tell.
func (s *service) wasBlind() bool {
	return strings.Contains(s.log.String(), "blind: what has to be sure is refused")
}
