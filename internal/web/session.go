package web

import "time"

// SessionRow is one session in a list. It has no place for a credential: a page can show only what is public about a session.
type SessionRow struct {
	SID     string
	Subject string // shown in the console only
	Channel string // "cookie" or "token"

	Device  string // label the client gave itself, may be empty
	Browser string // from [Browser], may be empty
	IP      string // may be empty
	Place   string // "Lisbon, Portugal" or empty when not known

	Created    time.Time
	LastActive time.Time
	Expires    time.Time // the earlier of idle and absolute limit

	Current bool   // the session that asked for this page
	Binding string // "dbsc", "dpop", or "none" or empty
	Linked  bool   // began by hand-off from another session
}

// Name is what the row is called: the label, else the program, else a plain word.
func (r SessionRow) Name() string {
	switch {
	case r.Device != "":
		return r.Device
	case r.Browser != "":
		return r.Browser
	default:
		return "Unknown device"
	}
}

// Program is the browser text when the row is called something else, so that it is not said twice.
func (r SessionRow) Program() string {
	if r.Device == "" || r.Device == r.Browser {
		return ""
	}
	return r.Browser
}

// Bound reports whether a copy of the credential is useless without the device's key.
func (r SessionRow) Bound() bool { return r.Binding == "dbsc" || r.Binding == "dpop" }

// channel is the channel as people read it.
func (r SessionRow) channel() string {
	switch r.Channel {
	case "cookie":
		return "Cookie"
	case "token":
		return "Token"
	default:
		return r.Channel
	}
}
