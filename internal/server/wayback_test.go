package server

import (
	"net/url"
	"strings"
	"testing"

	"github.com/lanyard-go/lanyard"
)

// req: LOGIN-24
func TestReturnPathStaysOnThisServer(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"a page", "/account", "/account"},
		{"a page with a question", "/console?q=a%2Fb&channel=token", "/console?q=a%2Fb&channel=token"},
		{"the first page of an application", "/", "/"},
		{"a folder", "/stock/", "/stock/"},
		{"an at sign that is part of a path", "/@evil.example", "/@evil.example"},
		{"an address as the question", "/go?to=https://evil.example/", "/go?to=https://evil.example/"},
		{"nothing", "", ""},
		{"another site", "https://evil.example/", ""},
		{"another host", "//evil.example", ""},
		{"another host behind three slashes", "///evil.example", ""},
		{"another host behind backslashes", `\\evil.example`, ""},
		{"a slash and a backslash", `/\evil.example`, ""},
		{"a backslash further on", `/a/\evil.example`, ""},
		{"a scheme without slashes", "http:evil.example", ""},
		{"script", "javascript:alert(1)", ""},
		{"a document of its own", "data:text/html,x", ""},
		{"encoded slashes", "%2f%2fevil.example", ""},
		{"encoded slashes behind one", "/%2f%2fevil.example", ""},
		{"one encoded slash behind one", "/%2Fevil.example", ""},
		{"an encoded backslash", "/%5cevil.example", ""},
		{"an encoded tab", "/%09/evil.example", ""},
		{"an encoded line break", "/a%0d%0aSet-Cookie:b", ""},
		{"an encoded zero", "/a%00", ""},
		{"an encoding that is none", "/%zz", ""},
		{"a tab", "/\t/evil.example", ""},
		{"a line break", "/\n/evil.example", ""},
		{"a blank before it", " /account", ""},
		{"a path that climbs", "/a/../..//evil.example", ""},
		{"a path that climbs, encoded", "/a/%2e%2e/%2e%2e/evil.example", ""},
		{"a path that stays where it is", "/.//evil.example", ""},
		{"a user before the host", "//localhost@evil.example", ""},
		{"slashes of another alphabet", "/\uff0f\uff0fevil.example", ""},
		{"a full stop of another alphabet", "//evil\u3002example", ""},
		{"two thousand characters", "/" + strings.Repeat("a", 1999), "/" + strings.Repeat("a", 1999)},
		{"one more", "/" + strings.Repeat("a", 2000), ""},
		{"the login page", "/login", ""},
		{"the login page, leading on", "/login?return_to=/login", ""},
		{"signing out", "/logout", ""},
		{"the page after it", "/signed-out?x", ""},
		{"the login page in disguise", "/%6cogin", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := returnPath(tt.text, ""); got != tt.want {
				t.Errorf("%q leads to %q, want %q", tt.text, got, tt.want)
			}
			if got := returnPath(tt.text, "/account"); tt.want == "" && got != "/account" {
				t.Errorf("%q leads to %q, want the account", tt.text, got)
			}
		})
	}
}

// A form that comes after its session has ended is told what was not done, and
// the way back goes to the page that it was on.
func TestAFormOfAnEndedSessionSaysWhatWasNotDone(t *testing.T) {
	const sid = "06h0dedv6ruupepmfvbeq0e1bo"
	for _, tt := range []struct{ path, back, says string }{
		{"/account/sessions/" + sid + "/end", "/account", "the session was not ended"},
		{"/account/sessions/end-others", "/account", "the other sessions were not ended"},
		{"/account/password", "/account", "the password was not changed"},
		{"/console/sessions/" + sid + "/end", "/console/sessions/" + sid, "the session was not ended"},
		{"/console/users", "/console/users", "the user was not added"},
		{"/console/users/ada/disable", "/console/users", "the user was not disabled"},
		{"/console/users/ada/enable", "/console/users", "the user was not enabled"},
		{"/console/users/ada/reset", "/console/users", "no reset link was made"},
		{"/console/keys/rotate", "/console/keys", "the key was not rotated"},
		{"/console/keys/k1/withdraw", "/console/keys", "the key was not withdrawn"},
	} {
		for _, profile := range []string{"standard", "strict"} {
			t.Run(profile+" "+tt.path, func(t *testing.T) {
				x := newSite(t, func(c *Config) { c.Profile = profile })
				own := x.signedIn("root", "cookie")
				b := x.browser().wears(own)
				token := b.send("GET", "/account", nil).want(200).token()
				if _, err := x.s.m.EndAll(t.Context(), "root", lanyard.EndOptions{Reason: lanyard.ReasonAdmin}); err != nil {
					t.Fatal(err)
				}
				before := x.state()
				form := url.Values{"csrf_token": {token}, "current": {goodPassword}, "new": {"another long passphrase"}, "name": {"dan"}, "confirm": {"k1"}, "reason": {"r"}}
				a := b.send("POST", tt.path, form).want(303)
				page := b.send("GET", a.header.Get("Location"), nil).want(200)
				if !strings.Contains(page.body, `role="alert"`) || !strings.Contains(page.body, "Your session was over already, so "+tt.says+".") {
					t.Errorf("the login page does not say %q: %s", tt.says, page.body)
				}
				if !strings.Contains(page.body, `name="return_to" value="`+tt.back+`"`) {
					t.Errorf("it does not lead back to %s: %s", tt.back, page.body)
				}
				// The confirmation of the same action says the same.
				form.Set("pending_path", tt.path)
				if got := b.send("POST", "/account/confirm", form).want(303).header.Get("Location"); got != a.header.Get("Location") {
					t.Errorf("its confirmation leads to %q", got)
				}
				// A form of another site leads to no page of its choice.
				if got := b.send("POST", tt.path, form, header("Sec-Fetch-Site", "cross-site")).want(303).header.Get("Location"); got != "/login" {
					t.Errorf("from another site it leads to %q", got)
				}
				if after := x.state(); after != before {
					t.Errorf("something was done:\n%s\n%s", before, after)
				}
			})
		}
	}
}

// Every form that a guarded page has is in the table of actions: none of them
// loses its way back.
func TestEveryFormOfAPageIsAnAction(t *testing.T) {
	x := newSite(t)
	for _, e := range append(x.s.publicEndpoints(), x.s.adminEndpoints()...) {
		method, path, _ := strings.Cut(e.pattern, " ")
		guarded := strings.HasPrefix(path, "/account") || strings.HasPrefix(path, "/console")
		if method != "POST" || !guarded || path == "/account/confirm" {
			continue
		}
		path = strings.NewReplacer("{sid}", "a", "{name}", "a", "{kid}", "a").Replace(path)
		a, _ := x.s.actionAt(path)
		if undone[a.word] == "" || !strings.HasPrefix(path, a.page) {
			t.Errorf("%s is on the page %q, and its loss is %q", path, a.page, undone[a.word])
		}
	}
	b := x.browser()
	if page := b.send("GET", "/login?undone=%3Cscript%3E", nil).want(200); strings.Contains(page.body, "was over already") {
		t.Error("a word that nobody knows is said")
	}
}

// What is asked again after a while goes back to the page of its form.
func TestAConfirmationLeadsBackToItsPage(t *testing.T) {
	x := newSite(t)
	for page, action := range map[string]string{"/account": "/account/sessions/end-others", "/console/users": "/console/users/bob/disable", "/console/keys": "/console/keys/rotate"} {
		b, _ := x.old("root")
		asked := b.post(page, action, url.Values{}).want(403)
		if !strings.Contains(asked.body, `href="`+page+`">Not now`) || !strings.Contains(asked.body, `data-address="`+page+`"`) {
			t.Errorf("%s does not lead back to %s: %s", action, page, asked.body)
		}
		// A way back that the form was given by somebody else is not taken.
		form := asked.fields()
		form.Set("return_to", "//evil.example")
		form.Set("password", goodPassword)
		got := b.send("POST", "/account/confirm", form).want(303).header.Get("Location")
		if !strings.HasPrefix(got, page+"?done=") {
			t.Errorf("%s leads to %q", action, got)
		}
	}
}

func TestThePagesOfAFormHaveAnAddressToComeBackTo(t *testing.T) {
	x := newSite(t)
	b := x.browser()
	if a := b.send("GET", "/login", nil); strings.Contains(a.body, "data-address") {
		t.Error("a page that was asked for has another address")
	}
	for back, want := range map[string]string{"/account": "/login", "/console?q=a&b=c": "/login?return_to=%2Fconsole%3Fq%3Da%26b%3Dc", "//evil.example": "/login"} {
		a := b.signIn("ada", "wrong", back).want(401)
		if !strings.Contains(a.body, `data-address="`+want+`"`) {
			t.Errorf("the page to %q is not at %s: %s", back, want, a.body)
		}
	}
	b.wears(x.signedIn("root", "cookie"))
	for path, want := range map[string]string{"/account/password": "/account", "/console/users": "/console/users", "/console/keys/" + x.s.keys.List(x.clock.Now())[0].ID + "/withdraw": "/console/keys"} {
		a := b.post("/account", path, url.Values{"current": {"wrong"}, "new": {"x"}, "name": {"a b"}, "confirm": {"no"}})
		if a.status/100 != 4 || !strings.Contains(a.body, `data-address="`+want+`"`) {
			t.Errorf("%s: %d, not at %s: %s", path, a.status, want, a.body)
		}
	}
}
