package browsertest

import (
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/api"
)

// sibling opens another tab of the same browser: it shares the cookies.
func (b *tab) sibling() *tab {
	b.t.Helper()
	return b.site.openTab(b.ctx)
}

// notice is what the page says about its session coming to an end.
const notice = `document.getElementById("session").innerText.replace(/\s+/g, " ")`

// looked is when the page has asked for its session.
const looked = `performance.getEntriesByName(location.origin + "/v1/session?passive=1").length > 0`

// req: LIFE-12
func TestAPageSaysThatItsSessionIsAboutToEnd(t *testing.T) {
	s := newSite(t)
	s.addUser("ada", password, true)
	for _, page := range []string{"/account", "/console", "/no-such-page"} {
		s.clock.advance(time.Hour)
		b := s.newTab()
		b.signIn("ada", password)
		b.open(page)
		b.until(looked)
		if got := eval[string](b, notice); got != "" {
			t.Errorf("%s says %q to somebody who has just come", page, got)
		}
		// Nobody does anything for a day but four minutes. Looking is no activity.
		s.clock.advance(24*time.Hour - 5*time.Minute)
		idle := s.live("ada")[0].IdleExpiresAt()
		other := b.sibling()
		other.open("/v1/session?passive=1")
		b.comeBack(notice + `.includes("signed out in")`)
		if got := s.live("ada")[0].IdleExpiresAt(); !got.Equal(idle) {
			t.Errorf("%s: the notice itself has renewed the session", page)
		}
		if got := eval[string](b, notice); !strings.Contains(got, "You will be signed out in 5 minutes, because nothing was done here") {
			t.Errorf("%s says %q", page, got)
		}
		if got := eval[string](b, `document.getElementById("session").getAttribute("role") + " " + document.activeElement.tagName`); got != "status BODY" {
			t.Errorf("%s: the notice is a %s", page, got)
		}
		b.click("Stay signed in")
		b.until(notice + ` === ""`)
		if got := s.live("ada")[0].IdleExpiresAt().Sub(s.clock.now()); got < 23*time.Hour {
			t.Errorf("%s: after staying there are %v left", page, got)
		}
	}
}

// comeBack looks away from the page and back at it until something has come true.
// The page asks the server again when it is looked at, though not every moment.
func (b *tab) comeBack(condition string) {
	b.t.Helper()
	b.until(`(dispatchEvent(new Event("focus")), ` + condition + `)`)
}

func TestTheLastNoticeLeadsToANewSignIn(t *testing.T) {
	s := newSite(t)
	s.addUser("ada", password, true)
	b := s.newTab()
	b.signIn("ada", password)
	// Active every day, until the month is nearly over.
	for range 30 {
		s.clock.advance(23*time.Hour + 50*time.Minute)
		b.open("/account")
	}
	s.clock.set(s.live("ada")[0].ExpiresAt().Add(-3 * time.Minute))
	b.open("/console?q=ada")
	b.until(notice + `.includes("ends in 3 minutes")`)
	before := s.live("ada")[0].SID()
	b.press("Sign in again")
	if got := eval[string](b, `document.getElementById("username").value`); got != "ada" {
		t.Errorf("the login page has the name %q", got)
	}
	b.fill("password", password)
	b.press("Sign in")
	b.at("/console?q=ada")
	if list := s.live("ada"); len(list) != 1 || list[0].SID() == before || list[0].ExpiresAt().Sub(s.clock.now()) < 29*24*time.Hour {
		t.Errorf("after it there are %d sessions", len(list))
	}
}

// Signing out in one tab puts the others away within a second; what they showed
// is neither on the screen nor behind the back button.
func TestSigningOutInOneTabIsSeenInTheOthers(t *testing.T) {
	s := newSite(t)
	s.addUser("ada", password, true)
	b := s.newTab()
	b.signIn("ada", password)
	var others []*tab
	for _, page := range []string{"/account", "/console/users", "/console/audit"} {
		o := b.sibling()
		o.open(page)
		o.until(looked)
		others = append(others, o)
	}
	began := time.Now()
	b.open("/account")
	load := time.Since(began) // how busy the machine is
	b.press("Sign out")
	done := time.Now()
	for _, o := range others {
		o.until(`location.pathname === "/signed-out" && document.body.innerText.includes("Session ended")`)
	}
	if took := time.Since(done); took > time.Second+10*load {
		t.Errorf("the others noticed after %v; a page loads in %v", took, load)
	} else {
		t.Logf("the others noticed within %v; a page loads in %v", took, load)
	}
	for _, o := range others {
		o.silentAbout("ada", "127.0.0.1")
		o.says("In another tab, on another device", "Sign in again")
		o.back()
		o.silentAbout("ada", "127.0.0.1")
	}
	// Whoever signs in again finds the other tabs where they were.
	first := others[1]
	first.open("/signed-out?ended=1&return_to=/console/users")
	first.press("Sign in again")
	first.fill("username", "ada")
	first.fill("password", password)
	first.press("Sign in")
	first.at("/console/users")
}

func TestASessionThatWasEndedElsewherePutsItsPagesAway(t *testing.T) {
	s := newSite(t)
	s.addUser("ada", password, false)
	s.addUser("bob", password, false)
	p := s.signInProgram("ada", "phone")
	b := s.newTab()
	b.signIn("ada", password)
	second := b.sibling()
	second.open("/account?done=confirmed")
	second.until(looked)
	if got := p.do("POST", "/v1/sessions/revoke", api.RevokeRequest{Scope: "others"}); got != 200 {
		t.Fatalf("ending the browser's session: %d", got)
	}
	b.comeBack(`location.pathname === "/signed-out"`)
	b.at("/signed-out?ended=1&return_to=%2Faccount")
	b.silentAbout("ada", "phone")
	second.until(`location.pathname === "/signed-out"`) // told by the first one
	// Somebody else signs in, in one of the tabs: the other one follows.
	b.signIn("bob", password)
	second.comeBack(`location.pathname === "/account" && document.body.innerText.includes("bob")`)
	second.silentAbout("phone")
}

// A tab that shows the page of one person is not left standing when another
// person signs in beside it.
func TestATabOfSomebodyElseIsLoadedAnew(t *testing.T) {
	s := newSite(t)
	s.addUser("ada", password, false)
	s.addUser("bob", password, false)
	b := s.newTab()
	b.signIn("ada", password)
	b.until(looked)
	o := b.sibling()
	o.open("/login?again=1")
	o.fill("username", "bob")
	o.fill("password", password)
	o.press("Sign in")
	o.at("/account")
	b.until(`document.readyState === "complete" && document.body.innerText.includes("bob")`)
	b.silentAbout("ada")
	if got := len(s.live("ada")); got != 0 {
		t.Errorf("the session before has stayed: %d", got)
	}
}

// A form that comes after the end says what was not done, and the way leads back
// to its page. With script the page says it at the first click or key, before a
// person has filled in the form for nothing.
func TestAFormAfterTheEndLeadsBack(t *testing.T) {
	s := newSite(t)
	s.addUser("root", password, true)
	b := s.newTab()
	end := func() {
		if _, err := s.srv.Manager().EndAll(t.Context(), "root", lanyard.EndOptions{Reason: lanyard.ReasonAdmin}); err != nil {
			t.Fatal(err)
		}
	}
	signIn := func() {
		b.fill("username", "root")
		b.fill("password", password)
		b.press("Sign in")
		b.at("/console/users")
	}
	b.signIn("root", password)
	b.open("/console/users")
	b.until(looked)
	end()
	step(b, "clicking into the form", chromedp.Click(chromedp.CSS("#name")))
	b.until(`location.pathname === "/signed-out"`)
	b.press("Sign in again")
	signIn()

	b.withoutScript()
	b.open("/console/users")
	end()
	b.fill("name", "grace")
	b.press("Add user")
	b.at("/login?return_to=%2Fconsole%2Fusers&undone=added")
	b.says("Your session was over already, so the user was not added. Sign in and do it again.")
	signIn()
	b.silentAbout("grace")
}
