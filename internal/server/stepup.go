package server

import (
	"bytes"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/internal/directory"
	"github.com/lanyard-go/lanyard/internal/web"
)

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
	var path, words string
	for _, f := range fields {
		switch f.Name {
		case pendingPath:
			path = f.Value
		case "pending_action":
			words = f.Value
		}
	}
	a, _ := s.actionAt(path)
	view := web.ConfirmView{Page: s.base(w, r), Action: words, ReturnTo: a.page, Fields: fields, Failed: failed, RetryAfter: wait}
	view.Address = a.page
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
	asked, value := s.actionAt(form[pendingPath])
	if strings.HasPrefix(form[pendingPath], "/console") && !s.servesConsole(r) {
		asked.handle = nil
	}
	fields := pendingOf(form[pendingPath], form["pending_action"], form)
	if len(form["pending_action"]) > 100 || asked.handle == nil {
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
	if asked.param != "" {
		next.SetPathValue(asked.param, value)
	}
	asked.handle(w, next)
}
