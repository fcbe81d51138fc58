package main

import (
	"database/sql"
	"encoding/json"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/lanyard-go/lanyard/store/sqlite"
)

// flows are what people and programs do, each secret of theirs in the vault.
type flows struct {
	*vault
	admin    string // administrative address
	password string // ada's
	handle   string // live ones
	access   string
	refresh  string
	client   string // Authorization header of a program with every right
}

func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// onAdmin is send to the administrative address.
func (f *flows) onAdmin(method, path, body string, headers ...string) reply {
	f.t.Helper()
	public := f.p.url
	f.p.url = "http://" + f.admin
	defer func() { f.p.url = public }()
	return f.send(method, path, body, headers...)
}

func (f *flows) login(name, password, channel string) reply {
	f.t.Helper()
	return f.send("POST", "/v1/login", loginBody(name, password, channel))
}

// accounts makes people and programs, and passwords right and wrong.
func (f *flows) accounts() {
	t := f.t
	initial := f.keep("initial password", initialPassword(t, f.p.data))
	f.login("admin", initial, "cookie").want(t, 200)
	f.password = f.keep("password", "zanzibar lamp forty two onions")
	f.p.lanyard(t, f.password, "users", "add", "ada", "--password-stdin")
	f.p.lanyard(t, f.keep("password", "quiet marmalade on the ridge"), "users", "add", "bob", "--password-stdin")
	f.p.lanyard(t, f.keep("password", "quieter marmalade on the ridge"), "users", "passwd", "bob", "--password-stdin")

	var secret struct{ Secret string }
	out := f.p.lanyard(t, "", "clients", "add", "orders", "--introspect", "--administer", "--create-sessions", "--grant", "client_credentials",
		"--grant", "refresh_token", "--audience", "https://orders.example", "--json")
	if err := json.Unmarshal([]byte(out), &secret); err != nil {
		t.Fatal(err)
	}
	f.client = basicAuth("orders", f.keep("client secret", secret.Secret))
	f.keep("Basic header", strings.TrimPrefix(f.client, "Authorization: Basic "))

	link := f.p.lanyard(t, "", "users", "reset", "bob")
	_, code, _ := strings.Cut(strings.Fields(link)[0], "#")
	f.keep("unused reset code", code)

	wrong := f.keep("wrong password", "zanzibar lamp forty two garlic")
	f.login("ada", wrong, "cookie").want(t, 401)
	f.login("nobody", f.keep("wrong password", "seventeen grey pelicans asleep"), "token").want(t, 401)
	// Typed one field too early.
	f.login(f.keep("password as a name", "my secret in the wrong field"), "x", "token").want(t, 401)
	f.send("POST", "/v1/login", `{"username":"ada","password":`+quote(f.keep("password in a broken body", "swordfish among the lilies"))+`,"pasword":1}`).want(t, 400)
	f.send("POST", "/v1/login", `{"username":"ada","password":["`+f.keep("password of a wrong type", "herring in the hallway bin")+`"]}`).want(t, 400)
	f.send("POST", "/v1/login", `username=ada&password=`+f.keep("password in a form", "walnutsandwichintheattic")).want(t, 415)
	f.onAdmin("POST", "/v1/admin/users", `{"name":"eve","password":`+quote(f.keep("password to an administrator", "basalt and buttercups today"))+`}`, f.client).want(t, 400)
}

// browser is the life of a cookie session over JSON, and the tokens drawn and
// handed off from it.
func (f *flows) browser() {
	t := f.t
	origin := "Origin: " + f.p.url
	f.handle = f.login("ada", f.password, "cookie").want(t, 200).cookie(t, sessionCookie)
	old := f.handle
	f.send("GET", "/v1/session", "", cookieHeader(f.handle)).want(t, 200)
	f.send("POST", "/v1/elevate", `{"password":`+quote(f.keep("wrong password", "zanzibar lamp forty two leeks"))+`}`, cookieHeader(f.handle), origin).want(t, 401)
	f.handle = f.send("POST", "/v1/elevate", `{"password":`+quote(f.password)+`}`, cookieHeader(f.handle), origin).want(t, 200).cookie(t, sessionCookie)
	f.send("GET", "/v1/session", "", cookieHeader(old)).want(t, 401)
	f.send("GET", "/v1/session", "", cookieHeader(f.handle), cookieHeader(old)).want(t, 401)
	f.send("POST", "/v1/session/token", `{"resource":"https://orders.example"}`, cookieHeader(f.handle), origin).want(t, 200)
	f.send("POST", "/v1/logout", "", cookieHeader(f.handle), "Origin: https://evil.example").want(t, 403)
	f.send("PATCH", "/v1/session/data", `{"cart":["otter"]}`, cookieHeader(f.handle), origin).want(t, 200)

	code := f.send("POST", "/v1/session/handoff", `{"channel":"token"}`, cookieHeader(f.handle), origin).want(t, 200).text(t, "code")
	f.send("POST", "/v1/session/redeem", `{"code":"`+code+`"}`).want(t, 200)
	f.send("POST", "/v1/session/redeem", `{"code":"`+code+`"}`).want(t, 400)
	f.send("POST", "/v1/session/handoff", `{"channel":"token"}`, cookieHeader(f.handle), origin).want(t, 200) // never redeemed

	// Tokens: refreshed, retried, replayed.
	f.p.lanyard(t, f.keep("password", "a harbour full of thimbles"), "users", "add", "kim", "--password-stdin")
	r := f.login("kim", "a harbour full of thimbles", "token").want(t, 200)
	first := r.text(t, "refresh_token")
	renew := func(token string) reply {
		return f.send("POST", "/oauth2/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}.Encode())
	}
	second := renew(first).want(t, 200).text(t, "refresh_token")
	renew(first).want(t, 200)
	third := renew(second).want(t, 200).text(t, "refresh_token")
	renew(first).want(t, 400)
	renew(third).want(t, 400)

	r = f.login("ada", f.password, "token").want(t, 200)
	f.access, f.refresh = r.text(t, "access_token"), r.text(t, "refresh_token")
	f.send("GET", "/v1/session", "", bearer(f.access)).want(t, 200)
	code = f.send("POST", "/v1/session/handoff", `{"channel":"cookie","keep":false}`, bearer(f.access)).want(t, 200).text(t, "code")
	moved := f.send("POST", "/v1/session/redeem", `{"code":"`+code+`"}`).want(t, 200).cookie(t, sessionCookie)
	f.send("GET", "/v1/session", "", bearer(f.access)).want(t, 401)
	f.send("POST", "/v1/logout", "", cookieHeader(moved), origin).want(t, 204)

	r = f.login("ada", f.password, "token").want(t, 200)
	f.access, f.refresh = r.text(t, "access_token"), r.text(t, "refresh_token")
	next := f.keep("new password", "zanzibar lantern forty three onions")
	change := func(current, next string) reply {
		return f.send("POST", "/v1/password", `{"current":`+quote(current)+`,"new":`+quote(next)+`,"end_others":false}`, cookieHeader(f.handle), origin)
	}
	change(f.keep("wrong password", "zanzibar lamp sixty six onions"), next).want(t, 401)
	change(f.password, f.keep("password too short", "tiny onion")).want(t, 400)
	f.handle = change(f.password, next).want(t, 204).cookie(t, sessionCookie)
	f.password = next
}

// forms are the pages without scripts.
func (f *flows) forms() {
	t := f.t
	page := f.send("GET", "/login", "").want(t, 200)
	pre, token := page.cookie(t, sessionCookie+"-pre"), formToken.FindStringSubmatch(page.body)[1]
	same := "Sec-Fetch-Site: same-origin"
	html := "Accept: text/html"
	post := func(path, pre string, form url.Values) reply {
		return f.send("POST", path, form.Encode(), same, html, "Cookie: "+pre)
	}
	wrong := url.Values{"csrf_token": {token}, "username": {"ada"}, "password": {f.keep("wrong password", "zanzibar lamp forty two chives")}}
	failed := post("/login", sessionCookie+"-pre="+pre, wrong).want(t, 401)
	pre, token = failed.cookie(t, sessionCookie+"-pre"), formToken.FindStringSubmatch(failed.body)[1]
	post("/login", sessionCookie+"-pre="+pre, url.Values{"csrf_token": {f.keep("wrong form token", strings.Repeat("Zm9v", 16))}, "username": {"ada"}, "password": {f.password}}).want(t, 403)
	in := post("/login", sessionCookie+"-pre="+pre, url.Values{"csrf_token": {token}, "username": {"ada"}, "password": {f.password}}).want(t, 303)
	handle := in.cookie(t, sessionCookie)
	account := f.send("GET", "/account", "", html, cookieHeader(handle)).want(t, 200)
	token = formToken.FindStringSubmatch(account.body)[1]
	post("/account/password", sessionCookie+"="+handle, url.Values{
		"csrf_token": {token}, "current": {f.keep("wrong password", "zanzibar lamp forty two squash")}, "new": {f.keep("password never set", "the long way round the lake")},
	})
	post("/logout", sessionCookie+"="+handle, url.Values{"csrf_token": {token}}).want(t, 303)

	link := f.p.lanyard(t, "", "users", "reset", "bob")
	_, code, _ := strings.Cut(strings.Fields(link)[0], "#")
	f.keep("reset code", code)
	page = f.send("GET", "/reset", "", html).want(t, 200)
	pre, token = page.cookie(t, sessionCookie+"-pre"), formToken.FindStringSubmatch(page.body)[1]
	reset := func(code, password string) reply {
		return post("/reset", sessionCookie+"-pre="+pre, url.Values{"csrf_token": {token}, "code": {code}, "new": {f.keep("password by reset", password)}})
	}
	reset(code, "short by far").want(t, 400)
	reset(f.keep("wrong reset code", strings.Repeat("QUJD", 10)+"QUI"), "the barley field at noon").want(t, 400)
	reset(code, "the barley field at noon").want(t, 200)
	reset(code, "the barley field at night").want(t, 400)
}

// programs are the calls of clients.
func (f *flows) programs() {
	t := f.t
	f.login("bob", "the barley field at noon", "token").want(t, 200)
	grant := f.send("POST", "/oauth2/token", "grant_type=client_credentials", f.client).want(t, 200)
	own := grant.text(t, "access_token")
	introspect := func(token, auth string) reply {
		return f.send("POST", "/oauth2/introspect", url.Values{"token": {token}}.Encode(), auth)
	}
	r := f.onAdmin("POST", "/v1/admin/sessions", `{"subject":"guest","amr":["pwd"],"channel":"token","resource":"https://orders.example"}`, f.client).want(t, 200)
	introspect(r.text(t, "access_token"), f.client).want(t, 200)
	introspect(r.text(t, "refresh_token"), bearer(own)).want(t, 200)
	introspect(f.refresh, f.client).want(t, 200)
	introspect(f.access, basicAuth("orders", f.keep("wrong client secret", "not-the-secret-of-orders-at-all"))).want(t, 401)
	f.send("POST", "/oauth2/token", "grant_type=client_credentials&client_id=orders&client_secret="+f.keep("wrong client secret", "another-secret-that-orders-lacks")).want(t, 401)
	f.send("POST", "/oauth2/token", "grant_type=refresh_token&refresh_token="+f.refresh, f.client).want(t, 400)
	f.onAdmin("POST", "/v1/admin/sessions", `{"subject":"guest","amr":["pwd"],"channel":"cookie"}`, f.client).want(t, 200)
	link := f.onAdmin("POST", "/v1/admin/users/kim/reset", "", f.client).want(t, 200).text(t, "reset_url")
	_, code, _ := strings.Cut(link, "#")
	f.keep("reset code", code)
	f.onAdmin("POST", "/v1/admin/clients", `{"id":"late","may_introspect":true}`, f.client).want(t, 200)
	f.send("POST", "/oauth2/revoke", "token="+r.text(t, "refresh_token"), f.client).want(t, 200)
	f.onAdmin("GET", "/v1/admin/audit", "", f.client).want(t, 200)
	f.onAdmin("POST", "/v1/admin/keys/rotate", "", f.client).want(t, 200)
}

// wrongPlaces presents live and broken secrets where they do not belong.
func (f *flows) wrongPlaces() {
	t := f.t
	origin := "Origin: " + f.p.url
	broken := func(s string) string { return f.keep("broken secret", s[:len(s)-2]+"zz") }
	for _, secret := range []string{f.handle, f.access, f.refresh, broken(f.handle), broken(f.access), broken(f.refresh)} {
		if secret != f.handle {
			f.send("GET", "/v1/session", "", cookieHeader(secret)).want(t, 401)
		}
		if secret != f.access {
			f.send("GET", "/v1/session", "", bearer(secret)).want(t, 401)
			f.send("POST", "/v1/logout", "", bearer(secret)).want(t, 401)
		}
		if secret != f.refresh {
			f.send("POST", "/oauth2/token", "grant_type=refresh_token&refresh_token="+secret).want(t, 400)
		}
		f.send("GET", "/v1/session", "", "Authorization: DPoP "+secret).want(t, 401)
		f.send("GET", "/v1/session", "", "Authorization: Basic "+secret).want(t, 401)
		f.send("GET", "/v1/session", "", "Authorization: "+secret).want(t, 401)
		f.send("GET", "/v1/session?access_token="+secret, "").want(t, 401)
		f.send("GET", "/verify?token="+secret, "", "Authorization: Bearer "+secret+"x").want(t, 401)
		f.send("GET", "/"+secret, "").want(t, 404)
		f.send("GET", "/v1/sessions?cursor="+secret, "", cookieHeader(f.handle))
		f.send("DELETE", "/v1/sessions/"+secret, "", cookieHeader(f.handle), origin)
		f.send("DELETE", "/v1/sessions/"+secret, "", cookieHeader(f.handle), "Origin: https://evil.example").want(t, 403)
		f.send("POST", "/v1/session/redeem", `{"code":"`+secret+`"}`).want(t, 400)
		f.send("POST", "/oauth2/revoke", "token="+secret, f.client)
		f.send("POST", "/oauth2/introspect", "token=x", basicAuth(secret, secret)).want(t, 401)
		f.login(secret, secret, "token")
		f.send("POST", "/v1/session/handoff", `{"channel":"`+secret+`"}`, cookieHeader(f.handle), origin).want(t, 400)
		f.send("PATCH", "/v1/session/data", `{}`, cookieHeader(f.handle), origin, `If-Match: "`+secret+`"`)
		f.onAdmin("GET", "/v1/admin/sessions/"+secret, "", f.client)
		f.onAdmin("GET", "/v1/admin/sessions", "", bearer(secret))
		f.onAdmin("POST", "/v1/admin/users/"+secret+"/disable", "", f.client)
		f.onAdmin("POST", "/v1/admin/keys/"+secret+"/withdraw", "", f.client)
		f.onAdmin("DELETE", "/v1/admin/clients/"+secret, "", f.client)
	}
}

// brokenDirectory takes the directory's table away from under the server, so
// that its own failures show.
func (f *flows) brokenDirectory() {
	t := f.t
	db, err := sql.Open("sqlite", sqlite.DSN(filepath.Join(f.p.data, "directory.db")))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rename := func(from, to string) {
		if _, err := db.ExecContext(t.Context(), "ALTER TABLE "+from+" RENAME TO "+to); err != nil {
			t.Fatal(err)
		}
	}
	rename("directory_users", "directory_away")
	f.login("ada", f.password, "cookie").want(t, 503)
	f.send("POST", "/v1/elevate", `{"password":`+quote(f.password)+`}`, cookieHeader(f.handle), "Origin: "+f.p.url).want(t, 503)
	f.onAdmin("GET", "/v1/admin/users", "", f.client).want(t, 503)
	rename("directory_away", "directory_users")
	f.login("ada", f.password, "cookie").want(t, 200)
	if !strings.Contains(f.p.log.String(), "no such table") {
		t.Error("the log does not name the cause")
	}
}
