package lanyard_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard"
)

// app is an application on the library, as it listens.
func (w *world) app() *httptest.Server {
	mux := http.NewServeMux()
	mux.Handle("GET /me", w.Require(lanyard.Need{}, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		io.WriteString(rw, lanyard.From(r.Context()).Subject())
	})))
	mux.Handle("POST /change", w.Require(lanyard.Need{}, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		io.WriteString(rw, "changed")
	})))
	mux.HandleFunc("POST /login", func(rw http.ResponseWriter, r *http.Request) {
		if err := w.CheckLogin(r, true); err != nil {
			w.WriteError(rw, r, err)
		}
	})
	h := w.Handler(mux)
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		// As applications do that take the name from their proxy.
		h.ServeHTTP(rw, r.WithContext(lanyard.WithRequestID(r.Context(), r.Header.Get("X-Request-Id"))))
	}))
	w.t.Cleanup(srv.Close)
	return srv
}

// onWire sends bytes as they are and returns the status, and the whole answer.
func onWire(t *testing.T, srv *httptest.Server, text string) (int, string) {
	t.Helper()
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Minute))
	go io.WriteString(conn, text) // a server that has heard enough may close before the end
	var all strings.Builder
	res, err := http.ReadResponse(bufio.NewReader(io.TeeReader(conn, &all)), nil)
	if err != nil {
		t.Fatalf("%.80q: %v", text, err)
	}
	defer res.Body.Close()
	io.ReadAll(res.Body) // a connection that was closed early has no end
	return res.StatusCode, all.String()
}

// What no browser sends is refused before the store is asked, and what is
// refused leaves nothing behind.
//
// req: COOKIE-10, COOKIE-21, HTTP-7
// attack: B3, B4, B6, C7
func TestAnApplicationOnTheWireRefusesWhatNoBrowserSends(t *testing.T) {
	w := newWorld(t)
	g := w.startCookie()
	srv := w.app()
	good, name, host := g.Handle.Reveal(), w.CookieName(), srv.Listener.Addr().String()
	before := w.record(g.Session.SID())
	for _, row := range []struct {
		why, ask string
		status   int
	}{
		{"the good cookie", "GET /me|Cookie: " + name + "=" + good, 200},
		{"its own origin", "POST /change|Origin: http://" + host + "|Cookie: " + name + "=" + good, 200},
		{"ten thousand cookies", "GET /me|Cookie: " + strings.Repeat("a=1; ", 10_000) + name + "=" + good, 431},
		{"ten thousand cookies at the login", "POST /login|Cookie: " + strings.Repeat("a=1; ", 10_000) + "x=y", 431},
		{"a header of 1 MiB and more", "GET /me|Cookie: a=" + strings.Repeat("x", 1<<20+8192) + "; " + name + "=" + good, 431},
		{"4097 bytes", "GET /me|Cookie: " + name + "=" + good + strings.Repeat("A", 4097-len(name)-len(good)), 401},
		{"a prefix in capitals", "GET /me|Cookie: __HOST-HTTP-session=" + good, 401},
		{"a prefix in mixed case", "GET /me|Cookie: __host-Http-session=" + good, 401},
		{"a blank beyond ASCII", "GET /me|Cookie: \u2003" + name + "=" + good, 401},
		{"quotes", "GET /me|Cookie: " + name + "=\"" + good + "\"", 401},
		{"two cookies", "GET /me|Cookie: " + name + "=" + good + "|Cookie: " + name + "=x", 401},
		{"two origins in one field", "POST /change|Origin: http://" + host + " https://evil.example|Cookie: " + name + "=" + good, 403},
		{"a list of origins", "POST /change|Origin: http://" + host + ", http://" + host + "|Cookie: " + name + "=" + good, 403},
		{"two origin fields", "POST /change|Origin: http://" + host + "|Origin: http://" + host + "|Cookie: " + name + "=" + good, 403},
		{"a trailing dot", "POST /change|Origin: http://localhost.|Cookie: " + name + "=" + good, 403},
		{"an IPv6 zone", "POST /change|Origin: http://[::1%25lo]|Cookie: " + name + "=" + good, 403},
		{"an IDN in Unicode", "POST /change|Origin: http://b\u00fccher.example|Cookie: " + name + "=" + good, 403},
		{"the default port of another scheme", "POST /change|Origin: https://" + host + ":443|Cookie: " + name + "=" + good, 403},
		{"a referrer of 8 KiB in place of an origin", "POST /change|Referer: http://" + host + "/" + strings.Repeat("x", 8<<10) + "|Cookie: " + name + "=" + good, 403},
		{"a name for the request that ends the header", "GET /me|X-Request-Id: a\rSet-Cookie: b=c", 400},
		{"a name for the request that is script", "GET /me|X-Request-Id: <script>\"}", 401},
		{"a broken escape", "GET /me%zz|Cookie: " + name + "=" + good, 400},
	} {
		line, fields, _ := strings.Cut(row.ask, "|")
		text := line + " HTTP/1.1\r\nHost: " + host + "\r\nContent-Length: 0\r\nConnection: close\r\n" + strings.ReplaceAll(fields, "|", "\r\n") + "\r\n\r\n"
		w.store.arm(nil)
		status, answer := onWire(t, srv, text)
		if status != row.status {
			t.Errorf("%s: %d, want %d", row.why, status, row.status)
		}
		if calls := w.store.made(); (status == 401 || status == 431) && len(calls) > 0 {
			t.Errorf("%s: the store was asked: %v", row.why, calls)
		}
		head, body, _ := strings.Cut(answer, "\r\n\r\n")
		if strings.Contains(answer, good) || strings.Contains(head, "b=c") || strings.Contains(answer, "evil") || strings.Contains(body, "<script>") {
			t.Errorf("%s: the answer repeats the request:\n%s", row.why, answer)
		}
	}
	if after := w.record(g.Session.SID()); after.Version != before.Version || after.Generation != before.Generation {
		t.Errorf("the record changed: %+v", after)
	}
}

// A crawl of the login page, with or without cookies of its own, makes no record:
// one is made when there is something to keep.
//
// attack: H1
func TestVisitorsWithoutASessionAreStoredNowhere(t *testing.T) {
	w := newWorld(t)
	w.store.arm(nil)
	w.events.take()
	for i := range 500 {
		cookies := ""
		if i%2 == 1 {
			cookies = fmt.Sprintf("visitor=%d", i)
		}
		next, token, err := w.seeBrowser(cookies)
		if err != nil || token == "" || len(next) < 50 {
			t.Fatalf("%q %q %v", next, token, err)
		}
		r := get("/")
		r.Header.Set("Cookie", next)
		if s := w.send(r); !s.ran || s.session.SignedIn() {
			t.Fatal("somebody is signed in")
		}
	}
	if calls := w.store.made(); len(calls) > 0 {
		t.Errorf("the store was asked %d times: %v", len(calls), calls[0])
	}
	if events := w.events.take(); len(events) > 0 {
		t.Errorf("events %q", names(events))
	}
}
