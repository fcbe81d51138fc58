package lanyard

import (
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"time"
)

// BFF is a backend for frontend (RFC 10017 section 6.1): the page keeps a cookie
// and nothing else, and its calls of other services go through here, where the
// cookie is replaced by a short access token for that service. No token ever
// reaches the browser. Make one with [NewBFF] and put it inside the handler that
// [Manager.Handler] guards; without that around, it answers 500 to everything.
//
// What it does not know it does not pass on: only the configured routes, with
// their methods, only header fields on a list, in both directions. Every request,
// reading ones too, must come from a script, image or the like of the own origin;
// navigations, frames and scripts to run are refused, so that nothing a service
// answers becomes a page of this origin. Answers are not stored and redirects are
// not followed. WebSockets are refused: the token of a handshake would outlive
// its session.
//
// It is safe for concurrent use.
type BFF struct {
	m       *Manager
	routes  []bffRoute // longest path first
	pass    headerLists
	tokens  *drawnTokens
	maxBody int64
	next    http.RoundTripper
	log     *log.Logger // of what breaks off
}

// BFFConfig is what a [BFF] is made of. Only Routes are required.
type BFFConfig struct {
	// Routes are all that can be reached.
	Routes []BFFRoute

	// RequestHeaders and ResponseHeaders are passed on besides those that plain
	// APIs need. Fields that carry credentials, that say where a request came from,
	// that are about one connection, or that speak for the whole origin cannot be
	// among them.
	RequestHeaders, ResponseHeaders []string

	// MaxBody is the longest request body in bytes, 1 MiB if zero. Answers have no
	// limit.
	MaxBody int64

	// Timeout is how long a service may take until its answer begins, 30 s if zero.
	// It goes with the built-in transport; a Transport of one's own has its own
	// limits.
	Timeout time.Duration

	// MaxTokens is how many access tokens are kept in memory, one for each session
	// and audience, 16384 if zero.
	MaxTokens int

	// Transport reaches the services. Nil: one for these routes alone, with verified
	// TLS and without a proxy from the environment. It must not follow redirects.
	Transport http.RoundTripper

	// InsecureUpstream permits routes to other machines over plain HTTP, where
	// everybody on the way can read the tokens.
	InsecureUpstream bool
}

// BFFRoute leads from a path of the own origin to a service.
type BFFRoute struct {
	// Path is the path here: with a slash at its end everything below it, without
	// one that path alone. The longest one that fits a request counts.
	Path string

	// Upstream is where the path leads: an absolute URL without user, query and
	// fragment, whose path ends with a slash if Path does.
	Upstream string

	// Audience is whom the service knows itself as; one of [Config.Audiences].
	Audience string

	// Methods that may be used, exact. Empty: GET and HEAD.
	Methods []string

	// Need says more about who may use the route, such as a recent login. The
	// channel is always the cookie, and Programs and Scope must be empty.
	Need Need
}

// NewBFF checks the configuration and makes a [BFF]. It starts nothing. Errors
// name the field.
func NewBFF(m *Manager, cfg BFFConfig) (*BFF, error) {
	switch {
	case m == nil:
		return nil, errors.New("lanyard: NewBFF: a manager is needed")
	case len(cfg.Routes) == 0:
		return nil, errors.New("lanyard: BFFConfig.Routes: none, so nothing could be reached")
	case cfg.MaxBody < 0 || cfg.Timeout < 0 || cfg.MaxTokens < 0:
		return nil, errors.New("lanyard: BFFConfig.MaxBody, Timeout, MaxTokens: must not be negative; 0 means the default")
	}
	b := &BFF{m: m, maxBody: cfg.MaxBody, next: cfg.Transport, log: slog.NewLogLogger(m.log.Handler(), slog.LevelWarn)}
	if b.maxBody == 0 {
		b.maxBody = 1 << 20
	}
	size := cfg.MaxTokens
	if size == 0 {
		size = 1 << 14
	}
	b.tokens = newDrawnTokens(m, size)
	if b.next == nil {
		b.next = newUpstreamTransport(cfg.Timeout)
	}
	b.next = finalAnswers{b.next}
	var err error
	if b.pass, err = newHeaderLists(cfg); err != nil {
		return nil, err
	}
	for i, given := range cfg.Routes {
		at := fmt.Sprintf("lanyard: BFFConfig.Routes[%d]", i)
		r, err := newBFFRoute(m, at, given, cfg.InsecureUpstream)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(b.routes, func(other bffRoute) bool { return other.path == r.path }) {
			return nil, fmt.Errorf("%s.Path: %s is there twice", at, r.path)
		}
		if r.insecure {
			m.log.Warn("a backend for frontend sends access tokens over plain HTTP", slog.String("path", r.path), slog.String("host", r.upstream.Host))
		}
		b.routes = append(b.routes, r)
	}
	slices.SortFunc(b.routes, func(a, b bffRoute) int { return len(b.path) - len(a.path) })
	return b, nil
}

// newUpstreamTransport is the transport of those who bring none. Answers are
// passed on in the coding they come in.
func newUpstreamTransport(timeout time.Duration) *http.Transport {
	if timeout == 0 {
		timeout = 30 * time.Second
	}
	const connect = 5 * time.Second
	return &http.Transport{
		DialContext:         (&net.Dialer{Timeout: connect}).DialContext,
		TLSHandshakeTimeout: connect, ResponseHeaderTimeout: timeout,
		ForceAttemptHTTP2: true, DisableCompression: true, MaxResponseHeaderBytes: 64 << 10,
		MaxIdleConnsPerHost: 64, IdleConnTimeout: 90 * time.Second,
	}
}

// ServeHTTP passes a request of a page on to its service. What it answers by
// itself is JSON as [Manager.WriteError] writes it: 400, 404 and 405 for what no
// route takes, 401 and 403 for who may not, 413 for too long a body, 501 for a
// change of protocol, 502 and 504 if the service cannot be reached, answers what
// cannot be passed on, or takes too long.
func (b *BFF) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s := From(r.Context())
	if s.manager != b.m {
		b.m.log.ErrorContext(r.Context(), "a backend for frontend stands outside of its manager's Handler and refuses everything; wrap it: m.Handler(mux)")
		b.m.count("bff", "unguarded")
		writeProblem(w, r, http.StatusInternalServerError, "server_error", "This server is not set up to answer this.")
		return
	}
	secureAnswer(w.Header())
	x := &exchange{bff: b, in: r, session: s}
	if err := x.judge(w.Header()); err != nil {
		s.Reject()
		x.fail(w, r, err)
		return
	}
	b.m.Require(x.route.need, x).ServeHTTP(w, r)
}

// secureAnswer sets what holds for every answer, a service's own too: it is one
// person's, and no document of this origin.
func secureAnswer(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; sandbox")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
}
