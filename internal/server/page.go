package server

import (
	"bytes"
	"errors"
	"net/http"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/internal/directory"
	"github.com/lanyard-go/lanyard/internal/web"
)

// base is what every page has: a forgery token, the time, and who looks.
func (s *Server) base(w http.ResponseWriter, r *http.Request) web.Page {
	v := lanyard.From(r.Context())
	p := web.Page{Now: s.now()}
	if r.Method == http.MethodPost {
		a, _ := s.actionAt(r.URL.Path)
		p.Address = a.page
	}
	var err error
	if v.SignedIn() {
		p.CSRFToken, err = s.m.CSRFToken(v)
		p.Viewer = &web.Viewer{Name: v.Subject(), Admin: s.servesConsole(r) && s.administers(r.Context(), v) == nil, Warn: s.warn()}
	} else {
		p.CSRFToken, err = s.m.Prepare(w, r)
	}
	if err != nil {
		s.log.Error("making a form token failed; forms on this page will be refused", "error", err)
	}
	return p
}

// warn is how long before the end of a session its pages say so.
func (s *Server) warn() time.Duration {
	p := s.m.Policy()
	return min(5*time.Minute, p.IdleTimeout/5, p.AbsoluteTimeout/5)
}

// show writes a page, or a plain error if it cannot be rendered.
func (s *Server) show(w http.ResponseWriter, r *http.Request, status int, render func(*bytes.Buffer) error) {
	var b bytes.Buffer
	if err := render(&b); err != nil {
		s.log.Error("rendering a page failed", "route", r.Pattern, "error", err)
		plain(w, http.StatusInternalServerError, "Something went wrong. Request "+lanyard.RequestID(r.Context()))
		return
	}
	s.pages.Headers(w.Header())
	w.WriteHeader(status)
	w.Write(b.Bytes())
}

func (s *Server) errorPage(w http.ResponseWriter, r *http.Request, status int, message string) {
	s.showError(w, r, web.ErrorView{Status: status, Title: titleOf(status), Message: message})
}

func (s *Server) refusalPage(w http.ResponseWriter, r *http.Request, e *lanyard.Refused) {
	view := web.ErrorView{DeveloperHint: hintFor(e), ForgetCookies: e.Cause == lanyard.CauseFlooded}
	view.Status, _, _ = e.Public()
	view.Title, view.Message = refusal(e)
	s.showError(w, r, view)
}

func (s *Server) showError(w http.ResponseWriter, r *http.Request, view web.ErrorView) {
	view.Page, view.RequestID = web.Page{Now: s.now()}, lanyard.RequestID(r.Context())
	if v := lanyard.From(r.Context()); v.SignedIn() {
		view.Page = s.base(w, r)
	}
	if r.Method == http.MethodGet && view.Status >= 500 {
		view.RetryPath = localPath(r.URL.RequestURI())
	}
	s.show(w, r, view.Status, func(b *bytes.Buffer) error { return s.pages.Error(b, view) })
}

func titleOf(status int) string {
	switch status {
	case http.StatusForbidden:
		return "This was not allowed"
	case http.StatusNotFound:
		return "Page not found"
	case http.StatusMethodNotAllowed:
		return "Not called this way"
	case http.StatusTooManyRequests:
		return "Too many attempts"
	case http.StatusServiceUnavailable:
		return "Not available right now"
	case http.StatusUnauthorized:
		return "Sign in first"
	}
	if status >= 500 {
		return "Something went wrong"
	}
	return "This did not work"
}

func (s *Server) see(w http.ResponseWriter, r *http.Request, path string) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	http.Redirect(w, r, path, http.StatusSeeOther)
}

func (s *Server) home(w http.ResponseWriter, r *http.Request) {
	if lanyard.From(r.Context()).SignedIn() {
		s.see(w, r, "/account")
		return
	}
	s.see(w, r, "/login")
}

// row is a session in a list.
func (s *Server) row(v *lanyard.Session, current lanyard.SID) web.SessionRow {
	d := v.Device()
	expires := v.IdleExpiresAt()
	if abs := v.ExpiresAt(); abs.Before(expires) {
		expires = abs
	}
	return web.SessionRow{
		SID: v.SID().String(), Subject: v.Subject(), Channel: v.Channel().String(),
		Device: d.Label, Browser: web.Browser(d.UserAgent), IP: d.IP, Place: s.places.name(d.IP),
		Created: v.CreatedAt(), LastActive: v.LastActive(), Expires: expires,
		Current: v.SID() == current, Binding: v.Binding().String(), Linked: !v.Origin().IsZero(),
	}
}

func (s *Server) accountPage(w http.ResponseWriter, r *http.Request) {
	if !s.signedInPage(w, r) {
		return
	}
	s.account(w, r, http.StatusOK, "", notice(r))
}

// notices are what a redirect may say on the page it leads to: a word from this
// list, never text from the address.
var notices = map[string]string{
	"ended":     "The session has been ended.",
	"others":    "All other sessions have been ended.",
	"password":  "Your password has been changed.",
	"disabled":  "The user is disabled; their sessions have been ended.",
	"enabled":   "The user may sign in again.",
	"rotated":   "A new key has been announced; it signs in a few minutes.",
	"withdrawn": "The key has been withdrawn.",
	"confirmed": "Thank you. Go on with what you wanted to do.",
}

func notice(r *http.Request) *web.Notice {
	if text, ok := notices[r.URL.Query().Get("done")]; ok {
		return &web.Notice{Text: text}
	}
	return nil
}

func (s *Server) account(w http.ResponseWriter, r *http.Request, status int, problem string, n *web.Notice) {
	v := lanyard.From(r.Context())
	list, _, err := s.m.List(r.Context(), lanyard.Query{Subject: v.Subject(), LiveAt: lanyard.TimeOf(s.now()), Limit: 200})
	if err != nil {
		s.fail(w, r, err)
		return
	}
	view := web.AccountView{Page: s.base(w, r), PasswordProblem: problem, MinPassword: s.cfg.PasswordMinLength}
	view.Notice = n
	for _, one := range list {
		view.Sessions = append(view.Sessions, s.row(one, v.SID()))
	}
	s.show(w, r, status, func(b *bytes.Buffer) error { return s.pages.Account(b, view) })
}

func (s *Server) accountEnd(w http.ResponseWriter, r *http.Request) {
	if !s.signedInPage(w, r) || !s.recent(w, r, "end this session") {
		return
	}
	err := s.endOne(w, r, false)
	if errors.Is(err, lanyard.ErrNotFound) {
		s.errorPage(w, r, http.StatusNotFound, "There is no such session of yours. It may have ended already.")
		return
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if sid, _ := pathSID(r); sid == lanyard.From(r.Context()).SID() {
		s.see(w, r, "/signed-out")
		return
	}
	s.see(w, r, "/account?done=ended")
}

func (s *Server) accountEndOthers(w http.ResponseWriter, r *http.Request) {
	if !s.signedInPage(w, r) || !s.recent(w, r, "end all other sessions") {
		return
	}
	v := lanyard.From(r.Context())
	if _, err := s.m.EndAll(s.withSource(r), v.Subject(), lanyard.EndOptions{Reason: lanyard.ReasonUser, By: v.Subject(), Except: v.SID()}); err != nil {
		s.fail(w, r, err)
		return
	}
	s.see(w, r, "/account?done=others")
}

func (s *Server) accountPassword(w http.ResponseWriter, r *http.Request) {
	if !s.signedInPage(w, r) {
		return
	}
	form, err := readForm(w, r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	g, err := s.newPassword(r, form["current"], form["new"], form["end_others"] != "")
	throttled, _ := errors.AsType[*directory.Throttled](err)
	switch problem := passwordProblem(err); {
	case err == nil:
		if err := s.m.WriteCookie(w, r, g); err != nil {
			s.fail(w, r, err)
			return
		}
		s.see(w, r, "/account?done=password")
	case problem != "":
		s.account(w, r, http.StatusBadRequest, problem, nil)
	case errors.Is(err, directory.ErrInvalidCredentials):
		s.account(w, r, http.StatusForbidden, "The current password is not right.", nil)
	case throttled != nil:
		setRetryAfter(w.Header(), throttled.RetryAfter)
		s.account(w, r, http.StatusTooManyRequests, "Too many attempts. Wait "+throttled.RetryAfter.Round(time.Second).String()+" and try again.", nil)
	default:
		s.fail(w, r, err)
	}
}
