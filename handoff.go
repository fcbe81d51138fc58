package lanyard

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/lanyard-go/lanyard/audit"
	"github.com/lanyard-go/lanyard/dpop"
)

// HandoffLifetime is how long a hand-off code can be redeemed.
const HandoffLifetime = 60 * time.Second

// Handoff says what a code is for.
type Handoff struct {
	Channel Channel // how the other client will carry its session; required
	Keep    bool    // true: take part beside this session; false: take over from it
}

// handoffTakeOver in the first byte of a code's secret marks a take-over. The
// other 31 bytes are random, and all are under the MAC.
const handoffTakeOver = 1 << 7

// Handoff makes a one-time code by which another client gets a session of its
// own for the same person. Nothing is stored: the code is under our MAC.
func (m *Manager) Handoff(ctx context.Context, s *Session, h Handoff) (code Secret, expiresIn time.Duration, err error) {
	if !s.SignedIn() {
		return Secret{}, 0, refuse(CauseNone, SID{})
	}
	if h.Channel != ChannelCookie && h.Channel != ChannelToken {
		return Secret{}, 0, errors.New("lanyard: Handoff.Channel: want cookie or token")
	}
	// A short or narrowed token does not hold the session, so it cannot give a
	// share of it away.
	if !s.counts() {
		return Secret{}, 0, refuse(CauseChannel, s.SID())
	}
	if s.claims != nil && s.claims.Scope != s.rec.Scope {
		return Secret{}, 0, refuse(CauseScope, s.SID())
	}
	secret, err := drawSecret(m.cfg.Rand)
	if err != nil {
		return Secret{}, 0, err
	}
	secret[0] = byte(h.Channel)
	if !h.Keep {
		secret[0] |= handoffTakeOver
	}
	now := m.now()
	c := credential{
		kind: kindHandoff, sid: s.rec.SID, generation: s.rec.Generation, secret: secret,
		counter: uint32(now.Add(HandoffLifetime).Time().Unix()),
	}
	m.event(ctx, audit.CodeIssued, s.rec, func(e *audit.Event) { e.Attrs = map[string]string{"channel": h.Channel.String()} })
	return m.keys.seal(&c), HandoffLifetime, nil
}

// Redemption says who redeems a hand-off code.
type Redemption struct {
	Device    string        // what the client calls itself
	Client    string        // for the token channel, [BuiltinClient] if empty
	Request   *http.Request // its address and user agent are noted; may be nil
	UserAgent string
	IP        string
	Proof     *dpop.Proof // binds a token session, see [Manager.Prove]; a cookie session is not bound by it
}

// Redeem exchanges a hand-off code for a session: a record of its own with the
// origin's authentication, never a higher assurance and never a later absolute
// limit. A code works once, for the session and generation that it was made in,
// while that session lives. Where [LimitRefuse] leaves no room it gives [ErrLimit]
// and the code can be redeemed later; a take-over needs no room of its own.
func (m *Manager) Redeem(ctx context.Context, code string, r Redemption) (*Grant, error) {
	now := m.now()
	c, err := m.keys.open(code, kindHandoff)
	if err != nil {
		return nil, refuse(CauseCode, SID{})
	}
	if now.Time().Unix() >= int64(c.counter) {
		return nil, refuse(CauseCode, c.sid)
	}
	channel, keep := Channel(c.secret[0]&^handoffTakeOver), c.secret[0]&handoffTakeOver == 0
	if channel != ChannelToken {
		r.Proof = nil // a cookie is not bound by it
	}
	l := Login{Subject: "-", Methods: []string{"-"}, Channel: channel, Device: r.Device, Request: r.Request, UserAgent: r.UserAgent, IP: r.IP, Proof: r.Proof}
	if err := l.validate(); err != nil {
		return nil, err
	}
	origin, err := m.handoffOrigin(ctx, &c, now)
	if err != nil {
		return nil, err
	}
	if channel == ChannelToken && r.Proof == nil {
		t, err := m.clientTerms(ctx, r.Client)
		if err != nil {
			return nil, err
		}
		if m.demands(t, origin.Audience) {
			return nil, asGrant(unproven(SID{})) // before the code is spent
		}
	}
	// Where the limit refuses, a take-over needs no room of its own: its origin
	// goes as it comes.
	most := m.policy.MaxSessions
	if most > 0 && !keep && m.policy.OnLimit == LimitRefuse {
		most++
	}
	if err := m.room(ctx, origin.Subject, most, now); err != nil {
		return nil, err
	}
	if err := m.once(ctx, &c, now); err != nil {
		return nil, err
	}
	rec := &Record{
		State: StateLive, Channel: channel, Subject: origin.Subject, ClientID: r.Client,
		Generation: 1, CreatedAt: now, AuthTime: origin.AuthTime, LastActive: now, ExpiresAt: origin.ExpiresAt,
		Methods: slices.Clone(origin.Methods), Class: origin.Class,
		Audience: slices.Clone(origin.Audience), Scope: origin.Scope, Device: m.device(l),
	}
	if channel == ChannelToken && rec.ClientID == "" {
		rec.ClientID = BuiltinClient
	}
	rec.bind(r.Proof)
	if keep {
		rec.Origin = origin.SID
	}
	rec.IdleExpiresAt = m.policy.idleDeadline(channel, now, rec.ExpiresAt)
	var before before
	if channel == ChannelCookie {
		if before, err = m.before(ctx, r.Request); err != nil {
			return nil, err
		}
		if before.sid == origin.SID {
			before.sid = SID{} // dealt with as the code says
		}
	}
	g, err := m.create(ctx, rec, most)
	if err != nil {
		return nil, err
	}
	if err := m.settleHandoff(ctx, origin, rec, keep); err != nil {
		return nil, err
	}
	if err := m.endBefore(ctx, before); err != nil {
		m.settle(ctx, rec, ReasonReplaced)
		return nil, err
	}
	m.event(ctx, audit.CodeRedeemed, rec, func(e *audit.Event) { e.Attrs = map[string]string{"origin": origin.SID.String()} })
	return g, nil
}

func (m *Manager) handoffOrigin(ctx context.Context, c *credential, now Time) (*Record, error) {
	origin, err := m.store.Get(ctx, c.sid)
	if errors.Is(err, ErrNotFound) {
		return nil, refuse(CauseCode, c.sid)
	}
	if err != nil {
		return nil, unavailable("reading a session", err)
	}
	if usable(origin, now) != nil || origin.Generation != c.generation {
		return nil, refuse(CauseCode, c.sid)
	}
	return origin, nil
}

// room refuses what the store would refuse for its limit, before a code is spent
// for it. Between the two somebody else may take the last place; then the code is
// spent for nothing.
func (m *Manager) room(ctx context.Context, subject string, most int, now Time) error {
	if most == 0 || m.policy.OnLimit != LimitRefuse {
		return nil
	}
	live := 0
	for q := (Query{Subject: subject, LiveAt: now}); ; {
		page, err := m.store.List(ctx, q)
		if err != nil {
			return unavailable("listing sessions", err)
		}
		if live += len(page.Records); live >= most {
			return ErrLimit
		}
		if q.After = page.Next; q.After == "" {
			return nil
		}
	}
}

// once consumes a stateless credential.
func (m *Manager) once(ctx context.Context, c *credential, now Time) error {
	d := c.digest()
	until := Time(int64(c.counter) * 1000)
	first, err := m.store.Once(ctx, base64.RawURLEncoding.EncodeToString(d[:]), now, until)
	if err != nil {
		return unavailable("consuming a one-time code", err)
	}
	if !first {
		return refuse(CauseCode, c.sid)
	}
	return nil
}

// settleHandoff makes sure that the new record does not outlive an end of its
// origin that was under way. An end that comes later finds the link; one that
// came earlier is seen here, before anything is handed out.
func (m *Manager) settleHandoff(ctx context.Context, origin, rec *Record, keep bool) error {
	stands, err := m.originStood(ctx, origin, rec, keep)
	if stands {
		return nil
	}
	m.settle(ctx, rec, ReasonLinked)
	if err != nil {
		return err
	}
	return refuse(CauseCode, origin.SID)
}

// originStood ends the origin of a take-over, and reports whether nothing else
// has ended it since it was read.
func (m *Manager) originStood(ctx context.Context, origin, rec *Record, keep bool) (bool, error) {
	if rec.SubjectEpoch != origin.SubjectEpoch || rec.GlobalEpoch != origin.GlobalEpoch {
		return false, nil // everything ended in between, and the new record was stamped after it
	}
	if !keep {
		done, err := m.end(ctx, End{SID: origin.SID, Reason: ReasonTakenOver, By: rec.Subject})
		if err != nil && !errors.Is(err, ErrNotFound) {
			return false, err
		}
		if slices.ContainsFunc(done.Records, func(r *Record) bool { return r.SID == origin.SID }) {
			return true, nil
		}
	}
	latest, err := m.store.Get(ctx, origin.SID)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, unavailable("reading a session", err)
	}
	if latest.EndReason == ReasonLimit {
		return true, nil // the new record itself may have pushed it out
	}
	return keep && usable(latest, m.now()) == nil && latest.Generation == origin.Generation, nil
}
