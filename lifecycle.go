package lanyard

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/lanyard-go/lanyard/audit"
	"github.com/lanyard-go/lanyard/dpop"
	"github.com/lanyard-go/lanyard/internal/cookie"
)

// Login says who has just been authenticated, and how. Credentials are the
// caller's business; by calling [Manager.Start] it vouches for them.
type Login struct {
	Subject string   // required: who it is, at most 255 bytes, no control characters
	Methods []string // required: how, in RFC 8176 words such as "pwd" and "otp"
	Class   string   // authentication context class, if the application has some

	// Channel says how the client will carry the session. Zero: the cookie.
	Channel Channel

	// Client is the program that will hold the tokens, [BuiltinClient] if empty.
	Client string

	// Request is the login request: its address and user agent are noted, a
	// session it still carried in a cookie ends, and data of the browser's time
	// before login is taken over by name of [Login.Carry]. May be nil.
	Request *http.Request

	// Device is what the client calls itself, at most 64 bytes, for lists.
	Device string

	// UserAgent and IP describe the client when Request is nil or is another
	// program's.
	UserAgent string
	IP        string

	// AuthTime is when the authentication happened, now if zero. A time in the
	// future counts as now.
	AuthTime time.Time

	// Resource is the audience wanted besides the issuer (RFC 8707), which must
	// be one of Config.Audiences. Scope is what access tokens may carry.
	Resource string
	Scope    string

	// Proof binds a token session to the key of its client, see [Manager.Prove].
	Proof *dpop.Proof

	// Persistent keeps the cookie over a restart of the browser.
	Persistent bool

	// Carry names the application data that crosses from the browser's time
	// before login. Everything else of that time is dropped.
	Carry []string
}

// Grant is what a login, step-up, hand-off or refresh hands to its client.
// Write it with [Manager.Write]. Its secrets print as "[redacted]".
type Grant struct {
	Session *Session
	Handle  Secret // cookie channel

	Access    Secret // token channel
	TokenType string // "Bearer"
	ExpiresIn time.Duration
	Refresh   Secret
	Scope     string
}

const (
	maxSubject   = 255
	maxLabel     = 64
	maxUserAgent = 512
	maxMethods   = 8
)

// Start makes a session for somebody who has just been authenticated. It always
// makes a new record with new credentials; the session that the request carried
// before, if any, ends. If the store cannot be asked, nothing is granted.
func (m *Manager) Start(ctx context.Context, l Login) (*Grant, error) {
	now := m.now()
	if err := l.validate(); err != nil {
		return nil, err
	}
	audiences, err := m.audience(l.Resource)
	if err != nil {
		return nil, err
	}
	rec := &Record{
		State: StateLive, Channel: l.Channel, Subject: l.Subject, ClientID: l.Client,
		Generation: 1, CreatedAt: now, AuthTime: now, LastActive: now,
		Methods: slices.Clone(l.Methods), Class: l.Class, Audience: audiences, Scope: l.Scope, Persistent: l.Persistent,
		Device: m.device(l),
	}
	if rec.Channel == 0 {
		rec.Channel = ChannelCookie
	}
	if rec.Channel == ChannelToken && rec.ClientID == "" {
		rec.ClientID = BuiltinClient
	}
	if t := TimeOf(l.AuthTime); t != 0 && t < now {
		rec.AuthTime = t
	}
	rec.bind(l.Proof)
	rec.ExpiresAt = rec.AuthTime.Add(m.policy.AbsoluteTimeout)
	rec.IdleExpiresAt = m.policy.idleDeadline(rec.Channel, now, rec.ExpiresAt)
	if now >= rec.ExpiresAt {
		return nil, refuse(CauseExpired, SID{})
	}
	before, err := m.before(ctx, l.Request)
	if err != nil {
		return nil, err
	}
	if rec.Channel != ChannelCookie {
		before.sid = SID{} // tokens do not take the place of a cookie
	}
	if before.anon != nil {
		if rec.Data, err = carry(before.anon.Data, l.Carry); err != nil {
			return nil, err
		}
	}
	g, err := m.create(ctx, rec, m.policy.MaxSessions)
	if err != nil {
		return nil, err
	}
	if err := m.endBefore(ctx, before); err != nil {
		m.settle(ctx, rec, ReasonReplaced)
		return nil, err
	}
	return g, nil
}

func (l *Login) validate() error {
	switch {
	case l.Subject == "" || len(l.Subject) > maxSubject || !printable(l.Subject):
		return fmt.Errorf("lanyard: Login.Subject: want 1 to %d bytes of printable UTF-8", maxSubject)
	case strings.TrimSpace(l.Subject) != l.Subject:
		return errors.New("lanyard: Login.Subject: must not begin or end with a blank, which headers lose")
	case strings.HasPrefix(l.Subject, programPrefix):
		return fmt.Errorf("lanyard: Login.Subject: %s is the mark of programs", programPrefix)
	case len(l.Methods) == 0:
		return errors.New("lanyard: Login.Methods: say how the person was authenticated, such as pwd")
	case l.Channel > ChannelToken:
		return errors.New("lanyard: Login.Channel: want cookie or token")
	case len(l.Device) > maxLabel || !printable(l.Device):
		return fmt.Errorf("lanyard: Login.Device: want at most %d bytes of printable UTF-8", maxLabel)
	case !words1(l.Methods) || len(l.Methods) > maxMethods:
		return fmt.Errorf("lanyard: Login.Methods: want at most %d words of 1 to 32 letters, digits and the signs - _ . : only", maxMethods)
	case l.Class != "" && !words1([]string{l.Class}):
		return errors.New("lanyard: Login.Class: want one word of letters, digits and the signs - _ . : only")
	case l.Proof != nil && l.Channel != ChannelToken:
		return errors.New("lanyard: Login.Proof: a proof of possession binds the token channel alone")
	case !scopeText(l.Scope):
		return errors.New("lanyard: Login.Scope: want words of RFC 6749 scope characters, single blanks between")
	}
	return nil
}

// words1 checks words that go into records, tokens and headers.
func words1(list []string) bool {
	for _, w := range list {
		if w == "" || len(w) > 32 {
			return false
		}
		for i := range len(w) {
			c := w[i]
			if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("-_.:", rune(c)) {
				return false
			}
		}
	}
	return true
}

// scopeText checks RFC 6749 section 3.3.
func scopeText(scope string) bool {
	if scope == "" {
		return true
	}
	if len(scope) > 1024 {
		return false
	}
	for _, w := range strings.Split(scope, " ") {
		if w == "" {
			return false
		}
		for i := range len(w) {
			if c := w[i]; c < 0x21 || c > 0x7e || c == '"' || c == '\\' {
				return false
			}
		}
	}
	return true
}

func printable(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if r < 0x20 || r >= 0x7f && r < 0xa0 {
			return false
		}
	}
	return true
}

// withIssuer completes the audiences of a record for a token of its family.
func (m *Manager) withIssuer(audience []string) []string {
	return append([]string{m.cfg.Issuer}, audience...)
}

// audience turns a resource asked for into the audiences of a record: the
// issuer always, so that the session's own addresses accept its tokens.
func (m *Manager) audience(resource string) ([]string, error) {
	if resource == "" || resource == m.cfg.Issuer {
		return nil, nil
	}
	if !slices.Contains(m.cfg.Audiences, resource) {
		return nil, &Refused{Cause: CauseAudience}
	}
	return []string{resource}, nil
}

func (m *Manager) device(l Login) Device {
	d := Device{Label: l.Device, UserAgent: l.UserAgent, IP: l.IP}
	if l.Request != nil {
		if d.UserAgent == "" {
			d.UserAgent = l.Request.UserAgent()
		}
		if d.IP == "" {
			d.IP = m.address(l.Request)
		}
	}
	d.UserAgent = clip(d.UserAgent, maxUserAgent)
	if m.cfg.ShortenAddresses && d.IP != "" {
		d.IP = AddressRange(d.IP)
	}
	return d
}

func (m *Manager) address(r *http.Request) string {
	if a := m.Transport(r).Client; a.IsValid() {
		return a.String()
	}
	return ""
}

// clip cuts what a client sent to n bytes of valid, printable UTF-8.
func clip(s string, n int) string {
	if len(s) > n {
		s = s[:n]
	}
	if printable(s) {
		return s
	}
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || r < 0x20 || r >= 0x7f && r < 0xa0 {
			return -1
		}
		return r
	}, s)
}

// create draws credentials, stores the record and reports it. Its subject has no
// more than most live sessions then; 0 is no limit. A SID that is
// taken is drawn again; with 70 random bits per millisecond that is a broken
// generator rather than chance, so it is not tried for long.
func (m *Manager) create(ctx context.Context, rec *Record, most int) (*Grant, error) {
	var t terms
	if rec.State == StateLive {
		var err error
		if t, err = m.terms(ctx, rec); err != nil {
			return nil, err
		}
		if rec.Channel == ChannelToken && rec.Key == "" && m.demands(t, rec.Audience) {
			return nil, asGrant(unproven(SID{}))
		}
	}
	if err := m.drawStatus(rec); err != nil {
		return nil, err
	}
	var ended []*Record
	var cred credential
	for attempt := 0; ; attempt++ {
		var err error
		if rec.SID, err = newSID(m.cfg.Rand, rec.CreatedAt, rec.Subject); err != nil {
			return nil, err
		}
		if cred, err = m.arm(rec); err != nil {
			return nil, err
		}
		ended, err = m.storeCreate(ctx, rec, most)
		if err == nil {
			break
		}
		if errors.Is(err, ErrExists) && attempt < 3 {
			continue
		}
		if errors.Is(err, ErrLimit) {
			return nil, err
		}
		return nil, unavailable("storing a session", err)
	}
	for _, old := range ended {
		m.endedEvent(ctx, old)
	}
	if len(ended) > 0 {
		m.tellNodes(ctx)
	}
	if rec.State == StateLive {
		m.event(ctx, audit.SessionCreated, rec, func(e *audit.Event) {
			e.Methods = rec.Methods
			e.Attrs = map[string]string{"channel": rec.Channel.String(), "client": rec.ClientID, "origin": rec.Origin.String()}
		})
	}
	return m.grant(rec, &cred, t)
}

func (m *Manager) storeCreate(ctx context.Context, rec *Record, most int) ([]*Record, error) {
	var limit Limit
	if rec.State == StateLive && most > 0 {
		limit = Limit{Max: most, Action: m.policy.OnLimit, Now: rec.CreatedAt, Until: m.entriesUntil(rec.CreatedAt)}
	}
	return m.store.Create(ctx, rec, limit)
}

// arm gives the record new credentials for its channel, so that all earlier
// ones are dead, and returns the one to hand out.
func (m *Manager) arm(rec *Record) (credential, error) {
	secret, err := drawSecret(m.cfg.Rand)
	if err != nil {
		return credential{}, err
	}
	c := credential{sid: rec.SID, generation: rec.Generation, secret: secret}
	switch {
	case rec.State == StateAnonymous:
		c.kind = kindPre
		rec.Handle = c.digest()
	case rec.Channel == ChannelToken:
		c.kind = kindRefresh
		counter := uint32(0)
		if rec.Refresh != nil {
			counter = rec.Refresh.Counter + 1
		}
		c.counter = counter
		// No predecessor: nothing older yields this token again.
		rec.Refresh = &Refresh{
			Counter: counter, Digest: c.digest(), RotatedAt: rec.LastActive,
			Agent: agentHash(rec.Device.UserAgent), Range: AddressRange(rec.Device.IP),
		}
	default:
		c.kind = kindHandle
		rec.Handle = c.digest()
	}
	return c, nil
}

// grant seals the credential and, for the token channel, adds an access token.
func (m *Manager) grant(rec *Record, cred *credential, t terms) (*Grant, error) {
	g := &Grant{Session: m.view(rec, m.now())}
	if rec.Channel != ChannelToken {
		g.Handle = m.keys.seal(cred)
		return g, nil
	}
	g.Refresh = m.keys.seal(cred)
	return g, m.addAccess(g, rec, m.withIssuer(rec.Audience), rec.Scope, rec.Key, t)
}

// before is what a login request carried from the browser's time before it.
type before struct {
	sid  SID     // a live session in the cookie
	anon *Record // an anonymous record
}

func (m *Manager) before(ctx context.Context, r *http.Request) (b before, err error) {
	if r == nil {
		return b, nil
	}
	if text, status := cookie.Read(r.Header, m.cookies.session.Name, cookieLimits); status == cookie.One {
		switch rec, err := m.checkHandle(ctx, text, &Session{now: m.now()}); {
		case err == nil:
			b.sid = rec.SID
		case CauseOf(err) == CauseStore:
			return b, err
		}
	}
	b.anon, _, err = m.readPre(ctx, nil, r, m.now())
	return b, err
}

// endBefore ends what the browser had before it signed in: nothing issued
// before an authentication survives it. If that cannot be written, nothing new
// may be handed out either.
func (m *Manager) endBefore(ctx context.Context, b before) error {
	for _, sid := range [...]SID{b.sid, anonSID(b.anon)} {
		if sid.IsZero() {
			continue
		}
		if err := m.End(ctx, sid, EndOptions{Reason: ReasonReplaced, By: "system"}); err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
	}
	return nil
}

func anonSID(rec *Record) SID {
	if rec == nil {
		return SID{}
	}
	return rec.SID
}

// agentHash reduces a user agent to what a record keeps for comparing. It must
// be the same on every node and after a restart, and hides nothing.
func agentHash(userAgent string) uint64 {
	h := fnv.New64a()
	io.WriteString(h, clip(userAgent, maxUserAgent))
	return h.Sum64()
}
