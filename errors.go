package lanyard

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/lanyard-go/lanyard/csrf"
)

// Cause says why a request was refused. It goes to the log and to metrics; the
// outside learns [Cause.Public] only.
type Cause string

// Causes of a refusal.
const (
	CauseNone          Cause = "no_credential"      // nothing was presented
	CauseForged        Cause = "not_ours"           // not a credential of this server
	CauseUnknown       Cause = "unknown"            // ours, but there is no such record
	CauseEnded         Cause = "ended"              // the session has ended
	CauseIdle          Cause = "idle_timeout"       // its idle limit passed
	CauseExpired       Cause = "absolute_timeout"   // its absolute limit passed
	CauseOldGeneration Cause = "old_generation"     // replaced by a new authentication
	CauseMismatch      Cause = "secret_mismatch"    // the secret is not the current one
	CauseNotSignedIn   Cause = "not_signed_in"      // a step of the login is missing
	CauseBadToken      Cause = "bad_token"          // the access token does not verify
	CauseAmbiguous     Cause = "ambiguous"          // more than one credential of a kind
	CauseForgery       Cause = "cross_origin"       // refused by the request forgery check
	CauseCSRFToken     Cause = "csrf_token"         // the session-bound token is missing or wrong
	CauseStale         Cause = "stale_login"        // the authentication is too old for the route
	CauseWeak          Cause = "weak_login"         // the authentication is too weak for the route
	CauseChannel       Cause = "wrong_channel"      // the route takes the other badge
	CauseUnbound       Cause = "not_bound"          // the route takes bound sessions alone
	CauseScope         Cause = "scope"              // the token lacks a scope
	CauseThrottled     Cause = "throttled"          // too many credentials that are not ours
	CauseStore         Cause = "store_unavailable"  // it could not be asked
	CauseInsecure      Cause = "insecure_transport" // would have sent a credential in the clear
	CauseReuse         Cause = "refresh_reuse"      // a used refresh token came back
	CauseClient        Cause = "wrong_client"       // a token of another client
	CauseScopeGrown    Cause = "scope_grown"        // a refresh asked for more than was granted
	CauseAudience      Cause = "audience"           // an audience that may not be asked for
	CauseCode          Cause = "handoff_code"       // a hand-off code that is used, old or wrong
	CauseProof         Cause = "dpop_proof"         // the proof of possession is missing or does not hold
	CauseNonce         Cause = "dpop_nonce"         // the proof lacks a nonce of this server
	CauseKey           Cause = "wrong_key"          // a proof by another key than the session is bound to
	CauseDisabled      Cause = "subject_disabled"   // the application says the subject may not go on
	CauseFlooded       Cause = "too_many_cookies"   // more cookies than are read, so the session's was not looked for
)

// Refused is the error of a request or credential that was not accepted. Match
// it with [errors.As]; [Manager.WriteError] turns it into an HTTP answer.
type Refused struct {
	Cause      Cause
	SID        SID           // the session concerned, if known
	Reason     Reason        // for CauseEnded: why it ended
	RetryAfter time.Duration // for CauseThrottled and CauseStore
	MaxAge     time.Duration // for CauseStale: what the route demands
	Classes    []string      // for CauseWeak: what the route accepts
	Scope      string        // for CauseScope: what the route demands
	Err        error         // what lies beneath, if anything

	grant bool // it was presented as a grant, not as the badge of a request
}

// Error names the cause, for logs.
func (e *Refused) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("lanyard: refused: %s: %v", e.Cause, e.Err)
	}
	return "lanyard: refused: " + string(e.Cause)
}

// Unwrap returns what lies beneath.
func (e *Refused) Unwrap() error { return e.Err }

func refuse(c Cause, sid SID) *Refused { return &Refused{Cause: c, SID: sid} }

// unavailable wraps a failure of the store: whoever asks is refused for now,
// never accepted, and loses nothing.
func unavailable(doing string, err error) *Refused {
	return &Refused{Cause: CauseStore, RetryAfter: time.Second, Err: fmt.Errorf("%s: %w", doing, err)}
}

// CauseOf returns the cause of a refusal, or the empty string for other errors.
func CauseOf(err error) Cause {
	if r, ok := errors.AsType[*Refused](err); ok {
		return r.Cause
	}
	return ""
}

// Public is what the outside learns of a refusal: one status and one word for
// every cause that means "not signed in".
func (e *Refused) Public() (status int, code, message string) {
	switch e.Cause {
	case CauseAmbiguous:
		return http.StatusBadRequest, "invalid_request", "The request carries more than one credential."
	case CauseForgery:
		return http.StatusForbidden, "cross_origin", e.forgery()
	case CauseCSRFToken:
		return http.StatusForbidden, "csrf_token", "The request lacks a valid X-CSRF-Token header or csrf_token field."
	case CauseStale, CauseWeak:
		return http.StatusUnauthorized, "insufficient_user_authentication", "This action needs a more recent or stronger sign-in."
	case CauseScope:
		return http.StatusForbidden, "insufficient_scope", "The token does not carry the scope this needs."
	case CauseThrottled:
		return http.StatusTooManyRequests, "too_many_requests", "Too many credentials from this address were refused. Wait and try again."
	case CauseStore:
		return http.StatusServiceUnavailable, "temporarily_unavailable", "This cannot be answered right now. Nothing was changed; try again shortly."
	case CauseInsecure:
		return http.StatusBadRequest, "insecure_transport", "Sessions are served over HTTPS only."
	case CauseProof, CauseNonce:
		status, code, message = http.StatusUnauthorized, "invalid_dpop_proof", "The DPoP header is missing, or its proof does not hold for this request."
		if e.Cause == CauseNonce {
			code, message = "use_dpop_nonce", "The proof needs the nonce that stands in the DPoP-Nonce header of this answer."
		}
		if e.grant {
			status = http.StatusBadRequest // RFC 9449 section 5
		}
		return status, code, message
	case CauseReuse, CauseClient, CauseCode, CauseDisabled, CauseKey:
		return http.StatusBadRequest, "invalid_grant", "The credential is not valid."
	case CauseScopeGrown:
		return http.StatusBadRequest, "invalid_scope", "The scope was not granted."
	case CauseAudience:
		return http.StatusBadRequest, "invalid_target", "The resource may not be asked for."
	case CauseFlooded:
		return http.StatusRequestHeaderFieldsTooLarge, "too_many_cookies", "The browser sent more cookies than are read here. Remove the cookies of this site, then sign in again."
	case CauseNone:
		return http.StatusUnauthorized, "unauthorized", "Sign in to do this."
	}
	if e.grant {
		// RFC 6749 section 5.2: 401 would tell of client authentication.
		return http.StatusBadRequest, "invalid_grant", "The credential is not valid."
	}
	return http.StatusUnauthorized, "invalid_token", "The session or token is not valid."
}

// forgery names the header that decided, which helps whoever builds a page and
// tells an attacker nothing that the rules do not.
func (e *Refused) forgery() string {
	const said = "This request did not come from this site's own pages."
	if why, ok := errors.AsType[*csrf.Refused](e.Err); ok && why.Message() != said {
		return said + " " + why.Message()
	}
	return said
}

// asGrant marks the refusal of a credential that was presented as a grant.
func asGrant(err error) error {
	if e, ok := errors.AsType[*Refused](err); ok {
		e.grant = true
	}
	return err
}

// WriteError answers a request that was refused: status, JSON body
// {"error","message","request_id"} and, with 401 and 403, the challenges of
// RFC 6750 section 3 and RFC 9470 section 3. Errors of other kinds answer 500
// with nothing of their text. The details belong in the log, which WriteError
// leaves to whoever refused.
func (m *Manager) WriteError(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case errors.Is(err, ErrTooMuchData):
		writeProblem(w, r, http.StatusRequestEntityTooLarge, "too_large", "The data of a session may have 16 KiB at most.")
		return
	case errors.Is(err, ErrLimit):
		writeProblem(w, r, http.StatusForbidden, "session_limit", "There are as many live sessions as there may be. End one first.")
		return
	}
	refused, ok := errors.AsType[*Refused](err)
	if !ok {
		writeProblem(w, r, http.StatusInternalServerError, "server_error", "Something went wrong. The request id names it in the log.")
		return
	}
	status, code, message := refused.Public()
	h := w.Header()
	if refused.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(max(1, int((refused.RetryAfter+time.Second-1)/time.Second))))
	}
	m.NonceFor(h, refused)
	for i, challenge := range m.challenges(refused, status, code, attempted(r)) {
		if i == 0 {
			h.Set("WWW-Authenticate", m.withMetadata(challenge))
		} else {
			h.Add("WWW-Authenticate", challenge)
		}
	}
	writeProblem(w, r, status, code, message)
}

// answer is WriteError, or what the application has in its place.
func (m *Manager) answer(w http.ResponseWriter, r *http.Request, err error) {
	if m.cfg.WriteError != nil {
		m.cfg.WriteError(w, r, err)
		return
	}
	m.WriteError(w, r, err)
}

// challenges builds WWW-Authenticate from fixed words and numbers only, so that
// nothing a client sent can reach the header: one for each scheme that is
// served, the one that was tried first. The error stands on that one alone, and
// with no token presented there is none (RFC 6750 section 3.1, RFC 9449 section
// 7.2).
func (m *Manager) challenges(e *Refused, status int, code, scheme string) []string {
	if status != http.StatusUnauthorized && status != http.StatusForbidden || e.Cause == CauseForgery || e.Cause == CauseCSRFToken {
		return nil
	}
	params := challengeParams(e, code, scheme != "")
	if m.possession == nil {
		return []string{join("Bearer", params)}
	}
	algs := `algs="` + m.possession.resource.Algorithms() + `"`
	if scheme == "DPoP" {
		return []string{join("DPoP", append(params, algs)), "Bearer"}
	}
	return []string{join("Bearer", params), "DPoP " + algs}
}

func join(scheme string, params []string) string {
	return strings.TrimSuffix(scheme+" "+strings.Join(params, ", "), " ")
}

func challengeParams(e *Refused, code string, tried bool) []string {
	switch {
	case e.Cause == CauseStale:
		return []string{`error="insufficient_user_authentication"`, `error_description="A more recent sign-in is needed"`,
			`max_age="` + strconv.Itoa(int(e.MaxAge/time.Second)) + `"`}
	case e.Cause == CauseWeak:
		return []string{`error="insufficient_user_authentication"`, `error_description="A stronger sign-in is needed"`, `acr_values="` + quotable(e.Classes) + `"`}
	case e.Cause == CauseScope:
		return []string{`error="insufficient_scope"`, `scope="` + quotable([]string{e.Scope}) + `"`}
	case tried:
		return []string{`error="` + code + `"`}
	}
	return nil
}

// withMetadata says in a challenge where this server describes itself (RFC 9728
// section 5.1).
func (m *Manager) withMetadata(challenge string) string {
	switch {
	case m.cfg.ResourceMetadata == "":
		return challenge
	case strings.Contains(challenge, " "):
		challenge += ","
	}
	return challenge + ` resource_metadata="` + m.cfg.ResourceMetadata + `"`
}

// quotable joins words and keeps only what RFC 6750 section 3 allows inside
// quotes.
func quotable(words []string) string {
	var b []byte
	for i, w := range words {
		if i > 0 {
			b = append(b, ' ')
		}
		for j := range len(w) {
			if c := w[j]; c >= 0x20 && c <= 0x7e && c != '"' && c != '\\' {
				b = append(b, c)
			}
		}
	}
	return string(b)
}

// attempted returns the scheme a request tried, "DPoP" or "Bearer", which also
// stands for any other; empty if it tried none.
func attempted(r *http.Request) string {
	fields := r.Header["Authorization"]
	if len(fields) == 0 {
		return ""
	}
	if scheme, _, _ := strings.Cut(fields[0], " "); strings.EqualFold(scheme, "DPoP") {
		return "DPoP"
	}
	return "Bearer"
}

func writeProblem(w http.ResponseWriter, r *http.Request, status int, code, message string) {
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	body := struct {
		Error     string `json:"error"`
		Message   string `json:"message"`
		RequestID string `json:"request_id,omitempty"`
	}{code, message, RequestID(r.Context())}
	json.NewEncoder(w).Encode(body)
}
