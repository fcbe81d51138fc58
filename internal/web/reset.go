package web

import "io"

// ResetView is the page at /reset, where a one-time code is exchanged for a new password. The code arrives in the fragment of the
// link, which browsers do not send; a module moves it into the form, and without script a person pastes it.
type ResetView struct {
	Page
	Code        string // what was posted before, so that a refused password does not cost the code
	CodeProblem string // why the code was refused, as a sentence; empty for none
	Problem     string // why the new password was refused, as a sentence; empty for none
	MinPassword int    // least number of characters, zero says nothing
	Done        bool   // the password was changed: the page leads to the login
}

// Reset writes the reset page.
func (p *Pages) Reset(w io.Writer, v ResetView) error { return render(w, "reset", p.reset(v)) }
