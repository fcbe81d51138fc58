package lanyard

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/lanyard-go/lanyard/audit"
)

// EndOptions says why sessions end.
type EndOptions struct {
	Reason     Reason // required
	By         string // who asks: a subject, "client:ID" or "system"
	Strict     bool   // return only when no verifier accepts any more, see [Manager.Revoke]
	Except     SID    // with [Manager.EndAll]: the session that stays
	KeepLinked bool   // with [Manager.End]: spare the sessions handed off from it
}

// End ends one session and those handed off from it. When it returns nil the
// session has ended for good: no credential, access token or request in flight
// brings it back. Ending it again is no error. An unknown sid is [ErrNotFound].
func (m *Manager) End(ctx context.Context, sid SID, o EndOptions) error {
	_, err := m.Revoke(ctx, End{SID: sid, KeepLinked: o.KeepLinked, Reason: o.Reason, By: o.By}, o.Strict)
	return err
}

// EndAll ends every session of a subject and returns how many ended. Without
// Except it also raises the subject's epoch, so that every access token issued
// before is dead wherever epochs are known; those of a later login are not.
func (m *Manager) EndAll(ctx context.Context, subject string, o EndOptions) (int, error) {
	if subject == "" {
		return 0, errors.New("lanyard: EndAll: a subject is needed")
	}
	done, err := m.Revoke(ctx, End{Subject: subject, Except: o.Except, Reason: o.Reason, By: o.By}, o.Strict)
	return len(done.Records), err
}

// EndEverything raises the global epoch: every session of everybody is over. It
// returns the new epoch. Records are ended, with their events, as they are met
// or pruned. AtLeast is for restoring backups and may be 0.
func (m *Manager) EndEverything(ctx context.Context, atLeast uint64, o EndOptions) (epoch uint64, err error) {
	done, err := m.Revoke(ctx, End{All: true, AtLeast: atLeast, Reason: o.Reason, By: o.By}, o.Strict)
	if err != nil {
		return 0, err
	}
	m.log.LogAttrs(ctx, slog.LevelWarn, "every session was revoked", slog.Uint64("epoch", done.Epoch), slog.String("by", o.By))
	return done.Epoch, nil
}

// Ready reports whether the store can be written to, for programs about to change
// something else that must be followed by an end.
func (m *Manager) Ready(ctx context.Context) error {
	secret, err := drawSecret(m.cfg.Rand)
	if err != nil {
		return err
	}
	now := m.now()
	if _, err := m.store.Once(ctx, "ready "+hex.EncodeToString(secret[:16]), now, now.Add(time.Second)); err != nil {
		return unavailable("writing to the store", err)
	}
	return nil
}

// Once reports whether this is the first call with the key on any node, and
// remembers it until the given time, for credentials that may be used one time
// only. Keys are at most 64 bytes.
func (m *Manager) Once(ctx context.Context, key string, until time.Time) (bool, error) {
	first, err := m.store.Once(ctx, key, m.now(), TimeOf(until))
	if err != nil {
		return false, unavailable("writing to the store", err)
	}
	return first, nil
}

// AnnounceKey puts the withdrawal of a signing key on the feed.
func (m *Manager) AnnounceKey(ctx context.Context, kid string, o EndOptions) error {
	_, err := m.Revoke(ctx, End{Key: kid, Reason: o.Reason, By: o.By}, o.Strict)
	return err
}

// end ends what e names, and waits for the other nodes.
func (m *Manager) end(ctx context.Context, e End) (Ended, error) {
	done, err := m.Revoke(ctx, e, false)
	return done.Ended, err
}

// write ends what e names in the store and reports it.
func (m *Manager) write(ctx context.Context, e End) (Ended, error) {
	if e.Reason == "" && e.Key == "" {
		return Ended{}, errors.New("lanyard: EndOptions.Reason: say why")
	}
	e.Now = m.now()
	e.Until = m.entriesUntil(e.Now)
	done, err := m.store.Revoke(ctx, e)
	if errors.Is(err, ErrNotFound) {
		return Ended{}, err
	}
	if err != nil {
		m.count("revoke", "failed")
		return Ended{}, unavailable("ending sessions", err)
	}
	if e.All {
		for old := m.ended.Load(); old < done.Epoch && !m.ended.CompareAndSwap(old, done.Epoch); old = m.ended.Load() {
		}
	}
	for _, rec := range done.Records {
		m.endedEvent(ctx, rec)
	}
	return done, nil
}

// Revoked is the outcome of [Manager.Revoke].
type Revoked struct {
	Ended
	Waited Waited
}

// Revoke is [Manager.End] and its kin with everything there is to report. Now
// and Until of e are filled in.
//
// When it returns nil, what was named has ended on every node that runs: each
// has noticed, or cannot answer from its near cache any more. With strict no
// verifier that follows this issuer accepts it either, on routes with a bound:
// no check that starts after Revoke has returned, on a verifier that is cut off
// or stopped neither. It returns within the bound ([Config.RevocationBound]) and
// what the store takes. [ErrNotSettled] means that the end is written but that
// promise is not given.
func (m *Manager) Revoke(ctx context.Context, e End, strict bool) (Revoked, error) {
	if strict && m.node == nil {
		return Revoked{}, fmt.Errorf("%w: this store cannot keep leases of nodes; nothing was ended", errNoStrict)
	}
	if strict {
		return m.revokeStrictly(ctx, e)
	}
	done, err := m.write(ctx, e)
	if err != nil || m.node == nil {
		return Revoked{Ended: done}, err
	}
	waited, err := m.node.settle(ctx, false)
	if err != nil {
		m.count("revoke", "not_settled")
		return Revoked{done, waited}, unavailable("waiting until the end is noticed everywhere", err)
	}
	return Revoked{done, waited}, nil
}

// maxLives is how many lives of an engine a strict revocation tries.
const maxLives = 3

// revokeStrictly ends and waits for everybody. An engine that is replaced
// meanwhile may have lost the end that it had acknowledged, so the end is asked
// for again: where it was not lost that changes nothing.
func (m *Manager) revokeStrictly(ctx context.Context, e End) (out Revoked, err error) {
	for range maxLives {
		if _, _, err := m.node.readLife(ctx); err != nil {
			m.count("revoke", "failed")
			return out, unavailable("reading the leases of the nodes; nothing was ended", err)
		}
		before := m.node.incarnation()
		done, err := m.write(ctx, e)
		if err != nil {
			return out, err
		}
		out.Records = append(out.Records, done.Records...)
		out.Cursor, out.Epoch = cmp.Or(done.Cursor, out.Cursor), max(done.Epoch, out.Epoch)
		waited, err := m.node.settle(ctx, true)
		out.Waited.add(waited)
		switch {
		case err == nil && m.node.incarnation() == before:
			m.count("revoke", "strict")
			return out, nil
		case err != nil && !errors.Is(err, errLife):
			m.count("revoke", "not_settled")
			return out, unavailable("waiting until the end is noticed everywhere", err)
		}
		m.count("revoke", "again")
	}
	m.count("revoke", "not_settled")
	return out, unavailable("waiting until the end is noticed everywhere", fmt.Errorf("%w: %w", ErrNotSettled, errLife))
}

// errNoStrict is the answer to a strict revocation where there cannot be any.
var errNoStrict = errors.New("lanyard: strict revocation is not available")

// tellNodes waits until the other nodes have noticed what was just written, for
// callers whose own work is done by then and not undone if they cannot.
func (m *Manager) tellNodes(ctx context.Context) {
	if m.node == nil {
		return
	}
	if _, err := m.node.settle(ctx, false); err != nil {
		m.count("revoke", "not_settled")
		m.log.LogAttrs(ctx, slog.LevelWarn, "other nodes may take the revocation bound to notice that credentials were replaced", slog.Any("error", err))
	}
}

// settle ends a record that was met past a limit, so that moving the clock back
// or lengthening a limit later does not revive it.
func (m *Manager) settle(ctx context.Context, rec *Record, reason Reason) {
	e := End{SID: rec.SID, KeepLinked: true, Reason: reason, By: "system"}
	var err error
	switch reason {
	case ReasonIdle, ReasonExpired, ReasonRevokedAll:
		_, err = m.write(ctx, e) // every node judges limits and fences by itself
	default:
		_, err = m.end(ctx, e)
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		m.log.LogAttrs(ctx, slog.LevelWarn, "ending an expired session failed; it stays refused", slog.String("sid", rec.SID.String()), slog.Any("error", err))
	}
}

// endedEvent reports an end. Whoever ended a record gets it from the store
// once, so each end has one event.
func (m *Manager) endedEvent(ctx context.Context, rec *Record) {
	m.count("session_ended", string(rec.EndReason))
	if rec.State != StateLive {
		return
	}
	m.event(ctx, audit.SessionEnded, rec, func(e *audit.Event) {
		e.Reason = string(rec.EndReason)
		e.Actor = rec.EndedBy
	})
}

// event fills in what every event has and hands it to the sink.
func (m *Manager) event(ctx context.Context, name audit.Name, rec *Record, more func(*audit.Event)) {
	e := audit.Event{Time: m.cfg.Now().UTC(), Name: name, RequestID: RequestID(ctx)}
	if rec != nil {
		e.Subject, e.SID, e.Actor, e.Source = rec.Subject, rec.SID.String(), rec.Subject, rec.Device.IP
	}
	if source, ok := ctx.Value(sourceKey{}).(string); ok {
		e.Source = source
	}
	if more != nil {
		more(&e)
	}
	if m.cfg.ShortenAddresses && e.Source != "" {
		e.Source = cmp.Or(AddressRange(e.Source), e.Source)
	}
	if err := m.cfg.Audit.Record(ctx, e); err != nil {
		m.log.LogAttrs(ctx, slog.LevelError, "writing an audit event failed", slog.String("event", string(name)), slog.Any("error", err))
		m.count("audit", "failed")
	}
}

type sourceKey struct{}

// WithSource names the address a request came from for the events it causes.
// [Manager.Handler] does this by itself.
func WithSource(ctx context.Context, address string) context.Context {
	return context.WithValue(ctx, sourceKey{}, address)
}

// List returns the sessions that match q, newest first; see [Store.List].
func (m *Manager) List(ctx context.Context, q Query) ([]*Session, string, error) {
	page, err := m.store.List(ctx, q)
	if errors.Is(err, ErrBadCursor) {
		return nil, "", err
	}
	if err != nil {
		return nil, "", unavailable("listing sessions", err)
	}
	now := m.now()
	out := make([]*Session, len(page.Records))
	for i, rec := range page.Records {
		out[i] = m.view(rec, now)
	}
	return out, page.Next, nil
}

// Lookup returns one session by sid, ended or not, for people who administer.
func (m *Manager) Lookup(ctx context.Context, sid SID) (*Session, error) {
	rec, err := m.store.Get(ctx, sid)
	if errors.Is(err, ErrNotFound) {
		return nil, err
	}
	if err != nil {
		return nil, unavailable(fmt.Sprintf("reading session %s", sid), err)
	}
	return m.view(rec, m.now()), nil
}

// EndReason returns why the session ended, empty while it has not. A session
// past a limit has the limit's reason even before that is written down.
func (s *Session) EndReason() Reason {
	switch {
	case s.rec == nil:
		return ""
	case s.rec.EndReason != "":
		return s.rec.EndReason
	case s.rec.Fenced:
		return ReasonRevokedAll
	}
	return s.rec.Expired(s.now)
}

// EndedAt returns when the session ended, zero while it has not.
func (s *Session) EndedAt() time.Time { return s.time(func(r *Record) Time { return r.EndedAt }) }

// EndedBy returns who ended the session.
func (s *Session) EndedBy() string {
	if s.rec == nil {
		return ""
	}
	return s.rec.EndedBy
}
