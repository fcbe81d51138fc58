package lanyard

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/lanyard-go/lanyard/csrf"
)

// prepareChecks makes the two checks against request forgery from the
// configuration.
func (m *Manager) prepareChecks() (err error) {
	if m.loginCheck, err = csrf.New(csrf.Config{TrustedOrigins: m.cfg.TrustedOrigins}); err != nil {
		return fmt.Errorf("lanyard: Config.TrustedOrigins: %w", err)
	}
	m.check, err = csrf.New(csrf.Config{
		TrustedOrigins: m.cfg.TrustedOrigins, Exempt: m.cfg.Exempt, RequireToken: m.policy.RequireCSRFToken,
		// A loopback host has the session cookie without TLS too.
		InsecureLoopbackUpgrade: true,
	})
	if err != nil {
		return fmt.Errorf("lanyard: Config.Exempt: %w", err)
	}
	return nil
}

func safeMethod(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

// opensChannel reports whether the request is a handshake that a page's script
// starts: of a WebSocket, or of an event stream. Such a GET lasts and acts for
// whoever's cookie came with it, unlike one that a link leads to. CONNECT is a
// WebSocket over HTTP/2 (RFC 8441).
func opensChannel(r *http.Request) bool {
	return r.Method == http.MethodGet && (len(r.Header["Upgrade"]) > 0 || eventStream(r.Header["Accept"])) || r.Method == http.MethodConnect
}

// eventStream reports whether Accept is what EventSource sends, which no page
// can change there.
func eventStream(accept []string) bool {
	return len(accept) == 1 && accept[0] == "text/event-stream"
}

// checkForgery runs before the handler of each unsafe request that a cookie
// authenticates. A refusal is no activity.
func (m *Manager) checkForgery(r *http.Request, s *Session) error {
	t := m.Transport(r)
	facts := csrf.Facts{Scheme: t.Scheme, Host: t.Host, CookieAuth: true}
	if m.policy.RequireCSRFToken || len(r.Header["Sec-Fetch-Site"]) == 0 && len(r.Header["Origin"]) == 0 {
		facts.TokenOK = m.csrfTokenOK(r, s)
	}
	return forged(m.check.Decide(r, facts), s)
}

// checkUpgrade is checkForgery for a handshake, where no token can be asked for.
func (m *Manager) checkUpgrade(r *http.Request, s *Session) error {
	t := m.Transport(r)
	return forged(m.check.DecideUpgrade(r, csrf.Facts{Scheme: t.Scheme, Host: t.Host, CookieAuth: true}), s)
}

func forged(err error, s *Session) error {
	if err == nil {
		return nil
	}
	cause := CauseForgery
	why, _ := errors.AsType[*csrf.Refused](err)
	if why != nil && why.Why == csrf.TokenRequired {
		cause = CauseCSRFToken
	}
	return &Refused{Cause: cause, SID: s.SID(), Err: err}
}

// CSRFToken returns a fresh rendering of the session's forgery token, for forms
// and for scripts of the own pages. Nobody has one only if the browser was
// prepared by [Manager.Prepare].
func (m *Manager) CSRFToken(s *Session) (string, error) {
	b, ok := s.csrfBinding()
	if !ok {
		return "", refuse(CauseNone, SID{})
	}
	return m.csrf.Mint(b)
}

// CSRFTokenFor is [Manager.CSRFToken] for a grant just made.
func (m *Manager) CSRFTokenFor(g *Grant) (string, error) { return m.CSRFToken(g.Session) }

func (s *Session) csrfBinding() (csrf.Binding, bool) {
	switch {
	case s.rec != nil && !s.rec.Handle.IsZero():
		return csrf.Binding{SID: s.rec.SID, Generation: s.rec.Generation, Digest: s.rec.Handle}, true
	case s.pre != nil:
		return csrf.Binding{SID: s.pre.sid, Generation: s.pre.generation, Digest: s.pre.digest()}, true
	}
	return csrf.Binding{}, false
}

func (m *Manager) csrfTokenOK(r *http.Request, s *Session) bool {
	b, ok := s.csrfBinding()
	if !ok {
		return false
	}
	text, ok := csrf.FromRequest(r)
	return ok && m.csrf.Verify(b, text)
}
