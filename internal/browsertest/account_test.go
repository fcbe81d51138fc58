package browsertest

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/lanyard-go/lanyard/api"
)

func TestEndingAnotherDevice(t *testing.T) {
	s := newSite(t)
	s.addUser("ada", password, false)
	p := s.signInProgram("ada", "build-server")
	s.clock.advance(3 * time.Minute)
	b := s.newTab()
	b.signIn("ada", password)
	b.says("Chrome on Linux", "Active now", "Other devices 1", "build-server", "Token", "3 minutes ago", "127.0.0.1")
	s.wantLive("ada", 2)
	p.want(200)
	if got := b.press("End build-server"); got != 200 {
		t.Errorf("ending a session: %d", got)
	}
	b.at("/account?done=ended")
	b.says("The session has been ended.", "No other devices")
	p.want(401)
	s.wantLive("ada", 1)
	s.wantHandle(b.handle(), 200)
}

func TestAnotherDeviceEndsThisOne(t *testing.T) {
	s := newSite(t)
	s.addUser("ada", password, false)
	p := s.signInProgram("ada", "phone")
	b := s.newTab()
	b.withoutScript() // which would put the page away before the click
	b.signIn("ada", password)
	handle := b.handle()
	for _, v := range s.live("ada") {
		if v.SID().String() != p.login.Session.SID {
			if got := p.do("DELETE", "/v1/sessions/"+v.SID().String(), nil); got != 204 {
				t.Fatalf("ending the browser's session: %d, want 204", got)
			}
		}
	}
	// The page is still on the screen; nothing on it works any more.
	b.press("End phone")
	if got := b.path(); !strings.HasPrefix(got, "/login") {
		t.Errorf("a click with a session that is over led to %s, want the login page", got)
	}
	b.silentAbout("phone", "127.0.0.1")
	s.wantHandle(handle, 401)
	p.want(200)
	s.wantLive("ada", 1)
}

func TestEndingAllOthers(t *testing.T) {
	s := newSite(t)
	s.addUser("ada", password, false)
	s.addUser("bob", password, false)
	programs := []*program{s.signInProgram("ada", "phone"), s.signInProgram("ada", "build-server")}
	bystander := s.signInProgram("bob", "phone")
	other := s.newTab()
	other.signIn("ada", password)
	b := s.newTab()
	b.signIn("ada", password)
	b.says("Other devices 3")
	b.silentAbout("bob")
	b.press("End all others")
	b.at("/account?done=others")
	b.says("All other sessions have been ended.", "No other devices")
	for _, p := range programs {
		p.want(401)
	}
	bystander.want(200)
	other.open("/account")
	other.at("/login?return_to=%2Faccount")
	s.wantLive("ada", 1)
}

func TestEndingTheSessionOfSomebodyElse(t *testing.T) {
	s := newSite(t)
	s.addUser("ada", password, false)
	s.addUser("bob", password, false)
	p := s.signInProgram("ada", "phone")
	victim := s.signInProgram("bob", "phone")
	b := s.newTab()
	b.signIn("ada", password)
	// The form of a session of one's own, turned to another's.
	eval[bool](b, `(() => { const f = document.querySelector("form[action*='`+p.login.Session.SID+`']");
		f.action = f.action.replace("`+p.login.Session.SID+`", "`+victim.login.Session.SID+`"); return true })()`)
	if got := b.press("End phone"); got != 404 {
		t.Errorf("ending somebody else's session: %d, want 404", got)
	}
	b.says("There is no such session of yours.")
	victim.want(200)
}

// req: LOGIN-11
func TestChangingThePassword(t *testing.T) {
	s := newSite(t)
	s.addUser("ada", password, false)
	p := s.signInProgram("ada", "phone")
	b := s.newTab()
	b.signIn("ada", password)
	const chosen = "seven loud herons above Porto"
	change := func(current, chosen string) int {
		b.fill("current", current)
		b.fill("new", chosen)
		return b.press("Change password")
	}
	for _, c := range []struct {
		name, current, chosen, says string
	}{
		{"a wrong current password", "not the password at all", chosen, "The current password is not right."},
		{"a short new password", password, "short", "it has 5 characters"},
		{"a common new password", password, "passwordpassword", ""},
		{"the service's name", password, "lanyardlanyardlanyard", ""},
		{"one's own name", password, "adaadaadaadaadaada", ""},
	} {
		if got := change(c.current, c.chosen); got < 400 || got > 499 {
			t.Errorf("%s: %d, want a refusal", c.name, got)
		}
		if c.says != "" {
			b.says(c.says)
		}
		b.alerts(c.name)
	}
	b.dress(360, 640, "light")
	change(password, "short")
	b.alerts("on a phone")
	p.want(200)
	s.wantHandle(b.handle(), 200)

	if got := change(password, chosen); got != 200 {
		t.Fatalf("changing the password: %d\n%s", got, b.text())
	}
	b.at("/account?done=password")
	b.says("Your password has been changed.", "No other devices")
	p.want(401)
	b.open("/account")
	b.at("/account")
	s.wantLive("ada", 1)

	other := s.newTab()
	other.open("/login")
	other.fill("username", "ada")
	other.fill("password", password)
	if got := other.press("Sign in"); got != 401 {
		t.Errorf("the old password: %d, want 401", got)
	}
	other.signIn("ada", chosen)
}

func TestKeepingTheOthersWhenThePasswordChanges(t *testing.T) {
	s := newSite(t)
	s.addUser("ada", password, false)
	p := s.signInProgram("ada", "phone")
	b := s.newTab()
	b.signIn("ada", password)
	b.clickBox("end_others")
	b.fill("current", password)
	b.fill("new", "seven loud herons above Porto")
	b.press("Change password")
	b.says("Your password has been changed.", "phone")
	p.want(200)
}

func TestSensitiveActionsAskForThePasswordAgain(t *testing.T) {
	s := newSite(t)
	s.addUser("ada", password, false)
	p := s.signInProgram("ada", "phone")
	b := s.newTab()
	b.signIn("ada", password)
	s.clock.advance(10*time.Minute + time.Second)
	if got := b.press("End phone"); got != 403 {
		t.Errorf("ending a session eleven minutes after the login: %d, want 403", got)
	}
	b.says("Confirm it is you", "Enter your password to end this session", "Password of ada")
	s.wantLive("ada", 2)
	b.fill("password", "not the password at all")
	b.press("Confirm")
	b.says("The password is wrong.")
	s.wantLive("ada", 2)
	b.fill("password", password)
	if got := b.press("Confirm"); got != 200 {
		t.Errorf("confirming: %d", got)
	}
	b.at("/account?done=ended")
	b.says("The session has been ended.")
	p.want(401)

	// It holds for the next ten minutes, and one can change one's mind.
	q := s.signInProgram("ada", "laptop")
	s.clock.advance(9 * time.Minute)
	b.open("/account")
	b.press("End laptop")
	b.at("/account?done=ended")
	q.want(401)
	r := s.signInProgram("ada", "tablet")
	b.open("/account")
	s.clock.advance(2 * time.Minute)
	b.press("End all others")
	b.says("Enter your password to end all other sessions")
	b.press("Not now")
	b.at("/account")
	r.want(200)
}

// req: REVOKE-10, HTTP-2, COOKIE-15
func TestSignOutLeavesNothingBehind(t *testing.T) {
	s := newSite(t)
	s.addUser("ada", password, true)
	p := s.signInProgram("ada", "phone")
	b := s.newTab()
	b.signIn("ada", password)
	sid := p.login.Session.SID
	for _, page := range []string{"/no-such-page", "/console/users", "/console/keys", "/console/audit", "/console", "/console/sessions/" + sid, "/account"} {
		b.open(page)
		if !eval[bool](b, `[...document.querySelectorAll("form[action='/logout'] button")].some(x => x.checkVisibility() && x.innerText === "Sign out")`) {
			t.Errorf("there is no way to sign out on %s", page)
		}
	}
	eval[bool](b, `localStorage.setItem("draft", "of ada"), sessionStorage.setItem("draft", "of ada"), true`)
	handle := b.handle()
	b.press("Sign out")
	b.at("/signed-out")
	b.says("You are signed out")
	b.silentAbout("ada")
	if b.handle() != "" {
		t.Error("the browser still has the session cookie")
	}
	if n := eval[int](b, `localStorage.length + sessionStorage.length`); n != 0 {
		t.Errorf("the logout left %d things in the browser's storage", n)
	}
	s.wantHandle(handle, 401)
	p.want(200)

	// To the account, and on into the console.
	for range 3 {
		b.back()
		if got := b.path(); !strings.HasPrefix(got, "/login") {
			t.Errorf("the back button shows %s, want the login page", got)
		}
		b.silentAbout("ada", "phone", "127.0.0.1", sid)
	}
	// The device is still known to the throttle, and nothing more.
	if c := b.cookies(); len(c) > 2 || c[cookieName+"-device"] == nil {
		t.Errorf("the browser has %d cookies of this site", len(c))
	}
}

// A session that was ended elsewhere changes nothing in this browser, so it may
// well bring the page back from its memory.
func TestPagesFromTheBrowsersMemoryAreLoadedAnew(t *testing.T) {
	s := newSite(t)
	s.addUser("ada", password, false)
	p := s.signInProgram("ada", "phone")
	b := s.newTab()
	b.signIn("ada", password)
	eval[bool](b, `window.here = true`)
	b.follow("coming back from memory", chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := chromedp.Evaluate[bool](`dispatchEvent(new PageTransitionEvent("pageshow", {persisted: true}))`)(ctx, t)
		return err
	}))
	if eval[bool](b, `window.here === true`) {
		t.Error("the page that came back from memory is still the old one")
	}

	b.open("/reset")
	if got := p.do("POST", "/v1/sessions/revoke", api.RevokeRequest{Scope: "others"}); got != 200 {
		t.Fatalf("ending the browser's session: %d", got)
	}
	b.back()
	b.until(`location.pathname === "/login"`)
	b.silentAbout("ada", "phone")
}
