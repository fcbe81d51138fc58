package lanyard

import (
	"cmp"
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"slices"
	"time"

	"github.com/lanyard-go/lanyard/audit"
	"github.com/lanyard-go/lanyard/dpop"
)

// Renewal says who presents a refresh token, and what for.
type Renewal struct {
	Client    string        // who presents it; [BuiltinClient] if empty
	Resource  string        // audience wanted, one of the granted; empty: all granted
	Scope     string        // scopes wanted, within the granted; empty: all granted
	Request   *http.Request // its address and user agent are compared; may be nil
	UserAgent string        // instead of Request
	IP        string

	// Proof is one of possession, see [Manager.Prove]. A session of a public
	// client that is bound to a key is renewed with a proof by that key alone. One
	// that is not bound yet is bound by it, inside [BindWindow].
	Proof *dpop.Proof

	// Authenticated says that the client has authenticated itself. That is what
	// its refresh tokens are bound to then: the key of a proof goes into the
	// access token only, and may be another one each time (RFC 9449 section 5).
	Authenticated bool
}

// The outcomes of presenting a refresh token, as counted under the name
// "refresh".
const (
	outcomeRotated       = "rotated"
	outcomeRetried       = "retried"
	outcomeRetriedMoved  = "retried-moved"
	outcomeRolledForward = "rolled-forward"
	outcomeReusedRecent  = "reused-recent"
	outcomeReusedStale   = "reused-stale"
)

const (
	// A repeat this soon is a parallel call of the same client rather than a
	// lost answer, and does not count as a retried rotation.
	promptRepeat = 2 * time.Second

	// More retried rotations in a row than this end the family: a thief who
	// repeats every rotation would otherwise stay on the chain unseen.
	maxRetriedRow = 8
)

// Renew exchanges a refresh token for its successor and a new access token. Any
// number of callers with one token get one successor. The predecessor of the
// current token yields the same successor again inside the retry window; any
// other used token ends the session, with [ReasonRefreshReuse]. Refused tokens
// have a cause whose public form is invalid_grant. Renewing moves neither the
// absolute limit nor the authentication time.
func (m *Manager) Renew(ctx context.Context, refreshToken string, n Renewal) (*Grant, error) {
	if n.Client == "" {
		n.Client = BuiltinClient
	}
	if n.Request != nil {
		n.UserAgent, n.IP = n.Request.UserAgent(), m.address(n.Request)
	}
	c, err := m.keys.open(refreshToken, kindRefresh)
	if err != nil {
		m.count("refresh", "forged")
		return nil, asGrant(refuse(CauseForged, SID{}))
	}
	p := presentation{m: m, renewal: n, cred: c, agent: agentHash(n.UserAgent), network: AddressRange(n.IP)}
	rec, err := m.change(ctx, c.sid, func(rec *Record) (bool, []Entry, error) { return p.judge(ctx, rec) })
	if err != nil {
		err = m.changeError("rotating a refresh token", c.sid, err)
		if CauseOf(err) == CauseReuse {
			if failed := m.endFamily(ctx, rec, &p); failed != nil {
				return nil, failed
			}
		}
		m.renewFailed(ctx, rec, &p, err)
		return nil, asGrant(err)
	}
	m.count("refresh", p.outcome)
	m.renewEvents(ctx, rec, &p)
	g := p.grant
	g.Session, g.Refresh = m.view(rec, m.now()), m.keys.seal(&p.next)
	return &g, nil
}

// presentation is one refresh token being judged. Judge may run several times,
// on newer and newer records, and starts from nothing each time.
type presentation struct {
	m       *Manager
	renewal Renewal
	cred    credential
	agent   uint64
	network string

	outcome  string
	next     credential
	audience []string
	scope    string
	key      string // the access token's, empty for none
	bind     bool   // the session is bound to it now
	grant    Grant
}

// judge is the table of refresh rotation: what is presented, what follows.
func (p *presentation) judge(ctx context.Context, rec *Record) (write bool, announce []Entry, err error) {
	now := p.m.now()
	p.outcome = ""
	if err := usable(rec, now); err != nil {
		// A request in flight at logout is honest: nothing more ends.
		p.m.alive(ctx, rec, now) // writes down an end by a limit
		return false, nil, err
	}
	if rec.Channel != ChannelToken || rec.Refresh == nil {
		return false, nil, refuse(CauseUnknown, rec.SID)
	}
	if p.cred.generation < rec.Generation {
		return false, nil, refuse(CauseOldGeneration, rec.SID)
	}
	if rec.ClientID != p.renewal.Client {
		return false, nil, refuse(CauseClient, rec.SID)
	}
	// Before anything is classified: a copy without the key neither consumes
	// anything nor ends anybody's session.
	if err := p.possess(rec, now); err != nil {
		return false, nil, err
	}
	p.classify(rec, now)
	switch p.outcome {
	case outcomeReusedRecent, outcomeReusedStale:
		return false, nil, refuse(CauseReuse, rec.SID)
	}
	// What is asked for, and whether the subject may go on, is settled before
	// anything is consumed.
	if err := p.narrow(rec); err != nil {
		return false, nil, err
	}
	t, err := p.m.terms(ctx, rec)
	if err != nil {
		return false, nil, err
	}
	if p.key == "" && p.m.demands(t, p.audience) {
		return false, nil, unproven(rec.SID)
	}
	if t.idle > 0 && now.Sub(rec.Refresh.RotatedAt) >= t.idle {
		p.m.settle(ctx, rec, ReasonIdle)
		return false, nil, refuse(CauseIdle, rec.SID)
	}
	switch p.outcome {
	case outcomeRetried, outcomeRetriedMoved:
		write = p.repeat(rec, now)
	default:
		write, err = true, p.rotate(rec, now)
	}
	if err != nil {
		return false, nil, err
	}
	if p.bind {
		rec.bind(p.renewal.Proof)
		write = true
	}
	// Signed before anything is stored: a signing key that is away must not cost
	// the client its refresh token.
	return write, nil, p.m.addAccess(&p.grant, rec, p.m.withIssuer(p.audience), p.scope, p.key, t)
}

// possess compares the proof of possession with what the session is bound to.
func (p *presentation) possess(rec *Record, now Time) error {
	proof := p.renewal.Proof
	p.key, p.bind = "", false
	switch {
	case p.renewal.Authenticated:
		if proof != nil {
			p.key = proof.Thumbprint
		}
		return nil
	case rec.Key != "" && proof == nil:
		return unproven(rec.SID)
	case rec.Key != "" && proof.Thumbprint != rec.Key:
		return refuse(CauseKey, rec.SID)
	case rec.Key == "" && proof != nil:
		// Late, it may be a thief's key rather than the owner's.
		if now.Sub(max(rec.AuthTime, rec.CreatedAt)) > BindWindow {
			e := refuse(CauseProof, rec.SID)
			e.Err = errLate
			return e
		}
		p.bind = true
		p.key = proof.Thumbprint
	default:
		p.key = rec.Key
	}
	return nil
}

// errLate is what lies beneath a refused attempt to bind a session.
var errLate = errors.New("the session is older than the time in which it can be bound")

// classify sets the outcome that the token presented calls for.
func (p *presentation) classify(rec *Record, now Time) {
	f := rec.Refresh
	digest := p.cred.digest()
	switch {
	case p.cred.generation > rec.Generation || p.cred.counter > f.Counter:
		// Our MAC proves that we issued it, so the store lost a write in a
		// failover. The client must not pay for that.
		p.outcome = outcomeRolledForward
	case p.cred.counter == f.Counter && f.Digest.fits(digest):
		p.outcome = outcomeRotated
	case f.Counter > 0 && p.cred.counter == f.Counter-1 && f.Predecessor.fits(digest):
		p.outcome = p.classifyRepeat(f, now)
	case p.cred.counter+1 >= f.Counter:
		p.outcome = outcomeReusedRecent
	default:
		p.outcome = outcomeReusedStale
	}
}

// classifyRepeat judges the immediate predecessor: a lost answer, a parallel
// call, or a thief.
func (p *presentation) classifyRepeat(f *Refresh, now Time) string {
	window, age := p.m.policy.RefreshRetryWindow, now.Sub(f.RotatedAt)
	moved := p.network != f.Range
	switch {
	case window <= 0, age >= window, p.agent != f.Agent:
		return outcomeReusedRecent
	case moved && f.MovedRange != "" && cmp.Or(p.network, noNetwork) != f.MovedRange:
		return outcomeReusedRecent
	case (moved || age > promptRepeat) && !f.Retried && f.RetriedRow >= maxRetriedRow:
		return outcomeReusedRecent
	case moved:
		return outcomeRetriedMoved
	}
	return outcomeRetried
}

// noNetwork stands in a record for a caller whose address is not known.
const noNetwork = "unknown"

// narrow checks what is asked for against what was granted. It may shrink for
// the access token, never grow; the family keeps what it has.
func (p *presentation) narrow(rec *Record) error {
	p.audience, p.scope = rec.Audience, rec.Scope
	if p.renewal.Scope != "" {
		if !narrower(p.renewal.Scope, rec.Scope) {
			return refuse(CauseScopeGrown, rec.SID)
		}
		p.scope = p.renewal.Scope
	}
	switch want := p.renewal.Resource; {
	case want == "":
	case want == p.m.cfg.Issuer:
		p.audience = nil
	case slices.Contains(rec.Audience, want):
		p.audience = []string{want}
	default:
		return refuse(CauseAudience, rec.SID)
	}
	return nil
}

// rotate moves the family on by one. The counter is the last one a family can
// reach only after four thousand million rotations; then it ends by itself.
func (p *presentation) rotate(rec *Record, now Time) error {
	f := rec.Refresh
	if p.cred.counter == math.MaxUint32 {
		return refuse(CauseExpired, rec.SID)
	}
	next := Refresh{
		Counter: p.cred.counter + 1, Predecessor: p.cred.digest(), RotatedAt: now,
		Agent: p.agent, Range: p.network,
	}
	if f.Retried {
		next.RetriedRow = f.RetriedRow
	}
	if p.outcome == outcomeRolledForward {
		rec.Generation = max(rec.Generation, p.cred.generation)
	}
	if _, err := io.ReadFull(p.m.cfg.Rand, next.Nonce[:]); err != nil {
		return err
	}
	p.derive(rec, next.Counter, next.Nonce)
	next.Digest = p.next.digest()
	rec.Refresh = &next
	rec.LastActive = now
	rec.IdleExpiresAt = p.m.policy.idleDeadline(rec.Channel, now, rec.ExpiresAt)
	return nil
}

// derive computes the successor of the presented token.
func (p *presentation) derive(rec *Record, counter uint32, nonce [16]byte) {
	p.next = credential{
		kind: kindRefresh, sid: rec.SID, generation: rec.Generation, counter: counter,
		secret: p.cred.key.successor(rec.SID, counter, nonce, p.cred.secret),
	}
}

// repeat computes the successor again, and notes what must be noted once: that
// the rotation was retried, and from where. It reports whether to write.
func (p *presentation) repeat(rec *Record, now Time) (write bool) {
	f := rec.Refresh
	if p.outcome == outcomeRetriedMoved && f.MovedRange == "" {
		f.MovedRange = cmp.Or(p.network, noNetwork)
		write = true
	}
	if !f.Retried && (p.outcome == outcomeRetriedMoved || now.Sub(f.RotatedAt) > promptRepeat) {
		f.Retried = true
		f.RetriedRow++
		write = true
	}
	p.derive(rec, f.Counter, f.Nonce)
	return write
}

// endFamily ends the session whose used token came back. If the store cannot do
// it the caller learns 503, so that nobody believes the family is dead.
func (m *Manager) endFamily(ctx context.Context, rec *Record, p *presentation) error {
	if rec == nil || p.outcome == "" {
		return nil
	}
	m.count("refresh", p.outcome)
	done, err := m.end(ctx, End{SID: rec.SID, Reason: ReasonRefreshReuse, By: "system"})
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if len(done.Records) == 0 {
		return nil // somebody ended it first, and reported it
	}
	m.event(ctx, audit.RefreshReused, rec, func(e *audit.Event) {
		e.Reason = p.outcome
		e.Source = cmp.Or(p.renewal.IP, e.Source)
		e.Attrs = map[string]string{"client": p.renewal.Client}
	})
	return nil
}

func (m *Manager) renewEvents(ctx context.Context, rec *Record, p *presentation) {
	if p.bind {
		m.event(ctx, audit.BindingMade, rec, func(e *audit.Event) { e.Reason = rec.Binding.String() })
	}
	attrs := func(e *audit.Event) {
		e.Reason = p.outcome
		e.Source = cmp.Or(p.renewal.IP, e.Source)
		e.Attrs = map[string]string{"client": p.renewal.Client}
	}
	switch p.outcome {
	case outcomeRetried, outcomeRetriedMoved:
		m.event(ctx, audit.RefreshRetried, rec, attrs)
	case outcomeRolledForward:
		m.event(ctx, audit.StoreRegressed, rec, attrs)
		fallthrough
	default:
		m.event(ctx, audit.TokenRefreshed, rec, attrs)
		m.event(ctx, audit.SessionRotated, rec, attrs)
	}
}

func (m *Manager) renewFailed(ctx context.Context, rec *Record, p *presentation, err error) {
	cause := CauseOf(err)
	switch cause {
	case CauseReuse:
		return // counted and reported where the family ended
	case CauseStore:
		m.count("refresh", "store_failed")
		return
	}
	m.count("refresh", "refused-"+string(cause))
	if rec == nil {
		return
	}
	switch cause {
	case CauseProof, CauseKey:
		m.event(ctx, audit.ProofFailed, rec, func(e *audit.Event) {
			e.Reason = string(cause)
			e.Source = cmp.Or(p.renewal.IP, e.Source)
		})
	case CauseEnded, CauseIdle, CauseExpired, CauseOldGeneration, CauseClient:
		if !m.deadUse.due(rec.SID, cause, m.now()) {
			return
		}
		m.event(ctx, audit.SessionUsedAfterEnd, rec, func(e *audit.Event) { e.Reason = string(cause) })
	}
}
