package server

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/api"
	"github.com/lanyard-go/lanyard/audit"
	"github.com/lanyard-go/lanyard/internal/directory"
)

// actor is who administers: an administrator, a program, or the owner of the
// data directory.
type actor struct {
	name   string
	client *directory.Client
}

type actorKey struct{}
type localKey struct{}

// asOwner marks requests that came through the socket in the data directory,
// which only its owner can open.
func asOwner(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := context.WithValue(r.Context(), actorKey{}, actor{name: "owner"})
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// markLocal marks a request as coming from the owner of the data directory.
func markLocal(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), localKey{}, true)))
	})
}

func isLocal(ctx context.Context) bool { return ctx.Value(localKey{}) != nil }

func who(ctx context.Context) actor {
	a, ok := ctx.Value(actorKey{}).(actor)
	if !ok && isLocal(ctx) {
		return actor{name: "owner"}
	}
	return a
}

// guardAdmin lets in administrators with recent authentication, programs with
// the right, and the owner of the data directory. An ordinary user's session or
// token opens nothing.
func (s *Server) guardAdmin(need access, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		a, err := s.actor(r, need)
		if err != nil {
			if e, ok := errors.AsType[*oauthError](err); ok && e.code == "invalid_client" {
				w.Header().Set("WWW-Authenticate", basicChallenge)
				s.problem(w, r, http.StatusUnauthorized, e.code, e.description)
				return
			}
			s.fail(w, r, err)
			return
		}
		r = r.WithContext(context.WithValue(r.Context(), actorKey{}, a))
		if lanyard.From(r.Context()).SignedIn() {
			// The library refuses by itself, so that a refusal is no activity.
			s.m.Require(lanyard.Need{MaxAge: lanyard.RecentAuth}, next).ServeHTTP(w, r)
			return
		}
		next(w, r)
	}
}

var errForbidden = &badRequest{http.StatusForbidden, "forbidden", "This needs an administrator, or a program with the right to do it.", nil}

func (s *Server) actor(r *http.Request, need access) (actor, error) {
	if isLocal(r.Context()) {
		return actor{name: "owner"}, nil
	}
	v := lanyard.From(r.Context())
	if v.SignedIn() {
		if err := s.administers(r.Context(), v); err != nil {
			return actor{}, err
		}
		return actor{name: v.Subject()}, nil
	}
	var c directory.Client
	var err error
	switch {
	case v.Program():
		c, err = s.dir.Client(r.Context(), v.Client())
	case len(r.Header["Authorization"]) > 0:
		c, err = s.client(r, nil)
	default:
		return actor{}, &lanyard.Refused{Cause: lanyard.CauseNone}
	}
	if errors.Is(err, directory.ErrNotFound) {
		return actor{}, errForbidden
	}
	if err != nil {
		return actor{}, err
	}
	if c.Public || !c.MayAdminister && !(need == backend && c.MayCreateSessions) {
		return actor{}, errForbidden
	}
	return actor{name: c.Subject(), client: &c}, nil
}

// administers returns nil if the session's user is an administrator now.
func (s *Server) administers(ctx context.Context, v *lanyard.Session) error {
	u, err := s.dir.User(ctx, v.Subject())
	// A session from before the user was there was started by somebody else
	// under the name.
	if errors.Is(err, directory.ErrNotFound) || err == nil && (!u.Admin || u.Disabled || u.Name != v.Subject() || v.CreatedAt().Before(u.Created)) {
		return errForbidden
	}
	return err
}

func (s *Server) adminEvent(r *http.Request, e audit.Event) {
	if e.Name == "" {
		e.Name = audit.AdminAction
	}
	e.Actor = who(r.Context()).name
	s.event(r, e)
}

func (s *Server) adminList(w http.ResponseWriter, r *http.Request) {
	q, err := s.adminQuery(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	list, next, err := s.m.List(r.Context(), q)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	out := api.Sessions{Sessions: make([]api.Session, len(list)), Next: next}
	for i, one := range list {
		out.Sessions[i] = s.adminView(one)
	}
	writeJSON(w, http.StatusOK, out)
}

func (s *Server) adminQuery(r *http.Request) (q lanyard.Query, err error) {
	v := r.URL.Query()
	q = lanyard.Query{Subject: v.Get("subject"), IP: v.Get("ip"), Device: v.Get("device"), After: v.Get("cursor")}
	if c := who(r.Context()).client; c != nil && !c.MayAdminister {
		q.Client = c.ID // a backend sees the sessions it started
	}
	if v.Get("ended") != "1" {
		q.LiveAt = lanyard.TimeOf(s.now())
	}
	if q.Channel, err = queryChannel(r); err != nil {
		return q, err
	}
	if q.Limit, err = queryLimit(r); err != nil {
		return q, err
	}
	for _, t := range []struct {
		name string
		to   *lanyard.Time
	}{{"older_than", &q.CreatedBefore}, {"idle_for", &q.ActiveBefore}} {
		if text := v.Get(t.name); text != "" {
			d, err := time.ParseDuration(text)
			if err != nil || d < 0 {
				return q, bad("The parameter %s must be a duration such as 90m.", t.name)
			}
			*t.to = lanyard.TimeOf(s.now().Add(-d))
		}
	}
	return q, nil
}

func (s *Server) adminShow(w http.ResponseWriter, r *http.Request) {
	sid, err := pathSID(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	v, err := s.m.Lookup(r.Context(), sid)
	if err == nil {
		err = s.mayTouch(r.Context(), v)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	events, err := s.history(audit.Filter{SID: sid.String(), Limit: 200})
	if err != nil {
		s.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, struct {
		Session api.Session `json:"session"`
		Events  []api.Event `json:"events"`
	}{s.adminView(v), apiEvents(events)})
}

// mode reads how far a revocation shall wait.
func mode(word string) (strict bool, err error) {
	switch word {
	case "", "fast":
		return false, nil
	case "strict":
		return true, nil
	}
	return false, bad("mode must be fast or strict.")
}

func (s *Server) adminEnd(w http.ResponseWriter, r *http.Request) {
	sid, err := pathSID(r)
	strict := false
	if err == nil {
		strict, err = mode(r.URL.Query().Get("mode"))
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	reason := r.URL.Query().Get("reason")
	if len(reason) > 200 {
		s.fail(w, r, bad("The parameter reason may have 200 bytes at most."))
		return
	}
	v, err := s.m.Lookup(r.Context(), sid)
	if err == nil {
		err = s.mayTouch(r.Context(), v)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	out, err := s.revoke(r, lanyard.End{SID: sid, Reason: endReason(v.Subject(), reason)}, strict, reason)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, out)
}

// mayTouch keeps a backend to the sessions it started itself: others are
// answered like ones that nobody has.
func (s *Server) mayTouch(ctx context.Context, v *lanyard.Session) error {
	if c := who(ctx).client; c != nil && !c.MayAdminister && v.Client() != c.ID {
		return lanyard.ErrNotFound
	}
	return nil
}

// revokeStarted ends the sessions of a subject that one backend started.
func (s *Server) revokeStarted(r *http.Request, c *directory.Client, subject string, strict bool, why string) (out api.AdminRevoked, err error) {
	out = api.AdminRevoked{WaitedFor: []string{}, NotCovered: []string{}}
	q := lanyard.Query{Subject: subject, Client: c.ID, LiveAt: lanyard.TimeOf(s.now()), Limit: 1000}
	for {
		list, next, err := s.m.List(r.Context(), q)
		if err != nil {
			return out, err
		}
		for _, v := range list {
			one, err := s.revoke(r, lanyard.End{SID: v.SID()}, strict, why)
			if err != nil && !errors.Is(err, lanyard.ErrNotFound) {
				return out, err
			}
			out.Ended += one.Ended
			out.Cursor = cmp.Or(one.Cursor, out.Cursor)
			out.WaitedMS += one.WaitedMS
			out.WaitedFor, out.NotCovered = union(out.WaitedFor, one.WaitedFor), union(out.NotCovered, one.NotCovered)
		}
		if q.After = next; next == "" {
			return out, nil
		}
	}
}

// revoke ends what e names on behalf of an administrator, and reports it.
func (s *Server) revoke(r *http.Request, e lanyard.End, strict bool, why string) (api.AdminRevoked, error) {
	e.By = who(r.Context()).name
	if e.Reason == "" {
		e.Reason = lanyard.ReasonAdmin
	}
	live := s.live(r.Context(), e)
	done, err := s.m.Revoke(s.withSource(r), e, strict)
	if err != nil && done.Cursor == "" {
		return api.AdminRevoked{}, notRevoked(err)
	}
	// From here on it has ended, whether everybody has noticed or not.
	s.noteWait(e, strict, &done, err)
	ended := len(done.Records) + live
	if e.All {
		if err := s.keepEpoch(context.WithoutCancel(r.Context()), done.Epoch); err != nil {
			s.log.Error("the new epoch could not be noted beside the keys; a restored backup could be put below it", "error", err)
		}
		// Everything is fenced already; ending the records one by one, with
		// their events, can take a while and nobody has to wait for it.
		s.hooks.Go(func() {
			ctx, cancel := context.WithCancel(context.WithoutCancel(r.Context()))
			defer cancel()
			defer context.AfterFunc(s.stopping, cancel)()
			if err := s.m.Prune(ctx); err != nil && s.stopping.Err() == nil {
				s.log.Error("ending revoked sessions one by one failed; they stay refused", "error", err)
			}
		})
	}
	attrs := map[string]string{"action": "revoke", "ended": strconv.Itoa(ended)}
	if strict {
		attrs["mode"] = "strict"
		attrs["waited_ms"] = strconv.FormatInt(done.Waited.For.Milliseconds(), 10)
	}
	s.adminEvent(r, audit.Event{Subject: e.Subject, SID: e.SID.String(), Reason: why, Attrs: attrs})
	if err != nil {
		return api.AdminRevoked{}, notRevoked(err)
	}
	return revoked(ended, &done), nil
}

// revoked is the answer to a revocation.
func revoked(ended int, done *lanyard.Revoked) api.AdminRevoked {
	return api.AdminRevoked{
		Ended: ended, Cursor: done.Cursor, WaitedMS: done.Waited.For.Milliseconds(),
		WaitedFor: union(nil, done.Waited.Who), NotCovered: union(nil, done.Waited.NotCovered),
	}
}

// union adds names that are not there yet. It returns no nil, which JSON would
// show as null.
func union(names, more []string) []string {
	out := append([]string{}, names...)
	for _, n := range more {
		if !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}

// live counts what a revocation of everything is about to end.
func (s *Server) live(ctx context.Context, e lanyard.End) int {
	c, ok := s.store.(lanyard.Counter)
	if !e.All || !ok {
		return 0
	}
	n, err := c.Count(ctx, lanyard.TimeOf(s.now()))
	if err != nil {
		s.log.Warn("counting live sessions failed", "error", err)
	}
	return n
}

func (s *Server) adminRevoke(w http.ResponseWriter, r *http.Request) {
	var in api.AdminRevokeRequest
	if err := readJSON(w, r, &in); err != nil {
		s.fail(w, r, err)
		return
	}
	given := 0
	for _, g := range []bool{in.Subject != "", in.All, in.KID != ""} {
		if g {
			given++
		}
	}
	switch {
	case given != 1:
		s.fail(w, r, bad("Give exactly one of \"subject\", \"all\" and \"kid\"."))
		return
	case len(in.Reason) > 200:
		s.fail(w, r, bad("The member \"reason\" may have 200 bytes at most."))
		return
	}
	strict, err := mode(in.Mode)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	// A program that creates sessions may end those of a person, not
	// everybody's, and it does not hold the keys.
	if c := who(r.Context()).client; c != nil && !c.MayAdminister && in.Subject == "" {
		s.fail(w, r, errForbidden)
		return
	}
	if in.KID != "" {
		out, err := s.withdraw(r, in.KID, strict)
		if err != nil {
			s.fail(w, r, err)
			return
		}
		writeJSON(w, http.StatusOK, out)
		return
	}
	if c := who(r.Context()).client; c != nil && !c.MayAdminister {
		out, err := s.revokeStarted(r, c, in.Subject, strict, in.Reason)
		if err != nil {
			s.fail(w, r, err)
			return
		}
		writeJSON(w, http.StatusOK, out)
		return
	}
	out, err := s.revoke(r, lanyard.End{Subject: in.Subject, All: in.All}, strict, in.Reason)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, out)
}
