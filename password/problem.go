package password

// The codes of a [Problem].
const (
	CodeTooShort  = "too_short" // fewer code points than MinLength
	CodeTooLong   = "too_long"  // more bytes than MaxBytes
	CodeNotText   = "not_text"  // not valid UTF-8
	CodeRepeating = "repeating" // one short or common piece over and over
	CodeCommon    = "common"    // on the list of common passwords
	CodeContext   = "context"   // too short without a word of the person's or the service's
	CodeBreached  = "breached"  // found by the Breached hook
)

// Problem is a refused password: the error of [Policy.Check] that a person can
// do something about.
type Problem struct {
	Code    string // one of the constants above, for programs
	Message string // the reason, in a sentence for the person who chose the password
}

// Error returns the code and not the message, which may name a part of the
// password: errors end up in logs.
func (p *Problem) Error() string { return "password: refused: " + p.Code }
