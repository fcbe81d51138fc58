package browsertest

import (
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// focused is what a person at the keyboard would say the focus is on.
func (b *tab) focused() string {
	b.t.Helper()
	return eval[string](b, `(() => { const e = document.activeElement; return e.id || e.textContent.trim().replace(/\s+/g, " ") })()`)
}

// seesFocus fails unless the focus can be seen, and is not below something else.
func (b *tab) seesFocus() {
	b.t.Helper()
	if !eval[bool](b, `(() => { const e = document.activeElement, s = getComputedStyle(e);
		return e.matches(":focus-visible") && (s.outlineStyle !== "none" && parseFloat(s.outlineWidth) > 0 || s.boxShadow !== "none") })()`) {
		b.t.Errorf("the focus on %q cannot be seen", b.focused())
	}
	if !eval[bool](b, `(() => { const e = document.activeElement, r = e.getBoundingClientRect(),
		top = document.elementFromPoint(r.left + r.width / 2, r.top + r.height / 2); return e === top || e.contains(top) })()`) {
		b.t.Errorf("the focus on %q is covered", b.focused())
	}
}

// tabTo presses Tab until the focus is on something, and never a hundred times.
func (b *tab) tabTo(name string) {
	b.t.Helper()
	for range 100 {
		if b.focused() == name {
			b.seesFocus()
			return
		}
		b.keys("\t")
	}
	b.t.Fatalf("the Tab key never comes to %q", name)
}

// types presses a key that leads to another page.
func (b *tab) types(key string) int {
	b.t.Helper()
	return b.follow("pressing a key", chromedp.KeyEvent(key))
}

const enter, space = "\r", " "

func TestKeyboardAlone(t *testing.T) {
	s := newSite(t)
	s.addUser("ada", password, false)
	p := s.signInProgram("ada", "build-server")
	b := s.newTab()
	b.open("/login")
	b.until(`document.activeElement.id === "username"`)
	b.seesFocus()
	b.keys("ada")
	b.tabTo("password")
	b.keys(password)
	b.types(enter)
	b.at("/account")

	b.keys("\t")
	if got := b.focused(); got != "Skip to content" {
		t.Errorf("the first thing on a page is %q, want the way to its content", got)
	}
	b.seesFocus()
	b.keys(enter)
	b.until(`document.activeElement.id === "main"`)
	b.tabTo("End build-server")
	b.types(enter)
	b.at("/account?done=ended")
	p.want(401)

	// The tick is taken away and set again with Space.
	b.tabTo("new")
	b.keys("\t\t")
	box := func() bool {
		return eval[bool](b, `document.activeElement.name === "end_others" && document.activeElement.checked`)
	}
	if !box() {
		t.Error("the box after the new password is not ticked")
	}
	b.seesFocus()
	b.keys(space)
	if box() {
		t.Error("Space does not take the tick away")
	}
	b.tabTo("Sign out")
	b.types(space)
	b.at("/signed-out")
	s.wantLive("ada", 0)
	b.tabTo("Sign in again")
	b.types(enter)
	b.at("/login")
}

func TestKeyboardAloneInTheConsole(t *testing.T) {
	s := newSite(t)
	s.addUser("root", password, true)
	s.addUser("ada", password, false)
	p := s.signInProgram("ada", "phone")
	b := s.newTab()
	b.signIn("root", password)
	b.tabTo("Console")
	b.types(enter)
	b.at("/console")
	b.tabTo("q")
	b.keys("ada")
	b.types(enter)
	b.tabTo("ada")
	b.types(enter)
	b.tabTo("reason")
	b.keys("lost")
	b.tabTo("Revoke session")
	b.types(space)
	b.says("The session has been ended.")
	p.want(401)

	b.tabTo("Users")
	b.types(enter)
	b.tabTo("name")
	b.keys("grace")
	b.types(enter)
	b.says("One-time link for grace")
	b.tabTo("Disable ada")
	b.types(enter)
	b.says("The user is disabled")
	b.tabTo("Keys")
	b.types(enter)
	kid := eval[string](b, `document.querySelector(".key code").innerText`)
	b.tabTo("Withdraw " + kid)
	b.keys(enter) // opens the part below
	b.tabTo("confirm-" + kid)
	b.keys(kid)
	b.types(enter)
	b.says("The key has been withdrawn.")
	b.tabTo("Revocation")
	b.types(enter)
	b.at("/console/revocation")
	b.tabTo("Audit")
	b.types(enter)
	b.at("/console/audit")

	// After a while a confirmation comes between, and it too needs no mouse.
	s.clock.advance(11 * time.Minute)
	b.tabTo("Users")
	b.types(enter)
	b.tabTo("Enable ada")
	b.types(enter)
	b.says("Confirm it is you")
	b.until(`document.activeElement.id === "password"`)
	b.keys(password)
	b.types(enter)
	b.says("The user may sign in again.")
}

// The notice of the end is within reach, takes the focus from nobody, and hides
// nothing that has it.
func TestKeyboardAloneWhenTheSessionEnds(t *testing.T) {
	s := newSite(t)
	s.addUser("ada", password, false)
	b := s.newTab()
	b.signIn("ada", password)
	b.dress(360, 640, "light")
	s.clock.set(s.live("ada")[0].IdleExpiresAt().Add(-4 * time.Minute))
	b.open("/account?passive=1")
	b.until(notice + `.includes("signed out in")`)
	if got := eval[string](b, `document.activeElement.tagName`); got != "BODY" {
		t.Errorf("the notice takes the focus to %s", got)
	}
	// Any key is activity, and with it the notice is gone: nobody has to hurry.
	b.keys("\t")
	b.until(notice + ` === ""`)
	if got := s.live("ada"); got[0].IdleExpiresAt().Sub(s.clock.now()) < 23*time.Hour {
		t.Error("a key on the page has not renewed the session")
	}
}
