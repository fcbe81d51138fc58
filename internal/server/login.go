package server

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/api"
	"github.com/lanyard-go/lanyard/audit"
	"github.com/lanyard-go/lanyard/internal/directory"
)

// classPassword is the authentication context class of a password alone.
const classPassword = "aal1"

func (s *Server) login(w http.ResponseWriter, r *http.Request) {
	if err := s.m.CheckLogin(r, false); err != nil {
		s.fail(w, r, err)
		return
	}
	var in api.LoginRequest
	if err := readJSON(w, r, &in); err != nil {
		s.fail(w, r, err)
		return
	}
	channel, ok := lanyard.ParseChannel(in.Channel)
	switch {
	case in.Username == "":
		s.fail(w, r, bad("The member \"username\" is missing."))
		return
	case in.Password == "":
		s.fail(w, r, bad("The member \"password\" is missing."))
		return
	case in.Channel == "":
		channel = lanyard.ChannelCookie
	case !ok:
		s.fail(w, r, bad("The member \"channel\" must be \"cookie\" or \"token\"."))
		return
	}
	if err := checkLabel(in.Device); err != nil {
		s.fail(w, r, err)
		return
	}
	// What else is asked for is checked before the password, so that it does
	// not tell whether the password was right.
	if err := s.checkResource(in.Resource); err != nil {
		s.fail(w, r, err)
		return
	}
	if channel == lanyard.ChannelCookie && len(r.Header["Dpop"]) > 0 {
		s.fail(w, r, bad("The header DPoP binds tokens, not cookies; ask for \"channel\":\"token\" or leave it away."))
		return
	}
	proof, err := s.prove(w, r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	g, err := s.signIn(w, r, in.Username, in.Password, lanyard.Login{Channel: channel, Device: in.Device, Resource: in.Resource, Proof: proof})
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.writeGrant(w, r, g)
}

func checkLabel(label string) error {
	if len(label) > 64 {
		return bad("The member \"device\" may have 64 bytes at most.")
	}
	for _, c := range label {
		if c < 0x20 || c >= 0x7f && c < 0xa0 {
			return bad("The member \"device\" must not have control characters.")
		}
	}
	return nil
}

func (s *Server) checkResource(resource string) error {
	for _, a := range s.m.Audiences() {
		if resource == "" || resource == a {
			return nil
		}
	}
	return &lanyard.Refused{Cause: lanyard.CauseAudience}
}

// signIn is the one way to a session by password, for programs and for forms.
func (s *Server) signIn(w http.ResponseWriter, r *http.Request, name, pw string, l lanyard.Login) (*lanyard.Grant, error) {
	user, err := s.authenticate(r, name, pw)
	if err != nil {
		return nil, err
	}
	ctx := s.withSource(r)
	l.Subject, l.Methods, l.Class, l.Request = user.Name, []string{"pwd"}, classPassword, r
	g, err := s.m.Start(ctx, l)
	if lanyard.CauseOf(err) == lanyard.CauseDisabled {
		return nil, directory.ErrInvalidCredentials // disabled just now; looks like before
	}
	if err != nil {
		return nil, err
	}
	// A disabling or a new password that came between the password and the
	// session must win.
	if now, err := s.dir.User(ctx, user.Name); err != nil || now.Disabled || !now.PasswordChanged.Equal(user.PasswordChanged) {
		s.m.End(ctx, g.Session.SID(), lanyard.EndOptions{Reason: lanyard.ReasonDisabled, By: "system"})
		return nil, directory.ErrInvalidCredentials
	}
	if g.Session.Channel() == lanyard.ChannelCookie {
		if err := s.m.RememberDevice(w, r, user.Name); err != nil {
			return nil, err
		}
	}
	if user.Initial {
		s.forgetInitial()
	}
	return g, nil
}

// authenticate checks a password and reports the outcome. Every password goes
// through here, at login and when somebody confirms who they are.
func (s *Server) authenticate(r *http.Request, name, pw string) (directory.User, error) {
	user, err := s.dir.Authenticate(r.Context(), s.attempt(r, name, pw))
	s.report(r, name, err)
	return user, err
}

func (s *Server) attempt(r *http.Request, name, pw string) directory.Attempt {
	at := directory.Attempt{Name: name, Password: directory.Secret(pw), Source: s.address(r)}
	// The note in the browser was made for the name as it is spelled in the
	// directory.
	if u, err := s.dir.User(r.Context(), name); err == nil {
		at.KnownDevice = s.m.KnownDevice(r, u.Name)
	}
	return at
}

func (s *Server) report(r *http.Request, name string, err error) {
	e := audit.Event{Name: audit.LoginSucceeded, Methods: []string{"pwd"}}
	outcome := "succeeded"
	if err != nil {
		e = audit.Event{Name: audit.LoginFailed}
		outcome = "failed"
	}
	if _, ok := errors.AsType[*directory.Throttled](err); ok {
		e = audit.Event{Name: audit.LoginThrottled}
		outcome = "throttled"
	}
	s.metrics.Count("login", outcome)
	// A name that nobody has may be a password typed into the wrong field, so
	// only known names are written down.
	if u, err := s.dir.User(r.Context(), name); err == nil {
		e.Subject, e.Actor = u.Name, u.Name
	}
	s.event(r, e)
}

// event completes an event of the server's own and writes it.
func (s *Server) event(r *http.Request, e audit.Event) {
	e.Time, e.RequestID = s.now().UTC(), lanyard.RequestID(r.Context())
	if e.Source == "" {
		e.Source = s.address(r)
	}
	if s.cfg.ShortenAddresses {
		e.Source = lanyard.AddressRange(e.Source)
	}
	if err := s.trail.Record(r.Context(), e); err != nil {
		s.sinkFailed(r.Context(), e, err)
	}
	audit.Slog(s.log).Record(r.Context(), e)
}

func (s *Server) address(r *http.Request) string {
	if a := s.m.Transport(r).Client; a.IsValid() {
		return a.String()
	}
	return ""
}

func (s *Server) withSource(r *http.Request) context.Context {
	return lanyard.WithSource(r.Context(), s.address(r))
}

// forgetInitial removes the file with the first administrator's password once it
// has been used.
func (s *Server) forgetInitial() {
	path := initialPath(s.cfg.Data)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		s.log.Error("the initial administrator has signed in, but the file with the first password could not be removed; remove it", "file", path, "error", err)
	}
}

func initialPath(dir string) string { return filepath.Join(dir, "initial-admin") }

func (s *Server) elevate(w http.ResponseWriter, r *http.Request) {
	var in api.ElevateRequest
	if err := readJSON(w, r, &in); err != nil {
		s.fail(w, r, err)
		return
	}
	if in.Password == "" {
		s.fail(w, r, bad("The member \"password\" is missing."))
		return
	}
	if err := s.holds(r); err != nil {
		s.fail(w, r, err)
		return
	}
	g, err := s.confirm(r, in.Password)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.writeGrant(w, r, g)
}

// confirm lifts the request's own session by its user's password.
func (s *Server) confirm(r *http.Request, pw string) (*lanyard.Grant, error) {
	v := lanyard.From(r.Context())
	user, err := s.authenticate(r, v.Subject(), pw)
	if err != nil {
		return nil, err
	}
	if user.Name != v.Subject() {
		return nil, directory.ErrInvalidCredentials // see newPassword
	}
	return s.m.Elevate(s.withSource(r), v, lanyard.Elevation{Methods: []string{"pwd"}, Class: classPassword})
}

func (s *Server) logout(w http.ResponseWriter, r *http.Request) {
	if err := s.m.Logout(w, r); err != nil {
		s.fail(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) changePassword(w http.ResponseWriter, r *http.Request) {
	var in api.PasswordRequest
	if err := readJSON(w, r, &in); err != nil {
		s.fail(w, r, err)
		return
	}
	switch "" {
	case in.Current:
		s.fail(w, r, bad("The member \"current\" is missing."))
		return
	case in.New:
		s.fail(w, r, bad("The member \"new\" is missing."))
		return
	}
	g, err := s.newPassword(r, in.Current, in.New, in.EndOthers == nil || *in.EndOthers)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if g != nil {
		if err := s.m.WriteCookie(w, r, g); err != nil {
			s.fail(w, r, err)
			return
		}
	}
	w.WriteHeader(http.StatusNoContent)
}

// newPassword changes the password of the request's own user. The current
// password has just been proven, so a cookie session is lifted and gets a new
// cookie. A token session keeps its tokens: its 204 could not carry new ones.
func (s *Server) newPassword(r *http.Request, current, chosen string, endOthers bool) (*lanyard.Grant, error) {
	v := lanyard.From(r.Context())
	ctx := s.withSource(r)
	if err := s.m.Ready(ctx); err != nil {
		return nil, err // nothing is changed that could not be followed by ends
	}
	// The directory finds a name in any letter case. A subject that a program
	// vouched for before the name was the directory's is another one, and it is
	// not the session of that user.
	if u, err := s.dir.User(ctx, v.Subject()); err == nil && u.Name != v.Subject() {
		return nil, directory.ErrInvalidCredentials
	}
	user, err := s.dir.ChangePassword(r.Context(), s.attempt(r, v.Subject(), current), directory.Secret(chosen))
	if err != nil {
		if errors.Is(err, directory.ErrInvalidCredentials) {
			s.report(r, v.Subject(), err)
		}
		return nil, err
	}
	s.event(r, audit.Event{Name: audit.PasswordChanged, Subject: user.Name, Actor: user.Name, SID: v.SID().String()})
	if endOthers {
		if _, err := s.m.EndAll(ctx, v.Subject(), lanyard.EndOptions{Reason: lanyard.ReasonPasswordChanged, By: v.Subject(), Except: v.SID()}); err != nil {
			return nil, notEnded("The password is changed, but the other sessions could not be ended. End them from the list of sessions.", err)
		}
	}
	if v.Via() != lanyard.ChannelCookie || s.holds(r) != nil {
		return nil, nil
	}
	g, err := s.m.Elevate(ctx, v, lanyard.Elevation{Methods: []string{"pwd"}, Class: classPassword})
	if lanyard.CauseOf(err) == lanyard.CauseStore {
		return nil, notEnded("The password is changed, but this session's old cookie could not be ended. Sign out and in again.", err)
	}
	return g, err
}

// notEnded says that a change was made but the ends that belong to it were not:
// never a plain success, and never that nothing was changed.
func notEnded(message string, err error) error {
	return &badRequest{http.StatusServiceUnavailable, "sessions_not_ended", message, err}
}
