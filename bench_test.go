package lanyard_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/store/memory"
)

// benchManager is a manager as applications make it, with the real clock.
func benchManager(b *testing.B) *lanyard.Manager {
	b.Helper()
	m, err := lanyard.New(memory.New(), lanyard.Config{Issuer: site})
	if err != nil {
		b.Fatal(err)
	}
	return m
}

func benchStart(b *testing.B, m *lanyard.Manager, channel lanyard.Channel) *lanyard.Grant {
	b.Helper()
	g, err := m.Start(context.Background(), lanyard.Login{Subject: "ann", Methods: []string{"pwd"}, Channel: channel})
	if err != nil {
		b.Fatal(err)
	}
	return g
}

// sink is a ResponseWriter that costs nothing.
type sink struct{ h http.Header }

func (s *sink) Header() http.Header         { return s.h }
func (s *sink) Write(p []byte) (int, error) { return len(p), nil }
func (s *sink) WriteHeader(int)             {}

func benchHandler(b *testing.B, m *lanyard.Manager, r *http.Request) {
	ran := 0
	h := m.Handler(m.Require(lanyard.Need{}, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { ran++ })))
	w := &sink{http.Header{}}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		h.ServeHTTP(w, r)
		n++
	}
	if ran != n {
		b.Fatalf("%d of %d requests were accepted", ran, n)
	}
}

// BenchmarkCookie checks a session cookie.
func BenchmarkCookie(b *testing.B) {
	m := benchManager(b)
	r := get("/")
	r.Header.Set("Cookie", m.CookieName()+"="+benchStart(b, m, lanyard.ChannelCookie).Handle.Reveal())
	benchHandler(b, m, r)
}

// BenchmarkCookieForged refuses a cookie that is not ours.
func BenchmarkCookieForged(b *testing.B) {
	m := benchManager(b)
	h := m.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	g := benchStart(b, m, lanyard.ChannelCookie).Handle.Reveal()
	r := get("/")
	r.Header.Set("Cookie", m.CookieName()+"="+g[:98]+"AA")
	w := &sink{http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(w, r)
	}
}

// BenchmarkBearer checks an access token that has been seen before.
func BenchmarkBearer(b *testing.B) {
	m := benchManager(b)
	benchHandler(b, m, bearer(get("/"), benchStart(b, m, lanyard.ChannelToken).Access.Reveal()))
}

// BenchmarkBearerFirstSight checks access tokens at first sight, signature and
// all: their cache is off.
func BenchmarkBearerFirstSight(b *testing.B) {
	m, err := lanyard.New(memory.New(), lanyard.Config{Issuer: site, TokenCacheSize: -1})
	if err != nil {
		b.Fatal(err)
	}
	benchHandler(b, m, bearer(get("/"), benchStart(b, m, lanyard.ChannelToken).Access.Reveal()))
}

// BenchmarkStart signs somebody in.
func BenchmarkStart(b *testing.B) {
	for _, channel := range []lanyard.Channel{lanyard.ChannelCookie, lanyard.ChannelToken} {
		b.Run(channel.String(), func(b *testing.B) {
			m := benchManager(b)
			b.ReportAllocs()
			for b.Loop() {
				benchStart(b, m, channel)
			}
		})
	}
}

// BenchmarkRenew rotates one refresh family.
func BenchmarkRenew(b *testing.B) {
	m := benchManager(b)
	refresh := benchStart(b, m, lanyard.ChannelToken).Refresh.Reveal()
	b.ReportAllocs()
	for b.Loop() {
		g, err := m.Renew(context.Background(), refresh, lanyard.Renewal{})
		if err != nil {
			b.Fatal(err)
		}
		refresh = g.Refresh.Reveal()
	}
}

// The usual check allocates little: a record, the context and the request.
func TestCheckingACookieAllocatesLittle(t *testing.T) {
	m, err := lanyard.New(memory.New(), lanyard.Config{Issuer: site, Now: func() time.Time { return time.Unix(1_800_000_000, 0) }})
	if err != nil {
		t.Fatal(err)
	}
	g, err := m.Start(t.Context(), lanyard.Login{Subject: "ann", Methods: []string{"pwd"}})
	if err != nil {
		t.Fatal(err)
	}
	h := m.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	r := get("/")
	r.Header.Set("Cookie", m.CookieName()+"="+g.Handle.Reveal())
	w := httptest.NewRecorder()
	if n := testing.AllocsPerRun(200, func() { h.ServeHTTP(w, r) }); n > 8 {
		t.Errorf("%v allocations", n)
	}
}
