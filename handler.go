package lanyard

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"github.com/lanyard-go/lanyard/audit"
	"github.com/lanyard-go/lanyard/csrf"
	"github.com/lanyard-go/lanyard/internal/cookie"
)

// Handler recognises who makes each request before next sees it; [From] then
// tells. A request with an Authorization header of a session's scheme is judged
// by that header alone, others by the session cookie. A request with neither
// goes on as nobody: [Manager.Require] guards what needs somebody.
//
// Requests with an unsafe method that a cookie authenticates pass the check
// against request forgery first, and so do handshakes of WebSockets and of event
// streams, which are GET and need an Origin of their own. A credential that does
// not hold is answered here: 401 for a token; for a cookie the request goes on as
// nobody and the cookie is deleted. While the store cannot be asked the answer is
// 503, and nothing is deleted.
func (m *Manager) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &sessionContext{Context: r.Context(), request: r}
		s := &c.session
		s.manager, s.now, s.mayHold = m, m.now(), m.cfg.AllowLocal
		if err := m.recognise(w, r, s); err != nil {
			m.refused(r, s, err)
			m.answer(w, r, err)
			return
		}
		r = r.WithContext(c)
		next.ServeHTTP(w, r)
		s.used(r.Context())
	})
}

// Check judges a request as [Manager.Handler] does, without answering it: for
// servers that speak something else than HTTP behind the handshake, and for
// forward authentication. It changes no cookie and counts no activity.
func (m *Manager) Check(r *http.Request) (*Session, error) {
	s := &Session{manager: m, now: m.now(), passive: true}
	err := m.recognise(nil, r, s)
	if err == nil && s.rec == nil && s.claims == nil {
		err = refuse(CauseNone, SID{})
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// recognise fills in s. W may be nil; then dead cookies stay.
func (m *Manager) recognise(w http.ResponseWriter, r *http.Request, s *Session) error {
	if auth, ok := r.Header["Authorization"]; ok {
		return m.recogniseHeader(r, auth, s)
	}
	text, status := m.readCookie(w, r, m.cookies.session)
	s.flooded = status == cookie.TooMany
	if status == cookie.One {
		if err := m.recogniseCookie(w, r, text, s); err != nil {
			return err
		}
	}
	if s.held != nil {
		return nil // the store is away, and what came before a login with it
	}
	if s.rec == nil {
		var err error
		if s.anon, s.pre, err = m.readPre(r.Context(), w, r, s.now); err != nil {
			return err
		}
	}
	if s.rec == nil && s.anon == nil {
		return nil
	}
	opens := opensChannel(r)
	if safeMethod(r.Method) && !opens {
		return nil
	}
	if w != nil {
		csrf.AddVary(w.Header(), csrf.VaryCheck)
	}
	if opens {
		return m.checkUpgrade(r, s)
	}
	return m.checkForgery(r, s)
}

func (m *Manager) recogniseHeader(r *http.Request, fields []string, s *Session) error {
	if len(fields) != 1 {
		return refuse(CauseAmbiguous, SID{})
	}
	scheme, text, _ := strings.Cut(fields[0], " ")
	switch {
	case strings.EqualFold(scheme, "Bearer"):
		if len(r.Header["Dpop"]) > 0 {
			return refuse(CauseAmbiguous, SID{})
		}
		if err := m.checkBearer(r.Context(), text, s); err != nil {
			return err
		}
		if s.claims.JKT != "" {
			// A bound token is none without its proof (RFC 9449 section 7.1).
			e := refuse(CauseBadToken, s.SID())
			e.Err = errBound
			return e
		}
		m.arrivedByToken(r, s)
		return nil
	case strings.EqualFold(scheme, "DPoP"):
		if err := m.recogniseProof(r, text, s); err != nil {
			return err
		}
		m.arrivedByToken(r, s)
		return nil
	}
	// Another scheme, such as a client's Basic: not a session, and the cookie
	// does not speak for it either.
	return nil
}

// arrivedByToken counts a request whose token held.
func (m *Manager) arrivedByToken(r *http.Request, s *Session) {
	if s.held != nil {
		// A token without a record would be taken for a program's.
		s.claims, s.heldClaims = nil, s.claims
		return
	}
	m.arrived(r, s)
}

// errBound is what lies beneath a refused token that came without its proof.
var errBound = errors.New("the token is bound to a key and came as a bearer token")

func (m *Manager) recogniseCookie(w http.ResponseWriter, r *http.Request, text string, s *Session) error {
	rec, err := m.checkHandle(r.Context(), text, s)
	if err == nil {
		s.via = ChannelCookie
		if s.rec = rec; rec != nil {
			m.arrived(r, s)
		}
		return nil
	}
	refused, _ := errors.AsType[*Refused](err)
	if refused == nil || refused.Cause == CauseStore {
		return err
	}
	m.count("cookie", string(refused.Cause))
	m.noteDead(r, refused)
	// Deleted also if the source is throttled, so that a browser that came by a
	// dead cookie honestly is not refused for long.
	if w != nil && !superseded(refused) {
		m.deleteCookie(w, m.cookies.session)
	}
	if guessed(refused.Cause) {
		return m.guess(r)
	}
	return nil
}

// superseded reports whether the browser has been given a newer cookie meanwhile,
// by a login or a step-up: this request was on its way then, and deleting the
// cookie of that name would delete the newer one.
func superseded(e *Refused) bool {
	return e.Cause == CauseOldGeneration || e.Cause == CauseMismatch || e.Reason == ReasonReplaced
}

// checkHandle judges the value of a session cookie.
func (m *Manager) checkHandle(ctx context.Context, text string, s *Session) (*Record, error) {
	h, err := m.keys.openHandle(text)
	if err != nil {
		return nil, &Refused{Cause: CauseForged}
	}
	return m.judged(ctx, h.sid, s, func(rec *Record) error {
		if h.generation != rec.Generation {
			return refuse(CauseOldGeneration, h.sid)
		}
		if rec.Channel != ChannelCookie || !rec.Handle.fits(h.digest) {
			return refuse(CauseMismatch, h.sid)
		}
		return nil
	})
}

// alive is [usable] that also writes down an end by a limit, or a fence, the
// first time it is met.
func (m *Manager) alive(ctx context.Context, rec *Record, now Time) error {
	err := usable(rec, now)
	if err == nil {
		return nil
	}
	if rec.EndReason == "" {
		switch CauseOf(err) {
		case CauseIdle:
			m.settle(ctx, rec, ReasonIdle)
		case CauseExpired:
			m.settle(ctx, rec, ReasonExpired)
		case CauseEnded:
			m.settle(ctx, rec, ReasonRevokedAll)
		}
	}
	return err
}

// refused logs a refusal with its cause; the answer says less.
func (m *Manager) refused(r *http.Request, s *Session, err error) {
	refused, ok := errors.AsType[*Refused](err)
	if !ok {
		m.log.LogAttrs(r.Context(), slog.LevelError, "judging a request failed", slog.Any("error", err), slog.String("request_id", RequestID(r.Context())))
		return
	}
	m.count("refused", string(refused.Cause))
	ctx := withSource(r, m)
	switch refused.Cause {
	case CauseForgery, CauseCSRFToken:
		m.event(ctx, audit.CSRFRefused, s.rec, func(e *audit.Event) {
			// The path may hold what does not belong into a log, such as a token
			// sent in the wrong place; the route does not.
			e.Attrs = map[string]string{"method": r.Method, "route": r.Pattern}
			if why, ok := errors.AsType[*csrf.Refused](refused.Err); ok {
				e.Reason = string(why.Why)
			}
		})
	case CauseStore:
		m.log.LogAttrs(ctx, slog.LevelError, "the session store could not be asked", slog.Any("error", refused.Err), slog.String("request_id", RequestID(ctx)))
		m.count("store", "failed")
		if m.deadUse.due(SID{}, CauseStore, m.now()) {
			m.event(ctx, audit.StoreFailed, nil, nil)
		}
	case CauseEnded, CauseIdle, CauseExpired, CauseOldGeneration:
		m.noteDead(r, refused)
	default:
		m.log.LogAttrs(ctx, slog.LevelInfo, "request refused", slog.String("cause", string(refused.Cause)),
			slog.Any("error", refused.Err), slog.String("sid", refused.SID.String()), slog.String("request_id", RequestID(ctx)))
	}
}

func withSource(r *http.Request, m *Manager) context.Context {
	return WithSource(r.Context(), m.address(r))
}
