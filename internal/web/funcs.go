package web

import (
	"html/template"
	"net/url"
	"strconv"
	"strings"
)

// funcs are the few things templates may call. Each returns plain strings or structs, which html/template
// escapes for the place they land in; none returns a pre-escaped type.
func (p *Pages) funcs() template.FuncMap {
	return template.FuncMap{
		"service":      func() string { return p.service },
		"tabs":         func() []Tab { return p.tabs },
		"asset":        p.AssetURL,
		"moment":       newMoment,
		"wait":         wait,
		"fine":         fine,
		"figure":       figure,
		"short":        short,
		"route":        route,
		"userSessions": func(name string) string { return ConsoleSessionsView{Query: name}.link("") },
		"shell":        func(view any, page Page, here string) shell { return shell{page, view, here} },
		"badge":        func(page Page, row SessionRow) badge { return badge{page, row} },
		"button": func(page Page, action, class, label, of string) button {
			return button{page.CSRFToken, action, class, label, of}
		},
	}
}

// shell is what the frame around a page needs: the view goes on to the page's own part.
type shell struct {
	Page Page
	View any
	Here string // path of the section this page belongs to
}

// InConsole reports whether the sections of the console are shown.
func (s shell) InConsole() bool { return strings.HasPrefix(s.Here, "/console") }

// Current is the aria-current value of a link to path: "page" for this very page, "true" for the section it belongs to.
func (s shell) Current(path string) string {
	switch {
	case s.Here == path:
		return "page"
	case path == "/console" && s.Here == "/console/sessions":
		return "true"
	default:
		return ""
	}
}

// badge is what the parts that draw a session need.
type badge struct {
	Page Page
	Row  SessionRow
}

// button is what the form with one button needs. Of is read out only: it tells twenty "End" buttons apart.
type button struct{ CSRFToken, Action, Class, Label, Of string }

// route puts an id into a path. html/template would leave a slash or a question mark in it as they are.
func route(prefix, id, suffix string) string { return prefix + url.PathEscape(id) + suffix }

// short is enough of an id to recognise it in a table; the random end differs where the time-ordered start does not.
func short(id string) string {
	const keep = 8
	if len(id) <= keep+1 {
		return id
	}
	return "…" + id[len(id)-keep:]
}

// figure groups the digits of a count by thousands.
func figure(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
