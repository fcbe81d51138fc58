package web

import (
	"io"
	"time"
)

// ConsoleKeysView is the page at /console/keys: the keys access tokens are signed with.
type ConsoleKeysView struct {
	Page
	Keys []KeyRow

	// ProblemKID and Problem bring back a refused withdrawal: which key, and why as a sentence.
	ProblemKID, Problem string
}

// KeyRow is one signing key. It has no place for the private half.
type KeyRow struct {
	KID       string
	Algorithm string
	State     string // "next", "signing", "verifying", "withdrawn"
	Created   time.Time
	Until     time.Time // when the state changes by itself, zero for never
}

// Withdrawable reports whether the key is trusted by anybody, so that there is something to withdraw.
func (k KeyRow) Withdrawable() bool { return k.State != "withdrawn" }

// untilLabel says what happens at Until.
func (k KeyRow) untilLabel() string {
	switch k.State {
	case "signing":
		return "Signs until"
	case "next":
		return "Signs from"
	case "withdrawn":
		return "Withdrawn"
	default:
		return "Trusted until"
	}
}

// ConsoleKeys writes the list of signing keys.
func (p *Pages) ConsoleKeys(w io.Writer, v ConsoleKeysView) error {
	return render(w, "console keys", p.consoleKeys(v))
}
