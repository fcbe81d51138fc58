package server

import (
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard/api"
)

// The example of docs/http.md, from its beginning to its end.
//
// req: LIFE-14
func TestOneSessionTwoBadges(t *testing.T) {
	x := newSite(t)
	web := x.login("ada", "cookie")
	x.clock.advance(time.Second)
	app := x.login("ada", "token")
	if web.cookie == "" || web.access != "" || app.cookie != "" || app.access == "" || app.refresh == "" {
		t.Fatalf("each channel has its own credential: %+v %+v", web, app)
	}
	for _, b := range []*badge{web, app} {
		a := x.call("GET", "/v1/session", nil, x.as(b)).want(200)
		if a.field("session", "sid") != b.sid || a.field("session", "subject") != "ada" || a.field("session", "current") != "true" {
			t.Errorf("GET /v1/session of %s says %s", b.sid, a.body)
		}
		if (a.field("csrf_token") != "") != (b == web) {
			t.Errorf("a csrf_token is for the cookie alone: %s", a.body)
		}
	}

	var list api.Sessions
	x.call("GET", "/v1/sessions", nil, x.as(web)).want(200).json(&list)
	if got := []string{list.Sessions[0].SID, list.Sessions[1].SID}; len(list.Sessions) != 2 || !slices.Equal(got, []string{app.sid, web.sid}) {
		t.Fatalf("the list has %v, want the two of %s and %s, newest first", got, app.sid, web.sid)
	}
	if list.Sessions[0].Current || !list.Sessions[1].Current {
		t.Error("the session that asks is the one marked as current")
	}

	old := *app
	a := x.refresh(app.refresh).want(200)
	app.access, app.refresh = a.field("access_token"), a.field("refresh_token")
	if app.refresh == old.refresh {
		t.Fatal("a refresh gives a new refresh token")
	}
	x.call("GET", "/v1/session", nil, x.as(app)).want(200)

	// The old refresh token comes back after the window: its session is over,
	// the other is not.
	x.clock.advance(31 * time.Second)
	x.refresh(old.refresh).want(400, "invalid_grant")
	x.call("GET", "/v1/session", nil, x.as(app)).want(401, "invalid_token")
	x.call("GET", "/v1/session", nil, x.as(&old)).want(401, "invalid_token")
	x.refresh(app.refresh).want(400, "invalid_grant")
	x.call("GET", "/v1/session", nil, x.as(web)).want(200)
	trail := x.events(app.sid)
	for _, want := range []string{"refresh_reused:reused-recent", "session_ended:refresh_reuse"} {
		if !slices.Contains(trail, want) {
			t.Errorf("the audit trail of the session says %v, want %s in it", trail, want)
		}
	}

	// A refresh in flight at logout meets a dead session, and that ends nothing
	// else.
	app = x.login("ada", "token")
	second := x.login("ada", "token")
	x.call("POST", "/v1/logout", nil, x.as(app)).want(204)
	x.refresh(app.refresh).want(400, "invalid_grant")
	x.call("GET", "/v1/session", nil, x.as(second)).want(200)
	x.call("GET", "/v1/session", nil, x.as(web)).want(200)
	if slices.ContainsFunc(x.events(app.sid), func(e string) bool { return e == "session_ended:refresh_reuse" }) {
		t.Error("a late refresh is taken for a stolen one")
	}

	// The browser ends the app by its sid.
	x.call("DELETE", "/v1/sessions/"+second.sid, nil, x.as(web)).want(204)
	x.call("GET", "/v1/session", nil, x.as(second)).want(401, "invalid_token")
	x.refresh(second.refresh).want(400, "invalid_grant")

	x.call("POST", "/v1/logout", nil, x.as(web)).want(204)
	x.call("GET", "/v1/session", nil, x.as(web)).want(401, "unauthorized")
	x.call("POST", "/v1/logout", nil, x.as(web)).want(204)
	x.call("POST", "/v1/logout", nil, x.as(second)).want(204)
	if n := x.live("ada"); n != 0 {
		t.Errorf("%d sessions are left", n)
	}
}

// deaths are the ways in which somebody else, or time, ends a session.
var deaths = map[string]func(x *site, b *badge){
	"logout":      func(x *site, b *badge) { x.call("POST", "/v1/logout", nil, x.as(b)).want(204) },
	"its own sid": func(x *site, b *badge) { x.call("DELETE", "/v1/sessions/"+b.sid, nil, x.as(b)).want(204) },
	"end all": func(x *site, b *badge) {
		x.call("POST", "/v1/sessions/revoke", api.RevokeRequest{Scope: "all"}, x.as(b)).want(200)
	},
	"end others": func(x *site, b *badge) {
		x.call("POST", "/v1/sessions/revoke", api.RevokeRequest{Scope: "others"}, x.as(x.signedIn("ada", "cookie"))).want(200)
	},
	"new password": func(x *site, b *badge) {
		x.call("POST", "/v1/password", api.PasswordRequest{Current: goodPassword, New: "another long passphrase"}, x.as(x.signedIn("ada", "token"))).want(204)
	},
	"an administrator": func(x *site, b *badge) {
		x.call("DELETE", "/v1/admin/sessions/"+b.sid, nil, x.as(x.signedIn("root", "cookie"))).want(200)
	},
	"an administrator, by subject": func(x *site, b *badge) {
		x.call("POST", "/v1/admin/revoke", api.AdminRevokeRequest{Subject: "ada"}, x.as(x.signedIn("root", "token"))).want(200)
	},
	"an administrator, everybody": func(x *site, b *badge) {
		x.call("POST", "/v1/admin/revoke", api.AdminRevokeRequest{All: true}, x.as(x.signedIn("root", "token"))).want(200)
	},
	"disabled": func(x *site, b *badge) {
		x.call("POST", "/v1/admin/users/ada/disable", nil, x.as(x.signedIn("root", "token"))).want(200)
	},
	"idle":     func(x *site, b *badge) { x.clock.advance(14 * 24 * time.Hour) },
	"absolute": func(x *site, b *badge) { x.clock.advance(30 * 24 * time.Hour) },
	"step-up": func(x *site, b *badge) {
		x.call("POST", "/v1/elevate", api.ElevateRequest{Password: goodPassword}, x.as(b)).want(200)
	},
	"take-over": func(x *site, b *badge) {
		keep := false
		code := x.call("POST", "/v1/session/handoff", api.HandoffRequest{Channel: "token", Keep: &keep}, x.as(b)).want(200).field("code")
		x.call("POST", "/v1/session/redeem", api.RedeemRequest{Code: code}).want(200)
	},
	"revocation": func(x *site, b *badge) {
		if b.refresh == "" {
			x.call("POST", "/v1/logout", nil, x.as(b)).want(204)
			return
		}
		x.call("POST", "/oauth2/revoke", url.Values{"token": {b.refresh}}).want(200)
	},
}

// Whatever ended a session, each of its credentials is refused on its next use,
// in the same words, and logging out still succeeds.
//
// req: REVOKE-2, REVOKE-6, REVOKE-8, REVOKE-17, REFRESH-11, FIX-2
func TestEveryEndedBadgeIsRefusedOnItsNextUse(t *testing.T) {
	for name, end := range deaths {
		for _, channel := range []string{"cookie", "token"} {
			t.Run(name+" of a "+channel+" session", func(t *testing.T) {
				x := newSite(t)
				b := x.signedIn("ada", channel)
				drawn := &badge{}
				if channel == "cookie" {
					drawn.access = x.call("POST", "/v1/session/token", struct{}{}, x.as(b)).want(200).field("access_token")
				}
				bob := x.signedIn("bob", channel)
				end(x, b)
				if channel == "cookie" {
					a := x.call("GET", "/v1/session", nil, x.as(b)).want(401, "unauthorized")
					// After a step-up the browser has a newer cookie, which a late
					// request with the old one must not delete.
					newer := name == "step-up"
					if v, ok := a.setCookie(x.s.m.CookieName()); ok == newer || v != "" {
						t.Errorf("the dead cookie is deleted: %v, want %v", ok, !newer)
					}
					x.call("GET", "/v1/session", nil, x.as(drawn)).want(401, "invalid_token")
				} else {
					x.call("GET", "/v1/session", nil, x.as(b)).want(401, "invalid_token")
					x.refresh(b.refresh).want(400, "invalid_grant")
				}
				if name != "idle" && name != "absolute" || channel == "cookie" {
					// An access token past its own exp is no session's any more.
					x.call("POST", "/v1/logout", nil, x.as(b)).want(204)
				}
				if slices.Contains([]string{"idle", "absolute", "an administrator, everybody"}, name) {
					return
				}
				x.call("GET", "/v1/session", nil, x.as(bob)).want(200)
			})
		}
	}
}
