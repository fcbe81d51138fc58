package web

import (
	"io"
	"time"
)

// LoginView is the page at /login.
type LoginView struct {
	Page
	Username string // what was typed before, to be shown again
	ReturnTo string // posted as return_to; anything but a path on this server is left out

	// Failed says that name and password did not fit. The page does not say which, because the caller does not know either.
	Failed bool

	// Remember is how long the browser keeps the cookie if the person asks for that; zero offers nothing. Remembered says
	// that they did before.
	Remember   time.Duration
	Remembered bool

	// RetryAfter is how long the next attempt has to wait; zero means it need not. The form stays usable, since the wait may
	// concern one network and not the person.
	RetryAfter time.Duration
}

// Login writes the login page.
func (p *Pages) Login(w io.Writer, v LoginView) error {
	v.ReturnTo = local(v.ReturnTo, "")
	return render(w, "login", p.login(v))
}
