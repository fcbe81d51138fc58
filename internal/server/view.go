package server

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/api"
	"github.com/lanyard-go/lanyard/internal/web"
)

// seconds rounds a wait up, so that waiting it is always enough.
func seconds(d time.Duration) string {
	return strconv.FormatInt(max(1, int64((d+time.Second-1)/time.Second)), 10)
}

// view is a session as its user sees it.
func (s *Server) view(v *lanyard.Session, current lanyard.SID) api.Session {
	d := v.Device()
	out := api.Session{
		SID: v.SID().String(), Subject: v.Subject(), Channel: v.Channel().String(), Generation: v.Generation(),
		CreatedAt: v.CreatedAt(), LastActiveAt: v.LastActive(), IdleExpiresAt: v.IdleExpiresAt(), ExpiresAt: v.ExpiresAt(),
		AuthTime: v.AuthTime(), AMR: v.Methods(), ACR: v.Class(),
		Device: d.Label, Browser: web.Browser(d.UserAgent), IP: d.IP,
		Binding: v.Binding().String(), Current: v.SID() == current, Origin: v.Origin().String(),
	}
	if v.Channel() == lanyard.ChannelToken {
		out.ClientID = v.Client()
	}
	return out
}

// adminView adds what administrators may see.
func (s *Server) adminView(v *lanyard.Session) api.Session {
	out := s.view(v, lanyard.SID{})
	if reason := v.EndReason(); reason != "" {
		out.EndReason = string(reason)
		if at := v.EndedAt(); !at.IsZero() {
			out.EndedAt = &at
		}
	}
	return out
}

// writeGrant answers a login, step-up or redemption.
func (s *Server) writeGrant(w http.ResponseWriter, r *http.Request, g *lanyard.Grant) {
	view := s.view(g.Session, g.Session.SID())
	out := api.Login{Session: &view}
	if g.Session.Channel() == lanyard.ChannelToken {
		out.AccessToken, out.TokenType, out.ExpiresIn = g.Access.Reveal(), g.TokenType, int(g.ExpiresIn/time.Second)
		out.RefreshToken, out.Scope = g.Refresh.Reveal(), g.Scope
		writeJSON(w, http.StatusOK, out)
		return
	}
	token, err := s.m.CSRFToken(g.Session)
	if err == nil {
		err = s.m.WriteCookie(w, r, g)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	out.CSRFToken = token
	writeJSON(w, http.StatusOK, out)
}

// sid reads a path parameter. What is not a sid is answered like one that
// nobody has.
func pathSID(r *http.Request) (lanyard.SID, error) {
	sid, err := lanyard.ParseSID(r.PathValue("sid"))
	if err != nil || sid.IsZero() {
		return lanyard.SID{}, lanyard.ErrNotFound
	}
	return sid, nil
}

func queryChannel(r *http.Request) (lanyard.Channel, error) {
	word := r.URL.Query().Get("channel")
	if word == "" {
		return 0, nil
	}
	c, ok := lanyard.ParseChannel(word)
	if !ok {
		return 0, bad("The parameter channel must be cookie or token.")
	}
	return c, nil
}

// queryLimit reads a page size; the store keeps it within bounds.
func queryLimit(r *http.Request) (int, error) {
	text := r.URL.Query().Get("limit")
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 1000 {
		return 0, bad("The parameter limit must be a number from 1 to 1000.")
	}
	return n, nil
}

func cutField(text, field string) (string, bool) {
	_, rest, ok := strings.Cut(text, field)
	if !ok {
		return "", false
	}
	rest = strings.TrimLeft(rest, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz.")
	return strings.TrimPrefix(rest, ": "), true
}
