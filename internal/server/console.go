package server

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/api"
	"github.com/lanyard-go/lanyard/audit"
	"github.com/lanyard-go/lanyard/internal/directory"
	"github.com/lanyard-go/lanyard/internal/web"
	"github.com/lanyard-go/lanyard/password"
	"github.com/lanyard-go/lanyard/token"
)

// guardPage lets administrators see the console. What they do there asks for
// recent authentication by itself.
func (s *Server) guardPage(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !s.signedInPage(w, r) {
			return
		}
		v := lanyard.From(r.Context())
		if err := s.administers(r.Context(), v); err != nil {
			if errors.Is(err, errForbidden) {
				s.errorPage(w, r, http.StatusForbidden, "The console is for administrators.")
				return
			}
			s.fail(w, r, err)
			return
		}
		next(w, r.WithContext(context.WithValue(r.Context(), actorKey{}, actor{name: v.Subject()})))
	}
}

func passwordProblem(err error) string {
	if p, ok := errors.AsType[*password.Problem](err); ok {
		return p.Message
	}
	return ""
}

// resetDone ends the sessions that were signed in with the password of before.
func (s *Server) resetDone(r *http.Request, name string) error {
	s.event(r, audit.Event{Name: audit.PasswordReset, Subject: name, Actor: name})
	_, err := s.m.EndAll(s.withSource(r), name, lanyard.EndOptions{Reason: lanyard.ReasonPasswordChanged, By: name})
	if err != nil {
		return notEnded("The password is changed, but the sessions from before could not be ended. Sign in and end them on the account page.", err)
	}
	return nil
}

func (s *Server) consoleSessions(w http.ResponseWriter, r *http.Request) {
	v := r.URL.Query()
	channel, _ := lanyard.ParseChannel(v.Get("channel"))
	query := strings.TrimSpace(v.Get("q"))
	if len(query) > 200 {
		query = query[:200]
	}
	now := lanyard.TimeOf(s.now())
	q := lanyard.Query{Text: query, Channel: channel, LiveAt: now, After: v.Get("cursor"), Limit: 50}
	list, next, err := s.m.List(r.Context(), q)
	// A page of matches may be short although there are more further on; people
	// should not have to press on through empty pages.
	for n := 0; err == nil && len(list) < 25 && next != "" && n < 20; n++ {
		var more []*lanyard.Session
		q.After = next
		more, next, err = s.m.List(r.Context(), q)
		list = append(list, more...)
	}
	if errors.Is(err, lanyard.ErrBadCursor) {
		s.see(w, r, "/console")
		return
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	view := web.ConsoleSessionsView{Page: s.base(w, r), Query: query, Channel: channel.String(), Cursor: v.Get("cursor"), Next: next}
	view.Notice = notice(r)
	self := lanyard.From(r.Context()).SID()
	for _, one := range list {
		view.Rows = append(view.Rows, s.row(one, self))
	}
	s.show(w, r, http.StatusOK, func(b *bytes.Buffer) error { return s.pages.ConsoleSessions(b, view) })
}

func (s *Server) consoleSession(w http.ResponseWriter, r *http.Request) {
	s.sessionPage(w, r, http.StatusOK, "", "")
}

func (s *Server) sessionPage(w http.ResponseWriter, r *http.Request, status int, reason, problem string) {
	sid, err := pathSID(r)
	var v *lanyard.Session
	if err == nil {
		v, err = s.m.Lookup(r.Context(), sid)
	}
	if errors.Is(err, lanyard.ErrNotFound) {
		s.errorPage(w, r, http.StatusNotFound, "There is no such session. Ended ones are kept for a day.")
		return
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	view := web.ConsoleSessionView{
		Page: s.base(w, r), Session: s.row(v, lanyard.From(r.Context()).SID()),
		AuthTime: v.AuthTime(), Methods: v.Methods(), Class: v.Class(), Generation: int(v.Generation()),
		IdleExpires: v.IdleExpiresAt(), AbsoluteExpires: v.ExpiresAt(), Origin: v.Origin().String(),
		UserAgent: v.Device().UserAgent, Reason: reason, Problem: problem, Bound: s.cfg.RevocationBound,
	}
	if view.Notice = notice(r); r.URL.Query().Get("done") == "waited" && v.EndReason() != "" {
		view.Notice = s.waitedNotice(sid)
	}
	if why := v.EndReason(); why != "" {
		view.Ended = &web.Ending{At: v.EndedAt(), Reason: reasonText(string(why)), By: v.EndedBy()}
	}
	if view.LinkedSIDs, err = s.linked(r.Context(), v); err != nil {
		s.fail(w, r, err)
		return
	}
	records, err := s.history(audit.Filter{SID: sid.String(), Limit: 200})
	if err != nil {
		s.fail(w, r, err)
		return
	}
	view.History = newestFirst(records)
	s.show(w, r, status, func(b *bytes.Buffer) error { return s.pages.ConsoleSession(b, view) })
}

func (s *Server) linked(ctx context.Context, v *lanyard.Session) (sids []string, err error) {
	if v.Subject() == "" {
		return nil, nil
	}
	list, _, err := s.m.List(ctx, lanyard.Query{Subject: v.Subject(), LiveAt: lanyard.TimeOf(s.now()), Limit: 1000})
	for _, one := range list {
		if one.Origin() == v.SID() {
			sids = append(sids, one.SID().String())
		}
	}
	return sids, err
}

func newestFirst(records []audit.Record) []web.AuditEvent {
	out := make([]web.AuditEvent, 0, len(records))
	for i := len(records) - 1; i >= 0; i-- {
		e := records[i].Event
		out = append(out, web.AuditEvent{
			Time: e.Time, Name: string(e.Name), Text: eventText(e), Outcome: string(e.Outcome), Critical: e.Severity == audit.Critical,
			Actor: e.Actor, Subject: e.Subject, SID: e.SID, IP: e.Source, RequestID: e.RequestID,
		})
	}
	return out
}

// eventText is the event in words, with its reason.
func eventText(e audit.Event) string {
	text := strings.ReplaceAll(string(e.Name), "_", " ")
	if text != "" {
		text = strings.ToUpper(text[:1]) + text[1:]
	}
	if e.Reason != "" {
		text += ": " + reasonText(e.Reason)
	}
	return text
}

func (s *Server) consoleEnd(w http.ResponseWriter, r *http.Request) {
	if !s.recent(w, r, "end this session") {
		return
	}
	sid, err := pathSID(r)
	form := map[string]string{}
	if err == nil {
		form, err = readForm(w, r)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	reason := strings.TrimSpace(form["reason"])
	if reason == "" || len(reason) > 200 {
		s.sessionPage(w, r, http.StatusBadRequest, reason, "Say why, in up to 200 characters. It goes into the audit trail.")
		return
	}
	strict, err := mode(form["mode"])
	if err == nil {
		_, err = s.revoke(r, lanyard.End{SID: sid}, strict, reason)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	done := "ended"
	if strict {
		done = "waited"
	}
	s.see(w, r, "/console/sessions/"+sid.String()+"?done="+done)
}

func (s *Server) consoleUsers(w http.ResponseWriter, r *http.Request) {
	view := web.ConsoleUsersView{}
	view.Notice = notice(r)
	s.usersPage(w, r, http.StatusOK, view)
}

func (s *Server) usersPage(w http.ResponseWriter, r *http.Request, status int, view web.ConsoleUsersView) {
	n := view.Notice
	view.Page = s.base(w, r)
	view.Notice = n
	view.ResetOffered = true
	view.Cursor = r.URL.Query().Get("cursor")
	const size = 50
	list, err := s.dir.Users(r.Context(), view.Cursor, size)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if len(list) == size {
		view.Next = list[size-1].Name
	}
	self := lanyard.From(r.Context()).Subject()
	for _, u := range list {
		sessions, _, err := s.m.List(r.Context(), lanyard.Query{Subject: u.Name, LiveAt: lanyard.TimeOf(s.now()), Limit: 1000})
		if err != nil {
			s.fail(w, r, err)
			return
		}
		view.Users = append(view.Users, web.UserRow{
			Name: u.Name, Admin: u.Admin, Disabled: u.Disabled, Pending: !u.HasPassword, Self: u.Name == self,
			Sessions: len(sessions), Created: u.Created, LastLogin: u.LastLogin,
		})
	}
	s.show(w, r, status, func(b *bytes.Buffer) error { return s.pages.ConsoleUsers(b, view) })
}

func (s *Server) consoleAddUser(w http.ResponseWriter, r *http.Request) {
	if !s.recent(w, r, "add a user") {
		return
	}
	form, err := readForm(w, r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	name := strings.TrimSpace(form["name"])
	added, err := s.addUser(r, api.UserRequest{Name: name})
	view := web.ConsoleUsersView{NewName: name}
	switch {
	case err == nil:
		view = web.ConsoleUsersView{Reset: &web.ResetLink{Name: added.User.Name, URL: added.ResetURL, Expires: added.ExpiresAt}}
		s.usersPage(w, r, http.StatusOK, view)
	case errors.Is(err, directory.ErrExists):
		view.Problem = "There is a user of this name already."
		s.usersPage(w, r, http.StatusConflict, view)
	case errors.Is(err, directory.ErrInvalid):
		view.Problem = "A name has 1 to 64 letters, digits and . _ - @ +, and begins with a letter or digit."
		s.usersPage(w, r, http.StatusBadRequest, view)
	default:
		s.fail(w, r, err)
	}
}

func (s *Server) consoleDisable(w http.ResponseWriter, r *http.Request) {
	s.consoleToggle(w, r, true, "disable this user")
}
func (s *Server) consoleEnable(w http.ResponseWriter, r *http.Request) {
	s.consoleToggle(w, r, false, "enable this user")
}

func (s *Server) consoleToggle(w http.ResponseWriter, r *http.Request, disabled bool, action string) {
	if !s.recent(w, r, action) {
		return
	}
	name := r.PathValue("name")
	if disabled && strings.EqualFold(name, lanyard.From(r.Context()).Subject()) {
		s.usersPage(w, r, http.StatusConflict, web.ConsoleUsersView{Problem: "You cannot disable yourself."})
		return
	}
	if _, err := s.setDisabled(r, name, disabled); err != nil {
		s.fail(w, r, err)
		return
	}
	done := "enabled"
	if disabled {
		done = "disabled"
	}
	s.see(w, r, "/console/users?done="+done)
}

func (s *Server) consoleReset(w http.ResponseWriter, r *http.Request) {
	if !s.recent(w, r, "make a reset link") {
		return
	}
	added, err := s.resetLink(r, r.PathValue("name"))
	if errors.Is(err, directory.ErrDisabled) {
		s.usersPage(w, r, http.StatusConflict, web.ConsoleUsersView{Problem: "This user is disabled. Enable them first."})
		return
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.usersPage(w, r, http.StatusOK, web.ConsoleUsersView{Reset: &web.ResetLink{Name: added.User.Name, URL: added.ResetURL, Expires: added.ExpiresAt}})
}

func (s *Server) consoleKeys(w http.ResponseWriter, r *http.Request) {
	view := web.ConsoleKeysView{}
	view.Notice = notice(r)
	s.keysPage(w, r, http.StatusOK, view)
}

func (s *Server) keysPage(w http.ResponseWriter, r *http.Request, status int, view web.ConsoleKeysView) {
	n := view.Notice
	view.Page = s.base(w, r)
	view.Notice = n
	states := map[token.Phase]string{
		token.PhaseAnnounced: "next", token.PhaseSigning: "signing", token.PhaseRetired: "verifying",
		token.PhaseRemoved: "withdrawn", token.PhaseWithdrawn: "withdrawn",
	}
	for _, k := range s.keys.List(s.now()) {
		if k.Phase == token.PhaseRemoved {
			continue
		}
		row := web.KeyRow{KID: k.ID, Algorithm: string(k.Algorithm), State: states[k.Phase], Created: k.Created}
		switch k.Phase {
		case token.PhaseAnnounced:
			row.Until = k.Signs
		case token.PhaseSigning:
			row.Until = k.Retires
		case token.PhaseRetired:
			row.Until = k.Removed
		}
		view.Keys = append(view.Keys, row)
	}
	s.show(w, r, status, func(b *bytes.Buffer) error { return s.pages.ConsoleKeys(b, view) })
}

func (s *Server) consoleRotate(w http.ResponseWriter, r *http.Request) {
	if !s.recent(w, r, "rotate the signing key") {
		return
	}
	if _, err := s.rotate(r); err != nil {
		s.fail(w, r, err)
		return
	}
	s.see(w, r, "/console/keys?done=rotated")
}

func (s *Server) consoleWithdraw(w http.ResponseWriter, r *http.Request) {
	if !s.recent(w, r, "withdraw a signing key") {
		return
	}
	form, err := readForm(w, r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	kid := r.PathValue("kid")
	if form["confirm"] != kid {
		s.keysPage(w, r, http.StatusBadRequest, web.ConsoleKeysView{ProblemKID: kid, Problem: "Type the key's id to withdraw it."})
		return
	}
	if _, err := s.withdraw(r, kid, false); err != nil {
		s.fail(w, r, err)
		return
	}
	s.see(w, r, "/console/keys?done=withdrawn")
}

func (s *Server) consoleAudit(w http.ResponseWriter, r *http.Request) {
	// Pages go backwards in time: after is the number of the oldest event shown
	// so far.
	const size = 100
	view := web.ConsoleAuditView{Page: s.base(w, r), After: r.URL.Query().Get("after")}
	before, _ := strconv.ParseUint(view.After, 10, 64)
	if before == 0 {
		before = s.trail.Head().Seq + 1
	}
	from := uint64(0)
	if before > size+1 {
		from = before - 1 - size
	}
	records, err := s.trail.Query(audit.Filter{After: from, Limit: int(min(size, before-1-from))})
	if err != nil {
		s.fail(w, r, err)
		return
	}
	view.Events = newestFirst(records)
	if from > 0 && len(records) > 0 {
		view.Next = strconv.FormatUint(records[0].Seq, 10)
	}
	s.show(w, r, http.StatusOK, func(b *bytes.Buffer) error { return s.pages.ConsoleAudit(b, view) })
}
