package adapters

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/lanyard-go/lanyard"
)

// everywhere runs a test in every router, with the manager's Handler as the
// router's middleware and around the whole router.
func everywhere(t *testing.T, test func(*testing.T, *site)) {
	for _, row := range []struct {
		name  string
		build build
	}{{"chi", Chi}, {"echo", Echo}, {"gin", Gin}, {"gorilla mux", Mux}} {
		t.Run(row.name+", as middleware", func(t *testing.T) { test(t, open(t, row.build, true)) })
		t.Run(row.name+", around the router", func(t *testing.T) { test(t, open(t, row.build, false)) })
	}
}

// withBothBadges runs a test in every router by cookie and by token.
func withBothBadges(t *testing.T, test func(*site, badge)) {
	for name, b := range map[string]badge{"cookie": {}, "token": {tokens: true}} {
		t.Run(name, func(t *testing.T) {
			everywhere(t, func(_ *testing.T, s *site) { test(s, b) })
		})
	}
}

func TestEveryRouterServesTheSameApplicationToBothBadges(t *testing.T) {
	withBothBadges(t, func(s *site, b badge) {
		via := "cookie"
		if b.tokens {
			via = "token"
		}
		s.want("nobody", s.do(b, "GET", "/me", ""), http.StatusUnauthorized, `"unauthorized"`, "Bearer")
		s.want("nobody's change", s.do(b, "PUT", "/settings/theme", "dark"), http.StatusUnauthorized)
		s.want("a wrong password", s.do(b, "POST", "/login", `{"name":"ann","password":"wrong"}`), http.StatusUnauthorized, "do not fit")

		s.prove(&b, "/login")
		s.want("me", s.do(b, "GET", "/me", ""), http.StatusOK, `"name":"ann"`, `"via":"`+via+`"`, `"settings":{}`)
		s.want("a change", s.do(b, "PUT", "/settings/theme", "dark"), http.StatusOK)
		s.want("me after it", s.do(b, "GET", "/me", ""), http.StatusOK, `"theme":"dark"`)

		s.want("logout", s.do(b, "POST", "/logout", ""), http.StatusNoContent)
		s.want("me after the logout", s.do(b, "GET", "/me", ""), http.StatusUnauthorized)
		if c := s.cookie(); c != "" {
			s.t.Errorf("the browser still has %s", c)
		}
	})
}

func TestEveryRouterAsksForThePasswordAgainWhenItWasGivenLongAgo(t *testing.T) {
	withBothBadges(t, func(s *site, b badge) {
		s.prove(&b, "/login")
		s.advance(s.manager.Policy().RecentAuth)
		s.want("a change after a while", s.do(b, "PUT", "/settings/theme", "dark"), http.StatusUnauthorized,
			`"insufficient_user_authentication"`, `max_age="120"`)
		s.want("me", s.do(b, "GET", "/me", ""), http.StatusOK, `"settings":{}`)

		old, before := b, s.cookie()
		s.prove(&b, "/confirm")
		s.want("the change again", s.do(b, "PUT", "/settings/theme", "dark"), http.StatusOK)
		s.want("me after it", s.do(b, "GET", "/me", ""), http.StatusOK, `"theme":"dark"`)
		if !b.tokens {
			s.http.Jar = nil
		}
		s.want("the badge from before", s.do(old, "GET", "/me", "", "Cookie", before), http.StatusUnauthorized)
	})
}

// The routes run only after the check, so nothing has changed.
//
// req: CSRF-1
func TestEveryRouterRefusesRequestsOfOtherSites(t *testing.T) {
	everywhere(t, func(_ *testing.T, s *site) {
		var b badge
		login := s.do(b, "POST", "/login", `{"name":"ann","password":"right"}`, "Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example")
		s.want("login", login, http.StatusForbidden, `"cross_origin"`)
		if len(login.header["Set-Cookie"]) > 0 {
			s.t.Error("another site signed the browser in")
		}
		s.prove(&b, "/login")
		for name, header := range map[string][]string{
			"another site":                       {"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"},
			"a sibling host":                     {"Sec-Fetch-Site", "same-site", "Origin", "https://blog.example"},
			"another site in an old browser":     {"Sec-Fetch-Site", "", "Origin", "https://evil.example"},
			"a sandboxed frame in an old one":    {"Sec-Fetch-Site", "", "Origin", "null"},
			"somebody who says nothing of it":    {"Sec-Fetch-Site", "", "Origin", ""},
			"another site that claims the token": {"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example", "X-CSRF-Token", "x"},
		} {
			s.want(name+": change", s.do(b, "PUT", "/settings/theme", "dark", header...), http.StatusForbidden, `"cross_origin"`)
			s.want(name+": logout", s.do(b, "POST", "/logout", "", header...), http.StatusForbidden)
			s.want(name+": confirm", s.do(b, "POST", "/confirm", `{"name":"ann","password":"right"}`, header...), http.StatusForbidden)
		}
		s.want("me", s.do(b, "GET", "/me", ""), http.StatusOK, `"settings":{}`)
	})
}

// A route behind a refusal must not run: gin runs it unless it is told.
func TestEveryRouterStopsAtARefusal(t *testing.T) {
	everywhere(t, func(_ *testing.T, s *site) {
		a := s.do(badge{tokens: true, token: "x.y.z"}, "POST", "/login", `{"name":"ann","password":"right","tokens":true}`)
		s.want("a login with a broken token", a, http.StatusUnauthorized, `error="invalid_token"`)
		if strings.Contains(a.body, "access_token") || strings.Count(a.body, `"message"`) != 1 {
			s.t.Errorf("there are two answers in one: %s", a.body)
		}
		a = s.do(badge{}, "GET", "/me", "")
		s.want("nobody's page", a, http.StatusUnauthorized)
		if strings.Contains(a.body, "settings") {
			s.t.Errorf("the page is there: %s", a.body)
		}
	})
}

func TestEveryRouterSendsAStreamAsItComes(t *testing.T) {
	withBothBadges(t, func(s *site, b badge) {
		s.want("nobody's stream", s.do(b, "GET", "/events", ""), http.StatusUnauthorized)
		s.prove(&b, "/login")
		// The stream does not end by itself, so its first line is here only if it
		// was sent before the end.
		res, err := s.http.Do(s.request(b, "GET", "/events", ""))
		if err != nil {
			s.t.Fatal(err)
		}
		defer res.Body.Close()
		line, err := bufio.NewReader(res.Body).ReadString('\n')
		if err != nil || line != "data: hello ann\n" {
			s.t.Errorf("the stream begins with %q, %v", line, err)
		}
	})
}

func TestEveryRouterHandsTheConnectionOver(t *testing.T) {
	upgrade := []string{"Connection", "Upgrade", "Upgrade", "hello"}
	withBothBadges(t, func(s *site, b badge) {
		s.want("nobody's socket", s.do(b, "GET", "/socket", "", upgrade...), http.StatusUnauthorized)
		s.prove(&b, "/login")
		foreign := append([]string{"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"}, upgrade...)
		s.want("another site's socket", s.do(b, "GET", "/socket", "", foreign...), http.StatusForbidden)

		own := append([]string{"Origin", s.url}, upgrade...)
		res, err := s.http.Do(s.request(b, "GET", "/socket", "", own...))
		if err != nil {
			s.t.Fatal(err)
		}
		defer res.Body.Close()
		conn, ok := res.Body.(io.ReadWriter)
		if res.StatusCode != http.StatusSwitchingProtocols || !ok {
			s.t.Fatalf("answered %d", res.StatusCode)
		}
		context.AfterFunc(s.ctx, func() { res.Body.Close() })
		if _, err := io.WriteString(conn, "hello\n"); err != nil {
			s.t.Fatal(err)
		}
		if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || line != "ann, hello\n" {
			s.t.Errorf("the socket says %q, %v", line, err)
		}
	})
}

func TestEveryRouterRecoversFromAPanicAndKeepsTheSession(t *testing.T) {
	withBothBadges(t, func(s *site, b badge) {
		s.want("nobody's panic", s.do(b, "GET", "/broken", ""), http.StatusUnauthorized)
		s.prove(&b, "/login")
		a := s.do(b, "GET", "/broken", "")
		s.want("the panic", a, http.StatusInternalServerError)
		if strings.Contains(a.body, "a bug") || len(a.header["Set-Cookie"]) > 0 {
			s.t.Errorf("the panic shows: %s %v", a.body, a.header)
		}
		s.want("me after it", s.do(b, "GET", "/me", ""), http.StatusOK, `"name":"ann"`)
	})
}

// What gin's recovery writes by itself has the whole request in it.
func TestGinsLogOfAPanicLacksTheBadge(t *testing.T) {
	for name, b := range map[string]badge{"cookie": {}, "token": {tokens: true}} {
		s := open(t, Gin, true)
		s.prove(&b, "/login")
		logged.take()
		s.want("the panic", s.do(b, "GET", "/broken", ""), http.StatusInternalServerError)
		secret := b.token
		if !b.tokens {
			_, secret, _ = strings.Cut(s.cookie(), "=")
		}
		log := logged.take()
		if !strings.Contains(log, "a bug") || !strings.Contains(log, "gin.go") {
			t.Errorf("%s: the log does not tell where: %s", name, log)
		}
		if secret == "" || strings.Contains(log, secret) {
			t.Errorf("%s: %.8s… is in the log", name, secret)
		}
	}
}

// gin's context is a context.Context too, but not the request's.
func TestGinsOwnContextKnowsNobodyUnlessItFallsBackToTheRequests(t *testing.T) {
	for _, fallsBack := range []bool{false, true} {
		s := open(t, Gin, true)
		grant, err := s.manager.Start(t.Context(), lanyard.Login{Subject: "ann", Methods: []string{"pwd"}})
		if err != nil {
			t.Fatal(err)
		}
		r := gin.New()
		r.ContextWithFallback = fallsBack
		r.Use(ginWrap(s.manager.Handler))
		var byContext, byRequest string
		r.GET("/", func(c *gin.Context) {
			byContext, byRequest = lanyard.From(c).Subject(), lanyard.From(c.Request.Context()).Subject()
		})
		req := httptest.NewRequest("GET", "https://app.example/", nil)
		req.Header.Set("Cookie", s.manager.CookieName()+"="+grant.Handle.Reveal())
		r.ServeHTTP(httptest.NewRecorder(), req)
		want := ""
		if fallsBack {
			want = "ann"
		}
		if byContext != want || byRequest != "ann" {
			t.Errorf("falling back %v: the context knows %q, the request's %q", fallsBack, byContext, byRequest)
		}
	}
}
