package password

import "errors"

// ErrBusy means that as many passwords as allowed were being hashed for the
// whole of [Config].MaxWait. A server answers 503.
var ErrBusy = errors.New("password: too many passwords are being hashed")

// ErrTooLong means that a password has more than [MaxBytes] bytes.
var ErrTooLong = errors.New("password: longer than the limit")

// HashError says why a stored hash cannot be used: an unknown algorithm, a
// malformed string, a cost over the limits of [Hasher.Check], or a pepper that
// is not configured. Nothing of the hash itself is in it, so it may be logged.
type HashError struct {
	Algorithm string // "argon2id", "bcrypt", "scrypt", "pbkdf2", or empty when it is not known
	Problem   string // lower case, such as "cost 20 is over the limit of 15"
}

// Error returns the algorithm, where it is known, and the problem.
func (e *HashError) Error() string {
	if e.Algorithm == "" {
		return "password: stored hash: " + e.Problem
	}
	return "password: stored " + e.Algorithm + " hash: " + e.Problem
}
