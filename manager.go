package lanyard

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lanyard-go/lanyard/audit"
	"github.com/lanyard-go/lanyard/csrf"
	"github.com/lanyard-go/lanyard/internal/cookie"
	"github.com/lanyard-go/lanyard/token"
)

// BuiltinClient is the public client of the built-in login. It may refresh.
const BuiltinClient = "lanyard"

// Config is what a [Manager] is made of. Only Issuer is required.
type Config struct {
	// Issuer is the external address of this application, such as
	// https://app.example: an absolute URL without query, fragment or trailing
	// slash. It is the iss of access tokens and, without a resource asked for,
	// their aud.
	Issuer string

	// Audiences may be asked for by name (RFC 8707) besides the issuer.
	Audiences []string

	// Policy holds the limits. The zero value is the profile "standard".
	Policy Policy

	// Keys authenticate credentials. Without them keys are drawn at random,
	// which a store that outlives the process refuses.
	Keys *Keys

	// TokenKeys sign access tokens. Without them an ES256 key is made, under
	// the same condition.
	TokenKeys TokenKeys

	// Cookie shapes the session cookie. The zero value is a host-only cookie
	// with the name __Host-Http-session and SameSite=Lax that ends with the
	// browser session.
	Cookie CookieConfig

	// TrustedOrigins may make cookie-authenticated unsafe requests although
	// they are other origins. Exact: scheme://host[:port].
	TrustedOrigins []string

	// Exempt lists unsafe requests, by exact method and path, that the check
	// against request forgery passes over because they have a check of their
	// own, such as a login judged by [Manager.CheckLogin].
	Exempt []csrf.Route

	// TrustedProxies are believed when they say where a request came from.
	TrustedProxies []netip.Prefix

	// Passive reports whether a request is no sign of a present user, such as
	// background polling. Nil: every accepted request is activity.
	Passive func(*http.Request) bool

	// Subject is asked at each refresh, step-up and drawing of a token: whether
	// the subject may still have sessions, and what its tokens shall say.
	// Nil: everybody may, and tokens say nothing more. It may be called
	// concurrently.
	Subject func(ctx context.Context, subject string) (SubjectState, error)

	// Client is asked for the limits of a client other than the built-in one
	// whenever tokens are signed for it. Nil: the policy's limits for all. It may
	// be called concurrently.
	Client func(ctx context.Context, id string) (ClientLimits, error)

	// ResourceMetadata is the address of this server's protected-resource
	// metadata (RFC 9728), named in the challenges of refusals. Empty: none is
	// named.
	ResourceMetadata string

	// Audit receives security events. Nil discards them.
	Audit audit.Sink

	// Logger receives what operators need to know. Nil discards it.
	Logger *slog.Logger

	// Metrics counts outcomes. Nil counts nothing. It must be safe for
	// concurrent use and return at once.
	Metrics Metrics

	// Now is the clock. Nil means time.Now.
	Now func() time.Time

	// Rand is the source of secrets. Nil means crypto/rand; others are for tests.
	Rand io.Reader

	// StoreTimeout bounds each call of a store, 2 s if zero. After five failures
	// in a row the store is asked once a second only, and requests that need it
	// are refused at once, until it answers. A store that says it is volatile
	// never waits and gets no bound.
	StoreTimeout time.Duration

	// TokenCacheSize is the number of verified access tokens remembered, 65536
	// if zero.
	TokenCacheSize int

	// ForgetAfter is how long an ended record is kept for display, 24 h if zero.
	ForgetAfter time.Duration

	// RevocationBound is how long after an end anybody may still go by what was
	// before: other nodes with their near caches, and verifiers, if they cannot be
	// reached. Nodes and verifiers that can be reached hear of it at once. From
	// 100 ms to a minute, 2 s if zero; the same on all nodes of a store.
	RevocationBound time.Duration

	// NearCacheSize is how many records of a store that is another process are
	// kept in this one, so that a check costs no round trip: 65536 if zero, none
	// if negative. They count only while [Manager.Run] runs.
	NearCacheSize int

	// AllowLocal lets routes say that they take what was last known of a session
	// while the store cannot be asked, see [Local]. A request whose session only
	// such a route would take is nobody's until one does.
	AllowLocal bool

	// WriteError answers requests that [Manager.Handler] and [Manager.Require]
	// refuse, in place of [Manager.WriteError], which writes JSON: for a page that
	// people can read. It has to write an answer, and has [Manager.WriteError] for
	// what programs asked. Nobody is signed in in the request's context if the
	// Handler refused it.
	WriteError func(w http.ResponseWriter, r *http.Request, err error)

	// Feed tells followers of this process what was revoked. Nil: there are none.
	Feed Feed

	// DPoP says how proofs of possession are checked.
	DPoP DPoPConfig
	// StatusLists gives each session a place in lists for third parties, which its
	// access tokens name in the claim "status". Nil: there are none.
	StatusLists StatusLists

	// ShortenAddresses keeps only the network of a client's address (/24, /48)
	// in records.
	ShortenAddresses bool
}

// TokenKeys is what the manager needs of signing keys: a [token.KeySet]
// or one's own. If it has a method Reload() error, as a KeySet does, that is
// called when another node has withdrawn a key, so that this one signs with the
// next.
type TokenKeys interface {
	token.SigningKeys
	token.VerifyKeys
}

// Metrics counts outcomes: name and outcome are words fixed in the code, never
// text of a request.
type Metrics interface {
	Count(name string, outcome string)
}

// SubjectState is what an application says of a subject.
type SubjectState struct {
	Disabled bool           // ends the session that asked
	Claims   map[string]any // further claims of access tokens
}

// ClientLimits are what an application narrows for one client. Zero leaves the
// policy's limit; a wider one has no effect.
type ClientLimits struct {
	AccessTokenTTL time.Duration // longest life of its access tokens
	RefreshIdle    time.Duration // a refresh token that was not used for this long ends its session
	Bound          bool          // its tokens are all bound to a key (dpop_bound_access_tokens, RFC 9449 section 5.2)
}

// Manager keeps sessions in a [Store]. Make one with [New]; its methods are
// safe for concurrent use.
type Manager struct {
	store      Store         // with the outage policy, and the near cache kept in step
	guard      *outageStore  // the outage policy, nil for a volatile store
	node       *node         // nil if the store cannot do with several
	near       *near         // nil if the store is not distant
	epochs     Epochs        // the store's ability, nil if it has none
	ended      atomic.Uint64 // the epoch this process raised last, for want of that
	volatile   bool
	cfg        Config
	policy     Policy
	keys       *Keys
	issuer     *token.Issuer
	verifier   *token.Verifier
	examiner   *token.Verifier // for any audience, for introspection and revocation
	check      *csrf.Check     // of requests that a cookie authenticates
	loginCheck *csrf.Check     // of logins, which nothing authenticates yet
	csrf       *csrf.Tokens
	cookies    cookieSpecs
	possession *possession // nil if nothing is bound to keys
	trusted    []netip.Prefix
	scheme     string
	log        *slog.Logger
	guesses    guessGuard
	deadUse    deadUseLog
}

// New checks the configuration and makes a manager. It starts nothing: call
// [Manager.Run] for background work. Errors name the field.
func New(store Store, cfg Config) (*Manager, error) {
	if store == nil {
		return nil, errors.New("lanyard: New: a store is needed")
	}
	policy, err := cfg.Policy.Resolve()
	if err != nil {
		return nil, err
	}
	if policy.Binding == BindingRequire {
		return nil, errors.New("lanyard: Policy.Binding: require is not available in this version, nothing binds cookies to their devices yet; use prefer or off (profile aal3 cannot be used before it is)")
	}
	scheme, err := checkIssuer(cfg.Issuer)
	if err != nil {
		return nil, err
	}
	if u, err := url.Parse(cfg.ResourceMetadata); err != nil || quotable([]string{cfg.ResourceMetadata}) != cfg.ResourceMetadata || cfg.ResourceMetadata != "" && u.Host == "" {
		return nil, fmt.Errorf("lanyard: Config.ResourceMetadata: %q is not an absolute URL", cfg.ResourceMetadata)
	}
	m := &Manager{store: store, cfg: cfg, policy: policy, keys: cfg.Keys, scheme: scheme, trusted: cfg.TrustedProxies}
	m.epochs, _ = store.(Epochs)
	if v, ok := store.(Volatile); ok {
		m.volatile = v.Volatile()
	}
	if m.cfg.Now == nil {
		m.cfg.Now = time.Now
	}
	if m.cfg.Rand == nil {
		m.cfg.Rand = rand.Reader
	}
	if m.cfg.StoreTimeout < 0 || m.cfg.ForgetAfter < 0 {
		return nil, errors.New("lanyard: Config.StoreTimeout, Config.ForgetAfter: must not be negative; 0 means the default")
	}
	if m.cfg.StoreTimeout == 0 {
		m.cfg.StoreTimeout = 2 * time.Second
	}
	if m.cfg.ForgetAfter == 0 {
		m.cfg.ForgetAfter = day
	}
	if err := m.checkStatusLists(); err != nil {
		return nil, err
	}
	m.log = cfg.Logger
	if m.log == nil {
		m.log = slog.New(slog.DiscardHandler)
	}
	if m.cfg.Audit == nil {
		m.cfg.Audit = audit.Discard{}
	}
	if !m.volatile { // a volatile store never waits, and a timer costs more than its answer
		m.guard = &outageStore{Store: store, timeout: m.cfg.StoreTimeout, now: m.cfg.Now, log: m.log, count: m.count}
		m.store = m.guard
	}
	if err := m.prepareNode(store); err != nil {
		return nil, err
	}
	if err := m.prepareKeys(); err != nil {
		return nil, err
	}
	if err := m.prepareTokens(); err != nil {
		return nil, err
	}
	if err := m.preparePossession(); err != nil {
		return nil, err
	}
	if m.cookies, err = newCookieSpecs(cfg.Cookie); err != nil {
		return nil, err
	}
	if err := m.prepareChecks(); err != nil {
		return nil, err
	}
	if m.csrf, err = csrf.NewTokens(m.keys.current.csrf); err != nil {
		return nil, fmt.Errorf("lanyard: Config.Keys: %w", err)
	}
	return m, nil
}

func (m *Manager) prepareKeys() error {
	if m.keys != nil {
		return nil
	}
	if !m.volatile {
		return errors.New("lanyard: Config.Keys: this store outlives the process, so the keys must too; give Keys made from a stored secret")
	}
	keys, err := RandomKeys()
	if err != nil {
		return err
	}
	m.keys = keys
	return nil
}

func (m *Manager) prepareTokens() error {
	if m.cfg.TokenKeys == nil {
		if !m.volatile {
			return errors.New("lanyard: Config.TokenKeys: this store outlives the process, so the signing keys must too")
		}
		key, err := token.GenerateKey(token.ES256, m.cfg.Now())
		if err != nil {
			return err
		}
		set, err := token.NewKeySet(token.KeysConfig{Now: m.cfg.Now}, key)
		if err != nil {
			return err
		}
		m.cfg.TokenKeys = set
	}
	for _, a := range m.cfg.Audiences {
		if a == "" || strings.ContainsAny(a, " \t\r\n") {
			return fmt.Errorf("lanyard: Config.Audiences: %q is not an audience: no blanks, not empty", a)
		}
	}
	if keys, ok := m.cfg.TokenKeys.(interface{ Reload() error }); ok && m.node != nil {
		m.node.keys.reload = func() {
			if err := keys.Reload(); err != nil {
				m.log.Error("reading the signing keys again, of which one was withdrawn, failed; tokens signed with it are refused", slog.Any("error", err))
			}
		}
	}
	var err error
	if m.issuer, err = token.NewIssuer(token.IssuerConfig{Issuer: m.cfg.Issuer, Keys: m.cfg.TokenKeys, Now: m.cfg.Now}); err != nil {
		return fmt.Errorf("lanyard: Config.TokenKeys: %w", err)
	}
	size := m.cfg.TokenCacheSize
	if size == 0 {
		size = 1 << 16
	}
	m.verifier, err = token.NewVerifier(token.VerifierConfig{
		Issuer: m.cfg.Issuer, Audience: m.cfg.Issuer, Keys: m.cfg.TokenKeys, CacheSize: size, Now: m.cfg.Now,
	})
	if err != nil {
		return fmt.Errorf("lanyard: token verifier: %w", err)
	}
	m.examiner, err = token.NewVerifier(token.VerifierConfig{
		Issuer: m.cfg.Issuer, SkipAudience: true, Keys: m.cfg.TokenKeys, CacheSize: size, Now: m.cfg.Now,
	})
	if err != nil {
		return fmt.Errorf("lanyard: token verifier: %w", err)
	}
	return nil
}

func checkIssuer(issuer string) (scheme string, err error) {
	u, err := url.Parse(issuer)
	switch {
	case issuer == "":
		return "", errors.New("lanyard: Config.Issuer: required, the external address of the application, such as https://app.example")
	case err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.HasSuffix(issuer, "/"):
		return "", fmt.Errorf("lanyard: Config.Issuer: %q is not an absolute URL without user, query, fragment or trailing slash", issuer)
	case u.Scheme == "https":
	case u.Scheme == "http" && loopbackHost(u.Hostname()):
	default:
		return "", fmt.Errorf("lanyard: Config.Issuer: %q must be https, or http on a loopback name", issuer)
	}
	return u.Scheme, nil
}

func loopbackHost(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

// Policy returns the limits in force, filled in.
func (m *Manager) Policy() Policy { return m.policy }

// Issuer returns the issuer of the manager's tokens.
func (m *Manager) Issuer() string { return m.cfg.Issuer }

// TokenKeys returns the signing keys in use.
func (m *Manager) TokenKeys() TokenKeys { return m.cfg.TokenKeys }

// Audiences returns what tokens may be asked for: the issuer and Config.Audiences.
func (m *Manager) Audiences() []string {
	return append([]string{m.cfg.Issuer}, slices.Clone(m.cfg.Audiences)...)
}

// Transport says how a request arrived, as [TransportOf] with the configured
// proxies.
func (m *Manager) Transport(r *http.Request) Transport { return TransportOf(r, m.trusted) }

func (m *Manager) now() Time { return TimeOf(m.cfg.Now()) }

// errLost is a conflict that did not go away.
var errLost = errors.New("lanyard: the session kept changing")

// maxAttempts bounds compare-and-swap loops. Each lost round means that another
// writer won, so a loop of this length needs as many winners on one session.
const maxAttempts = 64

// change reads a record, lets do alter it, and writes it if nobody else wrote
// meanwhile, else starts over. Do returns false to leave the record alone.
// ErrEnded from the store means that an end won, and stays.
func (m *Manager) change(ctx context.Context, sid SID, do func(*Record) (write bool, announce []Entry, err error)) (*Record, error) {
	for range maxAttempts {
		rec, err := m.store.Get(ctx, sid)
		if err != nil {
			return nil, err
		}
		write, announce, err := do(rec)
		if err != nil || !write {
			return rec, err
		}
		err = m.store.Update(ctx, rec, announce...)
		if errors.Is(err, ErrConflict) {
			continue
		}
		return rec, err
	}
	return nil, errLost
}

// entriesUntil is how long a feed entry made now matters: until the longest
// access token it can cover has expired, and a minute for the clocks of
// verifiers.
func (m *Manager) entriesUntil(now Time) Time {
	return now.Add(m.policy.AccessTokenTTL + time.Minute)
}

func (m *Manager) count(name, outcome string) {
	if m.cfg.Metrics != nil {
		m.cfg.Metrics.Count(name, outcome)
	}
}

// Run does the background work until ctx ends: it ends sessions whose limits
// passed, removes what nobody needs, and follows the store's revocations. Run it once per process; several
// processes on one store do not disturb each other. It returns ctx's error.
func (m *Manager) Run(ctx context.Context) error {
	if m.node != nil {
		var following sync.WaitGroup
		defer following.Wait()
		var stop context.CancelFunc
		ctx, stop = context.WithCancel(ctx)
		defer stop()
		following.Go(func() {
			if err := m.node.run(ctx, m.cfg.Rand); err != nil && ctx.Err() == nil {
				m.log.LogAttrs(ctx, slog.LevelError, "following the revocations failed; every check asks the store", slog.Any("error", err))
			}
		})
	}
	const every = 15 * time.Second
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		if err := m.Prune(ctx); err != nil && ctx.Err() == nil {
			m.log.LogAttrs(ctx, slog.LevelError, "pruning sessions failed, trying again", slog.Any("error", err), slog.Duration("in", every))
			m.count("prune", "failed")
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-t.C:
		}
	}
}

// maxPrunePause bounds the rest after a batch of Prune. A store that answers
// slowly is not helped by longer ones, and pruning must keep up with expiry.
const maxPrunePause = 50 * time.Millisecond

// Prune ends sessions whose limits have passed, with their events, and removes
// old ended ones, batch by batch until none are left. After each batch it rests
// for as long as the store took, at most 50 ms, so that it has the store for at
// most half of the time and the requests that wait behind a batch get their
// turn. When ctx ends it returns ctx's error. [Manager.Run] calls it; programs
// without Run may.
func (m *Manager) Prune(ctx context.Context) error {
	for {
		start := m.cfg.Now()
		now := TimeOf(start)
		done, err := m.store.Prune(ctx, Prune{Now: now, Forget: now.Add(-m.cfg.ForgetAfter), Limit: 500})
		if err != nil {
			return fmt.Errorf("pruning the store: %w", err)
		}
		took := m.cfg.Now().Sub(start)
		for _, rec := range done.Records {
			m.endedEvent(ctx, rec)
		}
		if !done.More {
			return nil
		}
		if err := rest(ctx, min(took, maxPrunePause)); err != nil {
			return fmt.Errorf("pruning the store: %w", err)
		}
	}
}

// rest waits for d or the end of ctx. A clock that was set back asks for no rest.
func rest(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// sameSite is the session cookie's SameSite in the words of the cookie package.
func sameSite(s http.SameSite) (cookie.SameSite, error) {
	switch s {
	case 0, http.SameSiteLaxMode:
		return cookie.Lax, nil
	case http.SameSiteStrictMode:
		return cookie.Strict, nil
	case http.SameSiteNoneMode:
		return cookie.None, nil
	}
	return 0, errors.New("lanyard: Config.Cookie.SameSite: always written, so SameSiteDefaultMode is not a choice; use Lax, Strict or None")
}
