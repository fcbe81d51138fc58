package csrf

import (
	"fmt"
	"net/http"
	"path"
	"strings"
)

// Config holds the exceptions of a [Check]. The zero value has none.
type Config struct {
	// TrustedOrigins lists other origins whose pages may send unsafe requests
	// with the user's cookies, each as scheme://host[:port] exactly as browsers
	// send it: lower case, IDNs in ASCII, no default port, no path, no wildcard.
	// https, or http on a loopback host. A trusted origin can do all its
	// visitors can do here.
	TrustedOrigins []string
	// Exempt lists requests that pass unchecked because they rest on a proof of
	// their own. Method and path are compared exactly.
	Exempt []Route
	// RequireToken demands Facts.TokenOK of every cookie-authenticated unsafe
	// request, in addition to the headers.
	RequireToken bool
	// InsecureLoopbackUpgrade lets DecideUpgrade accept plain HTTP when the own
	// host is a loopback name or address, for development.
	InsecureLoopbackUpgrade bool
}

// A Route is one exact method and path.
type Route struct {
	Method string // unsafe, in upper case
	Path   string // as the router sees it after decoding, clean, without query
}

// Facts is what a request does not say about itself reliably.
type Facts struct {
	// Scheme is the scheme the browser used, "https" or "http", from the
	// connection or a trusted proxy. Empty when it is not known.
	Scheme string
	// Host is the host[:port] the browser asked for. Empty means r.Host.
	Host string
	// CookieAuth is true when a cookie authenticates the request.
	CookieAuth bool
	// TokenOK is true when the request carries a token for which Tokens.Verify
	// returned true.
	TokenOK bool
}

// A Check holds the settings of the cross-origin decision. It is immutable and
// safe for concurrent use.
type Check struct {
	trusted      map[string]struct{}
	exempt       map[Route]struct{}
	requireToken bool
	looseUpgrade bool
}

// New returns a Check, or an error that names the field it cannot accept.
func New(c Config) (*Check, error) {
	check := &Check{
		trusted:      make(map[string]struct{}, len(c.TrustedOrigins)),
		exempt:       make(map[Route]struct{}, len(c.Exempt)),
		requireToken: c.RequireToken,
		looseUpgrade: c.InsecureLoopbackUpgrade,
	}
	for i, o := range c.TrustedOrigins {
		if err := trustable(o); err != nil {
			return nil, fmt.Errorf("csrf: TrustedOrigins[%d]: %q: %w", i, o, err)
		}
		check.trusted[o] = struct{}{}
	}
	for i, r := range c.Exempt {
		if r.Method == "" || r.Method != strings.ToUpper(r.Method) || safe(r.Method) {
			return nil, fmt.Errorf("csrf: Exempt[%d]: %q is not an unsafe method in upper case", i, r.Method)
		}
		// What no cleaned request can have would be an exemption in name only.
		if !strings.HasPrefix(r.Path, "/") || path.Clean(r.Path) != strings.TrimSuffix(r.Path, "/") && r.Path != "/" ||
			strings.ContainsAny(r.Path, "?#%{}*") {
			return nil, fmt.Errorf("csrf: Exempt[%d]: %q is not a clean, literal path", i, r.Path)
		}
		check.exempt[r] = struct{}{}
	}
	return check, nil
}

// Decide returns nil if the request may go on to its handler, and a [*Refused]
// if it must not. Requests with a safe method (GET, HEAD, OPTIONS) and exempt
// ones pass. For the others Sec-Fetch-Site decides when it is there; without it
// Origin must be the site itself; without either, a request that a cookie
// authenticates needs a valid token. A trusted Origin passes wherever a well-formed
// header speaks against the request. On nil it does not allocate.
//
// The decision rests on what browsers do not let pages forge. It says nothing
// about clients that write their own headers, which hold no one else's cookies.
func (c *Check) Decide(r *http.Request, f Facts) error {
	if safe(r.Method) || c.isExempt(r) {
		return nil
	}
	if err := c.decideHeaders(r, f); err != nil {
		return err
	}
	if c.requireToken && f.CookieAuth && !f.TokenOK {
		return refuse(TokenRequired, "")
	}
	return nil
}

func (c *Check) decideHeaders(r *http.Request, f Facts) error {
	site, origins := r.Header["Sec-Fetch-Site"], r.Header["Origin"]
	// A browser sends each once. Readers differ in which of several they take,
	// so none is taken.
	if len(site) > 1 {
		return refuse(BadHeader, "Sec-Fetch-Site")
	}
	if len(origins) > 1 {
		return refuse(BadHeader, "Origin")
	}
	if len(site) == 1 {
		// Origin is not asked on these two: under a no-referrer policy even
		// a same-origin form says "Origin: null".
		if site[0] == "same-origin" || site[0] == "none" {
			return nil
		}
		if c.isTrusted(origins) {
			return nil
		}
		return refuse(siteCause(site[0]), "Sec-Fetch-Site")
	}
	if len(origins) == 1 {
		if c.isTrusted(origins) {
			return nil
		}
		if why := own(origins[0], f.Scheme, ownHost(r, f)); why != "" {
			return refuse(why, "Origin")
		}
		return nil
	}
	// Fails closed where net/http lets the request pass: an old browser, or a
	// proxy that strips headers, must not turn the check off.
	if f.CookieAuth && !f.TokenOK {
		return refuse(NoHeaders, "")
	}
	return nil
}

func safe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

// isExempt compares the path as it stands. A path with an escape the router
// decodes has a RawPath and is not exempt, nor is one that only a redirect or
// cleaning would turn into an exempt path.
func (c *Check) isExempt(r *http.Request) bool {
	if len(c.exempt) == 0 || r.URL == nil || r.URL.RawPath != "" {
		return false
	}
	_, ok := c.exempt[Route{r.Method, r.URL.Path}]
	return ok
}

func (c *Check) isTrusted(origins []string) bool {
	if len(origins) != 1 || len(c.trusted) == 0 {
		return false
	}
	_, ok := c.trusted[origins[0]]
	return ok
}

func ownHost(r *http.Request, f Facts) string {
	if f.Host != "" {
		return f.Host
	}
	return r.Host
}

// own returns "" if value is the site's own origin, and otherwise the cause. An
// unknown scheme is not compared; a site that wants it compared says what it is.
func own(value, scheme, host string) Cause {
	if value == "null" {
		return OriginNull
	}
	o, ok := parseOrigin(value)
	switch {
	case !ok:
		return BadHeader
	case !o.sameHost(host):
		return OriginMismatch
	case scheme != "" && scheme != o.scheme:
		return SchemeMismatch
	}
	return ""
}

func siteCause(site string) Cause {
	switch site {
	case "cross-site":
		return CrossSite
	case "same-site":
		return SameSite
	}
	return BadHeader
}
