package server

import (
	"html"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/audit"
)

// old makes a browser whose person authenticated a while ago.
func (x *site) old(name string) (*browser, *badge) {
	x.t.Helper()
	g, err := x.s.m.Start(x.t.Context(), lanyard.Login{Subject: name, Methods: []string{"pwd"}, AuthTime: x.clock.Now().Add(-time.Hour)})
	if err != nil {
		x.t.Fatal(err)
	}
	b := &badge{sid: g.Session.SID().String(), cookie: g.Handle.Reveal(), origin: x.url}
	return x.browser().wears(b), b
}

var hiddenField = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)">`)

// fields are the hidden fields of the form that asks for the password again.
func (a *answer) fields() url.Values {
	_, form, _ := strings.Cut(a.body, `action="/account/confirm"`)
	form, _, _ = strings.Cut(form, "</form>")
	out := url.Values{}
	for _, m := range hiddenField.FindAllStringSubmatch(form, -1) {
		out.Set(m[1], html.UnescapeString(m[2]))
	}
	return out
}

// What needs recent authentication asks for the password, and then does what the
// person wanted to do before.
func TestSensitiveActionsAskForThePasswordFirst(t *testing.T) {
	x := newSite(t)
	b, before := x.old("root")
	victim := x.signedIn("ada", "token")
	asked := b.post("/account", "/console/sessions/"+victim.sid+"/end", url.Values{"reason": {`lost "phone" <b>`}}).want(403)
	x.call("GET", "/v1/session", nil, x.as(victim)).want(200)
	form := asked.fields()
	if form.Get("reason") != `lost "phone" <b>` {
		t.Fatalf("the form carries %v", form)
	}
	form.Set("password", "wrong")
	again := b.send("POST", "/account/confirm", form).want(403)
	if !strings.Contains(again.body, `role="alert"`) || again.fields().Get("reason") != `lost "phone" <b>` {
		t.Errorf("after a wrong password: %s", again.body)
	}
	form = again.fields()
	form.Set("password", goodPassword)
	done := b.send("POST", "/account/confirm", form).want(303)
	if got := done.header.Get("Location"); got != "/console/sessions/"+victim.sid+"?done=ended" {
		t.Errorf("it leads to %q", got)
	}
	x.call("GET", "/v1/session", nil, x.as(victim)).want(401)
	// The session is the same one with a new cookie.
	x.call("GET", "/v1/session", nil, x.as(before)).want(401)
	if a := b.send("GET", "/v1/session", nil).want(200); a.field("session", "sid") != before.sid || a.field("session", "generation") != "2" {
		t.Errorf("got %s", a.body)
	}
	// What was done is done in the console's words, with its history.
	page := b.send("GET", "/console/sessions/"+victim.sid, nil).want(200)
	if !strings.Contains(page.body, "lost &#34;phone&#34; &lt;b&gt;") || strings.Contains(page.body, "<b>") {
		t.Error("the page does not show the reason as text")
	}
}

// The confirmation carries out the actions that ask for it, and no others.
func TestAConfirmationCannotBeTurnedIntoSomethingElse(t *testing.T) {
	x := newSite(t)
	b, _ := x.old("ada")
	other := x.signedIn("bob", "token")
	token := func() string { return b.send("GET", "/account", nil).want(200).token() }
	before := x.state()
	for _, path := range []string{"", "/logout", "/account/password", "/v1/sessions/revoke", "/login", "//evil.example", "https://evil.example/", "/account/sessions//end", "/account/sessions/a/b/end", "/console/sessions/x", "/account/confirm"} {
		a := b.send("POST", "/account/confirm", url.Values{"csrf_token": {token()}, "password": {goodPassword}, "pending_path": {path}, "pending_action": {"x"}})
		if a.status != 400 {
			t.Errorf("%q: got %d", path, a.status)
		}
	}
	if after := x.state(); after != before {
		t.Errorf("something was done:\n%s\n%s", before, after)
	}
	// A user does not get into the console by it, nor to somebody else's session.
	for _, path := range []string{"/console/sessions/" + other.sid + "/end", "/console/users/bob/disable", "/console/users", "/console/keys/rotate"} {
		a := b.send("POST", "/account/confirm", url.Values{"csrf_token": {token()}, "password": {goodPassword}, "pending_path": {path}, "pending_action": {"x"}, "reason": {"r"}, "name": {"dan"}})
		if a.status != 403 {
			t.Errorf("%q: got %d", path, a.status)
		}
	}
	a := b.send("POST", "/account/confirm", url.Values{"csrf_token": {token()}, "password": {goodPassword}, "pending_path": {"/account/sessions/" + other.sid + "/end"}, "pending_action": {"x"}})
	if a.status != 404 {
		t.Errorf("somebody else's session: got %d", a.status)
	}
	x.call("GET", "/v1/session", nil, x.as(other)).want(200)
	// Guesses at the password are slowed down here too.
	b, _ = x.old("ada")
	for range 5 {
		b.send("POST", "/account/confirm", url.Values{"csrf_token": {token()}, "password": {"wrong"}, "pending_path": {"/account/sessions/end-others"}, "pending_action": {"x"}}).want(403)
	}
	b.send("POST", "/account/confirm", url.Values{"csrf_token": {token()}, "password": {goodPassword}, "pending_path": {"/account/sessions/end-others"}, "pending_action": {"x"}}).want(429)
}

func TestTheAccountPageEndsDevicesAndChangesThePassword(t *testing.T) {
	x := newSite(t)
	own := x.signedIn("ada", "cookie")
	b := x.browser().wears(own)
	phone, tablet, foreign := x.signedIn("ada", "token"), x.signedIn("ada", "token"), x.signedIn("bob", "token")
	page := b.send("GET", "/account", nil).want(200)
	for _, s := range []*badge{own, phone, tablet} {
		if strings.Contains(page.body, "/account/sessions/"+s.sid+"/end") != (s != own) && s != own {
			t.Errorf("there is no button for %s", s.sid)
		}
	}
	if strings.Contains(page.body, foreign.sid) {
		t.Error("somebody else's session is on the page")
	}
	if a := b.post("/account", "/account/sessions/"+phone.sid+"/end", url.Values{}); a.status != 303 || a.header.Get("Location") != "/account?done=ended" {
		t.Errorf("got %d %q", a.status, a.header.Get("Location"))
	}
	x.call("GET", "/v1/session", nil, x.as(phone)).want(401)
	b.post("/account", "/account/sessions/"+foreign.sid+"/end", url.Values{}).want(404)
	x.call("GET", "/v1/session", nil, x.as(foreign)).want(200)
	for why, c := range map[string]struct {
		form   url.Values
		status int
	}{
		"a wrong current one": {url.Values{"current": {"wrong"}, "new": {"another long passphrase"}}, 403},
		"a short new one":     {url.Values{"current": {goodPassword}, "new": {"short"}}, 400},
		"a common new one":    {url.Values{"current": {goodPassword}, "new": {"passwordpassword"}}, 400},
	} {
		if a := b.post("/account", "/account/password", c.form); a.status != c.status || !strings.Contains(a.body, `action="/account/password"`) {
			t.Errorf("%s: got %d", why, a.status)
		}
	}
	x.call("GET", "/v1/session", nil, x.as(tablet)).want(200)
	b.post("/account", "/account/password", url.Values{"current": {goodPassword}, "new": {"another long passphrase"}, "end_others": {"1"}}).want(303)
	x.call("GET", "/v1/session", nil, x.as(tablet)).want(401)
	b.send("GET", "/account", nil).want(200)
	// Ending the own one signs out.
	if a := b.post("/account", "/account/sessions/"+own.sid+"/end", url.Values{}); a.header.Get("Location") != "/signed-out" {
		t.Errorf("got %d %q", a.status, a.header.Get("Location"))
	}
	if a := b.send("GET", "/account", nil); a.status != 303 || a.header.Get("Location") != "/login?return_to=%2Faccount" {
		t.Errorf("got %d %q", a.status, a.header.Get("Location"))
	}
}

func TestTheConsoleKeepsUsersKeysAndSessions(t *testing.T) {
	x := newSite(t)
	b := x.browser().wears(x.signedIn("root", "cookie"))
	for range 60 {
		x.signedIn("ada", "token")
	}
	page := b.send("GET", "/console", nil).want(200)
	next := regexp.MustCompile(`href="(/console\?[^"]*cursor=[^"]+)"`).FindStringSubmatch(page.body)
	if next == nil {
		t.Fatal("sixty sessions have no second page")
	}
	if more := b.send("GET", html.UnescapeString(next[1]), nil).want(200); strings.Count(more.body, "/console/sessions/") == 0 {
		t.Error("the second page is empty")
	}
	if a := b.send("GET", "/console?cursor=broken", nil); a.status != 303 || a.header.Get("Location") != "/console" {
		t.Errorf("a broken cursor: got %d", a.status)
	}
	if found := b.send("GET", "/console?q=root", nil).want(200); strings.Contains(found.body, "ada") {
		t.Error("a search for root finds ada")
	}
	b.send("GET", "/console/sessions/nothing", nil).want(404)

	victim := x.signedIn("ada", "cookie")
	b.post("/console", "/console/sessions/"+victim.sid+"/end", url.Values{"reason": {" "}}).want(400)
	x.call("GET", "/v1/session", nil, x.as(victim)).want(200)
	b.post("/console", "/console/sessions/"+victim.sid+"/end", url.Values{"reason": {"lost phone"}}).want(303)
	x.call("GET", "/v1/session", nil, x.as(victim)).want(401)

	added := b.post("/console/users", "/console/users", url.Values{"name": {"dan"}}).want(200)
	if !strings.Contains(added.body, x.url+"/reset#") {
		t.Error("the page does not show the link")
	}
	b.post("/console/users", "/console/users", url.Values{"name": {"DAN"}}).want(409)
	b.post("/console/users", "/console/users", url.Values{"name": {"a b"}}).want(400)
	x.signedIn("bob", "token")
	b.post("/console/users", "/console/users/bob/disable", url.Values{}).want(303)
	if x.live("bob") != 0 {
		t.Error("a disabled user still has sessions")
	}
	b.post("/console/users", "/console/users/bob/reset", url.Values{}).want(409)
	b.post("/console/users", "/console/users/bob/enable", url.Values{}).want(303)
	b.post("/console/users", "/console/users/bob/reset", url.Values{}).want(200)
	for _, self := range []string{"root", "ROOT"} {
		b.post("/console/users", "/console/users/"+self+"/disable", url.Values{}).want(409)
	}

	kid := x.s.keys.List(x.clock.Now())[0].ID
	b.post("/console/keys", "/console/keys/rotate", url.Values{}).want(303)
	b.post("/console/keys", "/console/keys/"+kid+"/withdraw", url.Values{"confirm": {"yes"}}).want(400)
	b.post("/console/keys", "/console/keys/"+kid+"/withdraw", url.Values{"confirm": {kid}}).want(303)
	b.send("GET", "/console/keys", nil).want(200)
	trail := b.send("GET", "/console/audit", nil).want(200)
	for _, want := range []audit.Name{audit.KeyWithdrawn, audit.UserDisabled} {
		if !strings.Contains(strings.ToLower(trail.body), strings.ReplaceAll(string(want), "_", " ")) {
			t.Errorf("the audit page does not show %s", want)
		}
	}
	records, err := x.s.trail.Query(audit.Filter{Limit: 1000})
	if err != nil || !slices.ContainsFunc(records, func(r audit.Record) bool {
		return r.Event.Name == audit.AdminAction && r.Event.Actor == "root" && r.Event.Reason == "lost phone"
	}) {
		t.Errorf("the trail does not say who ended the session, and why (%v)", err)
	}
}

// Without a recent login page the form still leads somewhere.
func TestALoginFormThatIsTooOldIsShownAgain(t *testing.T) {
	x := newSite(t)
	b := x.browser()
	token := b.send("GET", "/login", nil).want(200).token()
	x.clock.advance(13 * time.Hour)
	again := b.send("POST", "/login", url.Values{"csrf_token": {token}, "username": {"ada"}, "password": {goodPassword}}).want(403)
	if !strings.Contains(again.body, "open for too long") || !strings.Contains(again.body, `value="ada"`) || strings.Contains(again.body, goodPassword) {
		t.Errorf("the page is %s", again.body)
	}
	b.send("POST", "/login", url.Values{"csrf_token": {again.token()}, "username": {"ada"}, "password": {goodPassword}}).want(303)
	b.send("GET", "/", nil).want(303)
	if a := b.send("GET", "/nothing", nil).want(404); !strings.Contains(a.body, "</html>") || !strings.Contains(a.body, a.header.Get("X-Request-Id")) {
		t.Errorf("the page of a missing address is %s", a.body)
	}
}
