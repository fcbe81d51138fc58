package verifier

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/lanyard-go/lanyard/dpop"
	"github.com/lanyard-go/lanyard/token"
)

const (
	defaultCacheTime       = 5 * time.Minute
	defaultMaxStale        = 15 * time.Minute
	defaultUnknownInterval = 5 * time.Second
	defaultTimeout         = 5 * time.Second
	defaultLeeway          = 10 * time.Second

	// maxStaleLimit is the most [Config.MaxStale] can be.
	maxStaleLimit = 24 * time.Hour
	// timeoutLimit is the most one request to the issuer may take.
	timeoutLimit = time.Minute
)

// Config is what a [Verifier] needs. Issuer, Audience and one way to notice ended
// sessions are required; the zero value of everything else is safe.
type Config struct {
	// Issuer is the only iss accepted, compared as an exact string, and, unless
	// Keys or JWKSURL are given, where the key set is found: an https URL, or an
	// http one of this machine. Required.
	Issuer string
	// Audience is this service's own identifier, which aud must contain. Required.
	Audience string

	// SkipRevocationCheck accepts a token until it expires, whatever has become
	// of its session: a logout reaches this service minutes late.
	SkipRevocationCheck bool
	// Feed is where the issuer serves its revocation feed, such as
	// https://app.example/v1/revocations; [Verifier.Run] follows it. Feeds are
	// more of them, of nodes on one store, tried in turn. Https, or http on this
	// machine.
	Feed  string
	Feeds []string
	// Credentials prove this service to the issuer, by HTTP Basic: at the feed, and
	// where it is asked about tokens.
	Credentials Credentials
	// FollowerName is how the issuer calls this process in metrics and in the
	// answers of strict revocations: up to 64 letters, digits, "-", "_" and ".".
	// No two processes share one. Empty means a random one.
	FollowerName string
	// AllowLocal lets routes ask for [Local]. The issuer is told, and strict
	// revocations say that they do not cover this service.
	AllowLocal bool

	// Introspect asks the issuer about each token; together with Feed, only where
	// a route wants [Live].
	Introspect *Introspection
	// Revocation tells of each token whether it was revoked meanwhile.
	Revocation Revocation

	// Keys are the issuer's keys, if this process has them, as the issuer itself
	// does. Nothing is fetched then.
	Keys token.VerifyKeys
	// JWKSURL is where the key set is, for issuers that publish no metadata
	// (RFC 8414) or keep their keys on another host. Empty means what the
	// metadata say, and those must name the issuer's own host.
	JWKSURL string
	// CacheTime is how long a fetched key set is used before it is fetched again,
	// and so, without Feed, how long a key withdrawn by the issuer still counts here
	// while the issuer answers; zero means 5 minutes. A shorter time in the issuer's
	// Cache-Control is honoured, down to 10 seconds.
	CacheTime time.Duration
	// MaxStale is how old a key set may become while the issuer gives no new one;
	// past it every token is answered with 503. It is how long a withdrawn key
	// can count in the worst case. Zero means 15 minutes; the most is a day.
	MaxStale time.Duration
	// UnknownKeyInterval is the least time between two fetches that tokens with
	// an unknown key id set off; zero means 5 seconds.
	UnknownKeyInterval time.Duration
	// Timeout bounds each fetch of the key set; zero means 5 seconds, the most is
	// a minute.
	Timeout time.Duration
	// Transport carries the requests to the issuer. Nil means one of its own that
	// demands TLS 1.2 and uses the proxy of the environment. It must not buffer
	// answers, or the feed comes late.
	Transport http.RoundTripper

	// Resource is the https URL by which clients know this service. With it
	// challenges name the service's metadata (RFC 9728), which
	// [Verifier.ResourceMetadata] serves. Clients ask for tokens with it, so it
	// should be the Audience too.
	Resource string
	// Scopes are the scopes the metadata list.
	Scopes []string

	// Proofs judges the proofs of possession of tokens that are bound to a key
	// (RFC 9449): a service of several processes gives its checker a memory that
	// they share. Nil refuses such tokens.
	Proofs *dpop.Checker
	// URL is the address clients use for this service, scheme://host[:port], which
	// their proofs must name. Empty: that of Resource.
	URL string

	// Leeway is the clock difference forgiven for exp, nbf and iat, at most 60
	// seconds; zero means 10 seconds, a negative value none.
	Leeway time.Duration
	// MaxSize is the longest token read, in bytes; zero means 8 KiB.
	MaxSize int
	// CacheSize is how many verified tokens are remembered; see
	// [token.VerifierConfig].
	CacheSize int
	// AllowRS256 accepts RS256 too; see [token.VerifierConfig].
	AllowRS256 bool

	// Logger gets the precise cause of each refusal and every trouble with the
	// issuer. Nil discards.
	Logger *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Revocation tells whether what a token stands for has been revoked since it was
// issued. Check is called for every request with a token that is otherwise good,
// so it must be fast; it returns nil to let the token pass, an error that is
// [ErrRevoked] to refuse it, and any other error if it cannot tell, which is
// answered with 503. It must be safe for concurrent use and leave the claims as
// they are.
type Revocation interface {
	Check(ctx context.Context, c *token.Claims) error
}

// ErrRevoked is what a [Revocation] returns for a token that is dead.
var ErrRevoked = errors.New("verifier: token revoked")

// check fills in defaults and names the field that is wrong.
func (c *Config) check() error {
	switch {
	case c.Issuer == "":
		return errors.New("verifier: Config.Issuer is required")
	case c.Audience == "":
		return errors.New("verifier: Config.Audience is required")
	case c.SkipRevocationCheck && (c.Introspect != nil || c.Revocation != nil || len(c.feeds()) > 0):
		return errors.New("verifier: Config.SkipRevocationCheck: not together with Feed, Introspect or Revocation")
	case !c.SkipRevocationCheck && c.Introspect == nil && c.Revocation == nil && len(c.feeds()) == 0:
		return errors.New("verifier: Config: say how ended sessions are noticed: set Feed, Introspect or Revocation, or SkipRevocationCheck to accept each token until it expires")
	case len(c.feeds()) == 0 && c.FollowerName != "":
		return errors.New("verifier: Config.FollowerName: only together with Feed")
	case len(c.feeds()) == 0 && c.AllowLocal:
		return errors.New("verifier: Config.AllowLocal: only together with Feed")
	case (c.Credentials.ClientID == "") != (c.Credentials.Secret == ""):
		return errors.New("verifier: Config.Credentials: both the client's id and its secret, or neither")
	case c.Keys != nil && c.JWKSURL != "":
		return errors.New("verifier: Config.JWKSURL: not together with Keys")
	}
	for _, d := range []struct {
		field    string
		value    *time.Duration
		zero     time.Duration
		min, max time.Duration
	}{
		{"CacheTime", &c.CacheTime, defaultCacheTime, time.Second, time.Hour},
		{"MaxStale", &c.MaxStale, max(defaultMaxStale, c.CacheTime), time.Second, maxStaleLimit},
		{"UnknownKeyInterval", &c.UnknownKeyInterval, defaultUnknownInterval, time.Second, time.Hour},
		{"Timeout", &c.Timeout, defaultTimeout, time.Millisecond, timeoutLimit},
	} {
		if *d.value == 0 {
			*d.value = d.zero
		}
		if *d.value < d.min || *d.value > d.max {
			return fmt.Errorf("verifier: Config.%s must be %v to %v", d.field, d.min, d.max)
		}
	}
	if c.MaxStale < c.CacheTime {
		return errors.New("verifier: Config.MaxStale must not be shorter than CacheTime")
	}
	switch {
	case c.Leeway == 0:
		c.Leeway = defaultLeeway
	case c.Leeway < 0:
		c.Leeway = 0
	case c.Leeway > token.MaxLeeway:
		return fmt.Errorf("verifier: Config.Leeway must be at most %v", token.MaxLeeway)
	}
	if c.Resource != "" {
		if _, err := resourceMetadataURL(c.Resource); err != nil {
			return fmt.Errorf("verifier: Config.Resource: %w", err)
		}
	}
	if c.Proofs != nil && c.URL == "" {
		if r, err := url.Parse(c.Resource); err == nil && c.Resource != "" {
			c.URL = r.Scheme + "://" + r.Host
		} else {
			return errors.New("verifier: Config.URL: needed with Proofs, or Resource in its place: proofs name the address that clients use")
		}
	}
	if u, err := url.Parse(c.URL); c.URL != "" && (err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Scheme+"://"+u.Host != c.URL) {
		return fmt.Errorf("verifier: Config.URL: %q is not scheme://host[:port]", c.URL)
	}
	for _, s := range c.Scopes {
		if !isScope(s) {
			return fmt.Errorf("verifier: Config.Scopes: %q is no scope", s)
		}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return nil
}

// feeds are all addresses of the feed.
func (c *Config) feeds() []string {
	if c.Feed == "" {
		return c.Feeds
	}
	return append([]string{c.Feed}, c.Feeds...)
}

// introspection is how the issuer is asked, nil if there is no way.
func (c *Config) introspection() *Introspection {
	var in Introspection
	switch {
	case c.Introspect != nil:
		in = *c.Introspect
	case c.Credentials.ClientID == "" || c.Keys != nil || c.JWKSURL != "":
		return nil // no credentials, or no metadata that say where
	}
	if in.Credentials == (Credentials{}) {
		in.Credentials = c.Credentials
	}
	return &in
}

// isScope applies the grammar of RFC 6749 section 3.3.
func isScope(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= 0x20 || c > 0x7e || c == '"' || c == '\\' {
			return false
		}
	}
	return s != ""
}
