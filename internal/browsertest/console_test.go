package browsertest

import (
	"fmt"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard"
)

// crowd starts many sessions of other people, and returns the last one.
func (s *site) crowd(n int) *lanyard.Session {
	s.t.Helper()
	var last *lanyard.Session
	for i := range n {
		l := lanyard.Login{
			Subject: fmt.Sprintf("person%02d", i), Methods: []string{"pwd"}, Class: "aal1", IP: fmt.Sprintf("203.0.113.%d", i+1),
			UserAgent: "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15",
		}
		if i%3 == 0 {
			l.Channel, l.Device = lanyard.ChannelToken, fmt.Sprintf("laptop-%02d", i)
		}
		g, err := s.srv.Manager().Start(s.t.Context(), l)
		if err != nil {
			s.t.Fatal(err)
		}
		last = g.Session
	}
	return last
}

func TestConsoleListSearchAndPages(t *testing.T) {
	s := newSite(t)
	s.addUser("root", password, true)
	b := s.newTab()
	b.signIn("root", password)
	s.crowd(64)
	b.press("Console")
	b.at("/console")
	rows := func() int { return eval[int](b, `document.querySelectorAll("table.rows tbody tr").length`) }
	seen := map[string]bool{}
	collect := func() {
		for _, name := range eval[[]string](b, `[...document.querySelectorAll("table.rows tbody a")].map(a => a.innerText)`) {
			if seen[name] {
				t.Errorf("%s is on two pages", name)
			}
			seen[name] = true
		}
	}
	if got := rows(); got != 50 {
		t.Errorf("the first page has %d sessions, want 50", got)
	}
	collect()
	b.press("Next page")
	collect()
	if len(seen) != 65 {
		t.Errorf("the two pages have %d sessions, want 65", len(seen))
	}
	b.silentAbout("Next page")
	b.press("First page")
	b.at("/console")

	for _, c := range []struct {
		query string
		rows  int
	}{{"person07", 1}, {"203.0.113.40", 1}, {"laptop-63", 1}, {"root", 1}, {"person1", 10}} {
		b.fill("q", c.query)
		b.press("Search")
		if got := rows(); got != c.rows {
			t.Errorf("a search for %s finds %d sessions, want %d", c.query, got, c.rows)
		}
	}
	b.press("Token") // keeps what was searched for
	if got := rows(); got != 3 {
		t.Errorf("the token sessions among them: %d, want 3", got)
	}
	b.press("All")
	b.fill("q", `"><script>alert(1)</script>`)
	b.press("Search")
	b.says(`No live session matches “"><script>alert(1)</script>”`)
	b.press("Show all sessions")
	b.at("/console")
}

func TestConsoleRevokesWithAReason(t *testing.T) {
	s := newSite(t)
	s.addUser("root", password, true)
	s.addUser("ada", password, false)
	phone := s.signInProgram("ada", "phone")
	other := s.newTab()
	other.signIn("ada", password)
	b := s.newTab()
	b.signIn("root", password)
	b.open("/console?q=ada")
	b.open("/console/sessions/" + phone.login.Session.SID)
	b.says("ada", "phone", "Live", "Session created", "Token")
	if got := b.follow("pressing Revoke session", clickAnyway("Revoke session")); got != 400 {
		t.Errorf("revoking without a reason: %d, want 400", got)
	}
	b.says("Say why")
	b.alerts("no reason")
	phone.want(200)
	b.fill("reason", "Device lost or stolen")
	b.press("Revoke session")
	b.at("/console/sessions/" + phone.login.Session.SID + "?done=ended")
	b.says("Ended", "Admin action: Device lost or stolen", "Session ended: an administrator’s decision", "Session created")
	b.silentAbout("Revoke session")
	phone.want(401)

	// Now the browser that ada is sitting at.
	b.open("/console?q=ada")
	b.press("ada")
	s.clock.advance(11 * time.Minute)
	b.fill("reason", "Suspicious activity")
	b.press("Revoke session")
	b.says("Confirm it is you", "end this session")
	other.open("/account")
	other.at("/account")
	b.fill("password", password)
	b.press("Confirm")
	b.says("Ended", "by root", "Suspicious activity")
	other.open("/account")
	other.at("/login?return_to=%2Faccount")
	b.press("Audit")
	b.says("session_ended", "Suspicious activity", "root on ada", "session_used_after_end")
}

func TestConsoleUsers(t *testing.T) {
	s := newSite(t)
	s.addUser("root", password, true)
	b := s.newTab()
	b.signIn("root", password)
	b.press("Console")
	b.press("Users")
	b.says("root", "Administrator", "You")
	for _, c := range []struct {
		name   string
		status int
		says   string
	}{{"spaces are out", 400, "A name has 1 to 64"}, {"ROOT", 409, "There is a user of this name already."}} {
		b.fill("name", c.name)
		if got := b.press("Add user"); got != c.status {
			t.Errorf("adding %q: %d, want %d", c.name, got, c.status)
		}
		b.says(c.says)
		b.alerts(c.name)
	}
	b.fill("name", "grace")
	b.press("Add user")
	b.says("One-time link for grace", "No password yet")
	link := eval[string](b, `document.getElementById("link").value`)

	grace := s.newTab()
	grace.open(link)
	grace.fill("new", password)
	grace.press("Save password")
	grace.signIn("grace", password)
	p := s.signInProgram("grace", "phone")
	b.press("Users")
	b.press("2 of grace")
	b.at("/console?q=grace")
	b.press("Users")
	b.press("Disable grace")
	b.says("The user is disabled; their sessions have been ended.", "Disabled")
	p.want(401)
	grace.open("/account")
	grace.at("/login?return_to=%2Faccount")
	grace.fill("username", "grace")
	grace.fill("password", password)
	grace.press("Sign in")
	grace.says("The name or the password is wrong")
	b.press("Enable grace")
	b.says("The user may sign in again.")
	grace.signIn("grace", password)
}

func TestConsoleKeys(t *testing.T) {
	s := newSite(t)
	s.addUser("root", password, true)
	b := s.newTab()
	b.signIn("root", password)
	p := s.signInProgram("root", "phone")
	b.press("Console")
	b.press("Keys")
	b.says("Signing")
	first := eval[string](b, `document.querySelector(".key code").innerText`)
	b.press("Rotate now")
	b.says("A new key has been announced", "Next")
	b.click("Withdraw " + first)
	b.fill("confirm-"+first, "something else")
	if got := b.press("Withdraw key"); got != 400 {
		t.Errorf("withdrawing without typing the key's id: %d, want 400", got)
	}
	b.says("Type the key's id to withdraw it.")
	b.alerts("the wrong id")
	p.want(200)
	b.fill("confirm-"+first, first)
	b.press("Withdraw key")
	b.at("/console/keys?done=withdrawn")
	b.says("The key has been withdrawn.", "Withdrawn")
	p.want(401)
	b.press("Account") // the cookie does not depend on it
	b.at("/account")
}

func TestConsoleIsForAdministrators(t *testing.T) {
	s := newSite(t)
	s.addUser("root", password, true)
	s.addUser("ada", password, false)
	p := s.signInProgram("root", "phone")
	b := s.newTab()
	b.signIn("ada", password)
	b.silentAbout("Console")
	for _, path := range []string{"/console", "/console/users", "/console/keys", "/console/audit", "/console/sessions/" + p.login.Session.SID} {
		if got := b.open(path); got != 403 {
			t.Errorf("%s for somebody who is not an administrator: %d, want 403", path, got)
		}
		b.says("The console is for administrators.")
		b.silentAbout("root", "phone")
	}
	b.press("Go to your account")
	b.at("/account")
	anonymous := s.newTab()
	anonymous.open("/console/users")
	anonymous.at("/login?return_to=%2Fconsole%2Fusers")
}
