package lanyardtest

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/lanyard-go/lanyard"
)

// Badge is what a signed-in client presents with its requests: a session cookie,
// or an access token. It prints without its credentials.
type Badge struct {
	// Grant is what the login gave. A test that refreshes or steps up makes the
	// badge of the new grant with [NewBadge].
	Grant *lanyard.Grant

	cookie string // name of the session cookie
	csrf   string
}

// SignIn starts a session of the subject that a cookie carries, authenticated by
// password just now.
func SignIn(t testing.TB, m *lanyard.Manager, subject string) *Badge {
	t.Helper()
	return SignInWith(t, m, lanyard.Login{Subject: subject})
}

// SignInWith starts a session as l says: in the token channel, with a second
// factor, from some device. Without methods the password is assumed.
func SignInWith(t testing.TB, m *lanyard.Manager, l lanyard.Login) *Badge {
	t.Helper()
	if len(l.Methods) == 0 {
		l.Methods = []string{"pwd"}
	}
	g, err := m.Start(context.Background(), l)
	if err != nil {
		t.Fatalf("signing in %q: %v", l.Subject, err)
	}
	return NewBadge(t, m, g)
}

// NewBadge returns the badge of a grant, whichever channel it is for.
func NewBadge(t testing.TB, m *lanyard.Manager, g *lanyard.Grant) *Badge {
	t.Helper()
	b := &Badge{Grant: g, cookie: m.CookieName()}
	if g.Session.Channel() == lanyard.ChannelCookie {
		var err error
		if b.csrf, err = m.CSRFTokenFor(g); err != nil {
			t.Fatalf("making a forgery token: %v", err)
		}
	}
	return b
}

// SID returns the public id of the badge's session.
func (b *Badge) SID() lanyard.SID { return b.Grant.Session.SID() }

// Format writes the badge's subject and sid, whatever the verb.
func (b *Badge) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "badge of %s, session %s", b.Grant.Session.Subject(), b.SID())
}

// Add puts the badge on a request: the access token into Authorization, or the
// cookie, together with what a page of the site itself sends along, which is
// Sec-Fetch-Site and the session's forgery token.
func (b *Badge) Add(r *http.Request) {
	if b.Grant.Session.Channel() == lanyard.ChannelToken {
		r.Header.Set("Authorization", b.Grant.TokenType+" "+b.Grant.Access.Reveal())
		return
	}
	r.AddCookie(b.Cookie())
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("X-CSRF-Token", b.csrf)
}

// Cookie returns the session cookie as a browser sends it, for a jar of the
// test's own, or nil for a badge of the token channel.
func (b *Badge) Cookie() *http.Cookie {
	if b.Grant.Session.Channel() == lanyard.ChannelToken {
		return nil
	}
	return &http.Cookie{Name: b.cookie, Value: b.Grant.Handle.Reveal(), Path: "/", Secure: true, HttpOnly: true}
}

// Request returns a request to the path on [Issuer] that carries the badge, for
// calling a handler directly. It seems to have come over TLS.
func (b *Badge) Request(method, path string, body io.Reader) *http.Request {
	r := httptest.NewRequest(method, Issuer+path, body)
	r.TLS = &tls.ConnectionState{Version: tls.VersionTLS13, HandshakeComplete: true}
	b.Add(r)
	return r
}
