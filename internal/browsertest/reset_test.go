package browsertest

import (
	"net/url"
	"strings"
	"testing"
	"time"
)

// resetLink has an administrator make a one-time link, and returns it as the
// page shows it.
func resetLink(admin *tab, name string) string {
	admin.t.Helper()
	admin.open("/console/users")
	admin.press("Reset link " + name)
	admin.says("One-time link for "+name, "works once")
	link := eval[string](admin, `document.getElementById("link").value`)
	if !strings.HasPrefix(link, admin.site.url+"/reset#") {
		admin.t.Fatalf("the link is %q", link)
	}
	return link
}

func TestResetLink(t *testing.T) {
	s := newSite(t)
	s.addUser("root", password, true)
	s.addUser("ada", password, false)
	phone := s.signInProgram("ada", "phone")
	admin := s.newTab()
	admin.signIn("root", password)
	link := resetLink(admin, "ada")
	_, code, _ := strings.Cut(link, "#")

	const chosen = "seven loud herons above Porto"
	b := s.newTab()
	b.open(link)
	b.at("/reset")
	if got := eval[string](b, `document.getElementById("code").value`); got != code {
		t.Errorf("the form has the code %q, the link %q", got, code)
	}
	if got := eval[string](b, `document.activeElement.id`); got != "new" {
		t.Errorf("the focus is on %q, want the new password", got)
	}
	for _, e := range step(b, "looking at the history", navigationEntries) {
		if strings.Contains(e, code) {
			t.Errorf("the history has the code: %s", e)
		}
	}
	b.fill("new", "short")
	if got := b.press("Save password"); got != 400 {
		t.Errorf("a short password: %d, want 400", got)
	}
	b.says("it has 5 characters")
	b.fill("new", chosen)
	if got := b.press("Save password"); got != 200 {
		t.Errorf("choosing a password: %d\n%s", got, b.text())
	}
	b.says("Password changed")
	phone.want(401)
	b.press("Sign in")
	b.signIn("ada", chosen)

	again := s.newTab()
	again.open(link)
	again.fill("new", "nine loud herons above Faro")
	if got := again.press("Save password"); got != 400 {
		t.Errorf("the link a second time: %d, want 400", got)
	}
	again.says("This code is not valid")
	again.signIn("ada", chosen)

	late := s.newTab()
	link = resetLink(admin, "ada")
	s.clock.advance(31 * time.Minute)
	late.open(link)
	late.fill("new", "nine loud herons above Faro")
	if got := late.press("Save password"); got != 400 {
		t.Errorf("the link after half an hour: %d, want 400", got)
	}
}

// A link that is opened in a tab with another one on screen only changes the
// fragment, which loads nothing.
func TestResetLinkOpenedOverAnother(t *testing.T) {
	s := newSite(t)
	b := s.newTab()
	b.open("/reset#first-code")
	b.until(`document.getElementById("code").value === "first-code"`)
	eval[bool](b, `location.hash = "second-code", true`)
	b.until(`document.getElementById("code").value === "second-code" && !location.href.includes("#")`)
	u, err := url.Parse(eval[string](b, `location.href`))
	if err != nil || u.Fragment != "" {
		t.Errorf("the address is %v", u)
	}
}
