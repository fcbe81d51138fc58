package token

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lanyard-go/lanyard/internal/jose"
)

var (
	// ErrNoSigningKey means a set has no key that may sign.
	ErrNoSigningKey = errors.New("token: no signing key")
	// ErrUnknownKey means a set has no key with the id.
	ErrUnknownKey = errors.New("token: no such key")
)

// Phase is a stage in the life of a signing key. It only goes forward.
type Phase string

const (
	PhaseAnnounced Phase = "announced" // published, does not sign yet
	PhaseSigning   Phase = "signing"   // published, signs
	PhaseRetired   Phase = "retired"   // still published, does not sign any more
	PhaseRemoved   Phase = "removed"   // no longer published, waiting to be deleted
	PhaseWithdrawn Phase = "withdrawn" // taken back: every token under it is refused
)

// KeysConfig says how a [KeySet] treats its keys. The zero value is safe.
type KeysConfig struct {
	// Algorithm of new keys; empty means ES256.
	Algorithm Algorithm
	// Announce is how long a new key is published before it signs; zero means
	// 10 minutes. In a stored set it has to be at least CacheTime, twice
	// ReloadEvery and ClockSkew together, so that every process knows the key
	// and every verifier has met it before the first token under it.
	Announce time.Duration
	// Retire is how long a key stays published after it has stopped to sign; zero
	// means 30 minutes. It must be longer than the longest token life, the leeway
	// of verifiers and, in a stored set, ClockSkew together.
	Retire time.Duration

	// CacheTime is how long verifiers may keep a copy of the published set; zero
	// means 5 minutes.
	CacheTime time.Duration
	// ReloadEvery is the time between two calls of [KeySet.Reload] in every
	// process that uses a stored set; zero means a minute. There is room for one
	// call that fails.
	ReloadEvery time.Duration
	// ClockSkew is how far the clocks of any two processes that use a stored set
	// may be apart; zero means a minute.
	ClockSkew time.Duration
	// StoreTimeout bounds each use of a stored set: opening, Reload, Rotate and
	// Withdraw; zero means 10 seconds.
	StoreTimeout time.Duration

	// AllowRS256 allows RS256 keys of 3072 bits or more. It is a deviation, for
	// verifiers that can do nothing else: PKCS #1 v1.5 signatures are what
	// ASVS 5.0 appendix C advises against.
	AllowRS256 bool
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

func (c *KeysConfig) setDefaults() error {
	if c.Algorithm == "" {
		c.Algorithm = ES256
	}
	if err := c.Algorithm.check(c.AllowRS256); err != nil {
		return fmt.Errorf("KeysConfig.Algorithm: %w", err)
	}
	for _, d := range []struct {
		field string
		value *time.Duration
		zero  time.Duration
	}{
		{"Announce", &c.Announce, 10 * time.Minute},
		{"Retire", &c.Retire, 30 * time.Minute},
		{"CacheTime", &c.CacheTime, 5 * time.Minute},
		{"ReloadEvery", &c.ReloadEvery, time.Minute},
		{"ClockSkew", &c.ClockSkew, time.Minute},
		{"StoreTimeout", &c.StoreTimeout, 10 * time.Second},
	} {
		if *d.value < 0 {
			return fmt.Errorf("token: KeysConfig.%s is negative", d.field)
		}
		if *d.value == 0 {
			*d.value = d.zero
		}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return nil
}

// checkShared refuses what would let a key sign before everybody knows it. A
// process whose clock runs ahead starts to sign with it early by ClockSkew, one
// that misses a call of Reload hears of it late by two, and a verifier that has
// just read the set from that one keeps it for CacheTime.
func (c *KeysConfig) checkShared() error {
	if least := c.CacheTime + 2*c.ReloadEvery + c.ClockSkew; c.Announce < least {
		return fmt.Errorf("token: KeysConfig.Announce is %v and must be %v or more: CacheTime %v, twice ReloadEvery %v and ClockSkew %v",
			c.Announce, least, c.CacheTime, c.ReloadEvery, c.ClockSkew)
	}
	if c.Retire <= c.ClockSkew {
		return fmt.Errorf("token: KeysConfig.Retire is %v and must be more than ClockSkew, %v, and the longest token life together", c.Retire, c.ClockSkew)
	}
	return nil
}

// record is a key with the times of its life. Records are values: a change
// makes a new list, which readers see at once and whole.
type record struct {
	key       *Key // nil once withdrawn
	id        string
	alg       Algorithm
	created   time.Time
	signs     time.Time // start of signing
	retires   time.Time // end of signing, zero if no successor is known
	withdrawn time.Time // zero unless withdrawn
}

func (r *record) phase(now time.Time, retire time.Duration) Phase {
	switch {
	case !r.withdrawn.IsZero():
		return PhaseWithdrawn
	case now.Before(r.signs):
		return PhaseAnnounced
	case r.retires.IsZero() || now.Before(r.retires):
		return PhaseSigning
	case now.Before(r.retires.Add(retire)):
		return PhaseRetired
	default:
		return PhaseRemoved
	}
}

// view is what readers of a set see.
type view struct {
	records []record // oldest first
	byID    map[string]*record
}

func newView(records []record) *view {
	v := &view{records, make(map[string]*record, len(records))}
	for i := range records {
		v.byID[records[i].id] = &records[i]
	}
	return v
}

// KeySet holds the signing keys of one purpose through their lives: announced,
// signing, retired, and, in an emergency, withdrawn. Several keys and algorithms
// can be live. It is safe for concurrent use; reading takes no lock.
type KeySet struct {
	cfg   KeysConfig
	makes bool     // the set makes its keys itself
	store KeyStore // nil in memory
	view  atomic.Pointer[view]
	mu    sync.Mutex // serialises changes
}

// NewKeySet makes a set in memory. Given no keys it makes one that signs at
// once. Given keys, the last one signs at once, the others verify for as long as
// retired keys do, and further ones come only from [KeySet.Add].
func NewKeySet(cfg KeysConfig, keys ...*Key) (*KeySet, error) {
	if err := cfg.setDefaults(); err != nil {
		return nil, err
	}
	s := &KeySet{cfg: cfg, makes: len(keys) == 0}
	now := s.seconds()
	if s.makes {
		k, err := GenerateKey(cfg.Algorithm, now)
		if err != nil {
			return nil, err
		}
		keys = []*Key{k}
	}
	var records []record
	for _, k := range keys {
		var err error
		if records, err = s.succeed(records, k, now, now); err != nil {
			return nil, err
		}
	}
	s.view.Store(newView(records))
	return s, nil
}

// succeed returns records with k added, to sign from the given time in place of
// the keys that sign until then.
func (s *KeySet) succeed(records []record, k *Key, now, from time.Time) ([]record, error) {
	if err := k.Algorithm().check(s.cfg.AllowRS256); err != nil {
		return nil, err
	}
	for i := range records {
		if records[i].id == k.ID() {
			return nil, fmt.Errorf("%w: the set has or had %s", ErrKey, k.ID())
		}
	}
	records = slices.Clone(records)
	for i := range records {
		if r := &records[i]; r.retires.IsZero() && r.withdrawn.IsZero() {
			r.retires = from
		}
	}
	return append(records, record{
		key: k, id: k.ID(), alg: k.Algorithm(), created: k.Created(), signs: from,
	}), nil
}

// Signing returns the key that signs at now, or ErrNoSigningKey.
func (s *KeySet) Signing(now time.Time) (*Key, error) {
	records := s.view.Load().records
	for _, r := range slices.Backward(records) {
		if r.phase(now, s.cfg.Retire) == PhaseSigning {
			return r.key, nil
		}
	}
	// A key that had to sign at once, being the first or in place of a withdrawn
	// one, was given its times by a process whose clock is ahead of ours.
	for _, r := range records {
		if r.phase(now, s.cfg.Retire) == PhaseAnnounced {
			return r.key, nil
		}
	}
	return nil, ErrNoSigningKey
}

// Lookup returns the verifying half of a key that is announced, signing or
// retired. It reads no store.
func (s *KeySet) Lookup(kid string) (*PublicKey, bool) {
	r := s.view.Load().byID[kid]
	if r == nil || !r.withdrawn.IsZero() {
		return nil, false
	}
	// The clock is asked only about keys with an end: this is the path of every
	// request.
	if !r.retires.IsZero() && !s.cfg.Now().Before(r.retires.Add(s.cfg.Retire)) {
		return nil, false
	}
	return r.key.public, true
}

// JWKS returns the set to publish at now (RFC 7517 section 5): public members
// only, with kid, use and alg of each key, oldest first.
func (s *KeySet) JWKS(now time.Time) []byte {
	var keys []*jose.PublicKey
	for _, r := range s.view.Load().records {
		switch r.phase(now, s.cfg.Retire) {
		case PhaseAnnounced, PhaseSigning, PhaseRetired:
			keys = append(keys, r.key.public.key)
		}
	}
	return jose.AppendSet(nil, keys)
}

// KeyInfo describes a key of a set to people. Times that are not known are zero.
type KeyInfo struct {
	ID        string    `json:"kid"`
	Algorithm Algorithm `json:"alg"`
	Phase     Phase     `json:"phase"`
	Created   time.Time `json:"created_at"`
	Signs     time.Time `json:"signs_from"`            // start of signing
	Retires   time.Time `json:"retires_at,omitzero"`   // end of signing
	Removed   time.Time `json:"removed_at,omitzero"`   // end of publication
	Withdrawn time.Time `json:"withdrawn_at,omitzero"` // when it was withdrawn
}

// List describes all keys at now, oldest first.
func (s *KeySet) List(now time.Time) []KeyInfo {
	records := s.view.Load().records
	list := make([]KeyInfo, len(records))
	for i, r := range records {
		list[i] = KeyInfo{
			ID: r.id, Algorithm: r.alg, Phase: r.phase(now, s.cfg.Retire),
			Created: r.created, Signs: r.signs, Retires: r.retires, Withdrawn: r.withdrawn,
		}
		if !r.retires.IsZero() {
			list[i].Removed = r.retires.Add(s.cfg.Retire)
		}
	}
	return list
}
