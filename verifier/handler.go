package verifier

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Handler recognises who makes each request before next sees it; [From] then
// tells. The token is read from the Authorization header and from nowhere else.
// A request without one goes on as nobody: [Verifier.Require] guards what needs
// somebody. A token that does not hold is answered here, with 401, and with 503
// while it cannot be judged.
//
// While the revocation feed is out of reach for longer than the bound, every
// token is one that cannot be judged. Only if there are routes that take one all
// the same, because of [Config.AllowLocal] or of a Require with [Live], a request
// goes on: as that of nobody, and Require answers 503 where it needs more.
func (v *Verifier) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := v.recognise(r)
		if err != nil {
			v.LogRefused(r.Context(), nil, err)
			v.answer(w, r, err)
			return
		}
		next.ServeHTTP(w, r.WithContext(WithCaller(r.Context(), c)))
	})
}

const (
	schemeBearer = "bearer"
	schemeDPoP   = "dpop"
)

// cutScheme splits an Authorization field. The scheme is one of the constants,
// or empty for any other (RFC 9110 section 11.1: letter case does not count).
func cutScheme(field string) (scheme, credential string) {
	name, rest, _ := strings.Cut(field, " ")
	switch {
	case strings.EqualFold(name, schemeBearer):
		return schemeBearer, rest
	case strings.EqualFold(name, schemeDPoP):
		return schemeDPoP, rest
	}
	return "", ""
}

// WriteError answers a request that was refused: status, JSON body
// {"error","message"} and, with 401 and 403, the challenge of RFC 6750 section 3,
// RFC 9470 section 3 and RFC 9728 section 5.1, and that of RFC 9449 section 7.1
// where proofs are taken. Errors of other kinds answer 500 with nothing of their
// text. The details belong in the log, see [Verifier.LogRefused].
func (v *Verifier) WriteError(w http.ResponseWriter, err error) { v.write(w, "", err) }

// answer is WriteError that knows the request, and so which scheme was tried.
func (v *Verifier) answer(w http.ResponseWriter, r *http.Request, err error) {
	scheme := ""
	if fields := r.Header["Authorization"]; len(fields) == 1 {
		scheme, _ = cutScheme(fields[0])
	}
	v.write(w, scheme, err)
}

func (v *Verifier) write(w http.ResponseWriter, scheme string, err error) {
	refused, ok := errors.AsType[*Refused](err)
	if !ok {
		writeProblem(w, http.StatusInternalServerError, "server_error", "Something went wrong.")
		return
	}
	status, code, message := refused.Public()
	h := w.Header()
	if refused.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(max(1, int((refused.RetryAfter+time.Second-1)/time.Second))))
	}
	if status < http.StatusInternalServerError {
		for i, challenge := range v.challenges(refused, scheme) {
			if i == 0 {
				h.Set("WWW-Authenticate", challenge)
			} else {
				h.Add("WWW-Authenticate", challenge)
			}
		}
	}
	if refused.Cause == CauseNonce {
		h.Set("DPoP-Nonce", v.cfg.Proofs.Nonces().New(v.cfg.Now()))
	}
	writeProblem(w, status, code, message)
}

// Challenge returns the value of WWW-Authenticate for a refusal, for servers that
// answer in their own way. It is made of fixed words and of configuration, so
// that nothing a client sent can get into it.
func (v *Verifier) Challenge(e *Refused) string { return v.challenges(e, "")[0] }

// challenges is one for each scheme that is taken, the one that was tried first;
// the error stands on that one alone (RFC 9449 section 7.2).
func (v *Verifier) challenges(e *Refused, scheme string) []string {
	params := v.challengeParams(e)
	if v.cfg.Proofs == nil {
		return []string{join("Bearer", params)}
	}
	algs := `algs="` + v.cfg.Proofs.Algorithms() + `"`
	if scheme == schemeDPoP || e.Cause == CauseProof || e.Cause == CauseNonce {
		return []string{join("DPoP", append(params, algs)), "Bearer"}
	}
	return []string{join("Bearer", params), "DPoP " + algs}
}

func join(scheme string, params []string) string {
	return strings.TrimSuffix(scheme+" "+strings.Join(params, ", "), " ")
}

func (v *Verifier) challengeParams(e *Refused) (params []string) {
	add := func(name, value string) { params = append(params, name+`="`+quotable(value)+`"`) }
	if _, code, _ := e.Public(); e.Cause != CauseNone {
		// Without a credential there is no error to name (RFC 6750 section 3.1).
		add("error", code)
	}
	switch e.Cause {
	case CauseScope:
		add("scope", e.Need.Scope)
	case CauseStale, CauseWeak:
		if e.Cause == CauseStale {
			add("error_description", "A more recent sign-in is needed")
		} else {
			add("error_description", "A stronger sign-in is needed")
		}
		if len(e.Need.Classes) > 0 {
			add("acr_values", strings.Join(e.Need.Classes, " "))
		}
		if e.Need.MaxAge != 0 {
			add("max_age", strconv.Itoa(max(0, int(e.Need.MaxAge/time.Second))))
		}
	}
	if v.metadata != "" {
		add("resource_metadata", v.metadata)
	}
	return params
}

// quotable keeps what RFC 6750 section 3 allows inside quotes.
func quotable(s string) string {
	return strings.Map(func(c rune) rune {
		if c < 0x20 || c > 0x7e || c == '"' || c == '\\' {
			return -1
		}
		return c
	}, s)
}

func writeProblem(w http.ResponseWriter, status int, code, message string) {
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(struct {
		Error   string `json:"error"`
		Message string `json:"message"`
	}{code, message})
}
