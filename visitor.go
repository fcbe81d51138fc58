package lanyard

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"

	"github.com/lanyard-go/lanyard/csrf"
	"github.com/lanyard-go/lanyard/internal/cookie"
)

// Prepare gives a browser that is not signed in the cookie that its login form
// is bound to, unless it has one, and returns the forgery token for the form.
// Nothing is stored. Call it when showing a login page.
func (m *Manager) Prepare(w http.ResponseWriter, r *http.Request) (csrfToken string, err error) {
	pre, err := m.preOf(r)
	if err != nil {
		return "", err
	}
	if pre == nil {
		return m.PrepareAnew(w, r)
	}
	b, _ := (&Session{pre: pre}).csrfBinding()
	return m.csrf.Mint(b)
}

// PrepareAnew is [Manager.Prepare] for a form whose cookie has been spent: it
// makes a new one. Data of the browser's time before login is kept.
func (m *Manager) PrepareAnew(w http.ResponseWriter, r *http.Request) (csrfToken string, err error) {
	c, err := m.preOf(r)
	if err != nil {
		return "", err
	}
	if c == nil || c.counter != 0 {
		if c, err = m.newPre(); err != nil {
			return "", err
		}
		if err := m.setCookie(w, r, m.cookies.pre, m.keys.seal(c)); err != nil {
			return "", err
		}
	}
	b, _ := (&Session{pre: c}).csrfBinding()
	return m.csrf.Mint(b)
}

// CheckForm judges a form that needs nobody signed in, such as a password
// reset: it must come from the own page, with that page's token.
func (m *Manager) CheckForm(r *http.Request) error {
	s := From(r.Context())
	if !m.csrfTokenOK(r, s) {
		return m.loginRefused(r, s, &Refused{Cause: CauseCSRFToken})
	}
	t := m.Transport(r)
	if err := m.loginCheck.Decide(r, csrf.Facts{Scheme: t.Scheme, Host: t.Host, CookieAuth: true, TokenOK: true}); err != nil {
		return m.loginRefused(r, s, &Refused{Cause: CauseForgery, Err: err})
	}
	return nil
}

func (m *Manager) newPre() (*credential, error) {
	now := m.now()
	sid, err := newSID(m.cfg.Rand, now, "")
	if err != nil {
		return nil, err
	}
	secret, err := drawSecret(m.cfg.Rand)
	if err != nil {
		return nil, err
	}
	return &credential{kind: kindPre, sid: sid, secret: secret, counter: uint32(now.Add(preLifetime).Time().Unix())}, nil
}

// readPre reads the cookie of a browser that is not signed in. With an expiry
// inside it stands for itself; without, for an anonymous record. An error means
// that the store could not be asked; everything else that is wrong is nobody.
func (m *Manager) readPre(ctx context.Context, w http.ResponseWriter, r *http.Request, now Time) (*Record, *credential, error) {
	text, status := m.readCookie(w, r, m.cookies.pre)
	if status != cookie.One {
		return nil, nil, nil
	}
	c, err := m.keys.open(text, kindPre)
	if err != nil {
		return nil, nil, nil
	}
	if c.counter != 0 {
		if now.Time().Unix() >= int64(c.counter) {
			return nil, nil, nil
		}
		return nil, &c, nil
	}
	rec, err := m.store.Get(ctx, c.sid)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return nil, nil, unavailable("reading data before login", err)
	}
	if err != nil || rec.State != StateAnonymous || !rec.Live(now) || !rec.Handle.fits(c.digest()) {
		return nil, nil, nil
	}
	return rec, &c, nil
}

// preOf is the cookie of the browser's time before login, also of a request that
// was recognised as somebody's: people sign in again.
func (m *Manager) preOf(r *http.Request) (*credential, error) {
	s := From(r.Context())
	if s.pre != nil || s.rec == nil {
		return s.pre, nil
	}
	_, pre, err := m.readPre(r.Context(), nil, r, m.now())
	return pre, err
}

// CheckLogin judges a login request before its credentials are looked at. A
// form must come from the own login page with the token of [Manager.Prepare];
// a program's request (JSON, with neither Origin nor Sec-Fetch-Site) passes.
func (m *Manager) CheckLogin(r *http.Request, form bool) error {
	s := From(r.Context())
	t := m.Transport(r)
	facts := csrf.Facts{Scheme: t.Scheme, Host: t.Host}
	if s.flooded {
		// Signing in would not help: the new cookie would not be found either.
		return m.loginRefused(r, s, &Refused{Cause: CauseFlooded})
	}
	if form {
		// A session still in the browser must not stand in for the form's own
		// binding, so only the pre-session counts.
		pre, err := m.preOf(r)
		if err != nil {
			return err
		}
		b, ok := (&Session{pre: pre}).csrfBinding()
		text, sent := csrf.FromRequest(r)
		if !ok || !sent || !m.csrf.Verify(b, text) {
			return m.loginRefused(r, s, &Refused{Cause: CauseCSRFToken})
		}
		facts.CookieAuth, facts.TokenOK = true, true
	}
	if err := m.loginCheck.Decide(r, facts); err != nil {
		return m.loginRefused(r, s, &Refused{Cause: CauseForgery, Err: err})
	}
	return nil
}

func (m *Manager) loginRefused(r *http.Request, s *Session, e *Refused) error {
	m.refused(r, s, e)
	return e
}

// SpendLogin destroys the pre-session of a login form that succeeded, so that
// the form cannot be sent again.
func (m *Manager) SpendLogin(r *http.Request) error {
	pre, err := m.preOf(r)
	if err != nil || pre == nil || pre.counter == 0 {
		return err // an anonymous record is destroyed by the login itself
	}
	err = m.once(r.Context(), pre, m.now())
	if CauseOf(err) == CauseCode {
		return refuse(CauseCSRFToken, SID{})
	}
	return err
}

// RememberDevice notes in the browser that this subject has signed in with it.
// The note opens nothing: it only keeps the subject's own browsers apart when
// somebody else's failures are throttled.
func (m *Manager) RememberDevice(w http.ResponseWriter, r *http.Request, subject string) error {
	secret, err := drawSecret(m.cfg.Rand)
	if err != nil {
		return err
	}
	c := credential{
		kind: kindDevice, sid: deviceTag(subject), secret: secret,
		counter: uint32(m.now().Add(deviceLifetime).Time().Unix()),
	}
	return m.setCookie(w, r, m.cookies.device, m.keys.seal(&c))
}

// KnownDevice reports whether the subject has signed in with this browser.
func (m *Manager) KnownDevice(r *http.Request, subject string) bool {
	text, status := cookie.Read(r.Header, m.cookies.device.Name, cookieLimits)
	if status != cookie.One {
		return false
	}
	c, err := m.keys.open(text, kindDevice)
	return err == nil && c.sid == deviceTag(subject) && m.now().Time().Unix() < int64(c.counter)
}

func deviceTag(subject string) (tag SID) {
	sum := sha256.Sum256([]byte("device " + subject))
	copy(tag[:], sum[:])
	return tag
}

// anonymous makes the record of a browser that is not signed in, when there is
// data to keep for it.
func (m *Manager) anonymous(ctx context.Context, w http.ResponseWriter, r *http.Request, data []byte) (*Record, *credential, error) {
	now := m.now()
	rec := &Record{
		State: StateAnonymous, Channel: ChannelCookie, Generation: 1,
		CreatedAt: now, LastActive: now, ExpiresAt: now.Add(m.policy.AbsoluteTimeout), Data: data,
		Device: m.device(Login{Request: r}),
	}
	rec.IdleExpiresAt = m.policy.idleDeadline(ChannelCookie, now, rec.ExpiresAt)
	t := m.Transport(r)
	if !t.Secure {
		return nil, nil, &Refused{Cause: CauseInsecure}
	}
	// SameSite keeps the cookies out of another site's form, and yet the browser
	// would take this answer's in their place: what the visitor had would be lost,
	// and what that site chose would cross the login.
	if err := m.loginCheck.Decide(r, csrf.Facts{Scheme: t.Scheme, Host: t.Host}); err != nil {
		return nil, nil, m.loginRefused(r, From(ctx), &Refused{Cause: CauseForgery, Err: err})
	}
	var err error
	if rec.SID, err = newSID(m.cfg.Rand, now, ""); err != nil {
		return nil, nil, err
	}
	c, err := m.arm(rec)
	if err != nil {
		return nil, nil, err
	}
	if _, err := m.storeCreate(ctx, rec, 0); err != nil {
		if errors.Is(err, ErrExists) {
			return nil, nil, err
		}
		return nil, nil, unavailable("storing data before login", err)
	}
	return rec, &c, m.setCookie(w, r, m.cookies.pre, m.keys.seal(&c))
}
