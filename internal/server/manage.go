package server

import (
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/api"
	"github.com/lanyard-go/lanyard/audit"
	"github.com/lanyard-go/lanyard/internal/directory"
	"github.com/lanyard-go/lanyard/token"
)

func contains(list []string, s string) bool { return slices.Contains(list, s) }
func fields(s string) []string              { return strings.Fields(s) }

// loginProblem words the library's complaint about a Login for whoever sent it.
func loginProblem(err error) string {
	text := strings.TrimPrefix(err.Error(), "lanyard: Login.")
	for field, member := range map[string]string{"Subject": "subject", "Methods": "amr", "Class": "acr", "Device": "device", "Scope": "scope", "Channel": "channel"} {
		if rest, ok := strings.CutPrefix(text, field+": "); ok {
			return "The member \"" + member + "\": " + rest + "."
		}
	}
	return "The session cannot be started as asked."
}

// invalidProblem words the directory's complaint about a user or client for
// whoever sent it.
func invalidProblem(err error) string {
	_, text, _ := strings.Cut(err.Error(), directory.ErrInvalid.Error()+" ")
	field, problem, ok := strings.Cut(text, ": ")
	if !ok {
		return "The request does not fit."
	}
	return "The member \"" + cmp.Or(memberNames[field], strings.ToLower(field)) + "\": " + problem + "."
}

// memberNames are the members that are not their field in lower case.
var memberNames = map[string]string{"AllowRS256": "allow_rs256", "AccessTokenTTL": "access_token_ttl", "RefreshIdle": "refresh_idle"}

func apiUser(u directory.User) api.User {
	out := api.User{Name: u.Name, Admin: u.Admin, Disabled: u.Disabled, CreatedAt: u.Created, Pending: !u.HasPassword}
	if !u.LastLogin.IsZero() {
		out.LastLogin = &u.LastLogin
	}
	return out
}

func (s *Server) adminUsers(w http.ResponseWriter, r *http.Request) {
	limit, err := queryLimit(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if limit == 0 {
		limit = 100
	}
	list, err := s.dir.Users(r.Context(), r.URL.Query().Get("cursor"), limit)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	out := api.Users{Users: make([]api.User, len(list))}
	for i, u := range list {
		out.Users[i] = apiUser(u)
	}
	if len(list) == limit {
		out.Next = list[limit-1].Name
	}
	writeJSON(w, http.StatusOK, out)
}

func (s *Server) adminAddUser(w http.ResponseWriter, r *http.Request) {
	var in api.UserRequest
	if err := readJSON(w, r, &in); err != nil {
		s.fail(w, r, err)
		return
	}
	out, err := s.addUser(r, in)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, out)
}

// addUser adds a user without a password, and makes the link with which the
// person chooses one: administrators never know anybody's password.
func (s *Server) addUser(r *http.Request, in api.UserRequest) (*api.UserAdded, error) {
	if err := s.m.Ready(r.Context()); err != nil {
		return nil, err // nobody is added whose name could not be cleared
	}
	u, err := s.dir.AddUser(r.Context(), directory.NewUser{Name: in.Name, Admin: in.Admin})
	if err != nil {
		return nil, err
	}
	if err := s.userAdded(r, u); err != nil {
		return nil, err
	}
	return s.resetLink(r, u.Name)
}

// userAdded ends what another backend had started under a name that is the
// directory's from now on, with the rights that go with it.
func (s *Server) userAdded(r *http.Request, u directory.User) error {
	s.adminEvent(r, audit.Event{Name: audit.UserAdded, Subject: u.Name})
	if _, err := s.m.EndAll(s.withSource(r), u.Name, lanyard.EndOptions{Reason: lanyard.ReasonAdmin, By: who(r.Context()).name}); err != nil {
		return notEnded("The user is added, but sessions that ran under the name could not be ended. Revoke them by subject.", err)
	}
	return nil
}

// usersImported does the same for many users at once: it goes through the
// sessions, of which there are fewer than of users just imported.
func (s *Server) usersImported(r *http.Request) error {
	q := lanyard.Query{LiveAt: lanyard.TimeOf(s.now()), Limit: 1000}
	for {
		list, next, err := s.m.List(r.Context(), q)
		if err != nil {
			return err
		}
		for _, v := range list {
			u, err := s.dir.User(r.Context(), v.Subject())
			if errors.Is(err, directory.ErrNotFound) || err == nil && v.CreatedAt().After(u.Created) {
				continue
			}
			if err == nil {
				err = s.m.End(s.withSource(r), v.SID(), lanyard.EndOptions{Reason: lanyard.ReasonAdmin, By: who(r.Context()).name})
			}
			if err != nil && !errors.Is(err, lanyard.ErrNotFound) {
				return err
			}
		}
		if q.After = next; next == "" {
			return nil
		}
	}
}

// resetLink makes a one-time link to choose a new password. The code stands
// behind the # and is never sent to a server in an address.
func (s *Server) resetLink(r *http.Request, name string) (*api.UserAdded, error) {
	u, err := s.dir.User(r.Context(), name)
	if err != nil {
		return nil, err
	}
	code, expires, err := s.dir.NewReset(r.Context(), u.Name)
	if err != nil {
		return nil, err
	}
	s.adminEvent(r, audit.Event{Name: audit.PasswordResetRequested, Subject: u.Name})
	out := &api.UserAdded{User: apiUser(u), ResetURL: s.m.Issuer() + "/reset#" + code.Reveal(), ExpiresAt: expires}
	s.mailReset(u.Name, out.ResetURL, expires)
	return out, nil
}

func (s *Server) adminReset(w http.ResponseWriter, r *http.Request) {
	out, err := s.resetLink(r, r.PathValue("name"))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, out)
}

func (s *Server) adminDisable(w http.ResponseWriter, r *http.Request) { s.adminToggle(w, r, true) }
func (s *Server) adminEnable(w http.ResponseWriter, r *http.Request)  { s.adminToggle(w, r, false) }

func (s *Server) adminToggle(w http.ResponseWriter, r *http.Request, disabled bool) {
	u, err := s.setDisabled(r, r.PathValue("name"), disabled)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, apiUser(u))
}

// setDisabled closes an account and ends its sessions, in this order, so that no
// login slips in between.
func (s *Server) setDisabled(r *http.Request, name string, disabled bool) (directory.User, error) {
	u, err := s.dir.User(r.Context(), name)
	if err != nil {
		return u, err
	}
	if disabled {
		if err := s.m.Ready(r.Context()); err != nil {
			return u, err
		}
	}
	if err := s.dir.SetDisabled(r.Context(), u.Name, disabled); err != nil {
		return u, err
	}
	u.Disabled = disabled
	if !disabled {
		s.adminEvent(r, audit.Event{Name: audit.UserEnabled, Subject: u.Name})
		return u, nil
	}
	s.adminEvent(r, audit.Event{Name: audit.UserDisabled, Subject: u.Name})
	if _, err := s.m.EndAll(s.withSource(r), u.Name, lanyard.EndOptions{Reason: lanyard.ReasonDisabled, By: who(r.Context()).name}); err != nil {
		return u, notEnded("The user is disabled and cannot sign in, but their sessions could not be ended. Disable them once more.", err)
	}
	return u, nil
}

func apiKey(k token.KeyInfo) api.Key {
	out := api.Key{KID: k.ID, Algorithm: string(k.Algorithm), Phase: string(k.Phase), CreatedAt: k.Created, SignsFrom: k.Signs}
	for _, t := range []struct {
		from time.Time
		to   **time.Time
	}{{k.Retires, &out.RetiresAt}, {k.Removed, &out.RemovedAt}, {k.Withdrawn, &out.WithdrawnAt}} {
		if !t.from.IsZero() {
			*t.to = &t.from
		}
	}
	return out
}

func (s *Server) adminKeys(w http.ResponseWriter, r *http.Request) {
	writeJSON(w, http.StatusOK, s.listKeys())
}

func (s *Server) listKeys() api.Keys {
	out := api.Keys{Keys: []api.Key{}}
	for _, k := range s.keys.List(s.now()) {
		out.Keys = append(out.Keys, apiKey(k))
	}
	return out
}

func (s *Server) adminRotate(w http.ResponseWriter, r *http.Request) {
	k, err := s.rotate(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, apiKey(k))
}

func (s *Server) rotate(r *http.Request) (token.KeyInfo, error) {
	k, err := s.keys.Rotate()
	if err != nil {
		return k, err
	}
	s.adminEvent(r, audit.Event{Name: audit.KeyRotated, Attrs: map[string]string{"kid": k.ID}})
	return k, nil
}

func (s *Server) adminWithdraw(w http.ResponseWriter, r *http.Request) {
	strict, err := mode(r.URL.Query().Get("mode"))
	if err == nil {
		_, err = s.withdraw(r, r.PathValue("kid"), strict)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, s.listKeys())
}

// withdraw takes a signing key back: refused here at once, and announced on the
// feed for everybody else.
func (s *Server) withdraw(r *http.Request, kid string, strict bool) (out api.AdminRevoked, err error) {
	if !slices.ContainsFunc(s.keys.List(s.now()), func(k token.KeyInfo) bool { return k.ID == kid }) {
		return out, &badRequest{http.StatusNotFound, "not_found", "There is no such key.", nil}
	}
	if err := s.keys.Withdraw(kid); err != nil {
		return out, err
	}
	// Taken back it is, from here on; the rest is who has heard of it.
	s.adminEvent(r, audit.Event{Name: audit.KeyWithdrawn, Attrs: map[string]string{"kid": kid}})
	e := lanyard.End{Key: kid, Reason: lanyard.ReasonAdmin, By: who(r.Context()).name}
	done, err := s.m.Revoke(r.Context(), e, strict)
	if done.Cursor != "" {
		s.noteWait(e, strict, &done, err)
	}
	if err != nil {
		return out, &badRequest{http.StatusServiceUnavailable, "temporarily_unavailable",
			"The key is withdrawn here, but whether each node and verifier has noticed is not known. Withdraw it again to wait for them.", err}
	}
	return revoked(0, &done), nil
}

func apiClient(c directory.Client) api.OAuthClient {
	return api.OAuthClient{
		ID: c.ID, Name: c.Name, Public: c.Public, Audiences: c.Audiences, Scopes: c.Scopes, Grants: c.Grants,
		JWKS: json.RawMessage(c.JWKS), AllowRS256: c.AllowRS256,
		AccessTokenTTL: int(c.AccessTokenTTL / time.Second), RefreshIdle: int(c.RefreshIdle / time.Second), DPoPBound: c.DPoPBound,
		MayIntrospect: c.MayIntrospect, MayFollow: c.MayFollow, MayCreateSessions: c.MayCreateSessions, MayAdminister: c.MayAdminister,
	}
}

func clientOf(in api.OAuthClient) directory.Client {
	return directory.Client{
		ID: in.ID, Name: in.Name, Public: in.Public, Audiences: in.Audiences, Scopes: in.Scopes, Grants: in.Grants,
		JWKS: string(in.JWKS), AllowRS256: in.AllowRS256,
		AccessTokenTTL: ofSeconds(in.AccessTokenTTL), RefreshIdle: ofSeconds(in.RefreshIdle), DPoPBound: in.DPoPBound,
		MayIntrospect: in.MayIntrospect, MayFollow: in.MayFollow, MayCreateSessions: in.MayCreateSessions, MayAdminister: in.MayAdminister,
	}
}

// ofSeconds turns a number of a request into a duration. One that would overflow
// becomes one that is refused.
func ofSeconds(n int) time.Duration {
	if n < 0 || n > math.MaxInt32 {
		return -1
	}
	return time.Duration(n) * time.Second
}

func (s *Server) adminClients(w http.ResponseWriter, r *http.Request) {
	list, err := s.dir.Clients(r.Context())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	out := api.OAuthClients{Clients: make([]api.OAuthClient, len(list))}
	for i, c := range list {
		out.Clients[i] = apiClient(c)
	}
	writeJSON(w, http.StatusOK, out)
}

func (s *Server) adminAddClient(w http.ResponseWriter, r *http.Request) {
	var in api.OAuthClient
	if err := readJSON(w, r, &in); err != nil {
		s.fail(w, r, err)
		return
	}
	if s.cfg.RequireClientKeys && !in.Public && len(in.JWKS) == 0 {
		s.fail(w, r, bad("The member \"jwks\" is missing: this server is set to know programs by their keys alone."))
		return
	}
	secret, err := s.dir.AddClient(r.Context(), clientOf(in))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.adminEvent(r, audit.Event{Name: audit.ClientAdded, Attrs: map[string]string{"client": in.ID}})
	writeJSON(w, http.StatusOK, api.ClientAdded{Client: in, Secret: secret.Reveal()})
}

func (s *Server) adminRemoveClient(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	if err := s.dir.RemoveClient(r.Context(), id); err != nil {
		s.fail(w, r, err)
		return
	}
	s.adminEvent(r, audit.Event{Name: audit.ClientRemoved, Attrs: map[string]string{"client": id}})
	w.WriteHeader(http.StatusNoContent)
}

func apiEvents(records []audit.Record) []api.Event {
	out := make([]api.Event, len(records))
	for i, r := range records {
		e := r.Event
		out[i] = api.Event{
			Seq: r.Seq, Time: e.Time, Event: string(e.Name), Outcome: string(e.Outcome), Severity: string(e.Severity),
			Actor: e.Actor, Subject: e.Subject, SID: e.SID, Source: e.Source, RequestID: e.RequestID,
			Methods: append([]string{}, e.Methods...), Reason: e.Reason, Attrs: e.Attrs,
		}
		if out[i].Attrs == nil {
			out[i].Attrs = map[string]string{}
		}
	}
	return out
}

func (s *Server) adminAudit(w http.ResponseWriter, r *http.Request) {
	f := audit.Filter{SID: r.URL.Query().Get("sid"), Subject: r.URL.Query().Get("subject")}
	var err error
	if f.Limit, err = queryLimit(r); err != nil {
		s.fail(w, r, err)
		return
	}
	if text := r.URL.Query().Get("after"); text != "" {
		if f.After, err = strconv.ParseUint(text, 10, 64); err != nil {
			s.fail(w, r, bad("The parameter after must be the number of an event."))
			return
		}
	}
	records, err := s.trail.Query(f)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	out := api.Events{Events: apiEvents(records), Next: f.After}
	if n := len(records); n > 0 {
		out.Next = records[n-1].Seq
	}
	writeJSON(w, http.StatusOK, out)
}

// The endpoints below are for the owner of the data directory, through the
// socket in it.

func (s *Server) localAddUser(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Name     string `json:"name"`
		Password string `json:"password"`
		Admin    bool   `json:"admin"`
	}
	if err := readJSON(w, r, &in); err != nil {
		s.fail(w, r, err)
		return
	}
	var u directory.User
	err := s.m.Ready(r.Context())
	if err == nil {
		u, err = s.dir.AddUser(r.Context(), directory.NewUser{Name: in.Name, Password: directory.Secret(in.Password), Admin: in.Admin})
	}
	if err == nil {
		err = s.userAdded(r, u)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, apiUser(u))
}

func (s *Server) localSetPassword(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Password string `json:"password"`
	}
	if err := readJSON(w, r, &in); err != nil {
		s.fail(w, r, err)
		return
	}
	u, err := s.dir.User(r.Context(), r.PathValue("name"))
	if err == nil {
		err = s.m.Ready(r.Context())
	}
	if err == nil {
		err = s.dir.SetPassword(r.Context(), u.Name, directory.Secret(in.Password))
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.adminEvent(r, audit.Event{Name: audit.PasswordChanged, Subject: u.Name})
	if _, err := s.m.EndAll(s.withSource(r), u.Name, lanyard.EndOptions{Reason: lanyard.ReasonPasswordChanged, By: "owner"}); err != nil {
		s.fail(w, r, notEnded("The password is changed, but the sessions from before could not be ended. Set it once more, or revoke them by subject.", err))
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) localImport(w http.ResponseWriter, r *http.Request) {
	if err := s.m.Ready(r.Context()); err != nil {
		s.fail(w, r, err)
		return
	}
	res, err := s.dir.ImportUsers(r.Context(), io.LimitReader(r.Body, 1<<30))
	if e, ok := errors.AsType[*directory.ImportError](err); ok {
		err = bad("%v; nothing was imported", e)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.adminEvent(r, audit.Event{Reason: "users imported", Attrs: map[string]string{"users": strconv.Itoa(res.Users)}})
	if err := s.usersImported(r); err != nil {
		s.fail(w, r, notEnded("The users are imported, but sessions that ran under their names could not all be ended. Revoke them by subject.", err))
		return
	}
	writeJSON(w, http.StatusOK, map[string]int{"users": res.Users, "admins": res.Admins, "disabled": res.Disabled})
}

func (s *Server) localBackup(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Path string `json:"path"`
	}
	if err := readJSON(w, r, &in); err != nil {
		s.fail(w, r, err)
		return
	}
	if err := s.Backup(r.Context(), in.Path); err != nil {
		s.fail(w, r, bad("backup: %v", err))
		return
	}
	s.adminEvent(r, audit.Event{Reason: "backup written"})
	w.WriteHeader(http.StatusNoContent)
}
