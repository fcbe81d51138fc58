package browsertest

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/lanyard-go/lanyard/internal/server"
)

// req: COOKIE-2, COOKIE-4
func TestSignInLeavesNothingAScriptCanRead(t *testing.T) {
	s := newSite(t)
	s.addUser("ada", password, false)
	b := s.newTab()
	if !strings.HasPrefix(cookieName, "__Host-Http-") {
		t.Errorf("the session cookie is called %s", cookieName)
	}
	b.open("/login")
	wantHidden(t, b.cookies(), cookieName+"-pre")
	b.signIn("ada", password)
	b.says("Your account", "ada")
	cookies := b.cookies()
	wantHidden(t, cookies, cookieName)
	wantHidden(t, cookies, cookieName+"-device")
	if c := cookies[cookieName]; c != nil && !c.Session {
		t.Error("the session cookie outlives the browser")
	}
	if c := cookies[cookieName+"-pre"]; c != nil {
		t.Error("the cookie of the time before the login is still there")
	}
	if got := eval[string](b, `document.cookie`); got != "" {
		t.Errorf("a script reads the cookies %q", got)
	}
	if n := eval[int](b, `(async () => localStorage.length + sessionStorage.length +
		(await indexedDB.databases()).length + (await caches.keys()).length)()`); n != 0 {
		t.Errorf("the page left %d things in the browser's storage", n)
	}
}

// wantHidden fails unless the browser stored a cookie as one for this host, for
// TLS and for no script.
func wantHidden(t *testing.T, cookies map[string]*network.Cookie, name string) {
	t.Helper()
	c := cookies[name]
	if c == nil {
		t.Errorf("the browser has no cookie %s", name)
		return
	}
	if !c.HTTPOnly || !c.Secure || c.Path != "/" || c.Domain != "localhost" || c.SameSite != network.CookieSameSiteLax && c.SameSite != network.CookieSameSiteStrict {
		t.Errorf("the browser stored %s with HttpOnly %v, Secure %v, path %s, domain %s, SameSite %s", name, c.HTTPOnly, c.Secure, c.Path, c.Domain, c.SameSite)
	}
}

func TestWrongPasswordSaysNothingAboutTheName(t *testing.T) {
	s := newSite(t)
	s.addUser("ada", password, false)
	b := s.newTab()
	b.open("/login")
	var messages []string
	for _, name := range []string{"ada", "nobody.here"} {
		b.fill("username", name)
		b.fill("password", "not the password at all")
		if got := b.press("Sign in"); got != 401 {
			t.Errorf("signing in as %s with a wrong password: %d, want 401", name, got)
		}
		b.at("/login")
		b.says("The name or the password is wrong")
		if got := eval[string](b, `document.getElementById("username").value`); got != name {
			t.Errorf("the name %q was not kept, the field has %q", name, got)
		}
		if got := eval[string](b, `document.getElementById("password").value`); got != "" {
			t.Error("the page came back with the password in it")
		}
		if got := eval[string](b, `document.activeElement.id`); got != "password" {
			t.Errorf("the focus is on %q, want the password", got)
		}
		messages = append(messages, b.text())
	}
	if messages[0] != messages[1] {
		t.Errorf("the page for a name that exists differs:\n%s\n---\n%s", messages[0], messages[1])
	}
	if b.handle() != "" {
		t.Error("a wrong password left a session cookie")
	}
	b.fill("username", "ada")
	b.fill("password", password)
	b.press("Sign in")
	b.at("/account")
}

func TestGuessingIsSlowedDownAndTheOwnersBrowserGetsThrough(t *testing.T) {
	s := newSite(t)
	s.addUser("ada", password, false)
	own := s.newTab()
	own.signIn("ada", password)
	own.press("Sign out")

	guesser := s.newTab()
	guesser.open("/login")
	guess := func(pw string) int {
		guesser.fill("username", "ada")
		guesser.fill("password", pw)
		return guesser.press("Sign in")
	}
	for range 5 {
		if got := guess("a guess that is wrong"); got != 401 {
			t.Fatalf("a guess: %d, want 401", got)
		}
	}
	if got := guess(password); got != 429 {
		t.Errorf("the sixth attempt: %d, want 429 for the right password too", got)
	}
	guesser.says("Too many attempts", "Wait 1 second")
	if guesser.handle() != "" {
		t.Error("the throttled attempt left a session cookie")
	}

	s.clock.advance(time.Second)
	if got := guess("a guess that is wrong"); got != 401 {
		t.Errorf("a guess after the wait: %d, want 401", got)
	}
	guess(password)
	guesser.says("Wait 2 seconds")

	// At the same moment, from a browser that has been let in before.
	own.signIn("ada", password)

	s.clock.advance(2 * time.Second)
	guess(password)
	guesser.at("/account")
}

// req: LOGIN-24
func TestSignInLeadsBackButOnlyToThisSite(t *testing.T) {
	s := newSite(t)
	s.addUser("ada", password, false)
	b := s.newTab()
	b.open("/account?done=confirmed")
	b.at("/login?return_to=%2Faccount%3Fdone%3Dconfirmed")
	b.fill("username", "ada")
	b.fill("password", password)
	b.press("Sign in")
	b.at("/account?done=confirmed")
	foreign := []string{
		"https://evil.test/", "//evil.test/", `/\evil.test/`, `\\evil.test`, "/%09/evil.test/", "///evil.test", "http:evil.test",
		"javascript:alert(1)", "%2f%2fevil.test", "http://localhost@evil.test/",
	}
	for _, where := range foreign {
		// Somebody who is signed in already is sent on at once.
		b.open("/login?return_to=" + where)
		if got := eval[string](b, `location.origin`); got != s.url {
			t.Errorf("return_to=%s led a person who is signed in to %s", where, got)
		}
	}
	b.open("/account")
	b.press("Sign out")
	for _, where := range foreign[:2] {
		b.open("/login?return_to=" + where)
		b.fill("username", "ada")
		b.fill("password", password)
		b.press("Sign in")
		b.at("/account")
		b.press("Sign out")
	}
}

// req: FIX-1, FIX-2
func TestEveryAuthenticationMakesANewHandle(t *testing.T) {
	s := newSite(t)
	s.addUser("ada", password, false)
	b := s.newTab()
	b.open("/login")
	pre := b.cookies()[cookieName+"-pre"]
	// Another port of this host is another origin and yet shares the cookies: a
	// page there can plant a handle that its owner knows.
	planted := strings.Repeat("A", 43)
	_, err := chromedp.Call(b.ctx, network.SetCookie, network.SetCookieParams{
		Name: cookieName, Value: planted, URL: s.url, Path: "/", Secure: new(true), HTTPOnly: new(true),
	})
	if err != nil || b.handle() != planted {
		t.Fatal("planting a handle:", err)
	}
	b.fill("username", "ada")
	b.fill("password", password)
	b.press("Sign in")
	b.at("/account")
	first := b.handle()
	if first == "" || first == planted || pre == nil || first == pre.Value {
		t.Fatal("the login took over a handle from before")
	}
	s.wantHandle(first, 200)
	s.wantHandle(planted, 401)
	s.wantHandle(pre.Value, 401)

	s.signInProgram("ada", "build-server")
	b.open("/account")
	s.clock.advance(11 * time.Minute)
	b.press("End all others")
	b.fill("password", password)
	b.press("Confirm")
	second := b.handle()
	if second == first {
		t.Error("confirming who one is left the handle as it was")
	}
	s.wantHandle(first, 401)
	s.wantHandle(second, 200)

	b.fill("current", password)
	b.fill("new", "seven loud herons above Porto")
	b.press("Change password")
	third := b.handle()
	if third == second {
		t.Error("changing the password left the handle as it was")
	}
	s.wantHandle(second, 401)
	s.wantHandle(third, 200)
}

// req: LOGIN-27
func TestPasswordFieldIsMaskedTakesPasteAndCanBeShown(t *testing.T) {
	s := newSite(t)
	s.addUser("ada", password, false)
	b := s.newTab()
	b.open("/login")
	kind := func() string { return eval[string](b, `document.getElementById("password").type`) }
	if got := eval[string](b, `document.getElementById("username").autocomplete + " " + document.getElementById("password").autocomplete`); got != "username current-password" {
		t.Errorf("password managers are told %q", got)
	}
	// Typed into the other field, cut there, and pasted.
	b.fill("username", password)
	command := func(key, name string) {
		ctrl := chromedp.KeyModifiers(chromedp.ModifierCtrl)
		step(b, name, chromedp.KeyEvent(key, ctrl, func(p *input.DispatchKeyEventParams) { p.Commands = []string{name} }))
	}
	command("a", "selectAll")
	command("x", "cut")
	b.keys("\t")
	command("v", "paste")
	if got := eval[string](b, `document.getElementById("password").value`); got != password {
		t.Errorf("pasting left %d characters in the password field", len(got))
	}
	if kind() != "password" {
		t.Error("the password is not masked")
	}
	b.silentAbout(password)
	b.click("Show")
	if kind() != "text" {
		t.Error("Show does not show the password")
	}
	b.click("Hide")
	if kind() != "password" {
		t.Error("Hide does not mask the password again")
	}
	b.click("Show")
	b.fill("username", "ada")
	b.press("Sign in")
	b.at("/account")
}

// What a login leaves in the history shows no form with an error and sends
// nothing again, whichever way one comes back to it.
func TestTheBackButtonAfterALogin(t *testing.T) {
	s := newSite(t)
	s.addUser("ada", password, false)
	b := s.newTab()
	b.open("/login?return_to=/account%3Fdone%3Dconfirmed")
	b.fill("username", "ada")
	b.fill("password", "not the password at all")
	b.press("Sign in")
	b.says("The name or the password is wrong")
	failed := s.failures()
	// Loading the answer anew shows the form again.
	b.follow("loading anew", chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := chromedp.Evaluate[bool](`setTimeout(() => location.reload()), true`)(ctx, t)
		return err
	}))
	b.silentAbout("The name or the password is wrong")
	b.at("/login?return_to=%2Faccount%3Fdone%3Dconfirmed")
	b.fill("username", "ada")
	b.fill("password", "not the password at all")
	b.press("Sign in")
	b.fill("password", password)
	b.press("Sign in")
	b.at("/account?done=confirmed")
	b.back()
	b.until(`location.pathname === "/account"`) // somebody who is signed in needs no login page
	b.silentAbout("The name or the password is wrong")
	if got := s.failures(); got != failed+1 {
		t.Errorf("%d wrong passwords were sent, want %d", got, failed+1)
	}
	s.wantLive("ada", 1)

	// The same for a form of the account.
	b.fill("current", "not the password at all")
	b.fill("new", password)
	b.press("Change password")
	b.says("The current password is not right.")
	b.at("/account")
	b.open("/reset")
	b.back()
	b.at("/account")
	b.silentAbout("The current password is not right.")
}

// failures counts the wrong passwords that the server has seen.
func (s *site) failures() int {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(s.data, "audit.log"))
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.Count(string(text), `"login_failed"`)
}

// A double click sends the form once with script. Without, the server takes one
// of the two, and nobody sees an error.
func TestPressingSignInTwice(t *testing.T) {
	s := newSite(t)
	s.addUser("ada", password, false)
	b := s.newTab()
	b.open("/login")
	b.fill("username", "ada")
	b.fill("password", password)
	b.follow("clicking twice", chromedp.DoubleClick(labelled("Sign in")))
	b.until(`location.pathname === "/account"`)
	s.wantLive("ada", 1)
}

// req: COOKIE-12
func TestRememberingADevice(t *testing.T) {
	s := newSite(t, func(c *server.Config) { c.Remember = 7 * 24 * time.Hour })
	s.addUser("ada", password, false)
	b := s.newTab()
	b.signIn("ada", password)
	if c := b.cookies()[cookieName]; !c.Session {
		t.Error("the cookie outlives the browser though nobody asked for it")
	}
	b.press("Sign out")
	b.open("/login")
	b.fill("username", "ada")
	b.fill("password", password)
	b.clickBox("remember")
	b.press("Sign in")
	b.at("/account")
	c := b.cookies()[cookieName]
	if left := time.Until(time.Unix(int64(c.Expires), 0)); c.Session || left < 6*24*time.Hour || left > 7*24*time.Hour+time.Minute {
		t.Errorf("the cookie of a device that is remembered lasts %v", left)
	}
	b.press("Sign out")
	if b.handle() != "" {
		t.Error("signing out leaves the cookie")
	}
}
