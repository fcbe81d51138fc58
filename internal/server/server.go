package server

import (
	"context"
	"crypto/tls"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/audit"
	"github.com/lanyard-go/lanyard/csrf"
	"github.com/lanyard-go/lanyard/internal/directory"
	"github.com/lanyard-go/lanyard/internal/web"
	"github.com/lanyard-go/lanyard/password"
	"github.com/lanyard-go/lanyard/revocation/publish"
	"github.com/lanyard-go/lanyard/store/sqlite"
	"github.com/lanyard-go/lanyard/token"
)

// Options are what a Server needs besides its settings.
type Options struct {
	Drivers Drivers
	Logs    io.Writer        // operators' log; nil discards it
	Now     func() time.Time // nil means time.Now
	Addr    net.Addr         // the address really listened on, if already known
}

// Server is an open data directory with everything that serves it.
type Server struct {
	cfg       *resolved
	log       *slog.Logger
	level     *slog.LevelVar
	now       func() time.Time
	lock      *os.File
	store     lanyard.Store
	sessions  *sqlite.Store // nil on another engine
	dirDB     *sql.DB
	dir       *directory.Directory
	keys      *token.KeySet
	trail     *audit.File
	trailPath string
	m         *lanyard.Manager
	pages     *web.Pages
	hasher    *password.Hasher
	policy    password.Policy
	metrics   *metrics
	places    *places
	limits    *rateLimits
	feed      *publish.Feed
	followers *followers
	lists     *statusLists // nil without --status-list
	waits     waits
	handler   http.Handler
	admin     http.Handler
	local     http.Handler
	closing   sync.Once
	draining  atomic.Bool
	closers   []func() error
	hooks     sync.WaitGroup

	// Work that nobody waits for, and that another start takes up again, ends
	// when the server is drained.
	stopping context.Context
	stop     context.CancelFunc
}

// Open checks the settings, takes the data directory, makes what is missing in
// it and opens the rest. It starts nothing. Errors name the setting or the file.
func Open(ctx context.Context, cfg Config, o Options) (_ *Server, err error) {
	r, err := cfg.resolve(o.Addr)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(r.encrypted(o.Drivers, r.store, "store"), r.encrypted(o.Drivers, r.directory, "directory")); err != nil {
		return nil, err
	}
	s := &Server{cfg: r, now: o.Now, level: new(slog.LevelVar)}
	s.stopping, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	if s.now == nil {
		s.now = time.Now
	}
	s.log = newLogger(o.Logs, r.LogFormat, s.level)
	s.level.UnmarshalText([]byte(r.LogLevel))
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if err := prepareData(r.Data); err != nil {
		return nil, err
	}
	if s.lock, err = lockDir(r.Data, r.store.shared()); err != nil {
		return nil, err
	}
	s.closers = append(s.closers, s.lock.Close)
	if err := s.openAudit(); err != nil {
		return nil, err
	}
	if err := s.openDirectory(ctx, o.Drivers); err != nil {
		return nil, err
	}
	if err := s.openStore(ctx, o.Drivers); err != nil {
		return nil, err
	}
	if err := s.openManager(ctx); err != nil {
		return nil, err
	}
	if s.places, err = openPlaces(r.GeoDatabase); err != nil {
		return nil, err
	}
	s.closers = append(s.closers, s.places.Close)
	if s.pages, err = web.New(web.Config{ServiceName: r.ServiceName}); err != nil {
		return nil, wrong("service-name", "%v", err)
	}
	s.limits = newRateLimits(s.now)
	s.route()
	return s, nil
}

func newLogger(w io.Writer, format string, level *slog.LevelVar) *slog.Logger {
	if w == nil {
		return slog.New(slog.DiscardHandler)
	}
	o := &slog.HandlerOptions{Level: level}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

func (s *Server) openDirectory(ctx context.Context, d Drivers) error {
	db, err := s.cfg.openDirectoryDB(d)
	if err != nil {
		return err
	}
	s.dirDB = db
	s.closers = append(s.closers, db.Close)
	if s.hasher, err = password.New(password.Config{}); err != nil {
		return err
	}
	s.policy = password.Policy{MinLength: s.cfg.PasswordMinLength, Words: append([]string{s.cfg.ServiceName}, s.cfg.PasswordWords...)}
	if err := s.policy.Validate(); err != nil {
		return wrong("password-words", "%v", err)
	}
	s.dir, err = directory.Open(ctx, db, directory.Config{Hasher: s.hasher, Policy: s.policy, Now: s.now})
	if err != nil {
		return wrong("directory", "opening %s: %v", s.cfg.directory, err)
	}
	return nil
}

func (s *Server) openManager(ctx context.Context) error {
	secrets, err := openSecrets(ctx, s.dir, s.cfg.Data, s.cfg.SecretFile)
	if err != nil {
		return err
	}
	if err := s.checkNotedSecret(ctx, secrets.keys); err != nil {
		return err
	}
	if err := s.checkNotedDirectory(ctx); err != nil {
		return err
	}
	if s.keys, err = secrets.signingKeys(ctx, s.dir, s.cfg.Data, s.cfg.directory.shared(), s.now); err != nil {
		return fmt.Errorf("opening the signing keys: %w", err)
	}
	s.metrics = newMetrics(s)
	if err := s.openFeed(); err != nil {
		return err
	}
	if err := s.openStatusLists(secrets.secrets); err != nil {
		return err
	}
	s.m, err = lanyard.New(s.store, s.withLists(lanyard.Config{
		Issuer: s.cfg.issuer, Audiences: s.cfg.Audience, Policy: s.cfg.policy,
		Keys: secrets.keys, TokenKeys: s.keys,
		Cookie:         lanyard.CookieConfig{Name: s.cfg.CookieName, Persistent: s.cfg.PersistentCookies, MaxAge: s.cfg.Remember},
		TrustedOrigins: s.cfg.TrustedOrigin, TrustedProxies: s.cfg.proxies,
		// Logins are authenticated by nothing yet and check where they come from
		// themselves, also when a session is still in the browser.
		Exempt: []csrf.Route{
			{Method: "POST", Path: "/v1/login"}, {Method: "POST", Path: "/v1/session/redeem"}, {Method: "POST", Path: "/login"},
		},
		Passive: passive, Subject: s.subject, Client: s.clientLimits, ResourceMetadata: s.cfg.issuer + resourcePath,
		Audit:  audit.Multi(audit.BestEffort(s.trail, s.sinkFailed), audit.Slog(s.log)),
		Logger: s.log, Metrics: s.metrics, Now: s.now, ShortenAddresses: s.cfg.ShortenAddresses,
		RevocationBound: s.cfg.RevocationBound, Feed: s.feed, WriteError: s.refused,
		DPoP: lanyard.DPoPConfig{Nonces: s.cfg.DPoPNonce, Audiences: s.cfg.DPoPAudience},
	}))
	if err != nil {
		return managerSetting(err)
	}
	return s.raiseEpoch(ctx)
}

// raiseEpoch keeps the epoch beside the keys in step with the store. A store
// behind it is one that was put back from a copy: it revives nobody.
func (s *Server) raiseEpoch(ctx context.Context) error {
	e, ok := s.store.(lanyard.Epochs)
	if !ok || s.cfg.store.kind == onMemory {
		return nil
	}
	noted, err := s.notedEpoch(ctx)
	if err != nil {
		return err
	}
	current, err := e.GlobalEpoch(ctx)
	if err != nil {
		return fmt.Errorf("reading the store's epoch: %w", err)
	}
	if current < noted {
		s.log.Warn("the session store is older than this data directory; every session in it is revoked")
		if current, err = s.m.EndEverything(ctx, noted+1, lanyard.EndOptions{Reason: lanyard.ReasonRestored, By: "system"}); err != nil {
			return err
		}
	}
	return s.keepEpoch(ctx, current)
}

func managerSetting(err error) error {
	for field, setting := range map[string]string{
		"Config.Issuer": "issuer", "Config.Audiences": "audience", "Config.Cookie": "cookie-name",
		"Config.TrustedOrigins": "trusted-origin", "Config.RevocationBound": "revocation-bound",
	} {
		if rest, ok := cutField(err.Error(), field); ok {
			return wrong(setting, "%s", rest)
		}
	}
	return settingOf(err)
}

func (s *Server) sinkFailed(ctx context.Context, e audit.Event, err error) {
	s.metrics.Count("audit", "failed")
	audit.Slog(s.log).Record(ctx, audit.Event{Time: s.now().UTC(), Name: audit.SinkFailed, Reason: string(e.Name)})
	s.log.LogAttrs(ctx, slog.LevelError, "the audit trail cannot be written; requests go on", slog.String("event", string(e.Name)), slog.Any("error", err))
}

// subject tells the library whether a user may go on having sessions. Subjects
// that are not in the directory are other backends' business.
func (s *Server) subject(ctx context.Context, subject string) (lanyard.SubjectState, error) {
	u, err := s.dir.User(ctx, subject)
	if errors.Is(err, directory.ErrNotFound) || errors.Is(err, directory.ErrInvalid) {
		return lanyard.SubjectState{}, nil
	}
	if err != nil {
		return lanyard.SubjectState{}, err
	}
	return lanyard.SubjectState{Disabled: u.Disabled}, nil
}

// clientLimits tells the library what is narrower for one client. One that was
// removed has nothing more to ask for.
func (s *Server) clientLimits(ctx context.Context, id string) (lanyard.ClientLimits, error) {
	c, err := s.dir.Client(ctx, id)
	if err != nil && !errors.Is(err, directory.ErrNotFound) {
		return lanyard.ClientLimits{}, err
	}
	return lanyard.ClientLimits{AccessTokenTTL: c.AccessTokenTTL, RefreshIdle: c.RefreshIdle, Bound: c.DPoPBound}, nil
}

// rotateDue has the signing key make way when it is old enough. Of all nodes on
// one set of keys, one does it.
func (s *Server) rotateDue() {
	k, made, err := s.keys.RotateDue(s.cfg.KeyRotation)
	if err != nil {
		s.log.Error("rotating the signing key failed; the old one goes on", "error", err)
	}
	if made {
		s.note(audit.Event{Name: audit.KeyRotated, Reason: "scheduled", Attrs: map[string]string{"kid": k.ID}})
	}
}

// passive marks what clients ask without a person behind it: reading, and the
// tokens that a page draws for its own calls.
func passive(r *http.Request) bool {
	if r.URL.RawQuery == "" || r.Method != http.MethodGet && !(r.Method == http.MethodPost && r.URL.Path == "/v1/session/token") {
		return false
	}
	return r.URL.Query().Get("passive") == "1"
}

// Handler serves everybody: the HTTP interface and the pages. With an
// administrative address of its own, administration is not on it.
func (s *Server) Handler() http.Handler { return s.handler }

// AdminHandler serves administration and metrics; nil without an administrative
// address.
func (s *Server) AdminHandler() http.Handler { return s.admin }

// LocalHandler serves the commands that run on this machine as the owner of the
// data directory. Put it on nothing but a socket only the owner can open.
func (s *Server) LocalHandler() http.Handler { return s.local }

// Manager gives access to the sessions.
func (s *Server) Manager() *lanyard.Manager { return s.m }

// URL is where the server can be reached from this machine.
func (s *Server) URL() string { return s.cfg.base }

// Issuer is the external address.
func (s *Server) Issuer() string { return s.cfg.issuer }

// Run does the background work until ctx ends.
func (s *Server) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	wg.Go(func() { s.m.Run(ctx) })
	wg.Go(func() {
		if err := s.trail.Run(ctx, func(err error) { s.sinkFailed(ctx, audit.Event{}, err) }); err != nil {
			s.log.Error("the audit trail was not completely written", "error", err)
		}
	})
	wg.Go(func() { s.housekeeping(ctx) })
	if s.lists != nil {
		wg.Go(func() { s.lists.run(ctx) })
	}
	wg.Wait()
	return ctx.Err()
}

func (s *Server) housekeeping(ctx context.Context) {
	t := time.NewTicker(reloadKeys)
	defer t.Stop()
	for n := 0; ; n++ {
		if err := s.keys.Reload(); err != nil {
			s.log.Error("reading the signing keys again failed; the old ones stay in use", "error", err)
		}
		s.rotateDue()
		if err := s.followEpoch(ctx); err != nil && ctx.Err() == nil {
			s.log.Error("noting the global epoch beside the keys failed", "error", err)
		}
		if n%60 == 0 {
			if err := s.dir.Prune(ctx); err != nil && ctx.Err() == nil {
				s.log.Error("pruning the directory failed", "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

// Drain makes readiness fail, so that a load balancer sends nothing more.
func (s *Server) Drain() {
	s.draining.Store(true)
	s.stop()
}

// Close gives everything back, in the opposite order of opening. Requests must
// be over.
func (s *Server) Close() error {
	var err error
	s.closing.Do(func() {
		s.stop()
		s.hooks.Wait()
		for i := len(s.closers) - 1; i >= 0; i-- {
			err = errors.Join(err, s.closers[i]())
		}
	})
	return err
}

// TLSConfig returns how to serve TLS, or nil for plain HTTP.
func (s *Server) TLSConfig() (*tls.Config, error) {
	if !s.cfg.tls {
		return nil, nil
	}
	certFile, keyFile := s.cfg.TLSCert, s.cfg.TLSKey
	if s.cfg.TLSSelfSigned {
		var err error
		if certFile, keyFile, err = selfSigned(s.cfg.Data, s.cfg.issuerURL.Hostname(), s.now()); err != nil {
			return nil, err
		}
	}
	cert, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, wrong("tls-cert", "%v", err)
	}
	return &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}, nil
}
