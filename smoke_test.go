package lanyard_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/store/memory"
)

func TestSmoke(t *testing.T) {
	m, err := lanyard.New(memory.New(), lanyard.Config{Issuer: "http://localhost:8080"})
	if err != nil {
		t.Fatal(err)
	}
	h := m.Handler(m.Require(lanyard.Need{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte(lanyard.From(r.Context()).Subject()))
	})))
	r := httptest.NewRequest("POST", "/login", nil)
	r.RemoteAddr = "127.0.0.1:1234"
	g, err := m.Start(context.Background(), lanyard.Login{Subject: "ann", Methods: []string{"pwd"}, Request: r})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	if err := m.Write(w, r, g); err != nil {
		t.Fatal(err)
	}
	t.Log(w.Header())
	r = httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Cookie", m.CookieName()+"="+g.Handle.Reveal())
	w = httptest.NewRecorder()
	h.ServeHTTP(w, r)
	t.Log(w.Code, w.Body)
	g, err = m.Start(context.Background(), lanyard.Login{Subject: "ann", Methods: []string{"pwd"}, Channel: lanyard.ChannelToken})
	if err != nil {
		t.Fatal(err)
	}
	r = httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Authorization", "Bearer "+g.Access.Reveal())
	w = httptest.NewRecorder()
	h.ServeHTTP(w, r)
	t.Log(w.Code, w.Body)
	first := g.Refresh.Reveal()
	g, err = m.Renew(context.Background(), first, lanyard.Renewal{})
	t.Log(g, err)
	_, err = m.Renew(context.Background(), first, lanyard.Renewal{})
	t.Log(err)
}

func BenchmarkCookie(b *testing.B) {
	m, _ := lanyard.New(memory.New(), lanyard.Config{Issuer: "http://localhost:8080"})
	h := m.Handler(m.Require(lanyard.Need{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	})))
	g, _ := m.Start(context.Background(), lanyard.Login{Subject: "ann", Methods: []string{"pwd"}})
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Cookie", m.CookieName()+"="+g.Handle.Reveal())
	w := httptest.NewRecorder()
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(w, r)
	}
}
