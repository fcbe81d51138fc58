package lanyard_test

import (
	"net/http"
	"testing"

	"github.com/lanyard-go/lanyard"
)

// WebSockets and event streams are opened by GET, which the check of unsafe
// methods lets pass, and no rule about origins holds a WebSocket back.
//
// req: CSRF-11
// attack: C9
func TestAHandshakeWithACookieNeedsTheOwnOrigin(t *testing.T) {
	w := newWorld(t, func(c *lanyard.Config) { c.TrustedOrigins = []string{"https://partner.example"} })
	g := w.startCookie()
	socket := func(r *http.Request) {
		r.Header.Set("Upgrade", "websocket")
		r.Header.Set("Connection", "Upgrade")
	}
	stream := func(r *http.Request) { r.Header.Set("Accept", "text/event-stream") }
	from := func(site, origin string) func(*http.Request) {
		return func(r *http.Request) {
			if site != "" {
				r.Header.Set("Sec-Fetch-Site", site)
			}
			if origin != "" {
				r.Header.Set("Origin", origin)
			}
		}
	}
	cookie := func(r *http.Request) { w.withCookie(r, g.Handle.Reveal()) }
	plain := func(r *http.Request) { r.TLS = nil }
	local := func(r *http.Request) { r.TLS, r.RemoteAddr, r.Host = nil, "127.0.0.1:1", "localhost:8080" }
	for _, row := range []struct {
		name   string
		change []func(*http.Request)
		status int
	}{
		{"a socket of the own page", []func(*http.Request){cookie, socket, from("same-origin", site)}, 200},
		{"a socket of the own page in an old browser", []func(*http.Request){cookie, socket, from("", site)}, 200},
		{"a socket of a trusted page", []func(*http.Request){cookie, socket, from("cross-site", "https://partner.example")}, 200},
		{"a socket of another site", []func(*http.Request){cookie, socket, from("cross-site", "https://evil.example")}, 403},
		{"a socket of a sibling host", []func(*http.Request){cookie, socket, from("same-site", "https://other.example")}, 403},
		{"a socket of a sandboxed frame", []func(*http.Request){cookie, socket, from("cross-site", "null")}, 403},
		{"a socket without an origin", []func(*http.Request){cookie, socket}, 403},
		{"a socket in the clear", []func(*http.Request){cookie, socket, plain, from("", "http://app.example")}, 403},
		{"a socket on this machine", []func(*http.Request){cookie, socket, local, from("same-origin", "http://localhost:8080")}, 200},
		{"a socket of another local program's page", []func(*http.Request){cookie, socket, local, from("same-site", "http://localhost:9090")}, 403},
		{"a stream of the own page", []func(*http.Request){cookie, stream, from("same-origin", "")}, 200},
		{"a stream of another site", []func(*http.Request){cookie, stream, from("cross-site", "https://evil.example")}, 403},
		{"a stream of a sibling host", []func(*http.Request){cookie, stream, from("same-site", "https://other.example")}, 403},
		{"a stream that says nothing of its page", []func(*http.Request){cookie, stream}, 403},

		{"a socket of another site without a cookie", []func(*http.Request){socket, from("cross-site", "https://evil.example")}, 200},
		{"a socket of a program with a token", []func(*http.Request){socket, func(r *http.Request) { bearer(r, w.startToken().Access.Reveal()) }}, 200},
		{"a link from another site", []func(*http.Request){cookie, from("cross-site", "")}, 200},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := get("/live")
			for _, change := range row.change {
				change(r)
			}
			s := w.send(r)
			if s.answer.Code != row.status || s.ran != (row.status == 200) {
				t.Errorf("%d, handler ran: %v", s.answer.Code, s.ran)
			}
			if row.status == 403 {
				wantErrorBody(t, s.answer, "cross_origin")
			}
		})
	}
}

// What a handshake says of itself takes no other request past its own check.
//
// req: CSRF-5
func TestAPostThatAsksForAStreamNeedsItsTokenAllTheSame(t *testing.T) {
	w := newWorld(t, profile("strict"))
	g := w.startCookie()
	for _, field := range []string{"Upgrade", "Accept"} {
		r := w.withCookie(post("/transfer"), g.Handle.Reveal())
		r.Header.Set("Origin", site)
		r.Header.Set(field, map[string]string{"Upgrade": "websocket", "Accept": "text/event-stream"}[field])
		if s := w.send(r); s.ran || s.answer.Code != http.StatusForbidden {
			t.Errorf("%s: ran %v, %d", field, s.ran, s.answer.Code)
		}
	}
}
