package browsertest

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard/internal/server"
)

// tour shows look every page in every state that a person comes by, under a name
// for each, and returns the windows it used.
func tour(t *testing.T, look func(b *tab, name string)) []*tab {
	t.Helper()
	s := newSite(t, func(c *server.Config) { c.Remember = 7 * 24 * time.Hour })
	s.addUser("amara.okafor", password, true)
	s.addUser("ines.moreau", password, false)
	s.addUser("lin.wei", password, false)
	s.settle()
	guest, lone, admin := s.newTab(), s.newTab(), s.newTab()
	guestTour(guest, look)
	lone.signIn("ines.moreau", password)
	personTour(lone, look)
	admin.signIn("amara.okafor", password)
	adminTour(admin, look)
	confirmTour(admin, look)
	endTour(admin, look)
	outageTour(admin, look)
	return []*tab{guest, lone, admin}
}

func guestTour(b *tab, look func(*tab, string)) {
	const wrong = "not the password at all"
	b.open("/login")
	look(b, "login")
	b.fill("username", "amara.okafor")
	b.fill("password", wrong)
	b.press("Sign in")
	look(b, "login-wrong")
	for range 5 {
		b.fill("username", "nobody.here")
		b.fill("password", wrong)
		b.press("Sign in")
	}
	b.fill("password", wrong)
	b.press("Sign in")
	b.says("Too many attempts")
	look(b, "login-throttled")
	b.open("/login?return_to=/account&undone=password")
	look(b, "login-undone")
	eval[bool](b, `document.querySelector("[name=csrf_token]").value = "x", true`)
	b.fill("username", "ines.moreau")
	b.fill("password", password)
	b.press("Sign in")
	b.says("open for too long")
	look(b, "login-stale")
	b.open("/reset#" + "a-code-that-nobody-made")
	look(b, "reset")
	b.fill("new", password)
	b.press("Save password")
	look(b, "reset-refused")
	b.want("/no-such-page", 404)
	look(b, "not-found")
	b.want("/logout", 405)
	look(b, "not-called-this-way")
	b.open("/signed-out?ended=1&return_to=/account")
	look(b, "session-ended")
}

func personTour(b *tab, look func(*tab, string)) {
	b.press("End all others")
	b.says("No other devices")
	look(b, "account-alone")
	b.want("/console", 403)
	look(b, "not-allowed")
	b.open("/account")
	eval[bool](b, `document.querySelector("form[action='/account/password']").action = "/account/confirm", true`)
	b.fill("current", password)
	b.fill("new", password)
	b.press("Change password")
	b.says("400")
	look(b, "bad-request")
	b.open("/account")
	b.press("Sign out")
	look(b, "signed-out")
}

func adminTour(b *tab, look func(*tab, string)) {
	look(b, "account")
	b.fill("current", password)
	b.fill("new", "short")
	b.press("Change password")
	look(b, "account-problem")

	b.press("Console")
	look(b, "console")
	b.press("lin.wei")
	look(b, "console-session")
	b.follow("pressing Revoke session", clickAnyway("Revoke session"))
	look(b, "console-session-no-reason")
	b.fill("reason", "Suspicious activity")
	b.press("Revoke session")
	look(b, "console-session-ended")
	b.open("/console?q=nothing+like+this")
	look(b, "console-nothing-found")
	b.press("Users")
	b.press("Disable ines.moreau")
	look(b, "console-users")
	b.fill("name", "no blanks")
	b.press("Add user")
	look(b, "console-users-problem")
	b.press("Reset link lin.wei")
	look(b, "console-users-link")
	link := eval[string](b, `document.getElementById("link").value`)
	b.press("Keys")
	b.press("Rotate now")
	kid := eval[string](b, `document.querySelector(".key-signing code").innerText`)
	b.click("Withdraw " + kid)
	look(b, "console-keys")
	b.fill("confirm-"+kid, "something else")
	b.press("Withdraw key")
	look(b, "console-keys-problem")
	b.press("Revocation")
	look(b, "console-revocation")
	b.press("Audit")
	look(b, "console-audit")

	wei := b.site.newTab()
	wei.open(link)
	wei.fill("new", password)
	wei.press("Save password")
	look(wei, "reset-done")
	wei.wantNothingForeign()
}

func confirmTour(b *tab, look func(*tab, string)) {
	b.site.clock.advance(11 * time.Minute)
	b.press("Account")
	b.press("End all others")
	b.says("Confirm it is you")
	look(b, "confirm")
	for range 6 {
		b.fill("password", "not the password at all")
		b.press("Confirm")
		if strings.Contains(b.text(), "The password is wrong.") {
			continue
		}
		b.says("Too many attempts")
		look(b, "confirm-throttled")
		b.site.clock.advance(time.Minute)
	}
	b.fill("password", "not the password at all")
	b.press("Confirm")
	look(b, "confirm-wrong")
	b.site.clock.advance(time.Hour)
	b.fill("password", password)
	b.press("Confirm")
	b.says("All other sessions have been ended.")
	look(b, "account-done")
}

// endTour looks at what a page says when its session is about to end.
func endTour(b *tab, look func(*tab, string)) {
	s := b.site
	handle := b.handle()
	s.clock.set(s.live("amara.okafor")[0].IdleExpiresAt().Add(-4 * time.Minute))
	b.open("/account?passive=1") // as if it had been open all the time
	b.until(notice + `.includes("signed out in")`)
	look(b, "ending-idle")
	for s.wantHandle(handle, 200); s.live("amara.okafor")[0].IdleExpiresAt().Before(s.live("amara.okafor")[0].ExpiresAt()); s.wantHandle(handle, 200) {
		s.clock.advance(12 * time.Hour)
	}
	s.clock.set(s.live("amara.okafor")[0].ExpiresAt().Add(-4 * time.Minute))
	b.open("/console/keys")
	b.until(notice + `.includes("session ends in")`)
	look(b, "ending-last")
}

// outageTour takes the sessions away from under the server.
func outageTour(b *tab, look func(*tab, string)) {
	s := b.site
	s.mayFail = true
	db, err := sql.Open("sqlite", "file:"+filepath.Join(s.data, "sessions.db"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(s.t.Context(), "ALTER TABLE sessions RENAME TO elsewhere"); err != nil {
		s.t.Fatal(err)
	}
	b.want("/account", 503)
	look(b, "unavailable")
	// The answer is what the browser complains about, and nothing else.
	for _, c := range b.complaints() {
		if !strings.Contains(c, "status of 503") {
			s.t.Error("the page complains:", c)
		}
	}
}

// want opens a page that is expected to answer with that status.
func (b *tab) want(path string, status int) {
	b.t.Helper()
	if got := b.open(path); got != status {
		b.t.Errorf("%s: %d, want %d", path, got, status)
	}
}
