package lanyard

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/lanyard-go/lanyard/audit"
	"github.com/lanyard-go/lanyard/dpop"
)

// BindWindow is how long after its authentication a token session that was not
// bound at login can still be bound, once, by a proof at its first refreshes.
const BindWindow = 5 * time.Minute

// DPoPConfig says how proofs of possession are checked (RFC 9449). They are
// taken unless the policy's binding is off.
type DPoPConfig struct {
	// URL is the address that clients use, scheme://host[:port], which their
	// proofs must name. Empty: that of the issuer. Where that is a loopback
	// address, its other spellings with the same port count too.
	URL string

	// Nonces demands a nonce of this server in each proof, so that none can be
	// made ahead of time. Clients learn it from an answer and repeat the request.
	Nonces bool

	// Audiences lists audiences whose tokens are given to bound sessions only.
	Audiences []string

	// Algorithms and MaxAge are those of [dpop.Config].
	Algorithms []string
	MaxAge     time.Duration

	// Memory makes each proof count once. Nil: the store, one round trip for each
	// proof. A [dpop.LocalMemory] costs nothing and lets a stolen proof pass once
	// at each other node inside its window.
	Memory dpop.Memory
}

// possession checks proofs in the two roles that have nonces of their own.
type possession struct {
	origin    string // scheme://host[:port] of DPoPConfig.URL
	loopback  string // ":port" if that is a loopback address
	token     *dpop.Checker
	resource  *dpop.Checker
	audiences map[string]bool
}

func (m *Manager) preparePossession() error {
	if m.policy.Binding == BindingOff {
		return nil
	}
	c := m.cfg.DPoP
	at := c.URL
	if at == "" {
		at = m.cfg.Issuer
	}
	u, err := url.Parse(at)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || c.URL != "" && u.Scheme+"://"+u.Host != c.URL {
		return fmt.Errorf("lanyard: Config.DPoP.URL: %q is not scheme://host[:port]", at)
	}
	p := &possession{origin: u.Scheme + "://" + u.Host, audiences: map[string]bool{}}
	if loopbackHost(u.Hostname()) {
		p.loopback = ":" + u.Port()
	}
	for _, a := range c.Audiences {
		p.audiences[a] = true
	}
	memory := c.Memory
	if memory == nil {
		memory = storeMemory{m}
	}
	for role, to := range map[string]**dpop.Checker{"token": &p.token, "resource": &p.resource} {
		config := dpop.Config{Algorithms: c.Algorithms, MaxAge: c.MaxAge, Memory: memory, Now: m.cfg.Now}
		if c.Nonces {
			if config.Nonces, err = dpop.NewNonces(m.cfg.Issuer+" "+role, 0, m.keys.nonceKeys()...); err != nil {
				return fmt.Errorf("lanyard: Config.DPoP: %w", err)
			}
		}
		if *to, err = dpop.New(config); err != nil {
			return fmt.Errorf("lanyard: Config.DPoP: %w", err)
		}
	}
	m.possession = p
	return nil
}

// storeMemory keeps accepted proofs in the store, for all nodes.
type storeMemory struct{ m *Manager }

func (s storeMemory) Once(ctx context.Context, key string, now, until time.Time) (bool, error) {
	return s.m.store.Once(ctx, key, TimeOf(now), TimeOf(until))
}

type targetKey struct{}

// WithTarget returns a context in which a request counts as one to the address
// url: for handlers that judge a request on another's behalf, such as forward
// authentication. Proofs of possession must name it.
func WithTarget(ctx context.Context, url string) context.Context {
	return context.WithValue(ctx, targetKey{}, url)
}

// target is the address a proof with this request must name: from configuration,
// not from what the request says about itself, and with the path as it came.
func (p *possession) target(r *http.Request) string {
	if s, ok := r.Context().Value(targetKey{}).(string); ok {
		return s
	}
	path := r.RequestURI
	if !strings.HasPrefix(path, "/") {
		path = r.URL.EscapedPath()
	}
	origin := p.origin
	if p.loopback != "" {
		// On this machine only; the port keeps proofs for another server out.
		host, port, err := net.SplitHostPort(r.Host)
		if err != nil {
			host, port = strings.Trim(r.Host, "[]"), ""
		}
		if ":"+port == p.loopback && loopbackHost(host) {
			scheme, _, _ := strings.Cut(origin, ":")
			origin = scheme + "://" + r.Host
		}
	}
	return origin + path
}

// Prove judges the DPoP header of a request for tokens, for [Login.Proof],
// [Renewal.Proof] and [Redemption.Proof]. It returns nil without an error if
// there is none, or if the policy's binding is off. A proof counts once; a
// refusal is a [*Refused].
func (m *Manager) Prove(r *http.Request) (*dpop.Proof, error) {
	fields := r.Header["Dpop"]
	if len(fields) == 0 || m.possession == nil {
		return nil, nil
	}
	p, err := m.prove(r, m.possession.token, fields, "", "")
	if err != nil {
		return nil, asGrant(err)
	}
	return p, nil
}

// prove judges a proof in one role.
func (m *Manager) prove(r *http.Request, check *dpop.Checker, fields []string, token, thumbprint string) (*dpop.Proof, error) {
	p, err := check.Check(r.Context(), fields, dpop.Request{Method: r.Method, URL: m.possession.target(r), Token: token, Thumbprint: thumbprint})
	if err == nil {
		m.count("dpop", "accepted")
		return p, nil
	}
	why, ok := errors.AsType[*dpop.Refused](err)
	if !ok {
		m.count("dpop", "unknown")
		return nil, unavailable("remembering a proof of possession", err)
	}
	m.count("dpop", string(why.Why))
	if why.Why == dpop.NeedsNonce {
		return nil, &Refused{Cause: CauseNonce, Err: err}
	}
	return nil, &Refused{Cause: CauseProof, Err: err}
}

// unproven refuses what only a bound session may have.
func unproven(sid SID) error {
	e := refuse(CauseProof, sid)
	e.Err = &dpop.Refused{Why: dpop.Missing}
	return e
}

// demands reports whether tokens for this client and these audiences must be
// bound to a key.
func (m *Manager) demands(t terms, audience []string) bool {
	if m.possession == nil {
		return false
	}
	if t.bound || m.policy.Binding == BindingRequire {
		return true
	}
	for _, a := range audience {
		if m.possession.audiences[a] {
			return true
		}
	}
	return false
}

// bind ties a record to the key of a proof, which may be nil.
func (rec *Record) bind(p *dpop.Proof) {
	if p != nil {
		rec.Binding, rec.Key = BindingDPoP, p.Thumbprint
	}
}

// recogniseProof judges what comes under the scheme DPoP: a token that is bound
// to a key, and a proof by that key (RFC 9449 section 7.1).
func (m *Manager) recogniseProof(r *http.Request, text string, s *Session) error {
	if m.possession == nil {
		return refuse(CauseBadToken, SID{})
	}
	fields := r.Header["Dpop"]
	if len(fields) == 0 {
		return unproven(SID{})
	}
	if err := m.checkBearer(r.Context(), text, s); err != nil {
		return err
	}
	if s.claims.JKT == "" {
		return refuse(CauseBadToken, s.SID())
	}
	if _, err := m.prove(r, m.possession.resource, fields, text, s.claims.JKT); err != nil {
		if CauseOf(err) == CauseProof {
			m.event(withSource(r, m), audit.ProofFailed, s.rec, func(e *audit.Event) {
				if why, ok := errors.AsType[*dpop.Refused](err); ok {
					e.Reason = string(why.Why)
				}
			})
		}
		return err
	}
	s.proven = true
	return nil
}

// NonceFor puts a nonce into the answer to a request whose proof lacked one, for
// servers that answer in their own way; [Manager.WriteError] does. The answer
// must be marked no-store (RFC 9449 section 8.2).
func (m *Manager) NonceFor(h http.Header, err error) {
	e, ok := errors.AsType[*Refused](err)
	if !ok || e.Cause != CauseNonce || m.possession == nil {
		return
	}
	check := m.possession.resource
	if e.grant {
		check = m.possession.token
	}
	h.Set("DPoP-Nonce", check.Nonces().New(m.cfg.Now()))
}

// FreshNonce puts a nonce into the answer to a request for tokens, if its proof
// used one that is soon too old. The answer must be marked no-store (RFC 9449
// section 8.2).
func (m *Manager) FreshNonce(h http.Header, p *dpop.Proof) {
	if p == nil || m.possession == nil {
		return
	}
	if n := m.possession.token.Nonces(); n != nil && n.Due(p.Nonce, m.cfg.Now()) {
		h.Set("DPoP-Nonce", n.New(m.cfg.Now()))
	}
}

// ProofAlgorithms lists the algorithms of proofs that are accepted, for metadata
// (RFC 9449 section 5.1). It is empty where none are.
func (m *Manager) ProofAlgorithms() []string {
	if m.possession == nil {
		return nil
	}
	return strings.Fields(m.possession.token.Algorithms())
}
