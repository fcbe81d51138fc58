package verifier

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/lanyard-go/lanyard/token"
)

// Cause says why a request was refused. It goes to the log; the outside learns
// [Refused.Public] only.
type Cause string

// Causes of a refusal.
const (
	CauseNone       Cause = "no_credential"          // nothing was presented
	CauseAmbiguous  Cause = "ambiguous"              // more than one credential
	CauseBadToken   Cause = "bad_token"              // the token does not verify; Err has the check that failed
	CauseBound      Cause = "bound_token"            // a token, or a scheme, that needs a proof by a key
	CauseProof      Cause = "dpop_proof"             // the proof of possession is missing or does not hold
	CauseNonce      Cause = "dpop_nonce"             // the proof lacks a nonce of this service
	CauseProofs     Cause = "proofs_unavailable"     // nobody could tell whether the proof was used before
	CauseUnbound    Cause = "not_bound"              // a token without a proof where the route demands one
	CauseRevoked    Cause = "revoked"                // what it stands for has ended
	CauseProgram    Cause = "not_signed_in"          // a program where a person is needed
	CauseStale      Cause = "stale_login"            // the authentication is too old for the route
	CauseWeak       Cause = "weak_login"             // the authentication is too weak for the route
	CauseScope      Cause = "scope"                  // the token lacks a scope
	CauseKeys       Cause = "keys_unavailable"       // the issuer's keys could not be had
	CauseRevocation Cause = "revocation_unavailable" // nobody could tell whether it is revoked
)

// Refused is the error of a request or token that was not accepted. Match it with
// [errors.As]; [Verifier.WriteError] turns it into an HTTP answer.
type Refused struct {
	Cause      Cause
	Need       Need          // what the route demands, for CauseStale, CauseWeak and CauseScope
	RetryAfter time.Duration // for CauseKeys, CauseRevocation and CauseProofs
	Err        error         // what lies beneath, if anything
}

// Error names the cause, for logs.
func (e *Refused) Error() string {
	text := "verifier: refused: " + string(e.Cause)
	if bad, ok := errors.AsType[*token.Error](e.Err); ok {
		return text + ": " + string(bad.Cause)
	}
	if e.Err != nil {
		return text + ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns what lies beneath.
func (e *Refused) Unwrap() error { return e.Err }

// Public is what the outside learns of a refusal: one status, one word and one
// sentence for all causes of a kind.
func (e *Refused) Public() (status int, code, message string) {
	switch e.Cause {
	case CauseNone:
		return http.StatusUnauthorized, "unauthorized", "Sign in to do this."
	case CauseAmbiguous:
		return http.StatusBadRequest, "invalid_request", "The request carries more than one credential."
	case CauseStale, CauseWeak:
		return http.StatusUnauthorized, "insufficient_user_authentication", "This action needs a more recent or stronger sign-in."
	case CauseScope:
		return http.StatusForbidden, "insufficient_scope", "The token does not carry the scope this needs."
	case CauseProof:
		return http.StatusUnauthorized, "invalid_dpop_proof", "The DPoP header is missing, or its proof does not hold for this request."
	case CauseNonce:
		return http.StatusUnauthorized, "use_dpop_nonce", "The proof needs the nonce that stands in the DPoP-Nonce header of this answer."
	case CauseKeys, CauseRevocation, CauseProofs:
		return http.StatusServiceUnavailable, "temporarily_unavailable", "This cannot be answered right now. Nothing was changed; try again shortly."
	}
	return http.StatusUnauthorized, "invalid_token", "The session or token is not valid."
}

// LogRefused writes why a request of the caller was refused: at Info, or at Error where
// something is broken. [Verifier.Handler] and [Verifier.Require] do it by
// themselves. C may be nil.
func (v *Verifier) LogRefused(ctx context.Context, c *Caller, err error) {
	refused, ok := errors.AsType[*Refused](err)
	if !ok {
		v.log.LogAttrs(ctx, slog.LevelError, "judging a request failed", slog.Any("error", err))
		return
	}
	if c == nil {
		c = nobody
	}
	level := slog.LevelInfo
	attrs := []slog.Attr{slog.String("cause", string(refused.Cause))}
	// That the feed is out of reach is logged once, by who follows it.
	if (refused.Cause == CauseKeys || refused.Cause == CauseRevocation || refused.Cause == CauseProofs) && !isBlind(err) {
		level = slog.LevelError
	}
	if refused.Err != nil {
		attrs = append(attrs, slog.Any("error", refused.Err))
	}
	if c.SID() != "" {
		attrs = append(attrs, slog.String("sid", c.SID()))
	}
	v.log.LogAttrs(ctx, level, "request refused", attrs...)
}
