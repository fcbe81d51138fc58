package verifier_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lanyard-go/lanyard/token"
	"github.com/lanyard-go/lanyard/verifier"
)

// service is a service with routes of all kinds of needs.
func service(v *verifier.Verifier) http.Handler {
	mux := http.NewServeMux()
	ok := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := verifier.From(r.Context())
		w.Write([]byte(c.Issuer() + " " + c.Subject()))
	})
	mux.Handle("/open", ok)
	for path, need := range map[string]verifier.Need{
		"/me":       {},
		"/write":    {Scope: "orders:read orders:write"},
		"/recent":   {MaxAge: 5 * time.Minute},
		"/strong":   {Classes: []string{"aal2", "aal3"}},
		"/both":     {Classes: []string{"aal1"}, MaxAge: 300 * time.Second},
		"/key":      {Methods: []string{"pwd", "hwk"}},
		"/programs": {Programs: true, Scope: "orders:read"},
		"/odd":      {Scope: "a\"b\r\nX: y"},
	} {
		mux.Handle(path, v.Require(need, ok))
	}
	return v.Handler(mux)
}

// call sends a request with these fields of Authorization.
func call(h http.Handler, target string, authorization ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", target, nil)
	if len(authorization) > 0 {
		r.Header["Authorization"] = authorization
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// req: HTTP-4, HTTP-5, HTTP-6, JWT-27, JWT-29
func TestAnswersAndChallenges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := newIssuer(t, token.KeysConfig{})
		h := service(open(t, i.config()))
		fresh := i.claims(time.Now())
		old := i.claims(time.Now())
		old.AuthTime = time.Now().Add(-5 * time.Minute)
		timeless := i.claims(time.Now())
		timeless.AuthTime = time.Time{}
		program := token.Claims{
			Subject: "client:batch", ClientID: "batch", Audience: fresh.Audience, ID: "p", IssuedAt: fresh.IssuedAt, Expiry: fresh.Expiry, Scope: "orders:read",
		}
		for _, test := range []struct {
			name, target, authorization string
			status                      int
			challenge                   string
		}{
			{"nobody where nobody is needed", "/open", "", 200, ""},
			{"nobody", "/me", "", 401, `Bearer`},
			{"another scheme is nobody", "/me", "Basic YTpi", 401, `Bearer`},
			{"a person", "/me", "Bearer " + i.token(fresh), 200, ""},
			{"the scheme in capitals", "/me", "BEARER " + i.token(fresh), 200, ""},
			{"garbage where nobody is needed", "/open", "Bearer x", 401, `Bearer error="invalid_token"`},
			{"an empty token", "/me", "Bearer ", 401, `Bearer error="invalid_token"`},
			{"a missing scope", "/write", "Bearer " + i.token(fresh), 403, `Bearer error="insufficient_scope", scope="orders:read orders:write"`},
			{"a recent login", "/recent", "Bearer " + i.token(fresh), 200, ""},
			{"an old login", "/recent", "Bearer " + i.token(old), 401, `Bearer error="insufficient_user_authentication", error_description="A more recent sign-in is needed", max_age="300"`},
			{"a login of unknown age", "/recent", "Bearer " + i.token(timeless), 401, `Bearer error="insufficient_user_authentication", error_description="A more recent sign-in is needed", max_age="300"`},
			{"a weak login", "/strong", "Bearer " + i.token(fresh), 401, `Bearer error="insufficient_user_authentication", error_description="A stronger sign-in is needed", acr_values="aal2 aal3"`},
			{"an old login where class and age count", "/both", "Bearer " + i.token(old), 401, `Bearer error="insufficient_user_authentication", error_description="A more recent sign-in is needed", acr_values="aal1", max_age="300"`},
			{"a missing method", "/key", "Bearer " + i.token(fresh), 401, `Bearer error="insufficient_user_authentication", error_description="A stronger sign-in is needed"`},
			{"a program", "/programs", "Bearer " + i.token(program), 200, ""},
			{"a program where a person is needed", "/me", "Bearer " + i.token(program), 401, `Bearer error="invalid_token"`},
			{"a need that would break the header", "/odd", "Bearer " + i.token(fresh), 403, `Bearer error="insufficient_scope", scope="abX: y"`},
		} {
			var fields []string
			if test.authorization != "" {
				fields = []string{test.authorization}
			}
			w := call(h, test.target, fields...)
			if got := w.Header().Get("WWW-Authenticate"); w.Code != test.status || got != test.challenge {
				t.Errorf("%s: %d %s, want %d %s", test.name, w.Code, got, test.status, test.challenge)
			}
			if w.Code == 200 {
				continue
			}
			var body struct{ Error, Message string }
			if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || body.Error == "" || body.Message == "" {
				t.Errorf("%s: the body is %s", test.name, w.Body)
			}
			if c := w.Header().Get("Cache-Control"); c != "no-store" || w.Header().Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%s: headers %v", test.name, w.Header())
			}
		}
	})
}

// Whatever is wrong with a token, the outside sees the same bytes, and the log
// says what it was.
//
// req: JWT-31
func TestOneAnswerForAllBadTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i, forger := newIssuer(t, token.KeysConfig{}), stranger(t)
		var log bytes.Buffer
		cfg := i.config()
		cfg.SkipRevocationCheck = false
		cfg.Revocation = source(func(c *token.Claims) error {
			if c.Subject == "gone" {
				return verifier.ErrRevoked
			}
			return nil
		})
		cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
		h := service(open(t, cfg))
		with := func(change func(*token.Claims)) string {
			c := i.claims(time.Now())
			change(&c)
			return "Bearer " + i.token(c)
		}
		good := with(func(*token.Claims) {})
		flipped := []byte(good)
		if at := &flipped[len(flipped)-10]; *at == 'A' { // stays in the alphabet
			*at = 'B'
		} else {
			*at = 'A'
		}
		if w := call(h, "/me", good); w.Code != 200 || w.Body.String() != testIssuer+" ann" {
			t.Fatalf("a good token: %d %s", w.Code, w.Body)
		}
		want := ""
		for _, test := range []struct{ name, field, logged string }{
			{"rubbish", "Bearer rubbish", "error=form"},
			{"spaces", "Bearer   " + good[7:], "error=form"},
			{"a megabyte", "Bearer " + strings.Repeat("A", 1<<20), "error=too_long"},
			{"a flipped signature", string(flipped), "error=signature"},
			{"a stranger's key", "Bearer " + forger.token(forger.claims(time.Now())), "error=unknown_key"},
			{"another audience", with(func(c *token.Claims) { c.Audience = []string{"billing"} }), "error=audience"},
			{"expired", with(func(c *token.Claims) {
				c.IssuedAt, c.Expiry = c.IssuedAt.Add(-time.Hour), c.IssuedAt.Add(-50*time.Minute)
			}), "error=expired"},
			{"from the future", with(func(c *token.Claims) { c.IssuedAt = c.IssuedAt.Add(time.Minute) }), "error=issued_in_future"},
			{"bound to a key", with(func(c *token.Claims) { c.JKT = "thumb" }), "cause=bound_token"},
			{"the scheme for bound tokens", "DPoP " + good[7:], "cause=bound_token"},
			{"revoked", with(func(c *token.Claims) { c.Subject = "gone" }), "cause=revoked"},
		} {
			synctest.Wait()
			log.Reset()
			w := call(h, "/me", test.field)
			got := http.StatusText(w.Code) + w.Body.String() + w.Header().Get("WWW-Authenticate")
			if want == "" {
				want = got
			}
			if got != want || w.Code != 401 {
				t.Errorf("%s: %s, want %s", test.name, got, want)
			}
			synctest.Wait()
			if !strings.Contains(log.String(), test.logged) {
				t.Errorf("%s: the log says %s", test.name, log.String())
			}
			if strings.Contains(log.String(), good[7:]) || strings.Contains(got, good[7:]) {
				t.Errorf("%s: the token is in log or answer", test.name)
			}
		}
	})
}

// req: JWT-25
func TestTokenComesInOneHeaderOnly(t *testing.T) {
	i := newIssuer(t, token.KeysConfig{})
	h := service(open(t, i.config()))
	good := i.token(i.claims(time.Now()))
	if w := call(h, "/me?access_token="+good); w.Code != 401 || w.Header().Get("WWW-Authenticate") != "Bearer" {
		t.Errorf("in the address: %d %v", w.Code, w.Header())
	}
	form := httptest.NewRequest("POST", "/me", strings.NewReader(url.Values{"access_token": {good}}.Encode()))
	form.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	if h.ServeHTTP(w, form); w.Code != 401 {
		t.Errorf("in a form: %d", w.Code)
	}
	for name, fields := range map[string][]string{
		"twice":              {"Bearer " + good, "Bearer " + good},
		"with a Basic field": {"Bearer " + good, "Basic YTpi"},
		"two of no use":      {"", ""},
	} {
		if w := call(h, "/open", fields...); w.Code != 400 || w.Header().Get("WWW-Authenticate") != `Bearer error="invalid_request"` {
			t.Errorf("%s: %d %v", name, w.Code, w.Header())
		}
	}
	both := httptest.NewRequest("GET", "/open", nil)
	both.Header.Set("Authorization", "Bearer "+good)
	both.Header.Set("DPoP", "proof")
	w = httptest.NewRecorder()
	if h.ServeHTTP(w, both); w.Code != 400 {
		t.Errorf("with a proof: %d", w.Code)
	}
}

// No handler runs while a token cannot be judged.
func TestTroubleIs503AndNeverLetsThrough(t *testing.T) {
	i := newIssuer(t, token.KeysConfig{})
	reached := false
	next := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true })
	good := "Bearer " + i.token(i.claims(time.Now()))
	down := newIssuer(t, token.KeysConfig{})
	down.down.Store(true)
	blind := i.config()
	blind.SkipRevocationCheck = false
	blind.Revocation = source(func(*token.Claims) error { return http.ErrHandlerTimeout })
	for name, v := range map[string]*verifier.Verifier{"no keys": open(t, down.config()), "no news of revocations": open(t, blind)} {
		w := call(v.Handler(next), "/", good)
		if w.Code != 503 || w.Header().Get("Retry-After") != "1" || w.Header().Get("WWW-Authenticate") != "" || reached {
			t.Errorf("%s: %d %v, handler reached: %v", name, w.Code, w.Header(), reached)
		}
		if strings.Contains(w.Body.String(), "EOF") || strings.Contains(w.Body.String(), "timeout") {
			t.Errorf("%s: the answer tells %s", name, w.Body)
		}
	}
}

func TestOutsideOfAHandlerNobodyIsRecognised(t *testing.T) {
	i := newIssuer(t, token.KeysConfig{})
	v := open(t, i.config())
	h := v.Require(verifier.Need{Programs: true}, http.NotFoundHandler())
	if w := call(h, "/", "Bearer "+i.token(i.claims(time.Now()))); w.Code != 401 {
		t.Errorf("status %d", w.Code)
	}
	c := verifier.From(t.Context())
	if c == nil || c.SignedIn() || c.Program() || c.Subject() != "" || c.Claims() == nil || c.HasScope("") || c.Meets(t.Context(), verifier.Need{MaxAge: time.Hour}) == nil {
		t.Errorf("nobody is %+v", c)
	}
}

func TestResourceMetadata(t *testing.T) {
	i := newIssuer(t, token.KeysConfig{})
	cfg := i.config()
	cfg.Resource, cfg.Scopes = testAudience+"/v2", []string{"orders:read", "orders:write"}
	v := open(t, cfg)
	w := call(v.ResourceMetadata(), verifier.ResourceMetadataPath+"/v2")
	const want = `{"resource":"https://orders.example/v2","authorization_servers":["https://id.example"],"scopes_supported":["orders:read","orders:write"],"bearer_methods_supported":["header"]}`
	if w.Code != 200 || w.Body.String() != want || w.Header().Get("Content-Type") != "application/json; charset=utf-8" {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	h := service(v)
	for auth, want := range map[string]string{
		"":         `Bearer resource_metadata="https://orders.example/.well-known/oauth-protected-resource/v2"`,
		"Bearer x": `Bearer error="invalid_token", resource_metadata="https://orders.example/.well-known/oauth-protected-resource/v2"`,
	} {
		var fields []string
		if auth != "" {
			fields = append(fields, auth)
		}
		if got := call(h, "/me", fields...).Header().Get("WWW-Authenticate"); got != want {
			t.Errorf("%q gets %s", auth, got)
		}
	}
	post := httptest.NewRecorder()
	v.ResourceMetadata().ServeHTTP(post, httptest.NewRequest("POST", "/", nil))
	if post.Code != 405 || post.Header().Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: %d %v", post.Code, post.Header())
	}
	if w := call(open(t, i.config()).ResourceMetadata(), "/"); w.Code != 404 {
		t.Errorf("without Config.Resource: %d", w.Code)
	}
}

func TestClocksThatDiffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := newIssuer(t, token.KeysConfig{})
		raw := i.token(i.claims(time.Now()))
		for _, test := range []struct {
			name   string
			leeway time.Duration
			skew   time.Duration // of the service's clock
			ok     bool
		}{
			{"ten seconds behind, by default", 0, -10 * time.Second, true},
			{"eleven seconds behind", 0, -11 * time.Second, false},
			{"behind without leeway", -1, -time.Second, false},
			{"a minute behind, with all leeway", time.Minute, -time.Minute, true},
			{"ahead, just before the end", 0, 5*time.Minute + 9*time.Second, true},
			{"ahead, at the end", 0, 5*time.Minute + 10*time.Second, false},
			{"at the end without leeway", -1, 5 * time.Minute, false},
		} {
			cfg := i.config()
			cfg.Leeway = test.leeway
			cfg.Now = func() time.Time { return time.Now().Add(test.skew) }
			if _, err := open(t, cfg).Verify(t.Context(), raw); (err == nil) != test.ok {
				t.Errorf("%s: %v", test.name, err)
			}
		}
	})
}

// The issuer judges its own tokens with the same code, and asks nobody.
func TestIssuerChecksItsOwnTokens(t *testing.T) {
	i := newIssuer(t, token.KeysConfig{})
	cfg := i.config()
	cfg.Keys = i.keys
	v := open(t, cfg)
	if err := v.Ready(t.Context()); err != nil {
		t.Error(err)
	}
	if err := i.good(v); err != nil || i.asked.Load() != 0 {
		t.Errorf("%v, %d fetches", err, i.asked.Load())
	}
}
