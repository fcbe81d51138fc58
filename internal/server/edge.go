package server

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"runtime/debug"
	"strings"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/csrf"
	"github.com/lanyard-go/lanyard/internal/directory"
	"github.com/lanyard-go/lanyard/internal/web"
	"github.com/lanyard-go/lanyard/password"
)

// edge is what every request passes first: a name for it, a net for panics, the
// headers of every answer, CORS, and the refusal of plain HTTP. An address that
// is not there, or a method that is not served, is answered in the form its
// caller reads.
func (s *Server) edge(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := s.now()
		id := rand.Text()
		r = r.WithContext(lanyard.WithRequestID(r.Context(), id))
		rec := &recorder{ResponseWriter: w}
		route := "none"
		defer func() {
			if p := recover(); p != nil {
				s.panicked(rec, r, p)
			}
			s.metrics.observe(route, rec.status(), s.now().Sub(start))
			s.log.LogAttrs(r.Context(), slog.LevelDebug, "request", slog.String("method", r.Method), slog.String("route", route),
				slog.Int("status", rec.status()), slog.String("request_id", id), slog.Duration("took", s.now().Sub(start)))
		}()
		h := rec.Header()
		h.Set("X-Request-Id", id)
		h.Set("X-Content-Type-Options", "nosniff")
		if s.cfg.issuerURL.Scheme == "https" && !loopback(s.cfg.issuerURL.Hostname()) && !strings.HasSuffix(s.cfg.issuerURL.Hostname(), ".localhost") {
			h.Set("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
		}
		if s.cors(rec, r) {
			return
		}
		if r.URL.Path != "/livez" && r.URL.Path != "/readyz" && !isLocal(r.Context()) && !s.m.Transport(r).Secure {
			s.fail(rec, r, &lanyard.Refused{Cause: lanyard.CauseInsecure})
			return
		}
		if headerSize(r) > maxHeader {
			s.problem(rec, r, http.StatusRequestHeaderFieldsTooLarge, "too_large", "The header may have 64 KiB at most, besides cookies.")
			return
		}
		if s.flooded(rec, r) {
			return
		}
		if !isLocal(r.Context()) && r.Body != nil {
			r.Body = http.MaxBytesReader(rec, r.Body, maxBody)
		}
		// ServeMux would redirect what it can clean, also a request with
		// credentials in it.
		if !cleanPath(r.URL.Path) {
			s.problem(rec, r, http.StatusNotFound, "not_found", "There is nothing at this address.")
			return
		}
		// Readers would drop the part they cannot read, and answer another question
		// than the one that was asked.
		if _, err := url.ParseQuery(r.URL.RawQuery); err != nil {
			s.problem(rec, r, http.StatusBadRequest, "invalid_request", "The query is not correctly percent-encoded.")
			return
		}
		handler, pattern := mux.Handler(r)
		if pattern == "" {
			s.noRoute(rec, r, handler)
			return
		}
		route = pattern
		// ServeMux fills in path values only when it serves itself.
		mux.ServeHTTP(rec, r)
	})
}

// maxHeader bounds what a request may say before its body, in bytes. Cookies have
// bounds of their own, see flooded.
const maxHeader = 64 << 10

func headerSize(r *http.Request) int {
	size := len(r.RequestURI)
	for name, values := range r.Header {
		if name == "Cookie" {
			continue
		}
		for _, v := range values {
			size += len(name) + len(v)
		}
	}
	return size
}

// cleanPath reports whether an address names one place only: no empty, single-dot
// or double-dot element, however it was encoded.
func cleanPath(p string) bool {
	c := path.Clean(p)
	return c == p || c+"/" == p && c != "/"
}

// noRoute answers what no route takes: ServeMux knows whether another method
// would do, and which.
func (s *Server) noRoute(w http.ResponseWriter, r *http.Request, h http.Handler) {
	probe := &silent{header: http.Header{}}
	h.ServeHTTP(probe, r)
	switch probe.code {
	case http.StatusMethodNotAllowed:
		w.Header().Set("Allow", probe.header.Get("Allow"))
		s.problem(w, r, http.StatusMethodNotAllowed, "method_not_allowed", "This address is not called with "+quoted(r.Method)+".")
	default:
		missing := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s.problem(w, r, http.StatusNotFound, "not_found", "There is nothing at this address.")
		})
		if r.Method == http.MethodGet && !apiPath(r.URL.Path) && wantsPage(r) {
			// Somebody who is signed in finds the way back and the way out on
			// this page too.
			s.m.Handler(missing).ServeHTTP(w, r)
			return
		}
		missing(w, r)
	}
}

// silent takes an answer to look at it.
type silent struct {
	header http.Header
	code   int
}

func (p *silent) Header() http.Header         { return p.header }
func (p *silent) Write(b []byte) (int, error) { return len(b), nil }
func (p *silent) WriteHeader(code int)        { p.code = code }

// recorder remembers the status of an answer.
type recorder struct {
	http.ResponseWriter
	code int
}

// WriteHeader notes the first final status.
func (w *recorder) WriteHeader(code int) {
	if w.code == 0 && code >= 200 {
		w.code = code
	}
	w.ResponseWriter.WriteHeader(code)
}

// Write implies 200.
func (w *recorder) Write(b []byte) (int, error) {
	if w.code == 0 {
		w.code = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *recorder) status() int {
	if w.code == 0 {
		return http.StatusOK
	}
	return w.code
}

func (s *Server) panicked(w *recorder, r *http.Request, p any) {
	if p == http.ErrAbortHandler {
		panic(p)
	}
	s.metrics.Count("panic", "caught")
	s.log.LogAttrs(r.Context(), slog.LevelError, "a handler panicked", slog.Any("panic", p), slog.String("stack", string(debug.Stack())),
		slog.String("request_id", lanyard.RequestID(r.Context())))
	if w.code == 0 {
		s.problem(w, r, http.StatusInternalServerError, "server_error", "Something went wrong. The request id names it in the log.")
	}
}

// corsPaths are what pages of other origins may call: the token channel. None of
// it looks at cookies when the page sends an Authorization header, and none of
// the answers allows credentials.
func corsPath(path string) bool {
	return strings.HasPrefix(path, "/v1/") && !strings.HasPrefix(path, "/v1/admin/") || strings.HasPrefix(path, "/oauth2/") || strings.HasPrefix(path, "/.well-known/")
}

// cors answers preflights and marks answers for origins that are allowed by
// exact name. It reports whether the request is answered.
func (s *Server) cors(w http.ResponseWriter, r *http.Request) bool {
	if len(s.cfg.CORSOrigin) == 0 || !corsPath(r.URL.Path) {
		return false
	}
	h := w.Header()
	csrf.AddVary(h, "Origin")
	origins := r.Header["Origin"]
	if len(origins) != 1 || !s.cfg.originAllowed(origins[0]) {
		return false
	}
	h.Set("Access-Control-Allow-Origin", origins[0])
	h.Set("Access-Control-Expose-Headers", "WWW-Authenticate, DPoP-Nonce, ETag, Retry-After, X-Request-Id")
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		return false
	}
	h.Set("Access-Control-Allow-Methods", "GET, POST, PATCH, DELETE")
	h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, DPoP, If-Match")
	h.Set("Access-Control-Max-Age", "600")
	w.WriteHeader(http.StatusNoContent)
	return true
}

// writeJSON writes an answer that nobody may store.
func writeJSON(w http.ResponseWriter, status int, v any) {
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(true)
	e.Encode(v)
}

// problem answers a refusal in the form the caller reads: JSON for programs, a
// page for people.
func (s *Server) problem(w http.ResponseWriter, r *http.Request, status int, code, message string) {
	if !apiPath(r.URL.Path) && !isLocal(r.Context()) && !strings.HasPrefix(r.URL.Path, web.AssetPath) && wantsPage(r) {
		s.errorPage(w, r, status, message)
		return
	}
	id := lanyard.RequestID(r.Context())
	if strings.HasPrefix(r.URL.Path, "/oauth2/") {
		writeJSON(w, status, map[string]string{"error": code, "error_description": message})
		return
	}
	writeJSON(w, status, map[string]string{"error": code, "message": message, "request_id": id})
}

func wantsPage(r *http.Request) bool {
	accept := r.Header.Get("Accept")
	return strings.Contains(accept, "text/html") || r.Header.Get("Sec-Fetch-Mode") == "navigate"
}

// fail turns any error into its answer. It is the one place that does.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	// What is refused is no activity of whoever is signed in.
	lanyard.From(r.Context()).Reject()
	if t, ok := errors.AsType[*directory.Throttled](err); ok {
		setRetryAfter(w.Header(), t.RetryAfter)
		s.problem(w, r, http.StatusTooManyRequests, "throttled", "Too many failed attempts. Wait and try again.")
		return
	}
	if b, ok := errors.AsType[*badRequest](err); ok {
		if b.cause != nil {
			if lanyard.CauseOf(b.cause) == lanyard.CauseStore {
				s.metrics.Count("store", "failed")
			}
			s.log.LogAttrs(r.Context(), slog.LevelError, "a request was only partly carried out", slog.String("code", b.code), slog.Any("error", b.cause),
				slog.String("request_id", lanyard.RequestID(r.Context())))
		}
		if b.status == http.StatusServiceUnavailable {
			setRetryAfter(w.Header(), time.Second)
		}
		s.problem(w, r, b.status, b.code, b.message)
		return
	}
	if p, ok := errors.AsType[*password.Problem](err); ok {
		s.problem(w, r, http.StatusBadRequest, "password_refused", p.Message)
		return
	}
	if errors.Is(err, lanyard.ErrNotSettled) {
		s.fail(w, r, notRevoked(err))
		return
	}
	if refused, ok := errors.AsType[*lanyard.Refused](err); ok {
		if strings.HasPrefix(r.URL.Path, "/oauth2/") {
			s.failOAuth(w, r, err)
			return
		}
		s.noteStore(r, refused)
		s.refused(w, r, err)
		return
	}
	for _, k := range []struct {
		is      error
		status  int
		code    string
		message string
	}{
		{directory.ErrInvalidCredentials, http.StatusUnauthorized, "invalid_credentials", "User name and password do not fit."},
		{password.ErrBusy, http.StatusServiceUnavailable, "temporarily_unavailable", "Too many sign-ins at this moment. Try again in a few seconds."},
		{lanyard.ErrNotFound, http.StatusNotFound, "not_found", "There is no such session."},
		{directory.ErrNotFound, http.StatusNotFound, "not_found", "There is no such user or client."},
		{lanyard.ErrLimit, http.StatusForbidden, "session_limit", "There are as many live sessions as there may be. End one first."},
		{lanyard.ErrBadCursor, http.StatusBadRequest, "invalid_request", "The parameter cursor was not made by this server."},
		{lanyard.ErrTooMuchData, http.StatusRequestEntityTooLarge, "too_large", "The data of a session may have 16 KiB at most."},
		{lanyard.ErrPrecondition, http.StatusPreconditionFailed, "precondition_failed", "The data was changed meanwhile. Read it again."},
		{directory.ErrExists, http.StatusConflict, "exists", "The name is taken."},
		{directory.ErrDisabled, http.StatusConflict, "disabled", "The user is disabled."},
		{directory.ErrBuiltIn, http.StatusConflict, "built_in", "This client belongs to the product and cannot be changed."},
		{directory.ErrResetInvalid, http.StatusBadRequest, "invalid_code", "The code is not valid: it was used, replaced or has expired."},
	} {
		if errors.Is(err, k.is) {
			if k.status == http.StatusServiceUnavailable {
				setRetryAfter(w.Header(), 2*time.Second)
			}
			s.problem(w, r, k.status, k.code, k.message)
			return
		}
	}
	if errors.Is(err, directory.ErrInvalid) {
		s.problem(w, r, http.StatusBadRequest, "invalid_request", invalidProblem(err))
		return
	}
	if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
		return // nobody is there to read an answer
	}
	s.metrics.Count("request", "failed")
	s.log.LogAttrs(r.Context(), slog.LevelError, "a request failed", slog.Any("error", err),
		slog.String("route", r.Pattern), slog.String("request_id", lanyard.RequestID(r.Context())))
	setRetryAfter(w.Header(), time.Second)
	s.problem(w, r, http.StatusServiceUnavailable, "temporarily_unavailable", "This cannot be answered right now. Nothing was changed; try again shortly.")
}

// refused answers what the sessions' middleware or a handler refused: programs in
// JSON, people on a page.
func (s *Server) refused(w http.ResponseWriter, r *http.Request, err error) {
	refused, ok := errors.AsType[*lanyard.Refused](err)
	if !ok || apiPath(r.URL.Path) || isLocal(r.Context()) || !wantsPage(r) {
		s.m.WriteError(w, r, err)
		return
	}
	if refused.RetryAfter > 0 {
		setRetryAfter(w.Header(), refused.RetryAfter)
	}
	s.refusalPage(w, r, refused)
}

// noteStore logs a store that could not be asked, with the cause that the answer
// keeps to itself.
func (s *Server) noteStore(r *http.Request, e *lanyard.Refused) {
	if e.Cause != lanyard.CauseStore {
		return
	}
	s.metrics.Count("store", "failed")
	s.log.LogAttrs(r.Context(), slog.LevelError, "the session store could not be asked", slog.Any("error", e.Err),
		slog.String("route", r.Pattern), slog.String("request_id", lanyard.RequestID(r.Context())))
}

// hintFor is what the developer of the page that sent the request has to know.
func hintFor(e *lanyard.Refused) string {
	why, ok := errors.AsType[*csrf.Refused](e.Err)
	switch {
	case !ok && e.Cause == lanyard.CauseCSRFToken:
		return (&csrf.Refused{Why: csrf.TokenRequired}).Message()
	case !ok:
		return ""
	case why.Why == csrf.NoHeaders:
		return why.Message() + " Send Origin, or the session's csrf_token."
	case why.Why == csrf.TokenRequired:
		return why.Message() + " The profile in force wants one with each unsafe request."
	case why.Why == csrf.NotSecure:
		return why.Message()
	}
	return why.Message() + " Pages of another origin can be allowed with the setting trusted-origin."
}

func setRetryAfter(h http.Header, d time.Duration) {
	h.Set("Retry-After", seconds(d))
}
