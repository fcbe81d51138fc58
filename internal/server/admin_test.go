package server

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/api"
	"github.com/lanyard-go/lanyard/audit"
	"github.com/lanyard-go/lanyard/internal/directory"
)

// Who may call which administrative endpoint is one table, walked for all of
// them.
//
// req: HTTP-23
func TestAdministrationIsForAdministratorsAndTheirPrograms(t *testing.T) {
	x := newSite(t)
	grants := []string{directory.GrantClientCredentials}
	ops := x.program(directory.Client{ID: "ops", Grants: grants, MayAdminister: true})
	backendSecret := x.program(directory.Client{ID: "backend", Grants: grants, MayCreateSessions: true})
	plain := x.program(directory.Client{ID: "plain", Grants: grants, MayIntrospect: true, MayFollow: true})
	gone := x.program(directory.Client{ID: "gone", Grants: grants, MayAdminister: true})
	goneToken := x.ownToken("gone", gone)
	if err := x.s.dir.RemoveClient(t.Context(), "gone"); err != nil {
		t.Fatal(err)
	}
	// An authentication of a while ago, which a program can also report.
	stale := func(channel string) *badge {
		g, err := x.s.m.Start(t.Context(), lanyard.Login{Subject: "root", Methods: []string{"pwd"}, Channel: map[string]lanyard.Channel{"cookie": lanyard.ChannelCookie, "token": lanyard.ChannelToken}[channel], AuthTime: x.clock.Now().Add(-10 * time.Minute)})
		if err != nil {
			t.Fatal(err)
		}
		return &badge{cookie: g.Handle.Reveal(), access: g.Access.Reveal(), origin: x.url}
	}
	const ok = 0 // whatever the endpoint says to somebody who may call it
	callers := map[string]struct {
		option
		status  int
		code    string
		backend int // on endpoints that programs which create sessions may call
	}{
		"nobody":                         {func(*http.Request) {}, 401, "unauthorized", 401},
		"a user's cookie":                {x.as(x.signedIn("ada", "cookie")), 403, "forbidden", 403},
		"a user's token":                 {x.as(x.signedIn("ada", "token")), 403, "forbidden", 403},
		"an unknown user's token":        {x.as(x.signedIn("stranger", "token")), 403, "forbidden", 403},
		"an administrator's old cookie":  {x.as(stale("cookie")), 401, "insufficient_user_authentication", 401},
		"an administrator's old token":   {x.as(stale("token")), 401, "insufficient_user_authentication", 401},
		"an administrator's cookie":      {x.as(x.signedIn("root", "cookie")), ok, "", ok},
		"an administrator's token":       {x.as(x.signedIn("root", "token")), ok, "", ok},
		"a refresh token":                {header("Authorization", "Bearer "+x.signedIn("root", "token").refresh), 401, "invalid_token", 401},
		"a program that administers":     {basicAuth("ops", ops), ok, "", ok},
		"its token":                      {x.as(x.ownToken("ops", ops)), ok, "", ok},
		"a program that starts sessions": {basicAuth("backend", backendSecret), 403, "forbidden", ok},
		"its own token":                  {x.as(x.ownToken("backend", backendSecret)), 403, "forbidden", ok},
		"a program without the right":    {basicAuth("plain", plain), 403, "forbidden", 403},
		"the token of one":               {x.as(x.ownToken("plain", plain)), 403, "forbidden", 403},
		"a program with a wrong secret":  {basicAuth("ops", plain), 401, "invalid_client", 401},
		"a public client":                {basicAuth("lanyard", ""), 401, "invalid_client", 401},
		"a program that was removed":     {basicAuth("gone", gone), 401, "invalid_client", 401},
		"the token of one that was":      {x.as(goneToken), 403, "forbidden", 403},
	}
	for _, e := range x.s.adminEndpoints() {
		if !strings.Contains(e.pattern, "/v1/admin/") {
			continue
		}
		method, path, _ := strings.Cut(strings.NewReplacer("{sid}", "x", "{name}", "nobody", "{kid}", "nokey", "{id}", "noclient").Replace(e.pattern), " ")
		forBackends := slices.Contains([]string{"/v1/admin/sessions", "/v1/admin/sessions/x", "/v1/admin/revoke"}, path)
		for name, c := range callers {
			want := c.status
			if forBackends {
				want = c.backend
			}
			a := x.call(method, path, nil, c.option)
			switch {
			case want == ok && slices.Contains([]int{401, 403}, a.status), want != ok && (a.status != want || a.code() != c.code):
				t.Errorf("%s by %s: got %d %s, want %d %s", e.pattern, name, a.status, a.body, want, c.code)
			case a.status == 401 && a.header.Get("WWW-Authenticate") == "":
				t.Errorf("%s by %s: 401 without a challenge", e.pattern, name)
			}
		}
	}
	// The pages are for the same people.
	for _, e := range x.s.adminEndpoints() {
		method, path, found := strings.Cut(e.pattern, " ")
		if !found || !strings.HasPrefix(path, "/console") {
			continue
		}
		path = strings.NewReplacer("{sid}", "x", "{name}", "nobody", "{kid}", "nokey").Replace(path)
		if a := x.browser().send(method, path, url.Values{}); a.status != 303 || !strings.HasPrefix(a.header.Get("Location"), "/login") {
			t.Errorf("%s by nobody: got %d %q", e.pattern, a.status, a.header.Get("Location"))
		}
		if a := x.browser().wears(x.signedIn("ada", "cookie")).send(method, path, url.Values{}); a.status != 403 {
			t.Errorf("%s by a user: got %d", e.pattern, a.status)
		}
		old := stale("cookie")
		if a := x.browser().wears(old).send(method, path, url.Values{}); method == "POST" && (a.status != 403 || !strings.Contains(a.body, `name="pending_path"`)) {
			t.Errorf("%s by an administrator of long ago: got %d", e.pattern, a.status)
		}
	}
	if t.Failed() {
		return
	}
	// The rights go with the user.
	root := x.signedIn("root", "token")
	x.call("GET", "/v1/admin/users", nil, x.as(root)).want(200)
	x.call("POST", "/v1/admin/users/root/disable", nil, basicAuth("ops", ops)).want(200)
	x.call("GET", "/v1/admin/users", nil, x.as(root)).want(401)
}

// A program that may start sessions cannot make itself an administrator by it.
//
// req: HTTP-23
func TestAProgramCannotVouchItselfIntoAdministration(t *testing.T) {
	x := newSite(t)
	secret := x.program(directory.Client{ID: "backend", MayCreateSessions: true})
	ops := x.program(directory.Client{ID: "ops", MayAdminister: true})
	for _, name := range []string{"root", "ROOT", "Root"} {
		x.call("POST", "/v1/admin/sessions", api.AdminSessionRequest{Subject: name, AMR: []string{"pwd"}, Channel: "token"}, basicAuth("backend", secret)).want(403, "forbidden")
	}
	x.call("POST", "/v1/admin/sessions", api.AdminSessionRequest{Subject: "ada", AMR: []string{"pwd"}, Channel: "token"}, basicAuth("backend", secret)).want(200)
	x.call("POST", "/v1/admin/sessions", api.AdminSessionRequest{Subject: "root", AMR: []string{"pwd"}, Channel: "token"}, basicAuth("ops", ops)).want(200)
	// Nor a program by the name of its own kind.
	x.call("POST", "/v1/admin/sessions", api.AdminSessionRequest{Subject: "client:ops", AMR: []string{"pwd"}, Channel: "token"}, basicAuth("backend", secret)).want(400, "invalid_request")
	// It ends people's sessions, not everybody's, and holds no keys.
	x.call("POST", "/v1/admin/revoke", api.AdminRevokeRequest{Subject: "ada"}, basicAuth("backend", secret)).want(200)
	x.call("POST", "/v1/admin/revoke", api.AdminRevokeRequest{All: true}, basicAuth("backend", secret)).want(403, "forbidden")
	x.call("POST", "/v1/admin/revoke", api.AdminRevokeRequest{KID: x.s.keys.List(x.clock.Now())[0].ID}, basicAuth("backend", secret)).want(403, "forbidden")
}

// req: REVOKE-8
func TestAnAdministratorEndsOneOrAllAndItIsOnRecord(t *testing.T) {
	x := newSite(t)
	root := x.signedIn("root", "cookie")
	a1, a2, b1 := x.signedIn("ada", "cookie"), x.signedIn("ada", "token"), x.signedIn("bob", "token")
	out := func(a *answer) (r api.AdminRevoked) { a.want(200).json(&r); return r }
	if r := out(x.call("DELETE", "/v1/admin/sessions/"+a1.sid+"?reason=lost+phone", nil, x.as(root))); r.Ended != 1 || r.Cursor == "" {
		t.Errorf("ending one says %+v", r)
	}
	if r := out(x.call("DELETE", "/v1/admin/sessions/"+a1.sid, nil, x.as(root))); r.Ended != 0 {
		t.Errorf("ending it again says %+v", r)
	}
	x.call("GET", "/v1/session", nil, x.as(a1)).want(401)
	x.call("GET", "/v1/session", nil, x.as(a2)).want(200)
	if r := out(x.call("POST", "/v1/admin/revoke", api.AdminRevokeRequest{Subject: "ada", Reason: "left"}, x.as(root))); r.Ended != 1 {
		t.Errorf("ending a subject's says %+v", r)
	}
	x.call("GET", "/v1/session", nil, x.as(a2)).want(401)
	x.call("GET", "/v1/session", nil, x.as(b1)).want(200)
	x.call("POST", "/v1/admin/revoke", api.AdminRevokeRequest{Subject: "ada", All: true}, x.as(root)).want(400, "invalid_request")
	x.call("POST", "/v1/admin/revoke", struct{}{}, x.as(root)).want(400, "invalid_request")
	if r := out(x.strictly(func() *answer {
		return x.call("POST", "/v1/admin/revoke", api.AdminRevokeRequest{Subject: "bob", Mode: "strict"}, x.as(root))
	})); r.Ended != 1 {
		t.Errorf("ending a subject's strictly says %+v", r)
	}
	x.call("GET", "/v1/session", nil, x.as(b1)).want(401)

	var shown struct {
		Session api.Session `json:"session"`
		Events  []api.Event `json:"events"`
	}
	x.call("GET", "/v1/admin/sessions/"+a1.sid, nil, x.as(root)).want(200).json(&shown)
	if shown.Session.EndReason != "admin" || shown.Session.EndedAt == nil {
		t.Errorf("an ended session is shown as %+v", shown.Session)
	}
	if !slices.ContainsFunc(shown.Events, func(e api.Event) bool {
		return e.Event == string(audit.AdminAction) && e.Actor == "root" && e.Reason == "lost phone"
	}) {
		t.Errorf("its history does not say who ended it, and why: %+v", shown.Events)
	}
	// Everybody, the administrator included.
	x.call("POST", "/v1/admin/revoke", api.AdminRevokeRequest{All: true}, x.as(root)).want(200)
	for _, b := range []*badge{root, b1} {
		x.call("GET", "/v1/session", nil, x.as(b)).want(401)
	}
	x.refresh(b1.refresh).want(400, "invalid_grant")
	x.login("ada", "cookie") // and life goes on
}

func TestSessionsAreFoundByWhatIsKnownOfThem(t *testing.T) {
	x := newSite(t)
	secret := x.program(directory.Client{ID: "backend", MayCreateSessions: true})
	start := func(subject, channel, ip, device string) string {
		return x.startFor("backend", secret, api.AdminSessionRequest{Subject: subject, AMR: []string{"pwd"}, Channel: channel, IP: ip, Device: device}).sid
	}
	a := start("carol", "cookie", "192.0.2.1", "desk")
	x.clock.advance(2 * time.Hour)
	b := start("carol", "token", "192.0.2.2", "phone")
	c := start("dave", "token", "192.0.2.1", "phone")
	x.call("DELETE", "/v1/admin/sessions/"+c, nil, basicAuth("backend", secret)).want(200)
	d := start("dave", "token", "192.0.2.1", "phone")
	for query, want := range map[string][]string{
		"":                             {a, b, d},
		"subject=carol":                {a, b},
		"subject=CAROL":                {},
		"ip=192.0.2.1":                 {a, d},
		"channel=cookie":               {a},
		"device=phone":                 {b, d},
		"older_than=1h":                {a},
		"idle_for=90m":                 {a},
		"older_than=3h":                {},
		"subject=dave&ended=1":         {c, d},
		"subject=dave&channel=cookie":  {},
		"subject=carol' OR 1=1 --":     {},
		"subject=%25":                  {},
		"device=phone&ip=192.0.2.2":    {b},
		"unknown=1&subject=carol":      {a, b},
		"ended=0&subject=dave":         {d},
		"subject=carol&limit=1&walk=1": {a, b},
	} {
		var got []string
		for cursor := ""; ; {
			var page api.Sessions
			x.call("GET", "/v1/admin/sessions?"+strings.ReplaceAll(query, " ", "+")+"&cursor="+url.QueryEscape(cursor), nil, basicAuth("backend", secret)).want(200).json(&page)
			for _, s := range page.Sessions {
				got = append(got, s.SID)
			}
			if cursor = page.Next; cursor == "" {
				break
			}
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", query, got, want)
		}
	}
}

func TestABackendsSessionIsOneLikeAnyOther(t *testing.T) {
	x := newSite(t)
	secret := x.program(directory.Client{ID: "backend", Grants: allGrants, MayCreateSessions: true})
	when := x.clock.Now().Add(-time.Hour)
	in := api.AdminSessionRequest{Subject: "carol", AMR: []string{"pwd", "otp"}, ACR: "aal2", AuthTime: &when, Channel: "cookie", Device: "desk", UserAgent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", IP: "192.0.2.1"}
	var out api.AdminSession
	a := x.call("POST", "/v1/admin/sessions", in, basicAuth("backend", secret)).want(200)
	a.json(&out)
	if a.header.Get("Set-Cookie") != "" {
		t.Error("the program's own client gets a cookie")
	}
	cookies := (&http.Response{Header: http.Header{"Set-Cookie": {out.Cookie.SetCookie}}}).Cookies()
	if len(cookies) != 1 || cookies[0].Name != x.s.m.CookieName() || !cookies[0].Secure || !cookies[0].HttpOnly || cookies[0].SameSite != http.SameSiteLaxMode || cookies[0].Path != "/" || cookies[0].Domain != "" {
		t.Fatalf("the cookie to send is %q", out.Cookie.SetCookie)
	}
	b := &badge{sid: out.Session.SID, cookie: cookies[0].Value, origin: x.url}
	var s api.SessionAnswer
	x.call("GET", "/v1/session", nil, x.as(b)).want(200).json(&s)
	if s.Session.Subject != "carol" || s.Session.ACR != "aal2" || !slices.Equal(s.Session.AMR, in.AMR) || !s.Session.AuthTime.Equal(when) || s.Session.Device != "desk" || s.Session.IP != "192.0.2.1" || !strings.Contains(s.Session.Browser, "Firefox") {
		t.Errorf("the session is %+v", s.Session)
	}
	if !s.Session.ExpiresAt.Equal(when.Add(30 * 24 * time.Hour)) {
		t.Errorf("it lasts until %v, counted from the authentication it should be %v", s.Session.ExpiresAt, when.Add(30*24*time.Hour))
	}
	// What it does not say, or says wrongly, is named.
	for member, value := range map[string]any{"subject": strings.Repeat("s", 256), "amr": []string{"no word"}, "acr": "a b", "device": strings.Repeat("d", 65), "scope": "a  b"} {
		m := map[string]any{"subject": "carol", "amr": []string{"pwd"}, "channel": "token", member: value}
		a := x.call("POST", "/v1/admin/sessions", m, x.as(x.signedIn("root", "token"))).want(400, "invalid_request")
		if !strings.Contains(a.field("message"), `"`+member+`"`) {
			t.Errorf("%s: the answer does not name it: %s", member, a.body)
		}
	}
	future := x.clock.Now().Add(time.Hour)
	in.AuthTime = &future
	x.call("POST", "/v1/admin/sessions", in, basicAuth("backend", secret)).want(200).json(&out)
	if out.Session.AuthTime.After(x.clock.Now()) {
		t.Error("an authentication in the future is believed")
	}
	long := x.clock.Now().Add(-31 * 24 * time.Hour)
	in.AuthTime = &long
	if a := x.call("POST", "/v1/admin/sessions", in, basicAuth("backend", secret)); a.status/100 != 4 {
		t.Errorf("an authentication of long ago: got %d %s", a.status, a.body)
	}
	x.call("POST", "/v1/admin/users/ada/disable", nil, x.as(x.signedIn("root", "token"))).want(200)
	in.AuthTime, in.Subject = nil, "ada"
	x.call("POST", "/v1/admin/sessions", in, basicAuth("backend", secret)).want(409, "disabled")
	if n := x.live("ada"); n != 0 {
		t.Errorf("a disabled user has %d sessions", n)
	}
}

func TestTheDirectoryIsKeptByAdministrators(t *testing.T) {
	x := newSite(t)
	root := x.as(x.signedIn("root", "cookie"))
	for name, status := range map[string]int{"dan": 200, "ADA": 409, "ada": 409, "-x": 400, "a:b": 400, "": 400, "a b": 400, strings.Repeat("n", 65): 400} {
		a := x.call("POST", "/v1/admin/users", api.UserRequest{Name: name}, root).want(status)
		if status == 400 && !strings.Contains(a.field("message"), `"name"`) {
			t.Errorf("%q: the answer does not name the member: %s", name, a.body)
		}
	}
	for _, path := range []string{"disable", "enable", "reset"} {
		x.call("POST", "/v1/admin/users/nobody/"+path, nil, root).want(404, "not_found")
	}
	x.call("POST", "/v1/admin/users/bob/disable", nil, root).want(200)
	x.call("POST", "/v1/admin/users/bob/reset", nil, root).want(409, "disabled")
	x.call("POST", "/v1/admin/users/bob/enable", nil, root).want(200)
	x.login("bob", "token")
	var names []string
	for cursor := ""; ; {
		var page api.Users
		x.call("GET", "/v1/admin/users?limit=2&cursor="+url.QueryEscape(cursor), nil, root).want(200).json(&page)
		for _, u := range page.Users {
			names = append(names, u.Name)
			if u.Pending != (u.Name == "dan") || u.Admin != (u.Name == "root") {
				t.Errorf("the list has %+v", u)
			}
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	if !slices.Equal(names, []string{"ada", "bob", "dan", "root"}) {
		t.Errorf("the users are %v", names)
	}
	for id, status := range map[string]int{"shop": 200, "lanyard": 409, "Shop": 400, "a b": 400, "": 400} {
		a := x.call("POST", "/v1/admin/clients", api.OAuthClient{ID: id}, root).want(status)
		if status == 400 && !strings.Contains(a.field("message"), `"id"`) {
			t.Errorf("%q: the answer does not name the member: %s", id, a.body)
		}
	}
	for member, value := range map[string]any{"grants": []string{"password"}, "scopes": []string{"a b"}, "audiences": []string{""}, "name": "\u0001"} {
		a := x.call("POST", "/v1/admin/clients", map[string]any{"id": "other", member: value}, root).want(400, "invalid_request")
		if !strings.Contains(a.field("message"), `"`+member+`"`) {
			t.Errorf("%s: the answer does not name the member: %s", member, a.body)
		}
	}
	x.call("POST", "/v1/admin/clients", api.OAuthClient{ID: "open", Public: true, MayAdminister: true}, root).want(400, "invalid_request")
	x.call("DELETE", "/v1/admin/clients/lanyard", nil, root).want(409, "built_in")
	x.call("DELETE", "/v1/admin/clients/nobody", nil, root).want(404, "not_found")
	if a := x.call("GET", "/v1/admin/clients", nil, root).want(200); strings.Contains(a.body, "secret") {
		t.Errorf("the list of clients has secrets: %s", a.body)
	}
}

// A withdrawn key opens nothing from the next request on, and sessions get over
// it.
func TestAWithdrawnKeyIsRefusedAtOnce(t *testing.T) {
	x := newSite(t)
	root, app := x.signedIn("root", "cookie"), x.signedIn("ada", "token")
	var keys api.Keys
	x.call("GET", "/v1/admin/keys", nil, x.as(root)).want(200).json(&keys)
	kid := keys.Keys[0].KID
	if a := x.call("GET", "/.well-known/jwks.json", nil).want(200); !strings.Contains(a.body, kid) || strings.Contains(a.body, `"d"`) {
		t.Errorf("the key set is %s", a.body)
	}
	x.call("POST", "/v1/admin/keys/nokey/withdraw", nil, x.as(root)).want(404, "not_found")
	x.call("POST", "/v1/admin/revoke", api.AdminRevokeRequest{KID: "nokey"}, x.as(root)).want(404, "not_found")
	x.call("GET", "/v1/session", nil, x.as(app)).want(200)
	x.call("POST", "/v1/admin/revoke", api.AdminRevokeRequest{KID: kid, Reason: "leaked"}, x.as(root)).want(200)
	x.call("GET", "/v1/session", nil, x.as(app)).want(401, "invalid_token")
	if a := x.call("GET", "/.well-known/jwks.json", nil).want(200); strings.Contains(a.body, kid) {
		t.Error("the withdrawn key is still published")
	}
	app.access = x.refresh(app.refresh).want(200).field("access_token")
	x.call("GET", "/v1/session", nil, x.as(app)).want(200)
	x.call("GET", "/v1/session", nil, x.as(root)).want(200)
}

func TestTheAuditTrailIsReadInPages(t *testing.T) {
	x := newSite(t)
	root := x.signedIn("root", "cookie")
	for range 7 {
		x.signedIn("ada", "token")
	}
	x.call("POST", "/v1/login", map[string]string{"username": "ada", "password": "wrong"}, header("User-Agent", "x\r\n\x1b[31m"[:1])).want(401)
	x.call("POST", "/v1/login", map[string]string{"username": goodPassword, "password": "x"}).want(401)
	after, seen := "0", 0
	for range 100 {
		var page api.Events
		a := x.call("GET", "/v1/admin/audit?limit=3&after="+after, nil, x.as(root)).want(200)
		a.json(&page)
		if strings.Contains(a.body, goodPassword) {
			t.Error("a password typed into the wrong field is in the trail")
		}
		if len(page.Events) == 0 {
			break
		}
		for _, e := range page.Events {
			if seen++; e.Seq != uint64(seen) {
				t.Fatalf("event %d follows %d", e.Seq, seen-1)
			}
		}
		after = strings.TrimSpace(toJSON(page.Next))
	}
	if seen < 10 {
		t.Errorf("only %d events", seen)
	}
	var page api.Events
	x.call("GET", "/v1/admin/audit?subject=ada&limit=1000", nil, x.as(root)).want(200).json(&page)
	for _, e := range page.Events {
		if e.Subject != "ada" {
			t.Errorf("got %+v", e)
		}
	}
	x.call("GET", "/v1/admin/audit?sid="+root.sid, nil, x.as(root)).want(200).json(&page)
	if len(page.Events) == 0 || page.Events[0].SID != root.sid {
		t.Errorf("got %+v", page.Events)
	}
}
