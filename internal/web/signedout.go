package web

import "io"

// SignedOutView is the page after a session has ended.
type SignedOutView struct {
	Page

	// Reason is a sentence for an end the person did not ask for, such as "This session was idle for too long."
	// Empty means they signed out.
	Reason string

	// ReturnTo is handed to the login page; anything but a path on this server is left out.
	ReturnTo string
}

// SignedOut writes the signed-out page.
func (p *Pages) SignedOut(w io.Writer, v SignedOutView) error {
	v.ReturnTo = local(v.ReturnTo, "")
	return render(w, "signed out", p.signedOut(v))
}
