package token

import (
	"errors"
	"log/slog"

	"github.com/lanyard-go/lanyard/internal/jose"
)

// ErrInvalid is what every refusal of [Verifier.Verify] is. A client learns no
// more than that (RFC 6750 section 3.1: invalid_token).
var ErrInvalid = errors.New("token: invalid token")

// Error is a refusal with its cause, for the log of the party that verifies.
// Its text is the same for every cause, so that it gives nothing away when it
// ends up in an answer.
type Error struct {
	Cause Cause
}

// Error returns the one text of all refusals.
func (e *Error) Error() string { return ErrInvalid.Error() }

// Is makes errors.Is(err, ErrInvalid) true.
func (e *Error) Is(target error) bool { return target == ErrInvalid }

// LogValue shows the cause, because logs are where it belongs.
func (e *Error) LogValue() slog.Value { return slog.StringValue(string(e.Cause)) }

// Cause names the check that refused a token.
type Cause string

// One cause for each check, in the order of the checks.
const (
	CauseTooLong        Cause = "too_long"         // longer than MaxSize
	CauseForm           Cause = "form"             // not three parts of canonical base64url
	CauseHeader         Cause = "header"           // header not strict JSON, or a refused member
	CauseCritical       Cause = "critical"         // crit or b64 present
	CauseType           Cause = "type"             // typ is not at+jwt
	CauseAlgorithm      Cause = "algorithm"        // alg not allowed, or not the key's
	CauseKeyID          Cause = "key_id"           // kid missing or malformed
	CauseUnknownKey     Cause = "unknown_key"      // no trusted key with this kid, or no longer
	CauseSignature      Cause = "signature"        // the signature does not fit
	CausePayload        Cause = "payload"          // payload not strict JSON
	CauseClaimType      Cause = "claim_type"       // a claim of the wrong type or out of range
	CauseClaimMissing   Cause = "claim_missing"    // a required claim is absent or empty
	CauseIssuer         Cause = "issuer"           // iss is not the configured issuer
	CauseAudience       Cause = "audience"         // aud does not name this verifier
	CauseExpired        Cause = "expired"          // exp has been reached
	CauseNotYetValid    Cause = "not_yet_valid"    // nbf lies ahead
	CauseIssuedInFuture Cause = "issued_in_future" // iat lies ahead
)

func refuse(c Cause) error { return &Error{c} }

// joseCauses maps the refusals of the parser to ours.
var joseCauses = []struct {
	err   error
	cause Cause
}{
	{jose.ErrTooLong, CauseTooLong},
	{jose.ErrForm, CauseForm},
	{jose.ErrBase64, CauseForm},
	{jose.ErrJSON, CauseHeader},
	{jose.ErrHeader, CauseHeader},
	{jose.ErrCritical, CauseCritical},
	{jose.ErrType, CauseType},
	{jose.ErrAlgorithm, CauseAlgorithm},
	{jose.ErrKeyID, CauseKeyID},
	{jose.ErrSignature, CauseSignature},
}

func joseCause(err error) Cause {
	for _, m := range joseCauses {
		if errors.Is(err, m.err) {
			return m.cause
		}
	}
	return CauseForm
}
