package server

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A setting that cannot be used stops the start with its name, before anything
// is made.
//
// req: OPS-10, LIFE-4
func TestEveryWrongSettingIsNamed(t *testing.T) {
	tests := []struct {
		name, setting string
		change        func(*Config)
	}{
		{"no data directory", "data", func(c *Config) { c.Data = "" }},
		{"an address without a port", "listen", func(c *Config) { c.Listen = "localhost" }},
		{"plain HTTP beyond this machine", "listen", func(c *Config) { c.Listen = "0.0.0.0:8080" }},
		{"plain HTTP on all addresses", "listen", func(c *Config) { c.Listen = ":8080" }},
		{"plain HTTP on an address of the network", "listen", func(c *Config) { c.Listen = "192.0.2.1:8080" }},
		{"an administrative address without a port", "admin-listen", func(c *Config) { c.AdminListen = "x" }},
		{"plain administration beyond this machine", "admin-listen", func(c *Config) { c.AdminListen = "0.0.0.0:8081" }},
		{"plain administration behind a proxy", "admin-listen", func(c *Config) { c.AdminListen = ":8081"; c.TrustedProxies = []string{"10.0.0.1"} }},
		{"a certificate without its key", "tls-key", func(c *Config) { c.TLSCert = "c.pem" }},
		{"a key without its certificate", "tls-cert", func(c *Config) { c.TLSKey = "k.pem" }},
		{"two certificates", "tls-self-signed", func(c *Config) { c.TLSCert, c.TLSKey, c.TLSSelfSigned = "c.pem", "k.pem", true }},
		{"an issuer that is no address", "issuer", func(c *Config) { c.Issuer = "app.example" }},
		{"a plain issuer", "issuer", func(c *Config) { c.Issuer = "http://app.example" }},
		{"an issuer with a query", "issuer", func(c *Config) { c.Issuer = "https://app.example?x" }},
		{"an issuer with a fragment", "issuer", func(c *Config) { c.Issuer = "https://app.example#x" }},
		{"an issuer with a user", "issuer", func(c *Config) { c.Issuer = "https://u@app.example" }},
		{"an issuer with an unclean path", "issuer", func(c *Config) { c.Issuer = "https://app.example/a//b" }},
		{"an unknown profile", "profile", func(c *Config) { c.Profile = "lax" }},
		{"a profile that binds", "profile", func(c *Config) { c.Profile = "aal3" }},
		{"binding required", "binding", func(c *Config) { c.Binding = "require" }},
		{"binding of another kind", "binding", func(c *Config) { c.Binding = "maybe" }},
		{"a negative idle limit", "idle-timeout", func(c *Config) { c.IdleTimeout = -time.Second }},
		{"an endless idle limit", "idle-timeout", func(c *Config) { c.IdleTimeout = 500 * 24 * time.Hour }},
		{"an endless token idle limit", "token-idle-timeout", func(c *Config) { c.TokenIdleTimeout = 500 * 24 * time.Hour }},
		{"an endless absolute limit", "absolute-timeout", func(c *Config) { c.AbsoluteTimeout = 500 * 24 * time.Hour }},
		{"a long access token", "access-token-ttl", func(c *Config) { c.AccessTokenTTL = time.Hour }},
		{"a long retry window", "refresh-retry-window", func(c *Config) { c.RefreshRetryWindow = 2 * time.Minute }},
		{"a retry window in a strict profile", "refresh-retry-window", func(c *Config) { c.Profile = "strict"; c.RefreshRetryWindow = time.Second }},
		{"a recent authentication of no time", "recent-auth", func(c *Config) { c.RecentAuth = time.Millisecond }},
		{"more than the profile allows", "idle-timeout", func(c *Config) { c.Profile = "aal2"; c.IdleTimeout = 2 * time.Hour }},
		{"longer than the profile allows", "absolute-timeout", func(c *Config) { c.Profile = "aal2"; c.AbsoluteTimeout = 25 * time.Hour }},
		{"a negative number of sessions", "max-sessions", func(c *Config) { c.MaxSessions = -1 }},
		{"a revocation bound too short to keep", "revocation-bound", func(c *Config) { c.RevocationBound = 99 * time.Millisecond }},
		{"a revocation bound of nothing", "revocation-bound", func(c *Config) { c.RevocationBound = 0 }},
		{"a revocation bound of an hour", "revocation-bound", func(c *Config) { c.RevocationBound = time.Hour }},
		{"a device remembered for longer than sessions last", "remember", func(c *Config) { c.Remember = 31 * 24 * time.Hour }},
		{"a device remembered for no time", "remember", func(c *Config) { c.Remember = time.Second }},
		{"a device remembered for less than no time", "remember", func(c *Config) { c.Remember = -time.Hour }},
		{"devices remembered with and without asking", "remember", func(c *Config) { c.Remember, c.PersistentCookies = time.Hour, true }},
		{"a cookie name that is none", "cookie-name", func(c *Config) { c.CookieName = "a b" }},
		{"a cookie name whose prefix promises something else", "cookie-name", func(c *Config) { c.CookieName = "__host-x" }},
		{"proxies that are none", "trusted-proxies", func(c *Config) { c.TrustedProxies = []string{"proxy.example"} }},
		{"everybody as a proxy", "trusted-proxies", func(c *Config) { c.TrustedProxies = []string{"0.0.0.0/0"} }},
		{"everybody as a proxy, by IPv6", "trusted-proxies", func(c *Config) { c.TrustedProxies = []string{"::/0"} }},
		{"a trusted origin with a wildcard", "trusted-origin", func(c *Config) { c.TrustedOrigin = []string{"https://*.example"} }},
		{"a trusted origin with a path", "trusted-origin", func(c *Config) { c.TrustedOrigin = []string{"https://a.example/"} }},
		{"a plain trusted origin", "trusted-origin", func(c *Config) { c.TrustedOrigin = []string{"http://a.example"} }},
		{"any origin", "cors-origin", func(c *Config) { c.CORSOrigin = []string{"*"} }},
		{"no origin", "cors-origin", func(c *Config) { c.CORSOrigin = []string{"null"} }},
		{"an origin with a wildcard", "cors-origin", func(c *Config) { c.CORSOrigin = []string{"https://*.example"} }},
		{"an origin with a path", "cors-origin", func(c *Config) { c.CORSOrigin = []string{"https://a.example/x"} }},
		{"an origin in upper case", "cors-origin", func(c *Config) { c.CORSOrigin = []string{"https://A.example"} }},
		{"a plain origin", "cors-origin", func(c *Config) { c.CORSOrigin = []string{"http://a.example"} }},
		{"an audience with a blank", "audience", func(c *Config) { c.Audience = []string{"a b"} }},
		{"short passwords", "password-min-length", func(c *Config) { c.PasswordMinLength = 8 }},
		{"a store of another kind", "store", func(c *Config) { c.Store = "etcd:x" }},
		{"a store that this version lacks", "store", func(c *Config) { c.Store = "postgres://db/x" }},
		{"another such store", "store", func(c *Config) { c.Store = "rediss://r" }},
		{"a memory store with a place", "store", func(c *Config) { c.Store = "memory:/x" }},
		{"a directory that this version lacks", "directory", func(c *Config) { c.Directory = "postgres://db/x" }},
		{"a directory of another kind", "directory", func(c *Config) { c.Directory = "ldap:x" }},
		{"a log level that is none", "log-level", func(c *Config) { c.LogLevel = "loud" }},
		{"a log format that is none", "log-format", func(c *Config) { c.LogFormat = "xml" }},
		{"a map of places that is not there", "geo-database", func(c *Config) { c.GeoDatabase = "/nowhere.mmdb" }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "data")
			c := defaults(dir)
			tt.change(&c)
			s, err := Open(t.Context(), c, Options{Drivers: testDrivers})
			if err == nil {
				s.Close()
				t.Fatal("the server opens")
			}
			wrong, ok := errors.AsType[*SettingError](err)
			if !ok || wrong.Setting != tt.setting {
				t.Errorf("got %v, want an error about %s", err, tt.setting)
			}
			if strings.Contains(err.Error(), "lanyard.") || strings.Contains(err.Error(), "Config.") || strings.Contains(err.Error(), "Policy.") {
				t.Errorf("the error speaks of Go: %v", err)
			}
		})
	}
}

func TestSettingsThatAreLongerThanAProfileNeedAReason(t *testing.T) {
	c := defaults(t.TempDir())
	c.Profile, c.AbsoluteTimeout, c.LimitsJustification = "aal2", 25*time.Hour, "night shifts of 25 hours, agreed with the security office"
	s, err := Open(t.Context(), c, Options{Drivers: testDrivers})
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
}

// The table of profiles in the contract.
//
// req: LIFE-4
func TestProfilesHaveTheLimitsOfTheContract(t *testing.T) {
	type limits struct {
		idle, tokenIdle, absolute, access, window, recent time.Duration
		token                                             bool
	}
	const day = 24 * time.Hour
	for profile, want := range map[string]limits{
		"standard": {day, 14 * day, 30 * day, 5 * time.Minute, 30 * time.Second, 10 * time.Minute, false},
		"strict":   {30 * time.Minute, 12 * time.Hour, day, 2 * time.Minute, 0, 5 * time.Minute, true},
		"aal1":     {7 * day, 30 * day, 30 * day, 5 * time.Minute, 30 * time.Second, 10 * time.Minute, false},
		"aal2":     {30 * time.Minute, time.Hour, day, 5 * time.Minute, 0, 10 * time.Minute, true},
	} {
		c := defaults("x")
		c.Profile = profile
		p, _, err := Effective(c)
		if err != nil {
			t.Fatal(err)
		}
		got := limits{p.IdleTimeout, p.TokenIdleTimeout, p.AbsoluteTimeout, p.AccessTokenTTL, max(0, p.RefreshRetryWindow), p.RecentAuth, p.RequireCSRFToken}
		if got != want {
			t.Errorf("%s: got %+v, want %+v", profile, got, want)
		}
	}
}

func TestADataDirectoryThatOthersCanChangeIsRefused(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), defaults(dir), Options{Drivers: testDrivers})
	if wrong, ok := errors.AsType[*SettingError](err); !ok || wrong.Setting != "data" || !strings.Contains(err.Error(), "chmod 700") {
		t.Errorf("got %v", err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = Open(t.Context(), defaults(file), Options{Drivers: testDrivers})
	if wrong, ok := errors.AsType[*SettingError](err); !ok || wrong.Setting != "data" {
		t.Errorf("got %v", err)
	}
	x := newSite(t)
	if s, err := Open(t.Context(), defaults(x.s.cfg.Data), Options{Drivers: testDrivers}); err == nil || !strings.Contains(err.Error(), x.s.cfg.Data) {
		s.Close()
		t.Errorf("a second server on one data directory: %v", err)
	}
}

// The same server on a memory store, with another name for its cookie.
func TestAMemoryStoreAndAnotherCookieNameServeTheSame(t *testing.T) {
	x := newSite(t, func(c *Config) {
		c.Store, c.CookieName, c.PersistentCookies = "memory:", "__Host-sid", true
	})
	a := x.call("POST", "/v1/login", map[string]string{"username": "ada", "password": goodPassword}).want(200)
	for _, c := range (&http.Response{Header: a.header}).Cookies() {
		if c.Name == "__Host-sid" && c.MaxAge != 30*24*60*60 {
			t.Errorf("the cookie lasts %d seconds", c.MaxAge)
		}
	}
	b := x.badgeOf(a)
	if b.cookie == "" {
		t.Fatalf("got %v", a.header)
	}
	x.call("GET", "/v1/session", nil, x.as(b)).want(200)
	x.call("GET", "/readyz", nil).want(200)
	x.call("POST", "/v1/logout", nil, x.as(b)).want(204)
	x.call("GET", "/v1/session", nil, x.as(b)).want(401)
}
