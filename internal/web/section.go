package web

import "strings"

// consoleTabs are the sections of the console this package has a page for in every installation.
func consoleTabs() []Tab {
	return []Tab{
		{Label: "Sessions", Path: "/console"},
		{Label: "Users", Path: "/console/users"},
		{Label: "Keys", Path: "/console/keys"},
		{Label: "Revocation", Path: "/console/revocation"},
		{Label: "Audit", Path: "/console/audit"},
	}
}

// inConsole reports whether a page of the section here shows the sections of the console.
func inConsole(here string) bool { return strings.HasPrefix(here, "/console") }

// current is the aria-current value of a link to path on a page of the section here: "page" for this very page, "true" for the
// section it belongs to, empty for another.
func current(here, path string) string {
	switch {
	case here == path:
		return "page"
	case path == "/console" && here == "/console/sessions":
		return "true"
	default:
		return ""
	}
}

// currentConsole is the same for the one link that stands for all of the console.
func currentConsole(here string) string {
	if now := current(here, "/console"); now != "" || !inConsole(here) {
		return now
	}
	return "true"
}
