package web

import (
	"io"
	"net/url"
	"time"
)

// ConsoleSessionsView is the page at /console: live sessions of everybody.
type ConsoleSessionsView struct {
	Page
	Query   string // what was searched for: a name, an address, a device or a sid
	Channel string // "cookie", "token", or empty for both

	Rows   []SessionRow
	Cursor string // of this page; empty for the first
	Next   string // of the next page; empty for the last

	// Overview is the line of figures above the list, nil to leave it out.
	Overview *Overview
}

// Overview is a few figures about the whole installation.
type Overview struct {
	Live, Cookie, Token int
	Bound               int // live sessions whose credential is bound to a device key

	Verifiers, Fresh int           // followers of the feed, and how many of them are fresh
	LagP99           time.Duration // measured revocation lag; zero when nothing was measured
}

// ConsoleSessions writes the list of live sessions.
func (p *Pages) ConsoleSessions(w io.Writer, v ConsoleSessionsView) error {
	return render(w, "console sessions", p.consoleSessions(v))
}

// Searching reports whether the list is narrowed.
func (v ConsoleSessionsView) Searching() bool { return v.Query != "" || v.Channel != "" }

// narrowing ends the sentence "no live session matches".
func (v ConsoleSessionsView) narrowing() string {
	var s string
	if v.Query != "" {
		s += " “" + v.Query + "”"
	}
	if v.Channel != "" {
		s += " among " + v.Channel + " sessions"
	}
	return s
}

// FirstURL is the first page of the same search.
func (v ConsoleSessionsView) FirstURL() string { return v.link("") }

// NextURL is the next page of the same search.
func (v ConsoleSessionsView) NextURL() string { return v.link(v.Next) }

// ChannelURL is the first page of the same search for one channel, or for both with "".
func (v ConsoleSessionsView) ChannelURL(channel string) string {
	v.Channel = channel
	return v.link("")
}

func (v ConsoleSessionsView) link(cursor string) string {
	q := url.Values{}
	for name, value := range map[string]string{"q": v.Query, "channel": v.Channel, "cursor": cursor} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if len(q) == 0 {
		return "/console"
	}
	return "/console?" + q.Encode()
}
