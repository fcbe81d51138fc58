package web

import "io"

// ErrorView is a page for a request that could not be answered.
type ErrorView struct {
	Page
	Status    int
	Title     string // a few words: "Page not found"
	Message   string // what happened and what to try, for a person
	RequestID string // to quote when asking for help; empty for none

	// DeveloperHint is what the developer of the calling page has to change, shown folded away. Never put
	// anything secret into it: it is shown to whoever made the request.
	DeveloperHint string

	// ForgetCookies offers a button that removes all cookies of this site and its neighbours. The message has to
	// say that.
	ForgetCookies bool

	// RetryPath is a link "Try again". Anything but a path on this server leaves it out.
	RetryPath string
}

// signedIn reports whether the way onward is the account page. What is refused with 403 came from somebody signed in,
// whoever that is; the account page asks others to sign in.
func (v ErrorView) signedIn() bool { return v.Viewer != nil || v.Status == 403 }

// Error writes the error page. The caller sets the status of the response.
func (p *Pages) Error(w io.Writer, v ErrorView) error {
	v.RetryPath = local(v.RetryPath, "")
	return render(w, "error", p.errorPage(v))
}
