package server

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lanyard-go/lanyard"
)

// Config is everything `lanyard serve` can be told. Field tags name the setting:
// the flag is --name, the environment LANYARD_NAME with underscores, the key in
// lanyard.toml name with underscores.
type Config struct {
	Listen                 string `setting:"listen" default:"127.0.0.1:8080" help:"address to serve on"`
	AdminListen            string `setting:"admin-listen" help:"address of their own for the administrative endpoints and metrics"`
	Data                   string `setting:"data" default:"./lanyard-data" help:"data directory: database, keys, audit trail"`
	Store                  string `setting:"store" default:"sqlite" help:"session store: sqlite, sqlite:PATH, memory:, postgres://..., redis://..., rediss://... or redis-cluster://h1,h2,h3"`
	Directory              string `setting:"directory" help:"users, clients and keys: sqlite:PATH (default: in the data directory) or postgres://..."`
	SecretFile             string `setting:"secret-file" help:"file with the server secret, when several machines share one (default: in the data directory)"`
	InsecurePlaintextStore bool   `setting:"insecure-plaintext-store" help:"permit connections to stores beyond this machine without TLS"`
	Issuer                 string `setting:"issuer" help:"external address (default http://localhost:PORT, https with TLS)"`

	TLSCert       string `setting:"tls-cert" help:"certificate file (PEM)"`
	TLSKey        string `setting:"tls-key" help:"its private key file (PEM)"`
	TLSSelfSigned bool   `setting:"tls-self-signed" help:"serve TLS with a certificate made for localhost"`

	Profile             string        `setting:"profile" default:"standard" help:"standard, strict, aal1, aal2 or aal3"`
	IdleTimeout         time.Duration `setting:"idle-timeout" help:"cookie sessions end without activity for this long"`
	TokenIdleTimeout    time.Duration `setting:"token-idle-timeout" help:"token sessions end without activity for this long"`
	AbsoluteTimeout     time.Duration `setting:"absolute-timeout" help:"sessions end this long after authentication"`
	AccessTokenTTL      time.Duration `setting:"access-token-ttl" help:"life of an access token, at most 15m"`
	RefreshRetryWindow  time.Duration `setting:"refresh-retry-window" help:"how long a used refresh token yields its successor again, 0s for never"`
	Binding             string        `setting:"binding" help:"off, prefer or require"`
	RecentAuth          time.Duration `setting:"recent-auth" help:"what counts as recent authentication for sensitive actions"`
	LimitsJustification string        `setting:"limits-justification" help:"reason on record for limits longer than an aal profile allows"`
	MaxSessions         int           `setting:"max-sessions" help:"live sessions per subject, 0 for no limit; the oldest ends"`
	RevocationBound     time.Duration `setting:"revocation-bound" default:"2s" help:"how old a verifier's news of revocations may be"`
	PersistentCookies   bool          `setting:"persistent-cookies" help:"keep the session cookie over a restart of the browser"`
	Remember            time.Duration `setting:"remember" help:"offer at login to keep the cookie over a restart of the browser, for this long; 0s for no such offer"`
	CookieName          string        `setting:"cookie-name" help:"name of the session cookie (default __Host-Http-session)"`
	TrustedProxies      []string      `setting:"trusted-proxies" help:"CIDRs of proxies whose forwarding headers are believed"`
	TrustedOrigin       []string      `setting:"trusted-origin" help:"other origins whose pages may act with the user's cookie"`
	CORSOrigin          []string      `setting:"cors-origin" help:"origins whose pages may call the token endpoints"`
	Audience            []string      `setting:"audience" help:"audiences that tokens may be asked for"`
	DPoPNonce           bool          `setting:"dpop-nonce" help:"demand a nonce of this server in each proof of possession (DPoP), so that none can be made ahead"`
	DPoPAudience        []string      `setting:"dpop-audience" help:"audiences whose tokens are given only to clients that prove possession of a key (DPoP)"`
	InternalAudience    []string      `setting:"internal-audience" help:"audiences of services behind a trusted proxy, for which /verify makes short tokens"`
	StatusList          time.Duration `setting:"status-list" help:"publish status lists for third parties, which may go by one for this long: they notice an end late"`
	KeyRotation         time.Duration `setting:"key-rotation" default:"2160h" help:"age at which a signing key makes way for a new one, 0s for never"`
	RequireClientKeys   bool          `setting:"require-client-keys" help:"programs authenticate by keys (private_key_jwt), never by secrets"`
	ServiceName         string        `setting:"service-name" default:"lanyard" help:"name shown on the pages"`
	ShortenAddresses    bool          `setting:"shorten-addresses" help:"keep only the network of client addresses"`
	PasswordMinLength   int           `setting:"password-min-length" default:"15" help:"least characters of a new password"`
	PasswordWords       []string      `setting:"password-words" help:"words that do not count in passwords, such as the company's name"`
	ResetHook           string        `setting:"reset-hook" help:"program that mails reset links: gets JSON {user,url,expires_at} on its standard input"`
	GeoDatabase         string        `setting:"geo-database" help:"MaxMind database (.mmdb) that tells the place of an address"`
	LogLevel            string        `setting:"log-level" default:"info" help:"debug, info, warn or error"`
	LogFormat           string        `setting:"log-format" default:"text" help:"text or json"`
	ShutdownTimeout     time.Duration `setting:"shutdown-timeout" default:"10s" help:"how long requests may finish after SIGTERM"`
	retryWindowGiven    bool
}

// The revocation bound that the contract names, and what can be chosen.
const (
	defaultBound = 2 * time.Second
	minBound     = 100 * time.Millisecond
	maxBound     = time.Minute
)

// MarkGiven tells a duration that was set to zero from one that was not set, for
// the settings where zero means something.
func (c *Config) MarkGiven(setting string) {
	if setting == "refresh-retry-window" {
		c.retryWindowGiven = true
	}
}

// SettingError names a setting that cannot be used, and what to do.
type SettingError struct {
	Setting string // as in the flag, without dashes
	Problem string
}

// Error names the setting and what is wrong with it.
func (e *SettingError) Error() string { return "setting " + e.Setting + ": " + e.Problem }

func wrong(setting, format string, args ...any) error {
	return &SettingError{setting, fmt.Sprintf(format, args...)}
}

// resolved is a Config that has been checked.
type resolved struct {
	Config
	policy    lanyard.Policy
	issuer    string
	issuerURL *url.URL
	base      string // where the server can be reached from this machine
	tls       bool
	proxies   []netip.Prefix
	store     engine
	directory engine
}

// resolve checks the configuration before anything is opened or made.
func (c Config) resolve(actual net.Addr) (*resolved, error) {
	r := &resolved{Config: c}
	if c.Data == "" {
		return nil, wrong("data", "a directory is needed")
	}
	var err error
	if r.proxies, err = parseProxies(c.TrustedProxies); err != nil {
		return nil, err
	}
	if err := r.transport(actual); err != nil {
		return nil, err
	}
	if err := r.limits(); err != nil {
		return nil, err
	}
	if err := r.places(); err != nil {
		return nil, err
	}
	for _, o := range c.CORSOrigin {
		if err := checkOrigin(o); err != nil {
			return nil, wrong("cors-origin", "%q %v", o, err)
		}
	}
	if err := r.checkTokens(); err != nil {
		return nil, err
	}
	if err := r.checkStatusList(); err != nil {
		return nil, err
	}
	if c.PasswordMinLength < 15 {
		return nil, wrong("password-min-length", "%d is too short for a password that stands alone; at least 15", c.PasswordMinLength)
	}
	switch c.LogLevel {
	case "debug", "info", "warn", "error":
	default:
		return nil, wrong("log-level", "%q is not debug, info, warn or error", c.LogLevel)
	}
	if c.LogFormat != "text" && c.LogFormat != "json" {
		return nil, wrong("log-format", "%q is not text or json", c.LogFormat)
	}
	if c.RevocationBound < minBound || c.RevocationBound > maxBound {
		return nil, wrong("revocation-bound", "%v is not between %v and %v", c.RevocationBound, minBound, maxBound)
	}
	return r, nil
}

// leastRotation leaves a key time to sign between being announced and making way.
const leastRotation = time.Hour

// checkTokens checks what is said about tokens besides their life.
func (r *resolved) checkTokens() error {
	if r.KeyRotation != 0 && r.KeyRotation < leastRotation {
		return wrong("key-rotation", "%v is too often; at least %v, or 0s for never", r.KeyRotation, leastRotation)
	}
	for _, a := range r.InternalAudience {
		switch {
		case a == "" || strings.ContainsAny(a, " \t\r\n"):
			return wrong("internal-audience", "%q is not an audience: no blanks, not empty", a)
		case a == r.issuer:
			return wrong("internal-audience", "%q is the issuer; a service behind the proxy needs a name of its own", a)
		case len(r.proxies) == 0:
			return wrong("internal-audience", "%q: tokens for it are given to trusted proxies only; name yours with trusted-proxies", a)
		}
	}
	return nil
}

func parseProxies(list []string) (out []netip.Prefix, err error) {
	for _, text := range list {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			addr, err2 := netip.ParseAddr(text)
			if err2 != nil {
				return nil, wrong("trusted-proxies", "%q is not a network such as 10.0.0.0/8 or an address", text)
			}
			p = netip.PrefixFrom(addr, addr.BitLen())
		}
		if p.Bits() == 0 {
			return nil, wrong("trusted-proxies", "%q trusts everybody; name the proxies' own networks", text)
		}
		out = append(out, p.Masked())
	}
	return out, nil
}

// transport decides the address people use, and refuses to serve sessions in
// the clear.
func (r *resolved) transport(actual net.Addr) error {
	if (r.TLSCert == "") != (r.TLSKey == "") {
		return wrong(cmp.Or(missing(r.TLSCert, "tls-cert"), "tls-key"), "tls-cert and tls-key go together")
	}
	if r.TLSSelfSigned && r.TLSCert != "" {
		return wrong("tls-self-signed", "not together with tls-cert")
	}
	r.tls = r.TLSSelfSigned || r.TLSCert != ""
	host, port, err := net.SplitHostPort(r.Listen)
	if err != nil {
		return wrong("listen", "%q is not host:port, such as 127.0.0.1:8080", r.Listen)
	}
	if tcp, ok := actual.(*net.TCPAddr); ok {
		port = fmt.Sprint(tcp.Port)
	}
	if !r.tls && !loopback(host) && len(r.proxies) == 0 {
		return wrong("listen", "%s would serve sessions in the clear beyond this machine; use --tls-cert and --tls-key, --tls-self-signed, or name the TLS proxy in front with --trusted-proxies", r.Listen)
	}
	scheme := "http"
	if r.tls {
		scheme = "https"
	}
	name := "localhost"
	if host != "" && !loopback(host) && net.ParseIP(host) != nil && !net.ParseIP(host).IsUnspecified() {
		name = host
	}
	r.base = scheme + "://" + net.JoinHostPort(name, port)
	r.issuer = strings.TrimSuffix(cmp.Or(r.Issuer, r.base), "/")
	if r.issuerURL, err = url.Parse(r.issuer); err != nil || r.issuerURL.Host == "" {
		return wrong("issuer", "%q is not an address such as https://app.example", r.Issuer)
	}
	if r.issuerURL.Path != "" {
		return wrong("issuer", "%q has a path; the server needs a host name of its own, such as https://auth.example", r.Issuer)
	}
	if r.AdminListen != "" {
		ahost, _, err := net.SplitHostPort(r.AdminListen)
		if err != nil {
			return wrong("admin-listen", "%q is not host:port, such as 127.0.0.1:8081", r.AdminListen)
		}
		if !r.tls && !loopback(ahost) {
			return wrong("admin-listen", "%s would serve administration in the clear beyond this machine; use a loopback address or TLS", r.AdminListen)
		}
	}
	return nil
}

func missing(value, name string) string {
	if value == "" {
		return name
	}
	return ""
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

// limits turns the settings into a policy and lets the library judge it.
func (r *resolved) limits() error {
	p := lanyard.Policy{
		Profile: r.Profile, IdleTimeout: r.IdleTimeout, TokenIdleTimeout: r.TokenIdleTimeout,
		AbsoluteTimeout: r.AbsoluteTimeout, AccessTokenTTL: r.AccessTokenTTL, RecentAuth: r.RecentAuth,
		RefreshRetryWindow: r.RefreshRetryWindow, Binding: lanyard.BindingMode(r.Binding),
		MaxSessions: r.MaxSessions, LimitsJustification: r.LimitsJustification,
	}
	if r.retryWindowGiven && p.RefreshRetryWindow == 0 {
		p.RefreshRetryWindow = -1
	}
	resolved, err := p.Resolve()
	if err != nil {
		return settingOf(err)
	}
	if resolved.Binding == lanyard.BindingRequire {
		setting := "binding"
		if r.Binding == "" {
			setting = "profile"
		}
		return wrong(setting, "binding = require is not available in this version: nothing binds the sessions of cookies to a device yet; use a profile other than aal3, with binding off or prefer")
	}
	r.policy = p
	switch {
	case r.Remember < 0 || r.Remember > 0 && r.Remember < time.Minute:
		return wrong("remember", "%v is too short; at least 1m, or 0s for no such offer", r.Remember)
	case r.Remember > resolved.AbsoluteTimeout:
		return wrong("remember", "%v is longer than any session lasts, which is %v (absolute-timeout)", r.Remember, resolved.AbsoluteTimeout)
	case r.Remember > 0 && r.PersistentCookies:
		return wrong("remember", "not together with persistent-cookies, which keeps the cookie of everybody without asking")
	}
	return nil
}

// settingOf renames the fields in the library's errors to settings.
func settingOf(err error) error {
	text := strings.TrimPrefix(err.Error(), "lanyard: Policy.")
	field, problem, ok := strings.Cut(text, ": ")
	if !ok {
		return err
	}
	names := map[string]string{
		"Profile": "profile", "IdleTimeout": "idle-timeout", "TokenIdleTimeout": "token-idle-timeout",
		"AbsoluteTimeout": "absolute-timeout", "AccessTokenTTL": "access-token-ttl", "RecentAuth": "recent-auth",
		"RefreshRetryWindow": "refresh-retry-window", "Binding": "binding", "MaxSessions": "max-sessions",
	}
	problem = strings.ReplaceAll(problem, "LimitsJustification", "--limits-justification")
	return wrong(cmp.Or(names[field], field), "%s", problem)
}

func checkOrigin(o string) error {
	u, err := url.Parse(o)
	if err != nil || u.Host == "" || u.Path != "" || u.RawQuery != "" || u.User != nil || u.Fragment != "" ||
		u.Scheme != "https" && !(u.Scheme == "http" && loopback(u.Hostname())) || strings.ToLower(o) != o || strings.Contains(o, "*") {
		return errors.New("is not an origin such as https://app.example: scheme, host and port exactly, no wildcard")
	}
	return nil
}

// prepareData makes the data directory or checks that it is usable and ours
// alone.
func prepareData(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return wrong("data", "making the directory: %v", err)
		}
		return nil
	case err != nil:
		return wrong("data", "%v", err)
	case !info.IsDir():
		return wrong("data", "%s is not a directory", dir)
	case info.Mode().Perm()&0o022 != 0:
		return wrong("data", "%s can be written by others; run: chmod 700 %s", dir, dir)
	}
	probe, err := os.CreateTemp(dir, ".probe-*")
	if err != nil {
		return wrong("data", "%s cannot be written to: %v", dir, err)
	}
	probe.Close()
	return os.Remove(probe.Name())
}

// originAllowed answers CORS with exact names only.
func (r *resolved) originAllowed(origin string) bool {
	return origin != "" && slices.Contains(r.CORSOrigin, origin)
}

// Effective returns the limits that a configuration leads to and, by setting, the
// values that follow from others; or the error with which it would stop the
// start.
func Effective(c Config) (p lanyard.Policy, derived map[string]string, err error) {
	r, err := c.resolve(nil)
	if err != nil {
		return p, nil, err
	}
	p, err = r.policy.Resolve()
	derived = map[string]string{
		"issuer": strconv.Quote(r.issuer), "directory": strconv.Quote(r.directory.String()),
		"cookie-name": strconv.Quote(lanyard.DefaultCookieName),
	}
	return p, derived, err
}
