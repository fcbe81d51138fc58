package web

import (
	"io"
	"time"
)

// state is one page with one set of values. The tests render all of them, and -preview writes them to files.
type state struct {
	name   string
	signed bool // somebody is signed in
	render func(p *Pages, w io.Writer) error
}

var at = time.Date(2026, 11, 23, 3, 4, 5, 0, time.UTC)

func ago(d time.Duration) time.Time { return at.Add(-d) }

func in(d time.Duration) time.Time { return at.Add(d) }

// rows are sessions of one person on the devices of an ordinary life.
func rows() []SessionRow {
	const day = 24 * time.Hour
	return []SessionRow{
		{SID: "01kam3v7d2k9q0x8nq3h5r7wzt", Subject: "ada", Channel: "cookie", Browser: "Firefox on Linux", IP: "203.0.113.24", Place: "Lisbon, Portugal", Created: ago(2 * time.Hour), LastActive: ago(3 * time.Second), Expires: in(22 * time.Hour), Current: true, Binding: "none"},
		{SID: "01kam3v7d2k9q0x8nq3h5r7wzu", Subject: "ada", Channel: "token", Device: "Ada’s phone", Browser: "lanyard Go client", IP: "2001:db8:85a3::8a2e:370:7334", Place: "Porto, Portugal", Created: ago(6 * day), LastActive: ago(4 * time.Minute), Expires: in(8 * day), Binding: "dpop", Linked: true},
		{SID: "01kam3v7d2k9q0x8nq3h5r7wzv", Subject: "ada", Channel: "cookie", Browser: "Chrome on Windows", IP: "198.51.100.7", Created: ago(20 * day), LastActive: ago(26 * time.Hour), Expires: in(10 * time.Hour), Binding: "dbsc"},
		{SID: "01kam3v7d2k9q0x8nq3h5r7wzw", Subject: "ada", Channel: "token", Device: "nightly-backup", Browser: "curl", IP: "192.0.2.190", Created: ago(9 * day), LastActive: ago(45 * time.Minute), Expires: in(40 * time.Minute)},
	}
}

func events() []AuditEvent {
	return []AuditEvent{
		{Time: ago(40 * time.Second), Name: "refresh.reused", Text: "An old refresh token was presented", Outcome: "denied", Critical: true, Subject: "ada", SID: "01kam3v7d2k9q0x8nq3h5r7wzu", IP: "198.51.100.200", RequestID: "r-19"},
		{Time: ago(4 * time.Minute), Name: "token.refreshed", Text: "The token pair was renewed", Outcome: "success", Subject: "ada", SID: "01kam3v7d2k9q0x8nq3h5r7wzu", IP: "2001:db8:85a3::8a2e:370:7334"},
		{Time: ago(3 * time.Hour), Name: "login.failed", Outcome: "failure", Subject: "grace", IP: "198.51.100.7"},
		{Time: ago(5 * time.Hour), Name: "user.disabled", Text: "An administrator disabled a user", Outcome: "success", Actor: "ada", Subject: "mallory", IP: "203.0.113.24"},
		{Time: ago(6 * 24 * time.Hour), Name: "session.created", Text: "Handed off from another session", Outcome: "success", Subject: "ada", SID: "01kam3v7d2k9q0x8nq3h5r7wzu", IP: "203.0.113.24"},
	}
}

func guest() Page { return Page{CSRFToken: "token-of-the-form", Now: at} }

func person() Page {
	p := guest()
	p.Viewer = &Viewer{Name: "ada", Warn: 5 * time.Minute}
	return p
}

func admin() Page {
	p := guest()
	p.Viewer = &Viewer{Name: "ada", Admin: true, Warn: 5 * time.Minute}
	return p
}

func with(p Page, text string, problem bool) Page {
	p.Notice = &Notice{Text: text, Problem: problem}
	return p
}

func states() []state {
	var all []state
	all = append(all, guestStates()...)
	all = append(all, personStates()...)
	return append(all, adminStates()...)
}

func guestStates() []state {
	login := func(name string, v LoginView) state {
		return state{name: name, render: func(p *Pages, w io.Writer) error { return p.Login(w, v) }}
	}
	reset := func(name string, v ResetView) state {
		return state{name: name, render: func(p *Pages, w io.Writer) error { return p.Reset(w, v) }}
	}
	out := func(name string, v SignedOutView) state {
		return state{name: name, render: func(p *Pages, w io.Writer) error { return p.SignedOut(w, v) }}
	}
	fail := func(name string, v ErrorView) state {
		return state{name: name, signed: v.Viewer != nil, render: func(p *Pages, w io.Writer) error { return p.Error(w, v) }}
	}
	return []state{
		login("login", LoginView{Page: guest(), ReturnTo: "/account"}),
		login("login-failed", LoginView{Page: guest(), Username: "ada", ReturnTo: "/account", Failed: true}),
		login("login-throttled", LoginView{Page: guest(), Username: "ada", RetryAfter: 45 * time.Second}),
		login("login-remember", LoginView{Page: guest(), ReturnTo: "/account", Remember: 7 * 24 * time.Hour, Remembered: true}),
		login("login-notice", LoginView{Page: with(guest(), "Sign in to go on.", false)}),
		reset("reset", ResetView{Page: guest(), MinPassword: 15}),
		reset("reset-refused", ResetView{Page: guest(), Code: "Zx81-code", Problem: "This password is on the list of the most common ones.", CodeProblem: "This code has expired. Ask for a new link.", MinPassword: 15}),
		reset("reset-done", ResetView{Page: guest(), Done: true}),
		out("signedout", SignedOutView{Page: guest()}),
		out("signedout-idle", SignedOutView{Page: guest(), Reason: "This session was idle for too long and was ended.", ReturnTo: "/account"}),
		fail("error-503", ErrorView{Page: guest(), Status: 503, Title: "Back in a moment", Message: "The place where sessions are kept does not answer. You have not been signed out.", RequestID: "3f9a5c77d1", RetryPath: "/account"}),
		fail("error-403", ErrorView{Page: person(), Status: 403, Title: "This request was stopped", Message: "It did not come from one of our own pages. Go back and try again from there.", RequestID: "3f9a5c77d2", DeveloperHint: "Sec-Fetch-Site was cross-site and the Origin is not on the list of --trusted-origin."}),
		fail("error-404", ErrorView{Page: admin(), Status: 404, Title: "Nothing here", Message: "This page does not exist, or it is not yours."}),
	}
}

func personStates() []state {
	account := func(name string, v AccountView) state {
		return state{name: name, signed: true, render: func(p *Pages, w io.Writer) error { return p.Account(w, v) }}
	}
	confirm := func(name string, v ConfirmView) state {
		return state{name: name, signed: true, render: func(p *Pages, w io.Writer) error { return p.ConfirmIdentity(w, v) }}
	}
	pending := []Field{{"action", "end"}, {"sid", "01kam3v7d2k9q0x8nq3h5r7wzv"}}
	return []state{
		account("account", AccountView{Page: person(), Sessions: rows(), MinPassword: 15}),
		account("account-alone", AccountView{Page: person(), Sessions: rows()[:1]}),
		account("account-notice", AccountView{Page: with(admin(), "The session on Chrome on Windows has ended.", false), Sessions: rows()[:2], MinPassword: 15}),
		account("account-problem", AccountView{Page: with(admin(), "The password was not changed.", true), Sessions: rows(), PasswordProblem: "The current password is wrong.", MinPassword: 15}),
		account("account-bare", AccountView{Page: person(), Sessions: []SessionRow{{SID: "01kam3v7d2k9q0x8nq3h5r7wzt", Channel: "cookie"}}}),
		confirm("confirm", ConfirmView{Page: person(), Action: "end the session on Chrome on Windows", Fields: pending}),
		confirm("confirm-failed", ConfirmView{Page: person(), Action: "end all other sessions", Fields: pending, Failed: true}),
		confirm("confirm-throttled", ConfirmView{Page: person(), RetryAfter: 3 * time.Minute, ReturnTo: "/console/keys"}),
	}
}

func adminStates() []state {
	sessions := func(name string, v ConsoleSessionsView) state {
		return state{name: name, signed: true, render: func(p *Pages, w io.Writer) error { return p.ConsoleSessions(w, v) }}
	}
	session := func(name string, v ConsoleSessionView) state {
		return state{name: name, signed: true, render: func(p *Pages, w io.Writer) error { return p.ConsoleSession(w, v) }}
	}
	users := func(name string, v ConsoleUsersView) state {
		return state{name: name, signed: true, render: func(p *Pages, w io.Writer) error { return p.ConsoleUsers(w, v) }}
	}
	keys := func(name string, v ConsoleKeysView) state {
		return state{name: name, signed: true, render: func(p *Pages, w io.Writer) error { return p.ConsoleKeys(w, v) }}
	}
	audit := func(name string, v ConsoleAuditView) state {
		return state{name: name, signed: true, render: func(p *Pages, w io.Writer) error { return p.ConsoleAudit(w, v) }}
	}
	revocation := func(name string, v ConsoleRevocationView) state {
		return state{name: name, signed: true, render: func(p *Pages, w io.Writer) error { return p.ConsoleRevocation(w, v) }}
	}
	day := 24 * time.Hour
	all := rows()
	all[1].Subject, all[2].Subject, all[3].Subject = "grace.hopper@example.com", "katherine", "svc-backup"
	people := []UserRow{
		{Name: "ada", Admin: true, Self: true, Sessions: 4, Created: ago(400 * day), LastLogin: ago(2 * time.Hour)},
		{Name: "grace.hopper@example.com", Sessions: 1, Created: ago(200 * day), LastLogin: ago(6 * day)},
		{Name: "katherine", Pending: true, Created: ago(time.Minute)},
		{Name: "mallory", Disabled: true, Created: ago(90 * day), LastLogin: ago(12 * day)},
	}
	ring := []KeyRow{
		{KID: "k-2026-11-a", Algorithm: "ES256", State: "signing", Created: ago(12 * day), Until: in(18 * day)},
		{KID: "k-2026-11-b", Algorithm: "ES256", State: "next", Created: ago(2 * day), Until: in(18 * day)},
		{KID: "k-2026-10-a", Algorithm: "ES256", State: "verifying", Created: ago(42 * day), Until: in(5 * time.Minute)},
		{KID: "k-2026-09-a", Algorithm: "EdDSA", State: "withdrawn", Created: ago(72 * day), Until: ago(50 * day)},
	}
	one := ConsoleSessionView{Page: admin(), Bound: 2 * time.Second, Session: all[1], AuthTime: ago(6 * day), Methods: []string{"pwd", "otp"}, Class: "aal2", Generation: 3, IdleExpires: in(13 * day), AbsoluteExpires: in(24 * day), Origin: all[0].SID, LinkedSIDs: []string{all[2].SID}, UserAgent: "lanyard-go/1.0 (go1.26)", History: events()}
	over := one
	over.Ended = &Ending{At: ago(30 * time.Second), Reason: "reuse of a refresh token", By: "lanyard"}
	bare := ConsoleSessionView{Page: admin(), Bound: 2 * time.Second, Session: SessionRow{SID: "x", Subject: "ada", Channel: "cookie"}}
	refused := one
	refused.Problem = "Say why: a reason is needed."
	ms := time.Millisecond
	lately := ConsoleRevocationView{
		Page: admin(), Bound: 2 * time.Second, Lease: 1700 * ms, Age: 300 * ms,
		Now: Lag{4 * ms, 19 * ms, 24 * ms, 31}, Hour: Lag{5 * ms, 38 * ms, 1900 * ms, 1204},
		Followers: []FollowerRow{
			{Name: "orders-1", Client: "orders", Fresh: true, Seen: ago(time.Second), Lag: Lag{3 * ms, 17 * ms, 24 * ms, 602}},
			{Name: "gateway-eu-west-2", Client: "gateway", Fresh: true, Local: true, Behind: 2, Seen: ago(time.Second), Lag: Lag{8 * ms, 63 * ms, 1900 * ms, 602}},
			{Name: "reports", Client: "reports", Seen: ago(14 * time.Second)},
		},
		Nodes: []NodeRow{{Name: "6e0d9ba1c9b06f3b9f4c2d6c8f0f51aa", Running: true, InStep: true, Followers: 5}, {Name: "a1b06f3b9f4c2d6c8f0f51aa6e0d9bc9", Running: true}, {Name: "0f51aa6e0d9ba1c9b06f3b9f4c2d6c8f"}},
		Waits: []WaitRow{
			{At: ago(3 * time.Minute), What: "session 06h0dedv6ruupepmfvbeq0e1bo", Took: 2 * time.Second, WaitedFor: []string{"reports", "gateway-eu-west-2"}, NotCovered: []string{"gateway-eu-west-2"}, Settled: true},
			{At: ago(50 * time.Minute), What: "ada", Took: 9 * ms},
		},
	}
	for i := 59; i >= 0; i-- {
		if i%7 != 3 {
			d := time.Duration(2+i*i%13) * ms
			lately.Plot = append(lately.Plot, LagMinute{i, Lag{d, 4 * d, time.Duration(5+i%50/49*150) * d, 20}})
		}
	}
	overview := &Overview{Live: 1284, Cookie: 951, Token: 333, Bound: 702, Verifiers: 6, Fresh: 6, LagP99: 38 * time.Millisecond}
	return []state{
		sessions("console", ConsoleSessionsView{Page: admin(), Rows: all, Next: "abc", Overview: overview}),
		sessions("console-search", ConsoleSessionsView{Page: admin(), Query: "grace", Channel: "token", Rows: all[1:2], Cursor: "abc"}),
		sessions("console-nothing", ConsoleSessionsView{Page: admin(), Query: "nobody & nothing", Channel: "cookie"}),
		sessions("console-empty", ConsoleSessionsView{Page: admin(), Overview: &Overview{}}),
		session("console-session", one),
		session("console-session-ended", over),
		session("console-session-bare", bare),
		session("console-session-refused", refused),
		users("console-users", ConsoleUsersView{Page: admin(), Users: people, Next: "m", ResetOffered: true}),
		users("console-users-link", ConsoleUsersView{Page: admin(), Users: people, Reset: &ResetLink{Name: "katherine", URL: "https://id.example/reset#rst_Zk3v9QxT1mN8cW5yB2hJ7dL4", Expires: in(time.Hour)}}),
		users("console-users-refused", ConsoleUsersView{Page: admin(), Users: people, NewName: "ada", Problem: "There is already somebody called ada."}),
		users("console-users-empty", ConsoleUsersView{Page: admin()}),
		keys("console-keys", ConsoleKeysView{Page: admin(), Keys: ring}),
		keys("console-keys-refused", ConsoleKeysView{Page: admin(), Keys: ring, ProblemKID: "k-2026-11-a", Problem: "What you typed is not the id of this key."}),
		keys("console-keys-empty", ConsoleKeysView{Page: admin()}),
		audit("console-audit", ConsoleAuditView{Page: admin(), Events: events(), Next: "n"}),
		audit("console-audit-empty", ConsoleAuditView{Page: admin()}),
		revocation("console-revocation", lately),
		revocation("console-revocation-empty", ConsoleRevocationView{Page: admin(), Bound: 2 * time.Second}),
	}
}
