package web

import "io"

// AccountView is the page at /account: the person's own sessions and password.
type AccountView struct {
	Page

	// Sessions are the live ones, in the order to be shown. The one marked Current is drawn first and on its own.
	Sessions []SessionRow

	// PasswordProblem is why the last password change was refused, as a sentence; empty for none.
	PasswordProblem string

	// MinPassword is the least number of characters of a new password, told to the person beforehand. Zero says nothing.
	MinPassword int
}

// Account writes the account page.
func (p *Pages) Account(w io.Writer, v AccountView) error { return render(w, "account", p.account(v)) }

// This is the current session, nil when none is marked.
func (v AccountView) This() *SessionRow {
	for i := range v.Sessions {
		if v.Sessions[i].Current {
			return &v.Sessions[i]
		}
	}
	return nil
}

// Others are the sessions that are not the current one.
func (v AccountView) Others() []SessionRow {
	var out []SessionRow
	for _, s := range v.Sessions {
		if !s.Current {
			out = append(out, s)
		}
	}
	return out
}
