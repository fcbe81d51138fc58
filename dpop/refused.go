package dpop

import "errors"

// Cause names why a proof was refused. The texts are stable: logs and metrics
// may use them as labels.
type Cause string

// The causes of [Refused].
const (
	Missing     Cause = "missing"      // no DPoP field
	Several     Cause = "several"      // more than one, or joined by a comma
	Malformed   Cause = "malformed"    // not one strict JWT of this kind, or its algorithm or key is refused
	Signature   Cause = "signature"    // the signature does not fit the key in the proof
	ClaimAbsent Cause = "claim_absent" // jti, htm, htu or iat is absent or of the wrong type
	WrongMethod Cause = "wrong_method" // htm is another method
	WrongURL    Cause = "wrong_url"    // htu is another address
	WrongTime   Cause = "wrong_time"   // iat is outside the window
	WrongToken  Cause = "wrong_token"  // ath is absent or of another token
	WrongKey    Cause = "wrong_key"    // made with another key than the token is bound to
	NeedsNonce  Cause = "needs_nonce"  // no nonce, or one that is not ours, not for this role or too old
	Replayed    Cause = "replayed"     // this proof was accepted before
)

// ErrMemory means that the memory of accepted proofs could not be asked, so that
// nothing is known about the proof: the answer is 503 and the proof may be
// repeated.
var ErrMemory = errors.New("dpop: the memory of proofs cannot be asked")

// Refused is the error of a proof that does not hold. Its text has nothing of
// the request in it.
type Refused struct {
	Why Cause
	Err error // what the reader of the JWT said, or nil
}

// Error names the cause.
func (r *Refused) Error() string {
	if r.Err != nil {
		return "dpop: refused: " + string(r.Why) + ": " + r.Err.Error()
	}
	return "dpop: refused: " + string(r.Why)
}

// Unwrap returns the underlying error.
func (r *Refused) Unwrap() error { return r.Err }

// Code is the error code for the client: "use_dpop_nonce" or
// "invalid_dpop_proof" (RFC 9449 sections 5, 7.1 and 8).
func (r *Refused) Code() string {
	if r.Why == NeedsNonce {
		return "use_dpop_nonce"
	}
	return "invalid_dpop_proof"
}

func refuse(why Cause, err error) error { return &Refused{why, err} }
