package server

import (
	"bytes"
	"errors"
	"net/http"
	"strings"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/internal/directory"
	"github.com/lanyard-go/lanyard/internal/web"
)

// loginView is the view of the login page that leads to back.
func (s *Server) loginView(back string) web.LoginView {
	return web.LoginView{ReturnTo: back, Remember: s.cfg.Remember}
}

// showLogin writes the login page. A page in answer to a form gets the address
// that shows it again.
func (s *Server) showLogin(w http.ResponseWriter, r *http.Request, status int, view web.LoginView) {
	if r.Method == http.MethodPost {
		view.Address = "/login"
		if view.ReturnTo != "/account" {
			view.Address = loginPath(view.ReturnTo)
		}
	}
	s.show(w, r, status, func(b *bytes.Buffer) error { return s.pages.Login(b, view) })
}

func (s *Server) loginPage(w http.ResponseWriter, r *http.Request) {
	back := returnPath(r.URL.Query().Get("return_to"), "/account")
	v := lanyard.From(r.Context())
	again := r.URL.Query().Get("again") == "1"
	if v.SignedIn() && !again {
		s.see(w, r, back)
		return
	}
	view := s.loginView(back)
	if again {
		// For a session that has lasted as long as it may: the next one takes its
		// place.
		view.Username, view.Page = v.Subject(), s.guest(w, r, s.m.Prepare)
	} else {
		view.Page = s.base(w, r)
	}
	if what, ok := undone[r.URL.Query().Get("undone")]; ok {
		view.Notice = &web.Notice{Text: "Your session was over already, so " + what + ". Sign in and do it again.", Problem: true}
	}
	s.showLogin(w, r, http.StatusOK, view)
}

func (s *Server) loginForm(w http.ResponseWriter, r *http.Request) {
	form, err := readForm(w, r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	view := s.loginView(returnPath(form["return_to"], "/account"))
	view.Username, view.Remembered = form["username"], form["remember"] != ""
	if err := s.m.CheckLogin(r, true); err != nil {
		if lanyard.CauseOf(err) == lanyard.CauseCSRFToken && sameOriginPage(r) {
			// The form is older than its cookie. The person is shown a fresh one
			// instead of an error, and nothing was looked at.
			view.Page = s.base(w, r)
			view.Notice = &web.Notice{Text: "This page was open for too long. Please sign in again.", Problem: true}
			s.showLogin(w, r, http.StatusForbidden, view)
			return
		}
		s.fail(w, r, err)
		return
	}
	if err := s.m.SpendLogin(r); lanyard.CauseOf(err) == lanyard.CauseCSRFToken {
		// The same form twice, from a double click. Whoever the first one signed
		// in goes on; for everybody else the way leads past the login page.
		s.see(w, r, view.ReturnTo)
		return
	} else if err != nil {
		s.fail(w, r, err)
		return
	}
	g, err := s.signIn(w, r, view.Username, form["password"], lanyard.Login{
		Channel: lanyard.ChannelCookie, Persistent: view.Remembered && s.cfg.Remember > 0,
	})
	if err == nil {
		err = s.m.WriteCookie(w, r, g)
	}
	if err != nil {
		s.loginFailed(w, r, view, err)
		return
	}
	s.see(w, r, view.ReturnTo)
}

func sameOriginPage(r *http.Request) bool { return r.Header.Get("Sec-Fetch-Site") == "same-origin" }

func (s *Server) loginFailed(w http.ResponseWriter, r *http.Request, view web.LoginView, err error) {
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
	view.Page = s.guest(w, r, s.m.PrepareAnew)
	s.showLogin(w, r, status, view)
}

// guest is base for a form that nobody needs to be signed in for, whoever is. Its
// token comes from prepare: a new one where the form before has been spent.
func (s *Server) guest(w http.ResponseWriter, r *http.Request, prepare func(http.ResponseWriter, *http.Request) (string, error)) web.Page {
	p := web.Page{Now: s.now()}
	var err error
	if p.CSRFToken, err = prepare(w, r); err != nil {
		s.log.Error("making a form token failed; forms on this page will be refused", "error", err)
	}
	return p
}

// passwordPath is where password managers send people to change a password (W3C
// "A Well-Known URL for Changing Passwords").
const passwordPath = "/.well-known/change-password"

func (s *Server) passwordAddress(w http.ResponseWriter, r *http.Request) {
	s.see(w, r, "/account#change")
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
	if q := r.URL.Query(); q.Get("ended") == "1" {
		view.Reason = "In another tab, on another device, or because its time was up."
		view.ReturnTo = returnPath(q.Get("return_to"), "")
	}
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
	view.Address = "/reset"
	s.show(w, r, status, func(b *bytes.Buffer) error { return s.pages.Reset(b, view) })
}
