package web

import (
	"io"
	"time"
)

// ConfirmView asks for the password again before something sensitive is done.
type ConfirmView struct {
	Page

	// Action finishes the sentence "Confirm it is you to ...", for example "end the session on Firefox on Linux".
	Action string

	// ReturnTo is posted as return_to; it is also where "Not now" leads. Anything
	// but a path on this server becomes /account.
	ReturnTo string

	// Fields are posted along unchanged. They carry the pending action; never a password.
	Fields []Field

	// Target is where the form posts. Anything but a path on this server becomes /account/confirm.
	Target string

	Failed     bool          // the password was wrong
	RetryAfter time.Duration // how long the next attempt has to wait; zero for no wait
}

// Field is one hidden field of a form.
type Field struct{ Name, Value string }

// ConfirmIdentity writes the page that asks for the password again.
func (p *Pages) ConfirmIdentity(w io.Writer, v ConfirmView) error {
	v.Target = local(v.Target, "/account/confirm")
	v.ReturnTo = local(v.ReturnTo, "/account")
	return render(w, "confirm", p.confirm(v))
}
