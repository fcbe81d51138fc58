package browsertest

import (
	"strings"
	"testing"
	"time"
)

// Everything a person does, with the pages' scripts turned off.
func TestEverythingWorksWithoutScript(t *testing.T) {
	s := newSite(t)
	s.addUser("root", password, true)
	s.addUser("ada", password, false)
	phone, laptop := s.signInProgram("root", "phone"), s.signInProgram("root", "laptop")
	b := s.newTab()
	b.withoutScript()
	b.open("/login")
	if eval[bool](b, `[...document.querySelectorAll("button.reveal")].some(x => x.checkVisibility())`) {
		t.Error("without script there is a button that only script can serve")
	}
	b.fill("username", "root")
	b.fill("password", "not the password at all")
	b.press("Sign in")
	b.says("The name or the password is wrong")
	b.fill("password", password)
	b.press("Sign in")
	b.at("/account")
	b.press("End phone")
	b.says("The session has been ended.")
	phone.want(401)

	s.clock.advance(11 * time.Minute)
	b.press("End laptop")
	b.fill("password", password)
	b.press("Confirm")
	b.says("The session has been ended.")
	laptop.want(401)

	const chosen = "seven loud herons above Porto"
	b.fill("current", password)
	b.fill("new", chosen)
	b.press("Change password")
	b.says("Your password has been changed.")

	b.press("Console")
	b.fill("q", "root")
	b.press("Search")
	b.press("root")
	b.says("Facts", "History")
	b.press("Users")
	b.press("Reset link ada")
	link := eval[string](b, `document.getElementById("link").value`)
	b.press("Keys")
	kid := eval[string](b, `document.querySelector(".key code").innerText`)
	b.click("Withdraw " + kid)
	b.fill("confirm-"+kid, kid)
	b.press("Withdraw key")
	b.says("The key has been withdrawn.")
	b.press("Sign out")
	b.says("You are signed out")

	// The code is not taken from the address; the page says where to find it.
	_, code, _ := strings.Cut(link, "#")
	b.open(link)
	b.says("The part of the link after the # sign.")
	b.fill("code", code)
	b.fill("new", "nine loud herons above Faro")
	b.press("Save password")
	b.says("Password changed")
	b.signIn("ada", "nine loud herons above Faro")
}
