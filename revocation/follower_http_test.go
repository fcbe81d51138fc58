package revocation

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// memorySource is a node whose feed has numbers for cursors.
type memorySource struct{ lease time.Duration }

func (s memorySource) Lease() time.Duration          { return s.lease }
func (s memorySource) CatchUp(context.Context) error { return nil }
func (s memorySource) Covers(have, want string) (bool, error) {
	return len(have) > len(want) || len(have) == len(want) && have >= want, nil
}

// eventually polls, since real connections are not in anybody's bubble.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it never came to this: " + what)
		}
	}
}

// req: REVOKE-3, REVOKE-12
func TestFollowerOfARealHubOverHTTP(t *testing.T) {
	const bound = time.Second
	hub, err := NewHub(HubConfig{Source: memorySource{bound}, Issuer: feedIssuer, Bound: bound})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /feed", func(w http.ResponseWriter, r *http.Request) { hub.ServeStream(ctx, w, r) })
	mux.HandleFunc("GET /feed/snapshot", hub.ServeSnapshot)
	mux.HandleFunc("POST /feed/ack", func(w http.ResponseWriter, r *http.Request) { hub.ServeAck(w, r, "billing") })
	server := httptest.NewServer(mux)
	defer server.Close()
	if err := hub.Append([]Entry{sessionEntry(1)}, "1"); err != nil {
		t.Fatal(err)
	}

	f, err := NewFollower(FollowerConfig{Endpoints: []string{"http://127.0.0.1:1/dead", server.URL + "/feed"}, Issuer: feedIssuer, Name: "billing"})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	fresh := func() bool { s, _, _ := f.State(); return s != Blind }
	eventually(t, "fresh", fresh)
	if kind, dead := f.Revoked(badge(1)); !dead || kind != KindSession {
		t.Error("the snapshot's entry is missing")
	}
	watched, stopWatch := f.Watch(ctx, badge(2))
	defer stopWatch()
	if err := hub.Append([]Entry{sessionEntry(2)}, "2"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the entry is applied", func() bool { _, dead := f.Revoked(badge(2)); return dead })
	<-watched.Done()
	eventually(t, "the entry is acknowledged", func() bool { return hub.Covered().Cursor == "2" })
	eventually(t, "a lease was extended again and again", func() bool { s := f.Status(); return s.Acks >= 6 && s.State != Blind })
	if s := f.Status(); s.Endpoint != server.URL+"/feed" || s.Troubles[TroubleUnreachable] == 0 {
		t.Errorf("status %+v", s)
	}
	server.CloseClientConnections()
	server.Listener.Close()
	eventually(t, "blind", func() bool { return !fresh() })
	stop()
	<-done
}
