package jose

import "errors"

// The kinds of refusal. Each error of this package wraps exactly one of them, so
// that a caller can log which check failed. None of them is meant for the party
// that sent the token: that party learns only that the token is not valid.
var (
	// ErrTooLong means the text is longer than the limit; nothing was decoded.
	ErrTooLong = errors.New("jose: text too long")
	// ErrForm means the text is not three non-empty base64url parts.
	ErrForm = errors.New("jose: not a compact JWS")
	// ErrBase64 means a part has no canonical base64url reading.
	ErrBase64 = errors.New("jose: not canonical base64url")
	// ErrJSON means the bytes are not one strict JSON object within the limits.
	ErrJSON = errors.New("jose: not a strict JSON object")
	// ErrHeader means a header member is missing, of the wrong type or refused.
	ErrHeader = errors.New("jose: header refused")
	// ErrCritical means the header carries crit or b64 (RFC 7515 section
	// 4.1.11, RFC 7797).
	ErrCritical = errors.New("jose: critical extension refused")
	// ErrType means typ is missing or names another kind of token.
	ErrType = errors.New("jose: wrong token type")
	// ErrAlgorithm means alg is not on the allow list or not the key's own.
	ErrAlgorithm = errors.New("jose: algorithm refused")
	// ErrKeyID means kid is missing, too long or outside its alphabet.
	ErrKeyID = errors.New("jose: key id refused")
	// ErrKey means a key is malformed, weak, private, symmetric or meant for
	// something else than verifying signatures.
	ErrKey = errors.New("jose: key refused")
	// ErrSignature means the signature does not fit, whatever the reason.
	ErrSignature = errors.New("jose: signature refused")
)
