package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/api"
	"github.com/lanyard-go/lanyard/internal/jose"
)

func (s *Server) getSession(w http.ResponseWriter, r *http.Request) {
	v := lanyard.From(r.Context())
	out := api.SessionAnswer{Session: s.view(v, v.SID())}
	if v.Via() == lanyard.ChannelCookie {
		token, err := s.m.CSRFToken(v)
		if err != nil {
			s.fail(w, r, err)
			return
		}
		out.CSRFToken = token
	}
	// What is left of the session is counted from here: by the clock that the
	// limits were made with.
	w.Header().Set("Date", s.now().UTC().Format(http.TimeFormat))
	writeJSON(w, http.StatusOK, out)
}

func (s *Server) listOwn(w http.ResponseWriter, r *http.Request) {
	v := lanyard.From(r.Context())
	limit, err := queryLimit(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	q := lanyard.Query{Subject: v.Subject(), LiveAt: lanyard.TimeOf(s.now()), After: r.URL.Query().Get("cursor"), Limit: limit}
	list, next, err := s.m.List(r.Context(), q)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	out := api.Sessions{Sessions: make([]api.Session, len(list)), Next: next}
	for i, one := range list {
		out.Sessions[i] = s.view(one, v.SID())
	}
	writeJSON(w, http.StatusOK, out)
}

func (s *Server) endOwn(w http.ResponseWriter, r *http.Request) {
	keep := r.URL.Query().Get("linked")
	if keep != "" && keep != "keep" {
		s.fail(w, r, bad("The parameter linked can only be keep."))
		return
	}
	if err := s.endOne(w, r, keep == "keep"); err != nil {
		s.fail(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// endOne ends the session in the path if it is the caller's own. Somebody else's
// is answered like one that nobody has.
func (s *Server) endOne(w http.ResponseWriter, r *http.Request, keepLinked bool) error {
	v := lanyard.From(r.Context())
	sid, err := pathSID(r)
	if err != nil {
		return err
	}
	target, err := s.m.Lookup(r.Context(), sid)
	if err != nil {
		return err
	}
	if target.Subject() != v.Subject() {
		return lanyard.ErrNotFound
	}
	reason := lanyard.ReasonUser
	if sid == v.SID() {
		reason = lanyard.ReasonLogout
	}
	err = s.m.End(s.withSource(r), sid, lanyard.EndOptions{Reason: reason, By: v.Subject(), KeepLinked: keepLinked})
	if err == nil && sid == v.SID() && v.Via() == lanyard.ChannelCookie {
		s.m.Clear(w)
	}
	return err
}

func (s *Server) revokeOwn(w http.ResponseWriter, r *http.Request) {
	var in api.RevokeRequest
	if err := readJSON(w, r, &in); err != nil {
		s.fail(w, r, err)
		return
	}
	v := lanyard.From(r.Context())
	o := lanyard.EndOptions{Reason: lanyard.ReasonUser, By: v.Subject()}
	switch in.Scope {
	case "others":
		o.Except = v.SID()
	case "all":
	default:
		s.fail(w, r, bad("The member \"scope\" must be \"others\" or \"all\"."))
		return
	}
	n, err := s.m.EndAll(s.withSource(r), v.Subject(), o)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if in.Scope == "all" && v.Via() == lanyard.ChannelCookie {
		s.m.Clear(w)
	}
	writeJSON(w, http.StatusOK, api.Revoked{Ended: n})
}

func (s *Server) drawToken(w http.ResponseWriter, r *http.Request) {
	var in api.TokenRequest
	if err := readJSON(w, r, &in); err != nil {
		s.fail(w, r, err)
		return
	}
	v := lanyard.From(r.Context())
	if v.Via() != lanyard.ChannelCookie {
		s.fail(w, r, bad("This address draws tokens for a session held by a cookie; a token session uses /oauth2/token."))
		return
	}
	proof, err := s.prove(w, r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	g, err := s.m.BoundAccessToken(s.withSource(r), v, in.Resource, proof)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, api.Login{AccessToken: g.Access.Reveal(), TokenType: g.TokenType, ExpiresIn: int(g.ExpiresIn / time.Second)})
}

func (s *Server) handoff(w http.ResponseWriter, r *http.Request) {
	var in api.HandoffRequest
	if err := readJSON(w, r, &in); err != nil {
		s.fail(w, r, err)
		return
	}
	channel, ok := lanyard.ParseChannel(in.Channel)
	if !ok {
		s.fail(w, r, bad("The member \"channel\" must be \"cookie\" or \"token\"."))
		return
	}
	if err := s.holds(r); err != nil {
		s.fail(w, r, err)
		return
	}
	code, life, err := s.m.Handoff(s.withSource(r), lanyard.From(r.Context()), lanyard.Handoff{Channel: channel, Keep: in.Keep == nil || *in.Keep})
	if err != nil {
		s.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, api.HandoffCode{Code: code.Reveal(), ExpiresIn: int(life / time.Second)})
}

// holds refuses a short token drawn from a cookie session where the session's
// own badge is needed.
func (s *Server) holds(r *http.Request) error {
	if v := lanyard.From(r.Context()); v.Via() != v.Channel() {
		return bad("This needs the session's own cookie; a token drawn from it cannot do it.")
	}
	return nil
}

func (s *Server) redeem(w http.ResponseWriter, r *http.Request) {
	// A page of another site must not sign a browser in as somebody else.
	if err := s.m.CheckLogin(r, false); err != nil {
		s.fail(w, r, err)
		return
	}
	var in api.RedeemRequest
	if err := readJSON(w, r, &in); err != nil {
		s.fail(w, r, err)
		return
	}
	if in.Code == "" {
		s.fail(w, r, bad("The member \"code\" is missing."))
		return
	}
	if err := checkLabel(in.Device); err != nil {
		s.fail(w, r, err)
		return
	}
	if err := s.limitSource(r); err != nil {
		s.fail(w, r, err)
		return
	}
	proof, err := s.prove(w, r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	g, err := s.m.Redeem(s.withSource(r), in.Code, lanyard.Redemption{Device: in.Device, Request: r, Proof: proof})
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.writeGrant(w, r, g)
}

func (s *Server) getData(w http.ResponseWriter, r *http.Request) {
	object, version, err := s.m.Data(r.Context(), lanyard.From(r.Context()))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.writeData(w, object, version)
}

func (s *Server) writeData(w http.ResponseWriter, object []byte, version string) {
	w.Header().Set("ETag", `"`+version+`"`)
	writeJSON(w, http.StatusOK, json.RawMessage(object))
}

// patchData applies a JSON merge patch (RFC 7396).
func (s *Server) patchData(w http.ResponseWriter, r *http.Request) {
	// application/json is taken too: clients without the patch media type are
	// many, and both need a preflight.
	media := "application/merge-patch+json"
	if ct := r.Header.Get("Content-Type"); len(ct) >= 16 && ct[:16] == "application/json" {
		media = "application/json"
	}
	body, err := readBody(w, r, media, lanyard.MaxData+1024)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if _, err := jose.ParseObject(nil, string(body), jose.Limits{Members: 4096, Depth: 16}); err != nil {
		s.fail(w, r, bad("The body is not one JSON object in UTF-8 without repeated members."))
		return
	}
	var patch map[string]any
	if err := decodeExact(body, &patch); err != nil {
		s.fail(w, r, bad("The body is not one JSON object."))
		return
	}
	version, err := ifMatch(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	object, next, err := s.m.ChangeData(r.Context(), lanyard.From(r.Context()), version, func(old []byte) ([]byte, error) {
		var doc map[string]any
		if err := decodeExact(old, &doc); err != nil {
			return nil, err
		}
		return json.Marshal(mergePatch(doc, patch))
	})
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.writeData(w, object, next)
}

// decodeExact keeps numbers as they were written.
func decodeExact(data []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	return d.Decode(v)
}

// ifMatch reads a strong entity tag; none means whatever version.
func ifMatch(r *http.Request) (string, error) {
	fields := r.Header["If-Match"]
	if len(fields) == 0 || len(fields) == 1 && fields[0] == "*" {
		return "", nil
	}
	tag := fields[0]
	if len(fields) > 1 || len(tag) < 3 || tag[0] != '"' || tag[len(tag)-1] != '"' {
		return "", bad("If-Match must be one entity tag in quotes, as ETag gave it.")
	}
	return tag[1 : len(tag)-1], nil
}

// mergePatch is RFC 7396 section 2 for objects.
func mergePatch(target, patch map[string]any) map[string]any {
	if target == nil {
		target = map[string]any{}
	}
	for name, value := range patch {
		switch value := value.(type) {
		case nil:
			delete(target, name)
		case map[string]any:
			inner, _ := target[name].(map[string]any)
			target[name] = mergePatch(inner, value)
		default:
			target[name] = value
		}
	}
	return target
}

func (s *Server) limitSource(r *http.Request) error {
	if ok, wait := s.limits.allow("source", s.address(r), rateSource); !ok {
		return &lanyard.Refused{Cause: lanyard.CauseThrottled, RetryAfter: wait, Err: errors.New("source over its rate")}
	}
	return nil
}
