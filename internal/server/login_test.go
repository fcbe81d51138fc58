package server

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard/api"
	"github.com/lanyard-go/lanyard/audit"
)

// Nobody learns from an answer whether a name exists.
//
// req: LOGIN-3
func TestUnknownWrongAndDisabledLookTheSame(t *testing.T) {
	x := newSite(t)
	root := x.as(x.signedIn("root", "token"))
	x.call("POST", "/v1/admin/users/bob/disable", nil, root).want(200)
	x.call("POST", "/v1/admin/users", api.UserRequest{Name: "new"}, root).want(200)
	who := []struct{ why, name, password string }{
		{"a wrong password", "ada", "wrong"},
		{"an unknown name", "zed", "wrong"},
		{"a disabled user with the right password", "bob", goodPassword},
		{"a user who has not chosen a password", "new", "wrong"},
		{"a name that nobody can have", "a b'\"<>", "wrong"},
		{"a name in another case", "ADA", "wrong"},
		{"a long name", strings.Repeat("n", 500), "wrong"},
	}
	attempt := map[string]func(name, pw string) *answer{
		"cookie": func(name, pw string) *answer {
			return x.call("POST", "/v1/login", map[string]string{"username": name, "password": pw})
		},
		"token": func(name, pw string) *answer {
			return x.call("POST", "/v1/login", map[string]string{"username": name, "password": pw, "channel": "token", "device": "d"})
		},
		"form": func(name, pw string) *answer { return x.browser().signIn(name, pw, "/account") },
	}
	for way, try := range attempt {
		who := who
		if way == "token" {
			who = who[:3] // each of these costs a hash
		}
		first := try(who[0].name, who[0].password).want(401)
		want := stripped(first, `value="ada"`)
		if way != "form" && first.code() != "invalid_credentials" {
			t.Errorf("%s: got %s", way, first.body)
		}
		for _, c := range who[1:] {
			a := try(c.name, c.password)
			if got := stripped(a, `value="`+strings.NewReplacer("'", "&#39;", `"`, "&#34;", "<", "&lt;", ">", "&gt;").Replace(c.name)+`"`); got != want {
				t.Errorf("%s, %s: got\n%s\nwant\n%s", way, c.why, got, want)
			}
		}
		x.clock.advance(24 * time.Hour)
	}
	// Throttled alike too.
	var want string
	for _, name := range []string{"ada", "zed", "bob"} {
		for range 5 {
			x.call("POST", "/v1/login", map[string]string{"username": name, "password": "wrong"}).want(401)
		}
		a := x.call("POST", "/v1/login", map[string]string{"username": name, "password": goodPassword}).want(429, "throttled")
		if a.header.Get("Retry-After") == "" {
			t.Error("the answer does not say when to come back")
		}
		if got := stripped(a); want == "" {
			want = got
		} else if got != want {
			t.Errorf("%s throttled: got\n%s\nwant\n%s", name, got, want)
		}
	}
}

// req: LOGIN-2
func TestThrottlingSlowsStrangersNotTheOwnBrowser(t *testing.T) {
	x := newSite(t)
	own := x.browser()
	own.signIn("ada", goodPassword, "/account").want(303)
	own.post("/account", "/logout", url.Values{}).want(303)
	for range 5 {
		x.call("POST", "/v1/login", map[string]string{"username": "ada", "password": "wrong"}).want(401)
	}
	right := map[string]string{"username": "ada", "password": goodPassword}
	x.call("POST", "/v1/login", right).want(429, "throttled")
	page := x.browser().signIn("ada", goodPassword, "/account").want(429)
	if page.header.Get("Retry-After") == "" || !strings.Contains(page.body, "Too many attempts") {
		t.Errorf("the page does not say how long to wait: %s", page.body)
	}
	// The browser that she has signed in with before is let in, another one is not
	// by its note.
	own.signIn("ada", goodPassword, "/account").want(303)
	own.post("/account", "/logout", url.Values{}).want(303)
	for range 5 {
		x.call("POST", "/v1/login", map[string]string{"username": "bob", "password": "wrong"}).want(401)
	}
	own.signIn("bob", goodPassword, "/account").want(429)
	x.clock.advance(time.Minute)
	x.call("POST", "/v1/login", right).want(200)
	records, err := x.s.trail.Query(audit.Filter{Subject: "ada", Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	count := map[audit.Name]int{}
	for _, r := range records {
		count[r.Event.Name]++
	}
	if count[audit.LoginFailed] != 5 || count[audit.LoginThrottled] != 2 || count[audit.LoginSucceeded] != 3 {
		t.Errorf("the audit trail has %v", count)
	}
}

// A page of another site cannot sign a browser in.
//
// req: CSRF-13, CSRF-9
func TestLoginIsProtectedAgainstForgery(t *testing.T) {
	x := newSite(t)
	body := map[string]string{"username": "ada", "password": goodPassword}
	for name, o := range map[string]option{
		"cross-site":     header("Sec-Fetch-Site", "cross-site"),
		"same-site":      header("Sec-Fetch-Site", "same-site"),
		"another origin": header("Origin", "https://evil.example"),
		"no origin":      header("Origin", "null"),
		"another scheme": header("Origin", "https"+strings.TrimPrefix(x.url, "http")),
		"a neighbour":    header("Origin", "http://localhost:1"),
	} {
		if a := x.call("POST", "/v1/login", body, o); a.status != 403 || a.code() != "cross_origin" || a.header.Get("Set-Cookie") != "" {
			t.Errorf("%s: got %d %s", name, a.status, a.body)
		}
		if a := x.call("POST", "/v1/session/redeem", api.RedeemRequest{Code: "x"}, o); a.status != 403 {
			t.Errorf("redeem, %s: got %d %s", name, a.status, a.body)
		}
	}
	x.call("POST", "/v1/login", `{"username":"ada","password":"`+goodPassword+`"}`, header("Content-Type", "text/plain")).want(415)
	x.call("POST", "/v1/login", url.Values{"username": {"ada"}, "password": {goodPassword}}).want(415)

	form := func(token string) url.Values {
		return url.Values{"username": {"ada"}, "password": {goodPassword}, "csrf_token": {token}}
	}
	b, other := x.browser(), x.browser()
	token, foreign := b.send("GET", "/login", nil).token(), other.send("GET", "/login", nil).token()
	refused := func(why string, a *answer) {
		t.Helper()
		if _, ok := a.setCookie(x.s.m.CookieName()); ok || a.status != 403 {
			t.Errorf("%s: got %d %v", why, a.status, a.header)
		}
	}
	refused("no token", b.send("POST", "/login", form("")))
	refused("another browser's token", b.send("POST", "/login", form(foreign)))
	refused("the right token from another site", b.send("POST", "/login", form(token), header("Sec-Fetch-Site", "cross-site"), header("Origin", "https://evil.example")))
	refused("the token in the address", b.send("POST", "/login?csrf_token="+url.QueryEscape(token), form("")))
	refused("no cookie", x.browser().send("POST", "/login", form(token)))
	before := b.cookies[x.s.m.CookieName()+"-pre"]
	b.send("POST", "/login", form(token)).want(303)
	if b.cookies[x.s.m.CookieName()+"-pre"] != "" {
		t.Error("the cookie from before the login is not dropped")
	}
	// The pre-session is spent: its form and cookie sign nobody in again.
	again := x.browser()
	again.cookies[x.s.m.CookieName()+"-pre"] = before
	if _, ok := again.send("POST", "/login", form(token)).want(303).setCookie(x.s.m.CookieName()); ok {
		t.Error("a form that was used signs somebody in")
	}
	if n := x.live(""); n != 1 {
		t.Errorf("there are %d sessions, want 1", n)
	}
}

// detours are return addresses that would lead elsewhere.
var detours = []string{
	"https://evil.example", "http://evil.example/", "//evil.example", "///evil.example", `/\evil.example`, `\\evil.example`, `\/evil.example`,
	"/\t/evil.example", "/\n/evil.example", "/\r\nSet-Cookie: a=b", "\t//evil.example", " //evil.example", "/ /evil.example", "/.//evil.example\\", "https:evil.example",
	"https:/evil.example", "javascript:alert(1)", "data:text/html,x", "evil.example", "@evil.example", "//localhost@evil.example", "https://localhost:8080@evil.example",
	"/\x00", "/\x7f", "/\u2028", "/é", "/\u3002evil", "?x", "#x", ".", "..", "//", `/\`, `/\/evil.example`, "/" + strings.Repeat("a", 3000),
	"%2f%2fevil.example", "/%2f%2fevil.example", "/%5cevil.example", "/%09/evil.example", "/a/..//evil.example", "/login?return_to=//evil.example", "/logout",
}

// req: LOGIN-24, HTTP-20
func TestAfterLoginTheBrowserStaysHere(t *testing.T) {
	x := newSite(t, func(c *Config) { c.TrustedProxies = []string{"127.0.0.1"} })
	b := x.browser().wears(x.signedIn("ada", "cookie"))
	here := func(a *answer) {
		t.Helper()
		to, err := url.Parse(a.header.Get("Location"))
		if err != nil || a.status/100 != 3 {
			t.Fatalf("%s: got %d, Location %q", a.asked, a.status, a.header.Get("Location"))
		}
		at := (&url.URL{Scheme: "http", Host: "here"}).ResolveReference(to)
		if raw := a.header.Get("Location"); at.Host != "here" && !strings.HasPrefix(raw, x.url+"/") || strings.ContainsAny(raw, "\\\t\r\n") || strings.HasPrefix(raw, "//") {
			t.Errorf("%s leads to %q", a.asked, raw)
		}
	}
	for _, text := range detours {
		a := b.send("GET", "/login?return_to="+url.QueryEscape(text), nil).want(303)
		here(a)
		if got := a.header.Get("Location"); got != "/account" {
			t.Errorf("%q leads to %q", text, got)
		}
		page := x.browser().send("GET", "/login?return_to="+url.QueryEscape(text), nil).want(200)
		if !strings.Contains(page.body, `name="return_to" value="/account"`) {
			t.Errorf("%q stands in the form", text)
		}
		if !strings.ContainsAny(text, "\r\n\x00\x7f") {
			here(x.call("GET", "/verify", nil, header("Accept", "text/html"), header("X-Forwarded-Uri", text)))
		}
	}
	// One path by a whole login, with the bad address in the form itself.
	f := x.browser()
	token := f.send("GET", "/login", nil).token()
	a := f.send("POST", "/login", url.Values{"csrf_token": {token}, "username": {"ada"}, "password": {goodPassword}, "return_to": {"//evil.example"}}).want(303)
	if a.header.Get("Location") != "/account" {
		t.Errorf("the login leads to %q", a.header.Get("Location"))
	}
	for _, good := range []string{"/account", "/console/sessions/x?q=a&b=c", "/account?done=ended", "/@evil.example"} {
		if got := b.send("GET", "/login?return_to="+url.QueryEscape(good), nil).want(303).header.Get("Location"); got != good {
			t.Errorf("%q leads to %q", good, got)
		}
	}
	out := b.post("/account", "/logout", url.Values{"return_to": {"https://evil.example"}}).want(303)
	if got := out.header.Get("Location"); got != "/signed-out" {
		t.Errorf("logging out leads to %q", got)
	}
}

// req: LOGIN-16, LOGIN-25, REVOKE-7
func TestAResetLinkWorksOnceAndSignsNobodyIn(t *testing.T) {
	x := newSite(t)
	root := x.as(x.signedIn("root", "cookie"))
	for _, member := range []string{"password", "hash", "new"} {
		x.call("POST", "/v1/admin/users", map[string]string{"name": "dan", member: "whatever it is, long"}, root).want(400, "invalid_request")
	}
	old := x.signedIn("ada", "token")
	code := func(a *answer) string {
		t.Helper()
		address, found := strings.CutPrefix(a.want(200).field("reset_url"), x.url+"/reset#")
		if !found || len(address) < 40 {
			t.Fatalf("the link is %s", a.body)
		}
		return address
	}
	first := code(x.call("POST", "/v1/admin/users/ada/reset", nil, root))
	second := code(x.call("POST", "/v1/admin/users/ada/reset", nil, root))
	x.call("POST", "/v1/login", map[string]string{"username": "ada", "password": second}).want(401)
	reset := func(code, chosen string) *answer {
		t.Helper()
		b := x.browser()
		a := b.post("/reset", "/reset", url.Values{"code": {code}, "new": {chosen}})
		if _, ok := b.cookies[x.s.m.CookieName()]; ok {
			t.Error("a reset signs in")
		}
		return a
	}
	reset(first, "another long passphrase").want(400)
	reset("x", "another long passphrase").want(400)
	reset(second, "short").want(400)
	reset(second, "passwordpassword").want(400)
	x.call("GET", "/v1/session", nil, x.as(old)).want(200)
	reset(second, "another long passphrase").want(200)
	reset(second, "yet another passphrase").want(400)
	x.call("GET", "/v1/session", nil, x.as(old)).want(401)
	x.call("POST", "/v1/login", map[string]string{"username": "ada", "password": goodPassword}).want(401)
	x.call("POST", "/v1/login", map[string]string{"username": "ada", "password": "another long passphrase"}).want(200)
	third := code(x.call("POST", "/v1/admin/users/ada/reset", nil, root))
	x.clock.advance(30 * time.Minute)
	reset(third, "yet another passphrase").want(400)
	// The form is no way in for other sites.
	x.call("POST", "/reset", url.Values{"code": {third}, "new": {"yet another passphrase"}}, header("Origin", "https://evil.example")).want(403)
	raw, err := os.ReadFile(filepath.Join(x.s.cfg.Data, "directory.db"))
	if err != nil || strings.Contains(string(raw), third) {
		t.Errorf("the database holds the code: %v", err)
	}
}

// req: LOGIN-20, COOKIE-18
// attack: A3
func TestCredentialsAreNeverReadFromAnAddress(t *testing.T) {
	x := newSite(t)
	web, app := x.signedIn("ada", "cookie"), x.signedIn("ada", "token")
	query := url.Values{
		"username": {"ada"}, "password": {goodPassword}, "access_token": {app.access}, "token": {app.access}, "refresh_token": {app.refresh},
		"session": {web.cookie}, x.s.m.CookieName(): {web.cookie}, "Authorization": {"Bearer " + app.access}, "csrf_token": {web.csrf},
	}.Encode()
	x.call("POST", "/v1/login?"+query, struct{}{}).want(400, "invalid_request")
	for _, path := range []string{"/v1/session", "/v1/sessions", "/v1/session/data", "/v1/admin/sessions", "/verify", "/v1/session/" + web.cookie, "/v1/session;" + x.s.m.CookieName() + "=" + web.cookie} {
		if a := x.call("GET", path+"?"+query, nil); a.status != 401 && a.status != 404 {
			t.Errorf("%s: got %d %s", path, a.status, a.body)
		}
	}
	for _, name := range []string{"X-Session", x.s.m.CookieName(), "X-Access-Token", "X-Authorization", "Session", "Set-Cookie"} {
		for _, value := range []string{web.cookie, app.access, x.s.m.CookieName() + "=" + web.cookie} {
			x.call("GET", "/v1/session", nil, header(name, value)).want(401)
		}
	}
	x.call("POST", "/v1/logout?"+query, url.Values{"access_token": {app.access}, x.s.m.CookieName(): {web.cookie}}).want(204)
	x.call("GET", "/v1/session", nil, x.as(app)).want(200)
	x.call("GET", "/v1/session", nil, x.as(web)).want(200)
	x.call("GET", "/v1/session", nil, header("Authorization", "Bearer "+web.cookie)).want(401)
	x.call("GET", "/v1/session", nil, header("Cookie", x.s.m.CookieName()+"="+app.access)).want(401)
}

// req: LOGIN-18
func TestTwoFirstStartsShareNothing(t *testing.T) {
	read := func() (admin, secret, key string, s *Server) {
		s, err := Open(t.Context(), defaults(t.TempDir()), Options{Drivers: testDrivers})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		a, err := s.FirstStart(t.Context(), false)
		if err != nil || a == nil {
			t.Fatal(a, err)
		}
		if again, err := s.FirstStart(t.Context(), false); again != nil || err != nil {
			t.Errorf("a second administrator is made: %v %v", again, err)
		}
		for _, name := range []string{"initial-admin", "server.secret"} {
			info, err := os.Stat(filepath.Join(s.cfg.Data, name))
			if err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: %v %v", name, info, err)
			}
		}
		b, err := os.ReadFile(filepath.Join(s.cfg.Data, "server.secret"))
		if err != nil {
			t.Fatal(err)
		}
		return a.Password.Reveal(), string(b), string(s.keys.JWKS(s.now())), s
	}
	a1, s1, k1, one := read()
	a2, s2, k2, _ := read()
	if a1 == a2 || s1 == s2 || k1 == k2 || len(a1) < 20 {
		t.Error("two first starts share a password, a secret or a key")
	}
	// What an operator must not find out later: an emptied secret stops the start.
	dir := one.cfg.Data
	one.Close()
	if err := os.Truncate(filepath.Join(dir, "server.secret"), 0); err != nil {
		t.Fatal(err)
	}
	if s, err := Open(t.Context(), defaults(dir), Options{Drivers: testDrivers}); err == nil || !strings.Contains(err.Error(), "server.secret") {
		s.Close()
		t.Errorf("an empty secret: %v", err)
	}
}

// The file with the first password goes when it has been used.
func TestTheInitialPasswordFileGoesAtTheFirstLogin(t *testing.T) {
	s, err := Open(t.Context(), defaults(t.TempDir()), Options{Drivers: testDrivers})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	a, err := s.FirstStart(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	x := &site{t: t, s: s, url: s.Issuer(), known: &lockedLog{}}
	x.direct("127.0.0.1:1", "POST", "/v1/login", map[string]string{"username": a.Name, "password": "wrong"}).want(401)
	if _, err := os.Stat(s.InitialFile()); err != nil {
		t.Fatal(err)
	}
	x.direct("127.0.0.1:1", "POST", "/v1/login", map[string]string{"username": a.Name, "password": a.Password.Reveal()}).want(200)
	if _, err := os.Stat(s.InitialFile()); !os.IsNotExist(err) {
		t.Errorf("the file is still there: %v", err)
	}
}

// A login says who, how and for how long, by the shapes of the contract.
//
// req: LIFE-17
func TestALoginRecordsHowItWasMade(t *testing.T) {
	x := newSite(t, func(c *Config) { c.Audience = []string{"orders"} })
	for _, channel := range []string{"", "cookie", "token"} {
		a := x.call("POST", "/v1/login", map[string]any{"username": "ADA", "password": goodPassword, "channel": channel, "device": "büro", "resource": "orders"}, header("User-Agent", "curl/8")).want(200)
		var in api.Login
		a.json(&in)
		want := channel
		if want == "" {
			want = "cookie"
		}
		s := in.Session
		if s.Subject != "ada" || s.Channel != want || s.Device != "büro" || s.IP != "127.0.0.1" || s.Binding != "none" || !s.Current || s.ACR != "aal1" ||
			len(s.AMR) != 1 || s.AMR[0] != "pwd" || !s.AuthTime.Equal(x.clock.Now()) || s.Generation != 1 {
			t.Errorf("channel %q: got %s", channel, a.body)
		}
		if want == "token" {
			if aud := toJSON(claimsOf(t, in.AccessToken).Aud); !strings.Contains(aud, "orders") || !strings.Contains(aud, x.url) {
				t.Errorf("the token is for %s", aud)
			}
			if a.header.Get("Set-Cookie") != "" {
				t.Error("the token channel sets a cookie")
			}
		}
		x.clock.advance(time.Minute)
	}
	// A session that the browser still has ends when it signs in again.
	old := x.signedIn("bob", "cookie")
	x.call("POST", "/v1/login", map[string]string{"username": "ada", "password": goodPassword}, x.as(old)).want(200)
	x.call("GET", "/v1/session", nil, x.as(old)).want(401)
}

// With shortened addresses the trail keeps networks only, like the records.
func TestShortenedAddressesAreShortInTheTrailToo(t *testing.T) {
	x := newSite(t, func(c *Config) { c.ShortenAddresses = true })
	x.signedIn("ada", "token")
	records, err := x.s.trail.Query(audit.Filter{Limit: 1000})
	if err != nil || len(records) == 0 {
		t.Fatalf("%d events, %v", len(records), err)
	}
	for _, r := range records {
		if s := r.Event.Source; s != "" && !strings.HasSuffix(s, "/24") && !strings.HasSuffix(s, "/48") {
			t.Errorf("%s has the source %q", r.Event.Name, s)
		}
	}
}
