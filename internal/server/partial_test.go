package server

import (
	"database/sql"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard/api"
	"github.com/lanyard-go/lanyard/audit"
	"github.com/lanyard-go/lanyard/store/sqlite"
)

// keepEnds makes the session store refuse to end anything, while it takes other
// writes, as it may when it breaks in the middle of a request.
func (x *site) keepEnds(on bool) {
	x.t.Helper()
	statement := "DROP TRIGGER no_ends"
	if on {
		statement = "CREATE TRIGGER no_ends BEFORE INSERT ON session_feed BEGIN SELECT RAISE(ABORT, 'broken for this test'); END"
	}
	if _, err := x.sessionsDB().ExecContext(x.t.Context(), statement); err != nil {
		x.t.Fatal(err)
	}
}

// refuseWrites makes the session store refuse every write.
func (x *site) refuseWrites() {
	x.t.Helper()
	for _, table := range []string{"session_feed", "session_once", "sessions"} {
		for _, event := range []string{"INSERT", "UPDATE"} {
			statement := "CREATE TRIGGER no_" + event + "_" + table + " BEFORE " + event + " ON " + table + " BEGIN SELECT RAISE(ABORT, 'broken for this test'); END"
			if _, err := x.sessionsDB().ExecContext(x.t.Context(), statement); err != nil {
				x.t.Fatal(err)
			}
		}
	}
}

// sessionsDB is the session store's database, opened beside the server.
func (x *site) sessionsDB() *sql.DB {
	x.t.Helper()
	db, err := sql.Open("sqlite", sqlite.DSN(x.s.cfg.store.address))
	if err != nil {
		x.t.Fatal(err)
	}
	x.t.Cleanup(func() { db.Close() })
	return db
}

// local calls an endpoint for the owner of the data directory.
func (x *site) local(method, target string, body any) *answer {
	x.t.Helper()
	r := httptest.NewRequest(method, "http://localhost"+target, nil)
	setBody(x.t, r, body)
	rec := httptest.NewRecorder()
	x.s.LocalHandler().ServeHTTP(rec, r)
	return x.received(r, rec.Result())
}

// changeOfUser is something done to a user that must end their sessions.
type changeOfUser struct {
	name string
	// prepare returns the request that does it, for a user with the session b.
	prepare func(x *site, root, b *badge) (do func() *answer)
	event   audit.Name
}

const otherPassword = "another long passphrase"

var changesOfUsers = []changeOfUser{
	{"an administrator disables the user", func(x *site, root, _ *badge) func() *answer {
		return func() *answer { return x.call("POST", "/v1/admin/users/ada/disable", nil, x.as(root)) }
	}, audit.UserDisabled},
	{"an administrator disables the user on the console", func(x *site, root, _ *badge) func() *answer {
		b := x.browser().wears(root)
		form := url.Values{"csrf_token": {b.send("GET", "/console/users", nil).want(200).token()}}
		return func() *answer { return b.send("POST", "/console/users/ada/disable", form) }
	}, audit.UserDisabled},
	{"the user changes the password", func(x *site, _, _ *badge) func() *answer {
		own := x.signedIn("ada", "cookie")
		return func() *answer {
			return x.call("POST", "/v1/password", api.PasswordRequest{Current: goodPassword, New: otherPassword}, x.as(own))
		}
	}, audit.PasswordChanged},
	{"the user changes the password and keeps the others", func(x *site, _, _ *badge) func() *answer {
		own, no := x.signedIn("ada", "cookie"), false
		return func() *answer {
			return x.call("POST", "/v1/password", api.PasswordRequest{Current: goodPassword, New: otherPassword, EndOthers: &no}, x.as(own))
		}
	}, audit.PasswordChanged},
	{"the user changes the password on the account page", func(x *site, _, _ *badge) func() *answer {
		b := x.browser().wears(x.signedIn("ada", "cookie"))
		form := url.Values{"csrf_token": {b.send("GET", "/account", nil).want(200).token()}, "current": {goodPassword}, "new": {otherPassword}, "end_others": {"1"}}
		return func() *answer { return b.send("POST", "/account/password", form) }
	}, audit.PasswordChanged},
	{"the user resets the password", func(x *site, root, _ *badge) func() *answer {
		_, code, _ := strings.Cut(x.call("POST", "/v1/admin/users/ada/reset", nil, x.as(root)).want(200).field("reset_url"), "#")
		b := x.browser()
		form := url.Values{"csrf_token": {b.send("GET", "/reset", nil).want(200).token()}, "code": {code}, "new": {otherPassword}}
		return func() *answer { return b.send("POST", "/reset", form) }
	}, audit.PasswordReset},
	{"the owner sets the password", func(x *site, _, _ *badge) func() *answer {
		return func() *answer {
			return x.local("POST", "/local/users/ada/password", map[string]string{"password": otherPassword})
		}
	}, audit.PasswordChanged},
}

// A change whose ends cannot be written is reported as made without them: never
// as done, and never as if nothing had changed.
func TestAChangeThatCouldNotEndTheSessionsSaysSo(t *testing.T) {
	for _, c := range changesOfUsers {
		t.Run(c.name, func(t *testing.T) {
			x := newSite(t)
			root, victim := x.signedIn("root", "cookie"), x.signedIn("ada", "token")
			do := c.prepare(x, root, victim)
			x.keepEnds(true)
			a := do()
			if a.status != http.StatusServiceUnavailable {
				t.Fatalf("got %d %s", a.status, a.body)
			}
			if page := strings.Contains(a.header.Get("Content-Type"), "text/html"); !page && a.code() != "sessions_not_ended" {
				t.Errorf("the code is %s", a.code())
			}
			if !strings.Contains(a.body, "could not be ended") || strings.Contains(a.body, "Nothing was changed") {
				t.Errorf("the answer does not tell: %s", a.body)
			}
			if !slices.Contains(x.events(""), string(c.event)) {
				t.Errorf("the change is not in the audit trail: %v", x.events(""))
			}
			x.keepEnds(false)
			x.call("GET", "/v1/session", nil, x.as(victim)).want(200) // which is what the answer says
		})
	}
}

// With a store that takes nothing, the change is not made at all.
func TestNothingIsChangedThatCouldNotBeFollowedByEnds(t *testing.T) {
	for _, c := range changesOfUsers {
		t.Run(c.name, func(t *testing.T) {
			x := newSite(t)
			root, victim := x.signedIn("root", "cookie"), x.signedIn("ada", "token")
			do := c.prepare(x, root, victim)
			before, err := x.s.dir.User(t.Context(), "ada")
			if err != nil {
				t.Fatal(err)
			}
			x.clock.advance(time.Second)
			x.refuseWrites()
			if a := do(); a.status != http.StatusServiceUnavailable || strings.Contains(a.body, "sessions_not_ended") {
				t.Errorf("got %d %s", a.status, a.body)
			}
			if after, err := x.s.dir.User(t.Context(), "ada"); err != nil || after != before {
				t.Errorf("the user was %+v and is %+v, %v", before, after, err)
			}
		})
	}
}
