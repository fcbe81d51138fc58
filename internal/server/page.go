package server

import (
	"bytes"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/internal/directory"
	"github.com/lanyard-go/lanyard/internal/web"
)

// base is what every page has: a forgery token, the time, and who looks.
func (s *Server) base(w http.ResponseWriter, r *http.Request) web.Page {
	v := lanyard.From(r.Context())
	p := web.Page{Now: s.now()}
	var err error
	if v.SignedIn() {
		p.CSRFToken, err = s.m.CSRFToken(v)
		p.Viewer = &web.Viewer{Name: v.Subject(), Admin: s.servesConsole(r) && s.administers(r.Context(), v) == nil}
	} else {
		p.CSRFToken, err = s.m.Prepare(w, r)
	}
	if err != nil {
		s.log.Error("making a form token failed; forms on this page will be refused", "error", err)
	}
	return p
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

func (s *Server) errorPage(w http.ResponseWriter, r *http.Request, status int, message, hint string) {
	view := web.ErrorView{
		Page: web.Page{Now: s.now()}, Status: status, Title: titleOf(status), Message: message,
		RequestID: lanyard.RequestID(r.Context()), DeveloperHint: hint,
	}
	if v := lanyard.From(r.Context()); v.SignedIn() {
		view.Page = s.base(w, r)
	}
	if r.Method == http.MethodGet && status >= 500 {
		view.RetryPath = returnPath(r.URL.RequestURI(), "")
	}
	s.show(w, r, status, func(b *bytes.Buffer) error { return s.pages.Error(b, view) })
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

// signedInPage reports whether somebody is signed in by a cookie, and sends the
// others to the login page.
func (s *Server) signedInPage(w http.ResponseWriter, r *http.Request) bool {
	v := lanyard.From(r.Context())
	if v.SignedIn() && v.Via() == lanyard.ChannelCookie {
		return true
	}
	to := "/login"
	if r.Method == http.MethodGet {
		to += "?return_to=" + url.QueryEscape(r.URL.RequestURI())
	}
	s.see(w, r, to)
	return false
}

func (s *Server) loginPage(w http.ResponseWriter, r *http.Request) {
	back := returnPath(r.URL.Query().Get("return_to"), "/account")
	if lanyard.From(r.Context()).SignedIn() {
		s.see(w, r, back)
		return
	}
	view := web.LoginView{Page: s.base(w, r), ReturnTo: back}
	s.show(w, r, http.StatusOK, func(b *bytes.Buffer) error { return s.pages.Login(b, view) })
}

func (s *Server) loginForm(w http.ResponseWriter, r *http.Request) {
	form, err := readForm(w, r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	back := returnPath(form["return_to"], "/account")
	if err := s.m.CheckLogin(r, true); err != nil {
		if lanyard.CauseOf(err) == lanyard.CauseCSRFToken && sameOriginPage(r) {
			// The form is older than its cookie. The person is shown a fresh one
			// instead of an error, and nothing was looked at.
			view := web.LoginView{Page: s.base(w, r), ReturnTo: back, Username: form["username"]}
			view.Notice = &web.Notice{Text: "This page was open for too long. Please sign in again.", Problem: true}
			s.show(w, r, http.StatusForbidden, func(b *bytes.Buffer) error { return s.pages.Login(b, view) })
			return
		}
		s.fail(w, r, err)
		return
	}
	if err := s.m.SpendLogin(r); err != nil {
		s.fail(w, r, err)
		return
	}
	g, err := s.signIn(w, r, form["username"], form["password"], lanyard.Login{Channel: lanyard.ChannelCookie})
	if err == nil {
		err = s.m.WriteCookie(w, r, g)
	}
	if err != nil {
		s.loginFailed(w, r, form["username"], back, err)
		return
	}
	s.see(w, r, back)
}

func sameOriginPage(r *http.Request) bool { return r.Header.Get("Sec-Fetch-Site") == "same-origin" }

func (s *Server) loginFailed(w http.ResponseWriter, r *http.Request, name, back string, err error) {
	view := web.LoginView{Username: name, ReturnTo: back}
	status := http.StatusUnauthorized
	throttled, _ := errors.AsType[*directory.Throttled](err)
	switch {
	case errors.Is(err, directory.ErrInvalidCredentials):
		view.Failed = true
	case throttled != nil:
		view.RetryAfter = throttled.RetryAfter
		status = http.StatusTooManyRequests
		setRetryAfter(w.Header(), throttled.RetryAfter)
	default:
		s.fail(w, r, err)
		return
	}
	view.Page = s.fresh(w, r)
	s.show(w, r, status, func(b *bytes.Buffer) error { return s.pages.Login(b, view) })
}

// fresh is base with a new pre-session, for a form whose own has been spent.
func (s *Server) fresh(w http.ResponseWriter, r *http.Request) web.Page {
	p := web.Page{Now: s.now()}
	var err error
	if p.CSRFToken, err = s.m.PrepareAnew(w, r); err != nil {
		s.log.Error("making a form token failed; forms on this page will be refused", "error", err)
	}
	return p
}

func (s *Server) logoutForm(w http.ResponseWriter, r *http.Request) {
	// The library reads the forgery token from the form where a profile wants
	// it, so the body is bounded first.
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if err := s.m.Logout(w, r); err != nil {
		s.fail(w, r, err)
		return
	}
	s.see(w, r, "/signed-out")
}

func (s *Server) signedOutPage(w http.ResponseWriter, r *http.Request) {
	view := web.SignedOutView{Page: s.base(w, r)}
	s.show(w, r, http.StatusOK, func(b *bytes.Buffer) error { return s.pages.SignedOut(b, view) })
}

func (s *Server) resetPage(w http.ResponseWriter, r *http.Request) {
	view := web.ResetView{Page: s.base(w, r), MinPassword: s.cfg.PasswordMinLength}
	s.show(w, r, http.StatusOK, func(b *bytes.Buffer) error { return s.pages.Reset(b, view) })
}

func (s *Server) resetForm(w http.ResponseWriter, r *http.Request) {
	form, err := readForm(w, r)
	if err == nil {
		err = s.limitSource(r)
	}
	if err == nil {
		err = s.m.CheckForm(r)
	}
	if err == nil {
		err = s.m.Ready(r.Context()) // the code is not spent if nothing could be ended
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	view := web.ResetView{Code: strings.TrimSpace(form["code"]), MinPassword: s.cfg.PasswordMinLength}
	status := http.StatusOK
	name, err := s.dir.Reset(r.Context(), directory.Secret(view.Code), directory.Secret(form["new"]))
	problem := passwordProblem(err)
	switch {
	case err == nil:
		view.Done, view.Code = true, ""
		if err := s.resetDone(r, name); err != nil {
			s.fail(w, r, err)
			return
		}
	case errors.Is(err, directory.ErrResetInvalid):
		view.CodeProblem = "This code is not valid: it was used, replaced by a newer one, or is older than 30 minutes."
		status = http.StatusBadRequest
	case problem != "":
		view.Problem = problem
		status = http.StatusBadRequest
	default:
		s.fail(w, r, err)
		return
	}
	view.Page = s.base(w, r)
	s.show(w, r, status, func(b *bytes.Buffer) error { return s.pages.Reset(b, view) })
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
		s.errorPage(w, r, http.StatusNotFound, "There is no such session of yours. It may have ended already.", "")
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

// pending says what a confirmation will carry out, in fields of its form.
const pendingPath = "pending_path"

// recent reports whether the person has authenticated recently. If not, it asks
// for the password and carries the request over to after the answer.
func (s *Server) recent(w http.ResponseWriter, r *http.Request, action string) bool {
	err := lanyard.From(r.Context()).Meets(lanyard.Need{MaxAge: lanyard.RecentAuth})
	if err == nil {
		return true
	}
	form, ferr := readForm(w, r)
	if ferr != nil {
		s.fail(w, r, ferr)
		return false
	}
	s.askAgain(w, r, http.StatusForbidden, pendingOf(r.URL.Path, action, form), false, 0)
	return false
}

func pendingOf(path, action string, form map[string]string) []web.Field {
	fields := []web.Field{{Name: pendingPath, Value: path}, {Name: "pending_action", Value: action}}
	for _, name := range []string{"reason", "confirm", "name", "mode"} {
		if v, ok := form[name]; ok {
			fields = append(fields, web.Field{Name: name, Value: v})
		}
	}
	return fields
}

func (s *Server) askAgain(w http.ResponseWriter, r *http.Request, status int, fields []web.Field, failed bool, wait time.Duration) {
	back := "/account"
	action := ""
	for _, f := range fields {
		switch f.Name {
		case pendingPath:
			if strings.HasPrefix(f.Value, "/console") {
				back = "/console"
			}
		case "pending_action":
			action = f.Value
		}
	}
	view := web.ConfirmView{Page: s.base(w, r), Action: action, ReturnTo: back, Fields: fields, Failed: failed, RetryAfter: wait}
	s.show(w, r, status, func(b *bytes.Buffer) error { return s.pages.ConfirmIdentity(b, view) })
}

// accountConfirm takes the password again and then does what the person wanted
// to do before.
func (s *Server) accountConfirm(w http.ResponseWriter, r *http.Request) {
	if !s.signedInPage(w, r) {
		return
	}
	form, err := readForm(w, r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	handler, pathValues := s.pendingHandler(r, form[pendingPath])
	fields := pendingOf(form[pendingPath], form["pending_action"], form)
	if len(form["pending_action"]) > 100 || handler == nil {
		s.fail(w, r, bad("The form does not say what to confirm."))
		return
	}
	g, err := s.confirm(r, form["password"])
	throttled, _ := errors.AsType[*directory.Throttled](err)
	switch {
	case err == nil:
	case errors.Is(err, directory.ErrInvalidCredentials):
		s.askAgain(w, r, http.StatusForbidden, fields, true, 0)
		return
	case throttled != nil:
		setRetryAfter(w.Header(), throttled.RetryAfter)
		s.askAgain(w, r, http.StatusTooManyRequests, fields, false, throttled.RetryAfter)
		return
	default:
		s.fail(w, r, err)
		return
	}
	if err := s.m.WriteCookie(w, r, g); err != nil {
		s.fail(w, r, err)
		return
	}
	next := r.Clone(lanyard.WithSession(r.Context(), g.Session))
	next.URL.Path, next.URL.RawPath = form[pendingPath], ""
	for name, value := range pathValues {
		next.SetPathValue(name, value)
	}
	handler(w, next)
}

// pendingHandler finds the action of a path among those that ask for
// confirmation, and no others.
func (s *Server) pendingHandler(r *http.Request, path string) (http.HandlerFunc, map[string]string) {
	if strings.HasPrefix(path, "/console") && !s.servesConsole(r) {
		return nil, nil
	}
	for _, a := range []struct {
		prefix, param, suffix string
		handle                http.HandlerFunc
	}{
		{"/account/sessions/end-others", "", "", s.accountEndOthers},
		{"/account/sessions/", "sid", "/end", s.accountEnd},
		{"/console/sessions/", "sid", "/end", s.guardPage(s.consoleEnd)},
		{"/console/users/", "name", "/disable", s.guardPage(s.consoleDisable)},
		{"/console/users/", "name", "/enable", s.guardPage(s.consoleEnable)},
		{"/console/users/", "name", "/reset", s.guardPage(s.consoleReset)},
		{"/console/users", "", "", s.guardPage(s.consoleAddUser)},
		{"/console/keys/rotate", "", "", s.guardPage(s.consoleRotate)},
		{"/console/keys/", "kid", "/withdraw", s.guardPage(s.consoleWithdraw)},
	} {
		if a.param == "" {
			if path == a.prefix {
				return a.handle, nil
			}
			continue
		}
		value, ok := strings.CutPrefix(path, a.prefix)
		if value, ok2 := strings.CutSuffix(value, a.suffix); ok && ok2 && value != "" && !strings.Contains(value, "/") {
			return a.handle, map[string]string{a.param: value}
		}
	}
	return nil, nil
}
