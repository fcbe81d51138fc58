package verifier_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard/token"
	"github.com/lanyard-go/lanyard/verifier"
)

type source func(*token.Claims) error

func (f source) Check(_ context.Context, c *token.Claims) error { return f(c) }

// req: JWT-9, JWT-30
func TestNewNamesTheFieldThatIsWrong(t *testing.T) {
	i := newIssuer(t, token.KeysConfig{})
	ask := func() *verifier.Introspection {
		return &verifier.Introspection{Credentials: verifier.Credentials{ClientID: "orders", Secret: "s"}}
	}
	for _, test := range []struct {
		name   string
		change func(*verifier.Config)
		want   string // in the error, empty if all is right
	}{
		{"all right", func(c *verifier.Config) {}, ""},
		{"no issuer", func(c *verifier.Config) { c.Issuer = "" }, "Config.Issuer is required"},
		{"no audience", func(c *verifier.Config) { c.Audience = "" }, "Config.Audience is required"},
		{"an issuer without TLS", func(c *verifier.Config) { c.Issuer = "http://id.example" }, "Config.Issuer: plain http"},
		{"an issuer on this machine", func(c *verifier.Config) { c.Issuer = "http://localhost:8080" }, ""},
		{"an issuer on this machine by number", func(c *verifier.Config) { c.Issuer = "http://[::1]:8080" }, ""},
		{"an issuer that looks local", func(c *verifier.Config) { c.Issuer = "http://localhost.example" }, "Config.Issuer: plain http"},
		{"an issuer with a query", func(c *verifier.Config) { c.Issuer = "https://id.example?a" }, "Config.Issuer: a URL with a query"},
		{"an issuer with a fragment", func(c *verifier.Config) { c.Issuer = "https://id.example#" }, "Config.Issuer: a URL with a fragment"},
		{"an issuer with a password", func(c *verifier.Config) { c.Issuer = "https://a:b@id.example" }, "Config.Issuer: a URL with a user name"},
		{"an issuer that is no URL", func(c *verifier.Config) { c.Issuer = "id" }, "Config.Issuer: not an absolute URL"},
		{"an issuer that is no URL, with keys", func(c *verifier.Config) { c.Issuer, c.Keys = "id", i.keys }, ""},
		{"nothing said of revocation", func(c *verifier.Config) { c.SkipRevocationCheck = false }, "how ended sessions are noticed"},
		{"revocation skipped and asked for", func(c *verifier.Config) { c.Introspect = ask() }, "Config.SkipRevocationCheck: not together"},
		{"revocation skipped and watched", func(c *verifier.Config) { c.Revocation = source(nil) }, "Config.SkipRevocationCheck: not together"},
		{"revocation watched and asked for", func(c *verifier.Config) {
			c.SkipRevocationCheck, c.Introspect, c.Revocation = false, ask(), source(nil)
		}, ""},
		{"a feed", func(c *verifier.Config) { c.SkipRevocationCheck, c.Feed = false, "https://id.example/v1/revocations" }, ""},
		{"feeds", func(c *verifier.Config) {
			c.SkipRevocationCheck, c.Feeds = false, []string{"https://a.example/f", "https://b.example/f"}
		}, ""},
		{"a feed, a source of its own and a way to ask", func(c *verifier.Config) {
			c.SkipRevocationCheck, c.Feed, c.Introspect, c.Revocation = false, "https://id.example/f", ask(), source(nil)
		}, ""},
		{"revocation skipped and followed", func(c *verifier.Config) { c.Feed = "https://id.example/f" }, "Config.SkipRevocationCheck: not together"},
		{"a feed without TLS", func(c *verifier.Config) { c.SkipRevocationCheck, c.Feed = false, "http://id.example/f" }, "Config.Feed: revocation: FollowerConfig.Endpoints[0]: plain http"},
		{"a second feed that is no URL", func(c *verifier.Config) {
			c.SkipRevocationCheck, c.Feed, c.Feeds = false, "https://id.example/f", []string{"f"}
		}, "Endpoints[1]: not an absolute URL"},
		{"a follower's name with a blank", func(c *verifier.Config) {
			c.SkipRevocationCheck, c.Feed, c.FollowerName = false, "https://id.example/f", "a b"
		}, "FollowerConfig.Name"},
		{"a follower's name without a feed", func(c *verifier.Config) { c.FollowerName = "a" }, "Config.FollowerName: only together with Feed"},
		{"local routes without a feed", func(c *verifier.Config) { c.AllowLocal = true }, "Config.AllowLocal: only together with Feed"},
		{"half of the credentials", func(c *verifier.Config) { c.Credentials.ClientID = "orders" }, "Config.Credentials: both"},
		{"introspection with the service's credentials", func(c *verifier.Config) {
			c.SkipRevocationCheck, c.Introspect, c.Credentials = false, &verifier.Introspection{}, ask().Credentials
		}, ""},
		{"keys and where they are", func(c *verifier.Config) { c.Keys, c.JWKSURL = i.keys, keysAddress }, "Config.JWKSURL: not together"},
		{"a key set without TLS", func(c *verifier.Config) { c.JWKSURL = "http://id.example/k" }, "Config.JWKSURL: plain http"},
		{"a key set in a file", func(c *verifier.Config) { c.JWKSURL = "file:///etc/keys" }, "Config.JWKSURL: not an absolute URL"},
		{"a key set kept for too long", func(c *verifier.Config) { c.CacheTime = 2 * time.Hour }, "Config.CacheTime must be"},
		{"a negative time", func(c *verifier.Config) { c.CacheTime = -1 }, "Config.CacheTime must be"},
		{"an hour of use, and so of staleness", func(c *verifier.Config) { c.CacheTime = time.Hour }, ""},
		{"stale for too long", func(c *verifier.Config) { c.MaxStale = 25 * time.Hour }, "Config.MaxStale must be"},
		{"stale before it is overdue", func(c *verifier.Config) { c.MaxStale = time.Minute }, "Config.MaxStale must not be shorter"},
		{"no interval", func(c *verifier.Config) { c.UnknownKeyInterval = time.Millisecond }, "Config.UnknownKeyInterval must be"},
		{"no end of waiting", func(c *verifier.Config) { c.Timeout = time.Hour }, "Config.Timeout must be"},
		{"too much leeway", func(c *verifier.Config) { c.Leeway = 2 * time.Minute }, "Config.Leeway must be at most"},
		{"a token size beyond reason", func(c *verifier.Config) { c.MaxSize = 1 << 20 }, "MaxSize"},
		{"a resource that is no URL", func(c *verifier.Config) { c.Resource = "orders" }, "Config.Resource: not an absolute URL"},
		{"a scope that is two", func(c *verifier.Config) { c.Scopes = []string{"a b"} }, "Config.Scopes"},
		{"introspection without credentials", func(c *verifier.Config) {
			c.SkipRevocationCheck, c.Introspect = false, &verifier.Introspection{}
		}, "Config.Introspect.Credentials are required"},
		{"introspection nobody knows where", func(c *verifier.Config) {
			c.SkipRevocationCheck, c.Introspect, c.Keys = false, ask(), i.keys
		}, "Config.Introspect.URL is required"},
		{"introspection without TLS", func(c *verifier.Config) {
			c.SkipRevocationCheck, c.Introspect = false, ask()
			c.Introspect.URL = "http://id.example/i"
		}, "Config.Introspect.URL: plain http"},
		{"answers kept for too long", func(c *verifier.Config) {
			c.SkipRevocationCheck, c.Introspect = false, ask()
			c.Introspect.CacheFor = time.Minute
		}, "Config.Introspect.CacheFor must be at most"},
		{"a question without an end", func(c *verifier.Config) {
			c.SkipRevocationCheck, c.Introspect = false, ask()
			c.Introspect.Timeout = time.Hour
		}, "Config.Introspect.Timeout must be"},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg := i.config()
			test.change(&cfg)
			_, err := verifier.New(cfg)
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestSkippedRevocationCheckIsLogged(t *testing.T) {
	var log bytes.Buffer
	i := newIssuer(t, token.KeysConfig{})
	cfg := i.config()
	cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
	open(t, cfg)
	if strings.Count(log.String(), "SkipRevocationCheck is set") != 1 {
		t.Errorf("the log says %q", log.String())
	}
}

// req: KEY-16
func TestCredentialsPrintWithoutTheirSecret(t *testing.T) {
	c := verifier.Credentials{ClientID: "orders", Secret: "hunter2"}
	in := verifier.Introspection{Credentials: c}
	var out bytes.Buffer
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		fmt.Fprintf(&out, format+" "+format+" "+format+"\n", c, &c, in)
	}
	log := slog.New(slog.NewJSONHandler(&out, nil))
	log.Info("x", "c", c, "p", &c, "in", in)
	b, err := json.Marshal(map[string]any{"c": c, "in": in})
	if err != nil {
		t.Fatal(err)
	}
	out.Write(b)
	if text := out.String(); strings.Contains(text, "hunter2") || strings.Contains(text, fmt.Sprintf("%x", "hunter2")) || !strings.Contains(text, "client orders") {
		t.Errorf("printed %s", text)
	}
}
