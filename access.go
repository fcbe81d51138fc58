package lanyard

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/lanyard-go/lanyard/audit"
	"github.com/lanyard-go/lanyard/dpop"
	"github.com/lanyard-go/lanyard/token"
)

// jitterShare is the share of an access token's life by which its expiry is
// shortened at random, so that a fleet does not refresh at once.
const jitterShare = 20 // 5 %

// programPrefix marks the subject of a program's own token, so that no person's
// can be taken for one (RFC 9700 section 4.15).
const programPrefix = "client:"

// addAccess puts an access token into a grant, bound to the key with this
// thumbprint if it is not empty.
func (m *Manager) addAccess(g *Grant, rec *Record, audience []string, scope, key string, t terms) error {
	text, ttl, err := m.issue(rec, audience, scope, key, t)
	if err != nil {
		return err
	}
	g.Access, g.TokenType, g.ExpiresIn, g.Scope = newSecret(text), tokenType(key), ttl, scope
	return nil
}

func tokenType(key string) string {
	if key != "" {
		return "DPoP"
	}
	return "Bearer"
}

// issue signs an access token of a session: never longer than the session's own
// limits (RFC 9068 for the shape).
func (m *Manager) issue(rec *Record, audience []string, scope, key string, t terms) (string, time.Duration, error) {
	extra, err := m.withStatus(t.claims, rec)
	if err != nil {
		return "", 0, err
	}
	claims := token.Claims{
		Subject: rec.Subject, ClientID: cmp.Or(rec.ClientID, BuiltinClient), SID: rec.SID.String(), Generation: rec.Generation,
		SubjectEpoch: rec.SubjectEpoch, GlobalEpoch: rec.GlobalEpoch,
		AuthTime: rec.AuthTime.Time(), AMR: rec.Methods, ACR: rec.Class, Scope: scope, JKT: key, Extra: extra,
	}
	now := m.now()
	limit := min(rec.ExpiresAt, rec.IdleExpiresAt)
	return m.sign(claims, audience, now, limit, t.life)
}

// sign completes claims that the caller has described and signs them. The token
// lives for at most life, a little less by chance, and never past limit.
func (m *Manager) sign(claims token.Claims, audience []string, now, limit Time, life time.Duration) (string, time.Duration, error) {
	var random [18]byte
	if _, err := io.ReadFull(m.cfg.Rand, random[:]); err != nil {
		return "", 0, fmt.Errorf("drawing a token id: %w", err)
	}
	claims.ID = base64.RawURLEncoding.EncodeToString(random[:16])
	jitter := life / jitterShare * time.Duration(uint16(random[16])<<8|uint16(random[17])) / (1 << 16)
	expires := min(now.Add(life-jitter), limit)

	claims.Issuer = m.cfg.Issuer
	claims.Audience = audience
	claims.IssuedAt = now.Time().Truncate(time.Second)
	claims.Expiry = expires.Time().Truncate(time.Second) // whole seconds, rounded towards the earlier end
	if !claims.Expiry.After(claims.IssuedAt) {
		return "", 0, refuse(CauseExpired, SID{})
	}
	text, err := m.issuer.Issue(claims)
	if err != nil {
		return "", 0, fmt.Errorf("issuing an access token: %w", err)
	}
	m.count("access_token", "issued")
	return text, claims.Expiry.Sub(claims.IssuedAt), nil
}

// AccessToken draws a short access token from a session that a cookie holds,
// with no refresh token: the same session, the same end. Resource is the
// audience asked for, empty for the issuer; the token names it alone, so that
// what is handed to one service opens neither this server nor another. This is
// how a page with a cookie calls services that check tokens.
//
// A session that is bound to a key gives tokens bound to the same key.
func (m *Manager) AccessToken(ctx context.Context, s *Session, resource string) (*Grant, error) {
	return m.BoundAccessToken(ctx, s, resource, nil)
}

// BoundAccessToken is [Manager.AccessToken] with a proof, see [Manager.Prove]:
// the token is bound to the key that made it. The session is not: another token
// may have another key, unless the session is bound itself.
func (m *Manager) BoundAccessToken(ctx context.Context, s *Session, resource string, p *dpop.Proof) (*Grant, error) {
	if !s.SignedIn() {
		return nil, refuse(CauseNone, SID{})
	}
	audience, err := m.audience(resource)
	if err != nil {
		return nil, err
	}
	if len(audience) == 0 {
		audience = []string{m.cfg.Issuer}
	}
	key := s.rec.Key
	switch {
	case p != nil && key != "" && p.Thumbprint != key:
		return nil, asGrant(refuse(CauseKey, s.rec.SID))
	case p != nil:
		key = p.Thumbprint
	case key == "":
		t, err := m.clientTerms(ctx, s.rec.ClientID)
		if err != nil {
			return nil, err
		}
		if m.demands(t, audience) {
			return nil, asGrant(unproven(s.rec.SID))
		}
	}
	g, err := m.draw(ctx, s, audience, key, 0)
	if err != nil {
		return nil, err
	}
	m.event(ctx, audit.TokenIssued, g.Session.rec, func(e *audit.Event) { e.Attrs = map[string]string{"audience": resource} })
	return g, nil
}

// InternalTokenTTL is the longest life of what [Manager.InternalToken] makes.
const InternalTokenTTL = time.Minute

// InternalToken draws a token from a session for a proxy to put in place of the
// visitor's own badge, whichever it was, on the way to a service behind it. It
// lives for a minute at most, names that service's audience alone, and says of
// subject, session, authentication and scope what the session's other tokens
// say. Audience need not be in Config.Audiences: who may have a token for which
// service is the caller's to decide. No audit event is written, since there is
// one such token for each request; they are counted as "internal_token".
func (m *Manager) InternalToken(ctx context.Context, s *Session, audience string) (*Grant, error) {
	if !s.SignedIn() {
		return nil, refuse(CauseNone, SID{})
	}
	if audience == "" || audience == m.cfg.Issuer {
		// One for the issuer would be a second badge of the session here.
		return nil, refuse(CauseAudience, s.rec.SID)
	}
	// Not bound: the service behind the proxy sees the proxy's requests.
	g, err := m.draw(ctx, s, []string{audience}, "", InternalTokenTTL)
	if err != nil {
		return nil, err
	}
	m.count("internal_token", "issued")
	return g, nil
}

// draw signs an access token of a live session for one audience, shorter than
// others if most is not zero, and bound to a key if there is one.
func (m *Manager) draw(ctx context.Context, s *Session, audience []string, key string, most time.Duration) (*Grant, error) {
	t, err := m.terms(ctx, s.rec)
	if err != nil {
		return nil, err
	}
	if most > 0 {
		t.life = min(t.life, most)
	}
	// The record is read again: the session may have ended since the request
	// was checked, and nothing issued after an end may work.
	rec, err := m.store.Get(ctx, s.rec.SID)
	if err != nil {
		return nil, m.changeError("reading a session", s.rec.SID, err)
	}
	if err := usable(rec, m.now()); err != nil {
		return nil, err
	}
	if rec.Generation != s.rec.Generation {
		return nil, refuse(CauseOldGeneration, rec.SID)
	}
	scope := rec.Scope
	if s.claims != nil {
		scope = s.claims.Scope // a token that was narrowed draws no wider one
	}
	g := &Grant{Session: m.view(rec, m.now())}
	return g, m.addAccess(g, rec, audience, scope, key, t)
}

// ProgramToken signs an access token for a program's own calls (RFC 6749
// section 4.4): no session, no refresh token, and a subject that no person can
// have. It names the audiences given, or the issuer if there is none. It is dead
// once everything was ended: everywhere on a store with [Epochs], and on one
// without where the process that ended it checks.
func (m *Manager) ProgramToken(ctx context.Context, clientID string, audience []string, scope string) (*Grant, error) {
	return m.BoundProgramToken(ctx, clientID, audience, scope, nil)
}

// BoundProgramToken is [Manager.ProgramToken] with a proof, see [Manager.Prove]:
// the token is bound to the key that made it.
func (m *Manager) BoundProgramToken(ctx context.Context, clientID string, audience []string, scope string, p *dpop.Proof) (*Grant, error) {
	if len(audience) == 0 {
		audience = []string{m.cfg.Issuer}
	}
	t, err := m.clientTerms(ctx, clientID)
	if err != nil {
		return nil, err
	}
	var key string
	if p != nil {
		key = p.Thumbprint
	} else if m.demands(t, audience) {
		return nil, asGrant(unproven(SID{}))
	}
	epoch, err := m.globalEpoch(ctx)
	if err != nil {
		return nil, err
	}
	now := m.now()
	subject := programPrefix + clientID
	claims := token.Claims{Subject: subject, ClientID: clientID, GlobalEpoch: epoch, Scope: scope, JKT: key}
	text, ttl, err := m.sign(claims, audience, now, now.Add(t.life), t.life)
	if err != nil {
		return nil, err
	}
	m.event(ctx, audit.TokenIssued, nil, func(e *audit.Event) { e.Actor, e.Subject = subject, subject })
	return &Grant{Session: nobody, Access: newSecret(text), TokenType: tokenType(key), ExpiresIn: ttl, Scope: scope}, nil
}

// globalEpoch reads the epoch that programs' tokens carry.
func (m *Manager) globalEpoch(ctx context.Context) (epoch uint64, err error) {
	switch o := m.guard; {
	case m.epochs == nil:
		return m.ended.Load(), nil
	case o != nil:
		epoch, err = outage(o, o.general(), ctx, o.timeout, m.epochs.GlobalEpoch)
	default:
		epoch, err = m.epochs.GlobalEpoch(ctx)
	}
	if err != nil {
		return 0, unavailable("reading the epoch", err)
	}
	return epoch, nil
}

// terms are what the application says, right before tokens are signed, about the
// subject they speak of and the client that will hold them.
type terms struct {
	claims map[string]any
	life   time.Duration // longest life of an access token
	bound  bool          // they must be bound to a key
	idle   time.Duration // after which a refresh token that was not used is dead; 0: the session's limit alone
}

// terms asks the application whether the subject may go on, and ends the session
// if not.
func (m *Manager) terms(ctx context.Context, rec *Record) (terms, error) {
	t, err := m.clientTerms(ctx, rec.ClientID)
	if err != nil || m.cfg.Subject == nil {
		return t, err
	}
	state, err := m.cfg.Subject(ctx, rec.Subject)
	if err != nil {
		return terms{}, unavailable("asking about the subject", err)
	}
	if state.Disabled {
		if rec.Version > 0 {
			m.settle(ctx, rec, ReasonDisabled)
		}
		return terms{}, refuse(CauseDisabled, rec.SID)
	}
	t.claims = state.Claims
	return t, nil
}

// clientTerms asks the application for the limits of a client. They can be
// narrower than the policy's, never wider.
func (m *Manager) clientTerms(ctx context.Context, id string) (terms, error) {
	t := terms{life: m.policy.AccessTokenTTL}
	if m.cfg.Client == nil || id == "" || id == BuiltinClient {
		return t, nil
	}
	limits, err := m.cfg.Client(ctx, id)
	if err != nil {
		return terms{}, unavailable("asking about the client", err)
	}
	if limits.AccessTokenTTL > 0 {
		t.life = min(t.life, limits.AccessTokenTTL)
	}
	t.bound = limits.Bound
	t.idle = max(limits.RefreshIdle, 0)
	return t, nil
}

// CheckAccess judges an access token of ours as [Manager.Handler] would, but for
// whatever audience: it is for answering questions about tokens, not for letting
// their bearers in. A token of a program has no record behind
// it.
func (m *Manager) CheckAccess(ctx context.Context, text string) (*Session, *token.Claims, error) {
	s := &Session{manager: m, now: m.now()}
	if err := m.checkToken(ctx, m.examiner, text, s); err != nil {
		return nil, nil, err
	}
	return s, s.claims, nil
}

// checkBearer verifies an access token and reads the record behind it.
func (m *Manager) checkBearer(ctx context.Context, text string, s *Session) error {
	return m.checkToken(ctx, m.verifier, text, s)
}

func (m *Manager) checkToken(ctx context.Context, v *token.Verifier, text string, s *Session) error {
	claims, err := v.Verify(text)
	if err != nil {
		return &Refused{Cause: CauseBadToken, Err: err}
	}
	if m.node != nil && m.node.keys.has(claims.KeyID) {
		return &Refused{Cause: CauseBadToken, Err: errWithdrawn}
	}
	s.claims, s.via = claims, ChannelToken
	if claims.SID == "" {
		if !strings.HasPrefix(claims.Subject, programPrefix) {
			return refuse(CauseBadToken, SID{})
		}
		epoch, err := m.globalEpoch(ctx)
		if err == nil && claims.GlobalEpoch < epoch {
			err = refuse(CauseOldGeneration, SID{})
		}
		return err
	}
	sid, err := ParseSID(claims.SID)
	if err != nil {
		return refuse(CauseBadToken, SID{})
	}
	rec, err := m.judged(ctx, sid, s, func(rec *Record) error {
		if claims.Generation != rec.Generation || claims.Subject != rec.Subject ||
			claims.SubjectEpoch != rec.SubjectEpoch || claims.GlobalEpoch != rec.GlobalEpoch {
			return refuse(CauseOldGeneration, sid)
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.rec = rec
	return nil
}

// writeTokens writes the answer of RFC 6749 section 5.1.
func (m *Manager) writeTokens(w http.ResponseWriter, r *http.Request, g *Grant) error {
	if !m.Transport(r).Secure {
		return &Refused{Cause: CauseInsecure}
	}
	body := struct {
		Access  string `json:"access_token"`
		Type    string `json:"token_type"`
		Expires int    `json:"expires_in"`
		Refresh string `json:"refresh_token,omitempty"`
		Scope   string `json:"scope,omitempty"`
	}{g.Access.Reveal(), g.TokenType, int(g.ExpiresIn / time.Second), g.Refresh.Reveal(), g.Scope}
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	return json.NewEncoder(w).Encode(body)
}

// narrower reports whether every word of scope is in granted.
func narrower(scope, granted string) bool {
	have := strings.Fields(granted)
	for _, w := range strings.Fields(scope) {
		if !slices.Contains(have, w) {
			return false
		}
	}
	return true
}
