package server

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard/api"
)

func TestAHandoffTakesPartOrTakesOver(t *testing.T) {
	x := newSite(t)
	for _, from := range []string{"cookie", "token"} {
		for _, to := range []string{"cookie", "token"} {
			for _, keep := range []bool{true, false} {
				name := fmt.Sprintf("%s to %s, keep %v", from, to, keep)
				origin := x.signedIn("ada", from)
				was := x.call("GET", "/v1/session", nil, x.as(origin)).want(200)
				x.clock.advance(time.Minute)
				a := x.call("POST", "/v1/session/handoff", api.HandoffRequest{Channel: to, Keep: &keep}, x.as(origin)).want(200)
				if a.field("expires_in") != "60" {
					t.Errorf("%s: the code is good for %s seconds", name, a.field("expires_in"))
				}
				code := a.field("code")
				x.call("POST", "/v1/session/redeem", api.RedeemRequest{Code: code[:len(code)-2] + "AA"}).want(400, "invalid_grant")
				r := x.call("POST", "/v1/session/redeem", api.RedeemRequest{Code: code, Device: "phone"}).want(200)
				b := x.badgeOf(r)
				if (b.cookie != "") != (to == "cookie") || (b.access != "") != (to == "token") {
					t.Errorf("%s: got %+v", name, b)
				}
				x.call("POST", "/v1/session/redeem", api.RedeemRequest{Code: code}).want(400, "invalid_grant")
				s := x.call("GET", "/v1/session", nil, x.as(b)).want(200)
				for _, same := range []string{"subject", "auth_time", "expires_at", "acr"} {
					if got, want := s.field("session", same), was.field("session", same); got != want {
						t.Errorf("%s: %s is %s, the origin's was %s", name, same, got, want)
					}
				}
				if s.field("session", "device") != "phone" || s.field("session", "sid") == origin.sid {
					t.Errorf("%s: got %s", name, s.body)
				}
				if keep {
					if s.field("session", "origin") != origin.sid {
						t.Errorf("%s: it is not linked: %s", name, s.body)
					}
					x.call("GET", "/v1/session", nil, x.as(origin)).want(200)
					x.call("DELETE", "/v1/sessions/"+origin.sid, nil, x.as(b)).want(204)
					x.call("GET", "/v1/session", nil, x.as(b)).want(401)
				} else {
					if s.field("session", "origin") != "" {
						t.Errorf("%s: it is linked: %s", name, s.body)
					}
					x.call("GET", "/v1/session", nil, x.as(origin)).want(401)
					x.call("POST", "/v1/logout", nil, x.as(b)).want(204)
				}
			}
		}
	}
	// linked=keep spares the ones that were handed off.
	origin := x.signedIn("ada", "cookie")
	code := x.call("POST", "/v1/session/handoff", api.HandoffRequest{Channel: "token"}, x.as(origin)).want(200).field("code")
	b := x.badgeOf(x.call("POST", "/v1/session/redeem", api.RedeemRequest{Code: code}))
	x.call("DELETE", "/v1/sessions/"+origin.sid+"?linked=keep", nil, x.as(origin)).want(204)
	x.call("GET", "/v1/session", nil, x.as(b)).want(200)
	// A code is too late after a minute, and after the end of its session.
	late := x.call("POST", "/v1/session/handoff", api.HandoffRequest{Channel: "token"}, x.as(b)).want(200).field("code")
	x.clock.advance(time.Minute)
	x.call("POST", "/v1/session/redeem", api.RedeemRequest{Code: late}).want(400, "invalid_grant")
	dead := x.call("POST", "/v1/session/handoff", api.HandoffRequest{Channel: "token"}, x.as(b)).want(200).field("code")
	x.call("POST", "/v1/logout", nil, x.as(b)).want(204)
	x.call("POST", "/v1/session/redeem", api.RedeemRequest{Code: dead}).want(400, "invalid_grant")
	for _, b := range []*badge{x.signedIn("ada", "cookie"), x.signedIn("ada", "token")} {
		for _, text := range []string{b.cookie, b.refresh, b.access} {
			if text != "" {
				x.call("POST", "/v1/session/redeem", api.RedeemRequest{Code: text}).want(400, "invalid_grant")
			}
		}
	}
}

// A short token that was drawn from a cookie session is for services: whoever
// holds it cannot make more of it.
func TestADrawnTokenDoesNotBecomeASession(t *testing.T) {
	x := newSite(t, func(c *Config) { c.Audience = []string{"orders"} })
	web := x.signedIn("ada", "cookie")
	a := x.call("POST", "/v1/session/token", api.TokenRequest{Resource: "orders"}, x.as(web)).want(200)
	if a.field("refresh_token") != "" || a.header.Get("Set-Cookie") != "" {
		t.Errorf("got %v %s", a.header, a.body)
	}
	drawn := &badge{access: a.field("access_token")}
	if c := claimsOf(t, drawn.access); c.Sub != "ada" || c.Exp > x.clock.Now().Add(5*time.Minute).Unix() || !strings.Contains(toJSON(c.Aud), "orders") {
		t.Errorf("the token says %+v", c)
	}
	x.call("GET", "/v1/session", nil, x.as(drawn)).want(401, "invalid_token") // it is for orders alone
	drawn.access = x.call("POST", "/v1/session/token", struct{}{}, x.as(web)).want(200).field("access_token")
	x.call("GET", "/v1/session", nil, x.as(drawn)).want(200)
	x.call("POST", "/v1/session/token", struct{}{}, x.as(drawn)).want(400, "invalid_request")
	x.call("POST", "/v1/session/handoff", api.HandoffRequest{Channel: "token"}, x.as(drawn)).want(400, "invalid_request")
	x.call("POST", "/v1/elevate", api.ElevateRequest{Password: goodPassword}, x.as(drawn)).want(400, "invalid_request")
	x.call("POST", "/v1/session/token", struct{}{}, x.as(x.signedIn("ada", "token"))).want(400, "invalid_request")
	if a := x.call("POST", "/v1/password", api.PasswordRequest{Current: goodPassword, New: "another long passphrase"}, x.as(drawn)).want(204); a.header.Get("Set-Cookie") != "" {
		t.Error("a drawn token gets a cookie")
	}
	// Its use is no sign of a present person.
	before := x.call("GET", "/v1/session?passive=1", nil, x.as(web)).want(200).field("session", "idle_expires_at")
	x.clock.advance(4 * time.Minute)
	x.call("GET", "/v1/session", nil, x.as(drawn)).want(200)
	if after := x.call("GET", "/v1/session?passive=1", nil, x.as(web)).want(200).field("session", "idle_expires_at"); after != before {
		t.Errorf("the deadline moved from %s to %s", before, after)
	}
}
