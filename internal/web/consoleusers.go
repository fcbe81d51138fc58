package web

import (
	"io"
	"net/url"
	"time"
)

// ConsoleUsersView is the page at /console/users.
type ConsoleUsersView struct {
	Page
	Users  []UserRow
	Cursor string // of this page; empty for the first
	Next   string // cursor of the next page; empty for the last

	NewName string // what was typed before into "add"
	Problem string // why adding was refused, as a sentence; empty for none

	// ResetOffered draws a button per user that posts to /console/users/{name}/reset for a new one-time link.
	ResetOffered bool

	// Reset is a link that was just made, shown this one time, nil for none.
	Reset *ResetLink
}

// UserRow is one person in the directory.
type UserRow struct {
	Name      string
	Admin     bool
	Disabled  bool
	Pending   bool // has not chosen a password yet
	Self      bool // the person looking; no button to disable oneself is drawn
	Sessions  int  // live ones
	Created   time.Time
	LastLogin time.Time // zero for never
}

// ResetLink is a one-time link with which a person chooses a password.
type ResetLink struct {
	Name    string
	URL     string // with the code in the fragment
	Expires time.Time
}

// ConsoleUsers writes the list of users.
func (p *Pages) ConsoleUsers(w io.Writer, v ConsoleUsersView) error {
	return render(w, "console users", p.consoleUsers(v))
}

// NextURL is the address of the next page.
func (v ConsoleUsersView) NextURL() string {
	return "/console/users?" + url.Values{"cursor": {v.Next}}.Encode()
}
