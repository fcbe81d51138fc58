package lanyard

import (
	"cmp"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/lanyard-go/lanyard/audit"
	"github.com/lanyard-go/lanyard/csrf"
	"github.com/lanyard-go/lanyard/internal/cookie"
)

// DefaultCookieName is the name of the session cookie unless configured. Its
// prefix makes browsers keep it to one host, to TLS and away from scripts; those
// that do not know it still enforce __Host-.
const DefaultCookieName = "__Host-Http-session"

// CookieConfig shapes the session cookie. It is always Secure and HttpOnly.
type CookieConfig struct {
	// Name replaces [DefaultCookieName]. A __Host- name cannot have a Domain.
	Name string

	// Domain shares the cookie with every host below it. It needs a Name that
	// starts with __Secure- or __Http-. Empty: this host only.
	Domain string

	// SameSite is Lax if zero, or Strict. None needs the opt-in below.
	SameSite http.SameSite

	// InsecureSameSiteNone permits SameSite=None, which sends the cookie with
	// every request that any site makes to this one.
	InsecureSameSiteNone bool

	// Persistent keeps the cookie over a restart of the browser, until the
	// session's absolute limit, at most 400 days. Without it that is decided at
	// each login, by [Login.Persistent].
	Persistent bool

	// MaxAge is how long the browser keeps a cookie that persists, counted from
	// when it was written last. Zero means until the session's absolute limit,
	// which it never passes; at most 400 days.
	MaxAge time.Duration
}

// cookieSpecs are the cookies that a manager writes.
type cookieSpecs struct {
	session cookie.Spec
	pre     cookie.Spec // for a browser that is not signed in
	device  cookie.Spec // for a browser that has signed in before

	persistent bool
	maxAge     time.Duration
}

const (
	preLifetime    = 12 * time.Hour
	deviceLifetime = 180 * 24 * time.Hour
)

func newCookieSpecs(c CookieConfig) (cookieSpecs, error) {
	same, err := sameSite(c.SameSite)
	if err != nil {
		return cookieSpecs{}, err
	}
	if same == cookie.None && !c.InsecureSameSiteNone {
		return cookieSpecs{}, fmt.Errorf("lanyard: Config.Cookie.SameSite: None sends the cookie with every site's requests; set InsecureSameSiteNone if that is meant")
	}
	name := c.Name
	if name == "" {
		name = DefaultCookieName
	}
	base := cookie.Spec{Name: name, Path: "/", Domain: c.Domain, Secure: true, HttpOnly: true, SameSite: same}
	s := cookieSpecs{session: base, pre: base, device: base, persistent: c.Persistent, maxAge: cmp.Or(c.MaxAge, cookie.MaxAge)}
	s.pre.Name = name + "-pre"
	s.pre.SameSite = max(same, cookie.Lax)
	s.device.Name = name + "-device"
	s.device.SameSite = cookie.Strict
	s.device.MaxAge = deviceLifetime
	kept := base
	kept.MaxAge = c.MaxAge
	for _, spec := range []cookie.Spec{s.session, s.pre, s.device, kept} {
		if err := spec.Validate(); err != nil {
			return cookieSpecs{}, fmt.Errorf("lanyard: Config.Cookie: %w", err)
		}
	}
	if !strings.HasPrefix(name, "__") && c.Domain != "" {
		return cookieSpecs{}, fmt.Errorf("lanyard: Config.Cookie.Name: a cookie shared by Domain needs a name that starts with __Secure- or __Http-")
	}
	return s, nil
}

// cookieLimits bound the work that a flood of cookies can cause.
var cookieLimits = cookie.Limits{}

// readCookie reads one of the manager's cookies. Two of one name, or a form that
// parsers read differently, were planted by somebody on a sibling host, or are
// left over from another configuration: nobody is signed in, and the ones that
// are not ours are deleted, so that the next request is answered as before.
func (m *Manager) readCookie(w http.ResponseWriter, r *http.Request, spec cookie.Spec) (string, cookie.Status) {
	text, status := cookie.Read(r.Header, spec.Name, cookieLimits)
	switch status {
	case cookie.Absent, cookie.One:
		return text, status
	}
	m.count("cookie", status.String())
	// Whoever sends such requests must not fill the audit trail: each kind is
	// told of once a minute.
	if m.deadUse.due(SID{len(SID{}) - 1: byte(status)}, CauseAmbiguous, m.now()) {
		m.event(withSource(r, m), audit.CookieAmbiguous, nil, func(e *audit.Event) { e.Reason = status.String() })
	}
	if w != nil && status != cookie.TooMany {
		spec.Sweep(w.Header(), r.Header, m.Transport(r).Host, r.URL.EscapedPath())
		w.Header().Set("Cache-Control", "no-store")
	}
	return "", status
}

// setCookie writes a credential, unless the request came in the clear: then
// anybody on the way could read it.
func (m *Manager) setCookie(w http.ResponseWriter, r *http.Request, spec cookie.Spec, value Secret) error {
	if !m.Transport(r).Secure {
		return &Refused{Cause: CauseInsecure}
	}
	h := w.Header()
	if err := spec.Set(h, value.Reveal()); err != nil {
		return fmt.Errorf("writing cookie %s: %w", spec.Name, err)
	}
	h.Set("Cache-Control", "no-store")
	return nil
}

func (m *Manager) deleteCookie(w http.ResponseWriter, spec cookie.Spec) {
	spec.Delete(w.Header())
	w.Header().Set("Cache-Control", "no-store")
}

// Clear tells the browser to forget the session cookie and the site's storage.
// It ends nothing: the record is what counts.
func (m *Manager) Clear(w http.ResponseWriter) {
	m.deleteCookie(w, m.cookies.session)
	w.Header().Set("Clear-Site-Data", `"storage"`)
}

// ForgetCookies is for the button of a page that tells somebody whose browser
// sends too many cookies ([CauseFlooded]) how to get out of that: it makes the
// browser forget all cookies and the storage of this site. That signs out every
// host of the registrable domain, siblings included, and the page has to say so.
// A request that another site started is refused.
func (m *Manager) ForgetCookies(w http.ResponseWriter, r *http.Request) error {
	t := m.Transport(r)
	if err := m.loginCheck.Decide(r, csrf.Facts{Scheme: t.Scheme, Host: t.Host, CookieAuth: true}); err != nil {
		return m.loginRefused(r, From(r.Context()), &Refused{Cause: CauseForgery, Err: err})
	}
	m.Clear(w)
	w.Header().Set("Clear-Site-Data", `"cookies", "storage"`)
	return nil
}

// Write hands a grant to its client. A handle it sets as the cookie, and the
// caller may then write a body; of tokens, also of an access token drawn from a
// cookie session, it writes the whole answer of RFC 6749 section 5.1. An error
// means that nothing was written.
func (m *Manager) Write(w http.ResponseWriter, r *http.Request, g *Grant) error {
	if g.Handle.IsZero() {
		return m.writeTokens(w, r, g)
	}
	return m.WriteCookie(w, r, g)
}

// WriteCookie sets the session cookie of a grant, and drops the cookie of the
// browser's time before it.
func (m *Manager) WriteCookie(w http.ResponseWriter, r *http.Request, g *Grant) error {
	if err := m.setCookie(w, r, m.sessionSpec(g), g.Handle); err != nil {
		return err
	}
	if _, status := cookie.Read(r.Header, m.cookies.pre.Name, cookieLimits); status != cookie.Absent {
		m.deleteCookie(w, m.cookies.pre)
	}
	return nil
}

// CookieName returns the name of the session cookie.
func (m *Manager) CookieName() string { return m.cookies.session.Name }

// SetCookieValue returns the Set-Cookie header of a grant for the cookie
// channel, for a program that talks to the browser in the manager's place. It
// must be sent over TLS.
func (m *Manager) SetCookieValue(g *Grant) (string, error) {
	h := http.Header{}
	if err := m.sessionSpec(g).Set(h, g.Handle.Reveal()); err != nil {
		return "", fmt.Errorf("writing cookie %s: %w", m.cookies.session.Name, err)
	}
	return h.Get("Set-Cookie"), nil
}

// sessionSpec is the shape of the session cookie for one grant.
func (m *Manager) sessionSpec(g *Grant) cookie.Spec {
	spec := m.cookies.session
	if m.cookies.persistent || g.Session.rec.Persistent {
		left := g.Session.rec.ExpiresAt.Sub(m.now())
		spec.MaxAge = min(max(left.Truncate(time.Second), time.Second), m.cookies.maxAge.Truncate(time.Second))
	}
	return spec
}
