package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestAServiceThatIsCutOffGoesBlindAndMissesNothing cuts a service's feed. When
// the bound is over its Bounded routes answer 503; Local ones go on until each
// token expires, and Live ones know what happens meanwhile. When the feed is back,
// nothing that has ended is accepted at any moment.
//
// req: REVOKE-12
func TestAServiceThatIsCutOffGoesBlindAndMissesNothing(t *testing.T) {
	t.Parallel()
	for name, state := range map[string]lineState{"cut off": cut, "on a line that swallows everything": stalled} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := startFleet(t, 1, 0, "sqlite", "sqlite", "--access-token-ttl", "10s")
			in := f.orders
			in.Name, in.Local = "orders", true
			s := startService(t, in, f.node(0))
			f.services = append(f.services, s)
			defer f.finish(t)

			early := f.somebody(t, "early")
			for _, route := range []string{"/bounded", "/local", "/live"} {
				if got := s.ask(t, route, early).status; got != http.StatusOK {
					t.Fatalf("before, %s answers %d", route, got)
				}
			}
			s.set(state)
			blind := f.clock() + f.bound
			ended := f.whileBlind(t, s, early, blind)
			s.set(whole)
			f.backAgain(t, s, ended)
		})
	}
}

// whileBlind asks a service that is cut off, until the token of early has expired,
// and ends sessions meanwhile. It returns those that ended.
func (f *fleet) whileBlind(t *testing.T, s *service, early *holder, blind time.Duration) (ended []*holder) {
	t.Helper()
	expires := expiry(t, early.token)
	unsure, expired := 0, 0
	for n := 0; expired < 3; n++ {
		live := f.somebody(t, fmt.Sprintf("live%d", n))
		begun := f.clock()
		r := s.ask(t, "/bounded", live)
		switch {
		case r.status == http.StatusServiceUnavailable && r.header.Get("Retry-After") != "":
			unsure++
		case r.status != http.StatusOK || begun > blind:
			t.Fatalf("Bounded answers %d, %v after the last moment for another answer than 503: %s", r.status, begun-blind, r.body)
		}
		if got := s.ask(t, "/local", live).status; got != http.StatusOK {
			t.Errorf("Local answers %d", got)
		}
		if got := s.askLive(t, live).status; got != http.StatusOK {
			t.Errorf("Live answers %d", got)
		}

		over := f.somebody(t, fmt.Sprintf("over%d", n))
		path, method, body := "/v1/admin/sessions/"+over.sid, "DELETE", ""
		if n%2 == 0 {
			path, method, body = "/v1/admin/revoke", "POST", `{"subject":"`+over.subject+`"}`
		}
		f.send(t, method, path, body, f.backend).want(t, 200)
		ended = append(ended, over)
		if got := s.ask(t, "/local", over).status; got != http.StatusOK {
			t.Errorf("Local answers %d about what it cannot know", got)
		}
		if got := s.askLive(t, over).status; got != http.StatusUnauthorized {
			t.Errorf("Live answers %d about a session that has ended", got)
		}

		asked := time.Now()
		got := s.ask(t, "/local", early).status
		answered := time.Now()
		switch {
		case got == http.StatusOK && asked.Before(expires):
		case got == http.StatusUnauthorized && !answered.Before(expires):
			expired++
		default:
			t.Fatalf("Local answers %d, asked %v after the token expired", got, asked.Sub(expires))
		}
		time.Sleep(50 * time.Millisecond)
	}
	if unsure < 3 {
		t.Errorf("only %d answers of 503", unsure)
	}
	return ended
}

// backAgain asks a service whose feed is back about sessions that ended while it
// was blind.
func (f *fleet) backAgain(t *testing.T, s *service, ended []*holder) {
	t.Helper()
	asked := 0
	sure := func(h *holder) bool {
		switch got := s.ask(t, "/bounded", h).status; got {
		case http.StatusUnauthorized:
			return true
		case http.StatusServiceUnavailable:
		default:
			t.Fatalf("when the feed is back, Bounded answers %d about a session that has ended", got)
		}
		return false
	}
	for limit := time.Now().Add(patience); ; {
		if h := f.somebody(t, "last"); time.Now().Before(expiry(t, h.token)) && s.ask(t, "/bounded", h).status == http.StatusOK {
			break
		}
		if time.Now().After(limit) {
			t.Fatal("the service stays blind")
		}
		sure(ended[len(ended)-1])
	}
	for _, h := range ended {
		if left := time.Until(expiry(t, h.token)); left <= 0 {
			continue // that would be a reason too
		}
		if !sure(h) {
			t.Error("blind again")
		}
		if got := s.ask(t, "/local", h).status; got != http.StatusUnauthorized {
			t.Errorf("when the feed is back, Local answers %d about a session that has ended", got)
		}
		if time.Now().Before(expiry(t, h.token)) {
			asked++
		}
	}
	if asked == 0 {
		t.Error("every token had expired by itself")
	}
	t.Logf("%d sessions ended while the service was blind; %d of their tokens had not expired when it was back", len(ended), asked)
}

// somebody signs in with a token.
func (f *fleet) somebody(t *testing.T, subject string) *holder {
	t.Helper()
	h, err := f.signIn(f.node(0), subject, withToken)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// ask has a route of the service judge somebody's token.
func (s *service) ask(t *testing.T, route string, h *holder) reply {
	t.Helper()
	return s.send(t, "GET", route, "", bearer(h.token))
}

// askLive is ask of the route that asks the issuer, however long that takes.
func (s *service) askLive(t *testing.T, h *holder) (r reply) {
	t.Helper()
	if _, err := insistently(func() (int, error) { r = s.ask(t, "/live", h); return r.status, nil }); err != nil {
		t.Fatal(err)
	}
	return r
}

// expiry is when a token ends by itself.
func expiry(t *testing.T, token string) time.Time {
	t.Helper()
	return time.Unix(int64(part(t, token, 1)["exp"].(float64)), 0)
}

// part reads the header (0) or the claims (1) of a token.
func part(t *testing.T, token string, n int) (v map[string]any) {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[n])
	if err == nil {
		err = json.Unmarshal(text, &v)
	}
	if err != nil {
		t.Fatal(err)
	}
	return v
}
