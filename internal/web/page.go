package web

import (
	"net/url"
	"strings"
	"time"
)

// Page is the part every view has. Its zero value is a page for somebody who is not signed in.
type Page struct {
	// CSRFToken goes into the hidden csrf_token field of every form that posts.
	CSRFToken string

	// Now is the instant relative times ("4 minutes ago") are counted from. With the zero value times are shown as dates.
	Now time.Time

	// Address is where a GET shows this page, for pages in answer to a form: with it reloading, and coming back by the
	// back button, does not send the form again. Empty for a page that is at its own address. Anything but a path on this
	// server is left out.
	Address string

	// Viewer is who is signed in, nil for nobody. It decides whether the header has names, sections and a sign-out button.
	Viewer *Viewer

	// Notice is the outcome of what the person just did, nil for none.
	Notice *Notice
}

// Viewer is the person looking at a page.
type Viewer struct {
	Name  string
	Admin bool // has a console to go to

	// Warn is how long before the end of the session the page says so, where script runs. Zero never does.
	Warn time.Duration
}

func (v *Viewer) watched() bool { return v != nil && v.Warn > 0 }

// Notice is one sentence above the content of a page.
type Notice struct {
	Text    string
	Problem bool // announced at once (role=alert) instead of politely (role=status)
}

// local keeps links of a page on its own origin. The caller has checked them already; a page that asks for a password
// does not rely on that.
func local(path, fallback string) string {
	if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.ContainsFunc(path, func(r rune) bool { return r == '\\' || r < ' ' }) {
		return fallback
	}
	return path
}

// route puts an id into a path as one segment, whatever the id is made of.
func route(prefix, id, suffix string) string { return prefix + url.PathEscape(id) + suffix }
