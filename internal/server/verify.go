package server

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/lanyard-go/lanyard"
)

func encode(w io.Writer, v any) { json.NewEncoder(w).Encode(v) }

// verify answers proxies that ask who makes a request before they pass it on.
// It counts as activity like a request to the server itself, so that people who
// only use the application behind the proxy are not signed out.
func (s *Server) verify(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Add("Vary", "Authorization, Cookie, Sec-Fetch-Mode")
	s.m.Handler(http.HandlerFunc(s.verified)).ServeHTTP(w, s.original(r))
}

// original makes the request that the proxy holds of the one it asks with, for
// the check against request forgery and for proofs of possession: its method and
// address come from headers that only a trusted proxy is believed.
func (s *Server) original(r *http.Request) *http.Request {
	o := r.Clone(r.Context())
	if !s.fromProxy(r) {
		return o
	}
	if uri := first(r.Header, "X-Forwarded-Uri", "X-Original-Uri"); strings.HasPrefix(uri, "/") {
		t := s.m.Transport(r)
		o = o.WithContext(lanyard.WithTarget(o.Context(), t.Scheme+"://"+t.Host+uri))
	}
	fields := append(r.Header.Values("X-Forwarded-Method"), r.Header.Values("X-Original-Method")...)
	switch {
	case len(fields) == 1 && isMethod(fields[0]):
		o.Method = fields[0]
	case len(fields) > 0:
		o.Method = http.MethodPost // what cannot be read is judged as unsafe
	}
	return o
}

func (s *Server) fromProxy(r *http.Request) bool {
	return lanyard.FromProxy(r, s.cfg.proxies)
}

func (s *Server) verified(w http.ResponseWriter, r *http.Request) {
	v := lanyard.From(r.Context())
	if err := v.Meets(lanyard.Need{}); err != nil {
		s.refuseVerify(w, r)
		return
	}
	h := w.Header()
	if resources := r.URL.Query()["resource"]; len(resources) > 0 {
		text, err := s.internalToken(r, v, resources)
		if err != nil {
			s.fail(w, r, err)
			return
		}
		h.Set("Authorization", "Bearer "+text)
	}
	h.Set("X-Lanyard-Subject", headerText(v.Subject()))
	h.Set("X-Lanyard-Sid", v.SID().String())
	h.Set("X-Lanyard-Auth-Time", strconv.FormatInt(v.AuthTime().Unix(), 10))
	h.Set("X-Lanyard-Amr", strings.Join(v.Methods(), " "))
	w.WriteHeader(http.StatusOK)
}

// internalToken makes the short token that a proxy puts in place of its visitor's
// badge. Visitors themselves get none, though they may reach this address: the
// services behind the proxy take such a token as word of the proxy.
func (s *Server) internalToken(r *http.Request, v *lanyard.Session, resources []string) (string, error) {
	if len(resources) != 1 || !s.fromProxy(r) || !contains(s.cfg.InternalAudience, resources[0]) {
		return "", &lanyard.Refused{Cause: lanyard.CauseAudience}
	}
	g, err := s.m.InternalToken(s.withSource(r), v, resources[0])
	if err != nil {
		return "", err
	}
	return g.Access.Reveal(), nil
}

// headerText keeps a subject whole on its way through a header: bytes beyond
// printable ASCII, and the percent sign itself, are percent-encoded.
func headerText(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c > 0x20 && c < 0x7f && c != '%' || c == ' ' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// refuseVerify sends a person who navigates to the login page, and answers
// everything else with 401.
func (s *Server) refuseVerify(w http.ResponseWriter, r *http.Request) {
	if !navigates(r) {
		s.m.WriteError(w, r, &lanyard.Refused{Cause: lanyard.CauseNone})
		return
	}
	to := s.m.Issuer() + "/login"
	if s.fromProxy(r) {
		to = s.m.Issuer() + loginPath(first(r.Header, "X-Forwarded-Uri", "X-Original-Uri"))
	}
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusFound)
}

func navigates(r *http.Request) bool {
	if mode := r.Header.Get("Sec-Fetch-Mode"); mode != "" {
		return mode == "navigate" && r.Method == http.MethodGet
	}
	return r.Method == http.MethodGet && r.Header.Get("X-Requested-With") == "" && strings.Contains(r.Header.Get("Accept"), "text/html")
}

func first(h http.Header, names ...string) string {
	for _, name := range names {
		if v := h.Values(name); len(v) == 1 {
			return v[0]
		}
	}
	return ""
}

func isMethod(m string) bool {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return true
	}
	return false
}
