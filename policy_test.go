package lanyard_test

import (
	"strings"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/store/memory"
)

const day = 24 * time.Hour

// The rows of the table in the contract.
//
// req: LIFE-1, LIFE-2, LIFE-4, JWT-34
func TestReadyProfiles(t *testing.T) {
	for _, want := range []lanyard.Policy{
		{Profile: "standard", IdleTimeout: day, TokenIdleTimeout: 14 * day, AbsoluteTimeout: 30 * day, AccessTokenTTL: 5 * time.Minute,
			RefreshRetryWindow: 30 * time.Second, Binding: lanyard.BindingPrefer, RecentAuth: 10 * time.Minute},
		{Profile: "strict", IdleTimeout: 30 * time.Minute, TokenIdleTimeout: 12 * time.Hour, AbsoluteTimeout: day, AccessTokenTTL: 2 * time.Minute,
			RefreshRetryWindow: -1, RequireCSRFToken: true, Binding: lanyard.BindingPrefer, RecentAuth: 5 * time.Minute},
		{Profile: "aal1", IdleTimeout: 7 * day, TokenIdleTimeout: 30 * day, AbsoluteTimeout: 30 * day, AccessTokenTTL: 5 * time.Minute,
			RefreshRetryWindow: 30 * time.Second, Binding: lanyard.BindingOff, RecentAuth: 10 * time.Minute},
		{Profile: "aal2", IdleTimeout: 30 * time.Minute, TokenIdleTimeout: time.Hour, AbsoluteTimeout: day, AccessTokenTTL: 5 * time.Minute,
			RefreshRetryWindow: -1, RequireCSRFToken: true, Binding: lanyard.BindingPrefer, RecentAuth: 10 * time.Minute},
		{Profile: "aal3", IdleTimeout: 15 * time.Minute, TokenIdleTimeout: 15 * time.Minute, AbsoluteTimeout: 12 * time.Hour, AccessTokenTTL: 2 * time.Minute,
			RefreshRetryWindow: -1, RequireCSRFToken: true, Binding: lanyard.BindingRequire, RecentAuth: 5 * time.Minute},
	} {
		got, err := lanyard.Policy{Profile: want.Profile}.Resolve()
		if err != nil || got != want {
			t.Errorf("got  %+v, %v\nwant %+v", got, err, want)
		}
	}
	zero, err := lanyard.Policy{}.Resolve()
	if err != nil || zero.Profile != "standard" {
		t.Errorf("the zero policy is %q, %v", zero.Profile, err)
	}
	if len(lanyard.Profiles()) != 5 {
		t.Errorf("%q", lanyard.Profiles())
	}
}

// req: LIFE-2, LIFE-4, REFRESH-1, JWT-34, OPS-10
func TestPolicyRefusesWhatItCannotPromise(t *testing.T) {
	for _, row := range []struct {
		name  string
		p     lanyard.Policy
		field string // named in the error; empty: accepted
	}{
		{"an unknown profile", lanyard.Policy{Profile: "lax"}, "Profile"},
		{"a negative idle limit", lanyard.Policy{IdleTimeout: -1}, "IdleTimeout"},
		{"an absolute limit beyond what browsers keep", lanyard.Policy{AbsoluteTimeout: 401 * day}, "AbsoluteTimeout"},
		{"a negative absolute limit", lanyard.Policy{AbsoluteTimeout: -day}, "AbsoluteTimeout"},
		{"an idle limit below a second", lanyard.Policy{IdleTimeout: time.Millisecond}, "IdleTimeout"},
		{"an access token of 15 minutes", lanyard.Policy{AccessTokenTTL: 15 * time.Minute}, ""},
		{"an access token of 16 minutes", lanyard.Policy{AccessTokenTTL: 16 * time.Minute}, "AccessTokenTTL"},
		{"a negative access token", lanyard.Policy{AccessTokenTTL: -time.Minute}, "AccessTokenTTL"},
		{"a retry window of a minute", lanyard.Policy{RefreshRetryWindow: time.Minute}, ""},
		{"a retry window longer than that", lanyard.Policy{RefreshRetryWindow: time.Minute + 1}, "RefreshRetryWindow"},
		{"a retry window in a profile without", lanyard.Policy{Profile: "strict", RefreshRetryWindow: time.Second}, "RefreshRetryWindow"},
		{"aal1 for 30 days", lanyard.Policy{Profile: "aal1", AbsoluteTimeout: 30 * day}, ""},
		{"aal1 for longer", lanyard.Policy{Profile: "aal1", AbsoluteTimeout: 31 * day}, "AbsoluteTimeout"},
		{"aal1 for longer, with a reason", lanyard.Policy{Profile: "aal1", AbsoluteTimeout: 31 * day, LimitsJustification: "kiosks"}, ""},
		{"aal2 at its ceilings", lanyard.Policy{Profile: "aal2", AbsoluteTimeout: day, IdleTimeout: time.Hour, TokenIdleTimeout: time.Hour}, ""},
		{"aal2 absolute above", lanyard.Policy{Profile: "aal2", AbsoluteTimeout: day + 1}, "AbsoluteTimeout"},
		{"aal2 idle above", lanyard.Policy{Profile: "aal2", IdleTimeout: time.Hour + 1}, "IdleTimeout"},
		{"aal2 token idle above", lanyard.Policy{Profile: "aal2", TokenIdleTimeout: 2 * time.Hour}, "TokenIdleTimeout"},
		{"aal2 above with a reason", lanyard.Policy{Profile: "aal2", IdleTimeout: 2 * time.Hour, AbsoluteTimeout: 2 * day, LimitsJustification: "shift of 30 h"}, ""},
		{"aal3 at its ceilings", lanyard.Policy{Profile: "aal3", AbsoluteTimeout: 12 * time.Hour, IdleTimeout: 15 * time.Minute}, ""},
		{"aal3 idle above", lanyard.Policy{Profile: "aal3", IdleTimeout: 16 * time.Minute}, "IdleTimeout"},
		{"aal3 idle above with a reason", lanyard.Policy{Profile: "aal3", IdleTimeout: 16 * time.Minute, LimitsJustification: "gloves"}, ""},
		{"aal3 for longer, whatever the reason", lanyard.Policy{Profile: "aal3", AbsoluteTimeout: 13 * time.Hour, LimitsJustification: "please"}, "AbsoluteTimeout"},
		{"aal3 idle and absolute above, with a reason", lanyard.Policy{Profile: "aal3", IdleTimeout: time.Hour, AbsoluteTimeout: 13 * time.Hour, LimitsJustification: "please"}, "AbsoluteTimeout"},
		{"aal3 without binding", lanyard.Policy{Profile: "aal3", Binding: lanyard.BindingPrefer}, "Binding"},
		{"an unknown binding", lanyard.Policy{Binding: "maybe"}, "Binding"},
		{"a negative number of sessions", lanyard.Policy{MaxSessions: -1}, "MaxSessions"},
		{"an unknown action at the limit", lanyard.Policy{OnLimit: 9}, "OnLimit"},
	} {
		_, err := row.p.Resolve()
		switch {
		case row.field == "" && err != nil:
			t.Errorf("%s: %v", row.name, err)
		case row.field != "" && (err == nil || !strings.Contains(err.Error(), "Policy."+row.field+":")):
			t.Errorf("%s: %v", row.name, err)
		}
	}
	strict, err := lanyard.Policy{Profile: "strict", RequireCSRFToken: false}.Resolve()
	if err != nil || !strict.RequireCSRFToken {
		t.Errorf("strict was talked out of its token: %v", err)
	}
}

// req: OPS-10, COOKIE-1, COOKIE-3, COOKIE-6
// attack: B8
func TestNewRefusesWrongSettingsAndNamesTheField(t *testing.T) {
	good := lanyard.Config{Issuer: site}
	if _, err := lanyard.New(memory.New(), good); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name  string
		spoil func(*lanyard.Config)
		field string
	}{
		{"no issuer", func(c *lanyard.Config) { c.Issuer = "" }, "Config.Issuer"},
		{"a plain issuer", func(c *lanyard.Config) { c.Issuer = "http://app.example" }, "Config.Issuer"},
		{"an issuer with a slash", func(c *lanyard.Config) { c.Issuer += "/" }, "Config.Issuer"},
		{"an issuer with a query", func(c *lanyard.Config) { c.Issuer += "?x" }, "Config.Issuer"},
		{"an issuer with a user", func(c *lanyard.Config) { c.Issuer = "https://me@app.example" }, "Config.Issuer"},
		{"an issuer without a host", func(c *lanyard.Config) { c.Issuer = "https://" }, "Config.Issuer"},
		{"an issuer that is no URL", func(c *lanyard.Config) { c.Issuer = "app" }, "Config.Issuer"},
		{"an audience of two words", func(c *lanyard.Config) { c.Audiences = []string{"a b"} }, "Config.Audiences"},
		{"an empty audience", func(c *lanyard.Config) { c.Audiences = []string{""} }, "Config.Audiences"},
		{"a wildcard origin", func(c *lanyard.Config) { c.TrustedOrigins = []string{"https://*.example"} }, "Config.TrustedOrigins"},
		{"a plain origin", func(c *lanyard.Config) { c.TrustedOrigins = []string{"http://partner.example"} }, "Config.TrustedOrigins"},
		{"SameSite left out", func(c *lanyard.Config) { c.Cookie.SameSite = 1 }, "Cookie.SameSite"},
		{"SameSite=None unasked", func(c *lanyard.Config) { c.Cookie.SameSite = 4 }, "Cookie.SameSite"},
		{"a __Host- name with a domain", func(c *lanyard.Config) { c.Cookie.Domain = "app.example" }, "Config.Cookie"},
		{"a domain without a prefix", func(c *lanyard.Config) { c.Cookie.Name, c.Cookie.Domain = "s", "app.example" }, "Config.Cookie"},
		{"a name that is no token", func(c *lanyard.Config) { c.Cookie.Name = "a b" }, "Config.Cookie"},
		{"binding required", func(c *lanyard.Config) { c.Policy.Binding = lanyard.BindingRequire }, "Policy.Binding"},
		{"a negative store timeout", func(c *lanyard.Config) { c.StoreTimeout = -1 }, "Config.StoreTimeout"},
		{"a negative time to forget", func(c *lanyard.Config) { c.ForgetAfter = -time.Hour }, "Config.ForgetAfter"},
	} {
		c := good
		row.spoil(&c)
		if _, err := lanyard.New(memory.New(), c); err == nil || !strings.Contains(err.Error(), row.field) {
			t.Errorf("%s: %v", row.name, err)
		}
	}
	if _, err := lanyard.New(nil, good); err == nil {
		t.Error("no store")
	}
	// A store that outlives the process needs keys that do.
	lasting := &brittle{Store: memory.New()}
	if _, err := lanyard.New(lasting, good); err == nil || !strings.Contains(err.Error(), "Config.Keys") {
		t.Errorf("no keys: %v", err)
	}
	c := good
	c.Keys = someKeys(t, 1)
	if _, err := lanyard.New(lasting, c); err == nil || !strings.Contains(err.Error(), "Config.TokenKeys") {
		t.Errorf("no signing keys: %v", err)
	}
}

// req: KEY-5
func TestServerSecretsThatAreNoneAreRefused(t *testing.T) {
	secret := func(id byte, fill func(i int) byte, n int) lanyard.ServerSecret {
		v := make([]byte, n)
		for i := range v {
			v[i] = fill(i)
		}
		return lanyard.ServerSecret{ID: id, Value: v}
	}
	mixed := func(i int) byte { return byte(i * 7) }
	for name, secrets := range map[string][]lanyard.ServerSecret{
		"none":      nil,
		"short":     {secret(1, mixed, 31)},
		"long":      {secret(1, mixed, 33)},
		"zero":      {secret(1, func(int) byte { return 0 }, 32)},
		"one byte":  {secret(1, func(int) byte { return 'x' }, 32)},
		"id shared": {secret(1, mixed, 32), secret(1, func(i int) byte { return byte(i) }, 32)},
	} {
		if _, err := lanyard.NewKeys(secrets...); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// Credentials made under an older secret go on working while it is kept, and
// stop when it is dropped.
func TestOlderServerSecretsGoOnWorkingWhileTheyAreKept(t *testing.T) {
	store, c := memory.New(), newClock()
	secret := func(id byte) lanyard.ServerSecret {
		v := make([]byte, lanyard.SecretSize)
		for i := range v {
			v[i] = byte(i) ^ id
		}
		return lanyard.ServerSecret{ID: id, Value: v}
	}
	with := func(secrets ...lanyard.ServerSecret) *world {
		keys, err := lanyard.NewKeys(secrets...)
		if err != nil {
			t.Fatal(err)
		}
		return newWorldOn(t, store, c, func(cfg *lanyard.Config) { cfg.Keys = keys })
	}
	before := with(secret(1))
	cookie, tokens := before.startCookie(), before.startToken()
	between := with(secret(2), secret(1))
	if !between.cookieWorks(cookie) {
		t.Error("the handle is dead")
	}
	g := between.mustRenew(tokens.Refresh.Reveal())
	if again := between.mustRenew(tokens.Refresh.Reveal()); again.Refresh.Reveal() != g.Refresh.Reveal() {
		t.Error("a repeat across the change of secrets yields another successor")
	}
	after := with(secret(2))
	if after.cookieWorks(cookie) {
		t.Error("a handle of a dropped secret works")
	}
	after.mustRenew(g.Refresh.Reveal())
}
