package web

import (
	"io"
	"time"
)

// ConsoleSessionView is the page of one session, live or ended, with its history.
type ConsoleSessionView struct {
	Page
	Session SessionRow

	AuthTime        time.Time
	Methods         []string // "pwd", "otp", ...
	Class           string   // authentication class, may be empty
	Generation      int
	IdleExpires     time.Time
	AbsoluteExpires time.Time
	Origin          string   // sid this one was handed off from, empty for none
	LinkedSIDs      []string // sids handed off from this one
	UserAgent       string   // the header as it was sent, may be empty

	// Ended is set once the session is over; the revoke form is then left out.
	Ended *Ending

	// History is the audit trail of this session, newest first.
	History []AuditEvent

	Bound time.Duration // the longest time that revoking and waiting takes

	// Reason and Problem bring back a refused revoke form.
	Reason, Problem string
}

// Ending is how a session ended.
type Ending struct {
	At     time.Time
	Reason string
	By     string // who ended it, empty when nobody did
}

// ConsoleSession writes the page of one session.
func (p *Pages) ConsoleSession(w io.Writer, v ConsoleSessionView) error {
	return render(w, "console session", p.consoleSession(v))
}
