package server

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/api"
	"github.com/lanyard-go/lanyard/audit"
	"github.com/lanyard-go/lanyard/internal/directory"
)

func (s *Server) adminStart(w http.ResponseWriter, r *http.Request) {
	var in api.AdminSessionRequest
	if err := readJSON(w, r, &in); err != nil {
		s.fail(w, r, err)
		return
	}
	channel, ok := lanyard.ParseChannel(in.Channel)
	switch {
	case in.Subject == "":
		s.fail(w, r, bad("The member \"subject\" is missing."))
		return
	case len(in.AMR) == 0:
		s.fail(w, r, bad("The member \"amr\" is missing: say how the person was authenticated, such as [\"pwd\"]."))
		return
	case !ok:
		s.fail(w, r, bad("The member \"channel\" must be \"cookie\" or \"token\"."))
		return
	}
	if err := s.checkVouched(r.Context(), &in); err != nil {
		s.fail(w, r, err)
		return
	}
	l := lanyard.Login{
		Subject: in.Subject, Methods: in.AMR, Class: in.ACR, Channel: channel, Device: in.Device,
		UserAgent: in.UserAgent, IP: in.IP, Resource: in.Resource, Scope: in.Scope,
	}
	if in.AuthTime != nil {
		l.AuthTime = *in.AuthTime
	}
	refresh := true
	if c := who(r.Context()).client; c != nil {
		l.Client = c.ID
		refresh = c.Allows(directory.GrantRefreshToken)
		if err := s.clientGrants(r.Context(), c, in); err != nil {
			s.fail(w, r, err)
			return
		}
	}
	g, err := s.m.Start(s.withSource(r), l)
	if err != nil {
		if _, ok := errors.AsType[*lanyard.Refused](err); !ok && !errors.Is(err, lanyard.ErrLimit) {
			err = bad("%s", loginProblem(err))
		}
		s.fail(w, r, err)
		return
	}
	// A user who was added or disabled meanwhile must win.
	if err := s.stillVouched(r.Context(), in); err != nil {
		s.m.End(s.withSource(r), g.Session.SID(), lanyard.EndOptions{Reason: lanyard.ReasonDisabled, By: "system"})
		s.fail(w, r, err)
		return
	}
	s.adminEvent(r, audit.Event{Subject: in.Subject, SID: g.Session.SID().String(), Reason: "session started"})
	view := s.view(g.Session, lanyard.SID{})
	out := api.AdminSession{Login: api.Login{Session: &view}}
	if channel == lanyard.ChannelToken {
		out.AccessToken, out.TokenType, out.ExpiresIn, out.Scope = g.Access.Reveal(), g.TokenType, int(g.ExpiresIn/time.Second), g.Scope
		if refresh {
			out.RefreshToken = g.Refresh.Reveal()
		}
	} else {
		text, err := s.m.SetCookieValue(g)
		if err != nil {
			s.fail(w, r, err)
			return
		}
		out.Cookie = &api.Cookie{SetCookie: text}
	}
	writeJSON(w, http.StatusOK, out)
}

// checkVouched checks what a program says of somebody it has authenticated. For a
// user of the directory the subject is the directory's own spelling, so that
// disabling the user reaches the session.
func (s *Server) checkVouched(ctx context.Context, in *api.AdminSessionRequest) error {
	if in.IP != "" {
		addr, err := netip.ParseAddr(in.IP)
		if err != nil {
			return bad("The member \"ip\" must be an IP address.")
		}
		in.IP = addr.String()
	}
	if in.AuthTime != nil && s.now().Sub(*in.AuthTime) >= s.m.Policy().AbsoluteTimeout {
		return bad("The member \"auth_time\" must lie within the last %v.", s.m.Policy().AbsoluteTimeout)
	}
	u, err := s.dir.User(ctx, in.Subject)
	switch {
	case errors.Is(err, directory.ErrNotFound), errors.Is(err, directory.ErrInvalid):
		return nil
	case err != nil:
		return err
	case u.Disabled:
		return directory.ErrDisabled
	}
	in.Subject = u.Name
	return nil
}

// stillVouched asks again, after the session is there, whether it may be.
func (s *Server) stillVouched(ctx context.Context, in api.AdminSessionRequest) error {
	asked := in.Subject
	if err := s.checkVouched(ctx, &in); err != nil {
		return err
	}
	if in.Subject != asked {
		return errForbidden
	}
	if c := who(ctx).client; c != nil {
		return s.clientGrants(ctx, c, in)
	}
	return nil
}

// clientGrants keeps a program within the audiences and scopes it is registered
// for, and from making itself an administrator by vouching for one.
func (s *Server) clientGrants(ctx context.Context, c *directory.Client, in api.AdminSessionRequest) error {
	if !c.MayAdminister {
		u, err := s.dir.User(ctx, in.Subject)
		if err == nil && u.Admin {
			return errForbidden
		}
		if err != nil && !errors.Is(err, directory.ErrNotFound) && !errors.Is(err, directory.ErrInvalid) {
			return err
		}
	}
	if in.Resource != "" && in.Resource != s.m.Issuer() && !contains(c.Audiences, in.Resource) {
		return &lanyard.Refused{Cause: lanyard.CauseAudience}
	}
	for _, word := range fields(in.Scope) {
		if !contains(c.Scopes, word) {
			return &lanyard.Refused{Cause: lanyard.CauseScopeGrown}
		}
	}
	return nil
}
