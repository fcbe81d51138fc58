package server

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard/api"
	"github.com/lanyard-go/lanyard/internal/directory"
)

// must fails the test for an error that no path of it expects.
func (x *site) must(err error) {
	x.t.Helper()
	if err != nil {
		x.t.Fatal(err)
	}
}

// A password that was right, of an account that changes before the session is
// there, gives no session.
func TestAnAccountThatChangesDuringALoginWins(t *testing.T) {
	changes := map[string]func(x *site) error{
		"a new password":       func(x *site) error { return x.s.dir.SetPassword(t.Context(), "ada", otherPassword) },
		"the user is disabled": func(x *site) error { return x.s.dir.SetDisabled(t.Context(), "ada", true) },
	}
	ways := map[string]func(x *site) *answer{
		"a program": func(x *site) *answer {
			return x.call("POST", "/v1/login", map[string]string{"username": "ada", "password": goodPassword, "channel": "token"})
		},
		"a page": func(x *site) *answer { return x.browser().signIn("ada", goodPassword, "/account") },
	}
	for change, do := range changes {
		for way, login := range ways {
			// Between the password and the session, and just after the session.
			for _, moment := range []string{"login_succeeded", "session_created"} {
				t.Run(change+", "+way+", after "+moment, func(t *testing.T) {
					x := newSite(t)
					x.clock.advance(time.Hour)
					done := false
					x.known.when(moment, func() {
						done = true
						x.must(do(x))
					})
					a := login(x).want(401)
					if !done {
						t.Fatal("the account did not change in between")
					}
					if _, ok := a.setCookie(x.s.m.CookieName()); ok || strings.Contains(a.body, "access_token") {
						t.Errorf("a badge was handed out: %v %s", a.header, a.body)
					}
					if n := x.live("ada"); n != 0 {
						t.Errorf("%d sessions live", n)
					}
				})
			}
		}
	}
}

// The same for somebody a program vouches for.
func TestAUserWhoChangesWhileSomebodyIsVouchedForWins(t *testing.T) {
	for _, c := range []struct {
		name, subject, code string
		status              int
		do                  func(x *site) error
	}{
		{"becomes an administrator's name", "dan", "forbidden", 403, func(x *site) error {
			_, err := x.s.dir.AddUser(t.Context(), directory.NewUser{Name: "dan", Admin: true})
			return err
		}},
		{"becomes a user's name in another spelling", "Dan", "forbidden", 403, func(x *site) error {
			_, err := x.s.dir.AddUser(t.Context(), directory.NewUser{Name: "dan"})
			return err
		}},
		{"is disabled", "ada", "disabled", 409, func(x *site) error { return x.s.dir.SetDisabled(t.Context(), "ada", true) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := newSite(t)
			secret := x.program(directory.Client{ID: "backend", MayCreateSessions: true})
			x.known.when("session_created", func() { x.must(c.do(x)) })
			x.call("POST", "/v1/admin/sessions", api.AdminSessionRequest{Subject: c.subject, AMR: []string{"pwd"}, Channel: "token"}, basicAuth("backend", secret)).want(c.status, c.code)
			if n := x.live(c.subject); n != 0 {
				t.Errorf("%d sessions live", n)
			}
		})
	}
}

// A user of the directory is one subject, however a program spells the name.
func TestASubjectIsAUserInTheDirectorysSpelling(t *testing.T) {
	x := newSite(t)
	secret := x.program(directory.Client{ID: "backend", MayCreateSessions: true})
	for _, spelling := range []string{"ada", "ADA", "Ada"} {
		b := x.startFor("backend", secret, api.AdminSessionRequest{Subject: spelling, AMR: []string{"pwd"}, Channel: "token"})
		if got := x.call("GET", "/v1/session", nil, x.as(b)).want(200).field("session", "subject"); got != "ada" {
			t.Errorf("%s is the subject %s", spelling, got)
		}
	}
	if n := x.live("ada"); n != 3 {
		t.Errorf("ada has %d sessions", n)
	}
	x.call("POST", "/v1/admin/users/ada/disable", nil, x.as(x.signedIn("root", "token"))).want(200)
	if n := x.live("ada"); n != 0 {
		t.Errorf("%d sessions outlive the user", n)
	}
	// Blanks and control characters make no second Ada.
	for _, spelling := range []string{" ada", "ada ", "ada\t", "a\u0000da", "ada\u0085"} {
		x.call("POST", "/v1/admin/sessions", api.AdminSessionRequest{Subject: spelling, AMR: []string{"pwd"}, Channel: "token"}, basicAuth("backend", secret)).want(400, "invalid_request")
	}
}

// Whoever was vouched for under a name is signed out when the name becomes a
// user's, and has no rights of that user in any spelling.
//
// req: HTTP-23
func TestAVouchedSessionIsNotThatOfAUserWhoIsAddedLater(t *testing.T) {
	hash := knownHash()
	for way, add := range map[string]func(x *site) *answer{
		"by an administrator": func(x *site) *answer {
			return x.call("POST", "/v1/admin/users", api.UserRequest{Name: "dan", Admin: true}, x.as(x.signedIn("root", "token")))
		},
		"on the console": func(x *site) *answer {
			return x.browser().wears(x.signedIn("root", "cookie")).post("/console/users", "/console/users", url.Values{"name": {"dan"}, "admin": {"1"}})
		},
		"by the owner": func(x *site) *answer {
			return x.local("POST", "/local/users", map[string]any{"name": "dan", "password": otherPassword, "admin": true})
		},
		"by an import": func(x *site) *answer {
			return x.local("POST", "/local/users/import", `{"name":"dan","hash":"`+hash+`","admin":true}`+"\n")
		},
	} {
		t.Run(way, func(t *testing.T) {
			x := newSite(t)
			secret := x.program(directory.Client{ID: "backend", MayCreateSessions: true})
			vouched := func(name string) *badge {
				return x.startFor("backend", secret, api.AdminSessionRequest{Subject: name, AMR: []string{"pwd"}, Channel: "token"})
			}
			dan, odd, other := vouched("dan"), vouched("Dan"), vouched("danny")
			x.clock.advance(time.Minute)
			if a := add(x); a.status != 200 {
				t.Fatalf("got %d %s", a.status, a.body)
			}
			x.call("GET", "/v1/session", nil, x.as(dan)).want(401)
			x.call("GET", "/v1/session", nil, x.as(other)).want(200)
			if a := x.call("GET", "/v1/admin/users", nil, x.as(odd)); a.status != 401 && a.status != 403 {
				t.Errorf("the other spelling administers: %d %s", a.status, a.body)
			}
			// Not with the password either, which is not its own.
			x.must(x.s.dir.SetPassword(t.Context(), "dan", goodPassword))
			if a := x.call("POST", "/v1/elevate", api.ElevateRequest{Password: goodPassword}, x.as(odd)); a.status != 401 {
				t.Errorf("the other spelling is lifted by the user's password: %d %s", a.status, a.body)
			}
			if a := x.call("POST", "/v1/password", api.PasswordRequest{Current: goodPassword, New: otherPassword}, x.as(odd)); a.status != 401 {
				t.Errorf("the other spelling changes the user's password: %d %s", a.status, a.body)
			}
		})
	}
}

// A session from before its user has none of the user's rights, even where the
// ends that belong to adding the user were not written.
//
// req: HTTP-23
func TestASessionFromBeforeItsUserAdministersNothing(t *testing.T) {
	x := newSite(t)
	b := x.signedIn("dan", "token")
	x.clock.advance(time.Second)
	if _, err := x.s.dir.AddUser(t.Context(), directory.NewUser{Name: "dan", Admin: true}); err != nil {
		t.Fatal(err)
	}
	x.call("GET", "/v1/admin/users", nil, x.as(b)).want(403, "forbidden")
	x.call("GET", "/v1/admin/users", nil, x.as(x.signedIn("dan", "token"))).want(200)
}
