package dpop

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lanyard-go/lanyard/internal/consttime"
	"github.com/lanyard-go/lanyard/internal/jose"
)

const (
	// MaxProof is the longest proof read, in bytes.
	MaxProof = 4 << 10
	// MaxID is the longest jti accepted, in bytes.
	MaxID = 128

	defaultMaxAge   = 60 * time.Second
	defaultMaxAhead = 5 * time.Second
	longestMaxAge   = 5 * time.Minute
	longestMaxAhead = time.Minute
)

// Memory remembers accepted proofs. Once returns true for exactly one caller
// with this key and false for all others until the time until; an error means
// that it is not known. The key is at most 64 bytes of text. It must be safe for
// concurrent use, and shared by all that accept proofs for the same addresses.
type Memory interface {
	Once(ctx context.Context, key string, now, until time.Time) (bool, error)
}

// Config says what a [Checker] accepts.
type Config struct {
	// Algorithms is the allow list: "ES256", "Ed25519" and "RS256" exist. Nil
	// means the first two.
	Algorithms []string
	// MaxAge and MaxAhead bound how far the time of a proof may lie behind and
	// before the own clock: zero means 60 s and 5 s, at most 5 min and 1 min.
	MaxAge, MaxAhead time.Duration
	// Nonces demands one of these nonces in every proof. Its time then stands in
	// for the one the client gave. Nil demands none.
	Nonces *Nonces
	// Memory makes each proof count once. Required: see [NewLocalMemory] for one
	// process alone.
	Memory Memory
	// Now is the clock, nil means time.Now.
	Now func() time.Time
}

// A Checker checks proofs. It is immutable and safe for concurrent use.
type Checker struct {
	algorithms    []jose.Algorithm
	age, ahead    time.Duration
	nonces        *Nonces
	memory        Memory
	now           func() time.Time
	advertisement string
}

// New returns a Checker, or an error that names the field it cannot accept.
func New(c Config) (*Checker, error) {
	k := &Checker{age: c.MaxAge, ahead: c.MaxAhead, nonces: c.Nonces, memory: c.Memory, now: c.Now}
	if k.age == 0 {
		k.age = defaultMaxAge
	}
	if k.ahead == 0 {
		k.ahead = defaultMaxAhead
	}
	if k.now == nil {
		k.now = time.Now
	}
	switch {
	case k.age < time.Second || k.age > longestMaxAge:
		return nil, fmt.Errorf("dpop: Config.MaxAge: %v is not between 1s and %v", c.MaxAge, longestMaxAge)
	case k.ahead < 0 || k.ahead > longestMaxAhead:
		return nil, fmt.Errorf("dpop: Config.MaxAhead: %v is not between 0 and %v", c.MaxAhead, longestMaxAhead)
	case c.Memory == nil:
		return nil, fmt.Errorf("dpop: Config.Memory is missing: without it a proof could be replayed")
	}
	names := c.Algorithms
	if names == nil {
		names = []string{string(jose.ES256), string(jose.Ed25519)}
	}
	for i, name := range names {
		switch alg := jose.Algorithm(name); {
		case alg != jose.ES256 && alg != jose.Ed25519 && alg != jose.RS256:
			return nil, fmt.Errorf("dpop: Config.Algorithms[%d]: %q is not ES256, Ed25519 or RS256", i, name)
		case slices.Contains(k.algorithms, alg):
			return nil, fmt.Errorf("dpop: Config.Algorithms[%d]: %q is there twice", i, name)
		default:
			k.algorithms = append(k.algorithms, alg)
		}
	}
	if len(k.algorithms) == 0 {
		return nil, fmt.Errorf("dpop: Config.Algorithms is empty: no proof would hold")
	}
	k.advertisement = strings.Join(names, " ")
	return k, nil
}

// Algorithms returns what is accepted, as it is advertised: separated by blanks
// in a challenge (RFC 9449 section 7.1), as a list in metadata (section 5.1).
func (k *Checker) Algorithms() string { return k.advertisement }

// Nonces returns the nonces that are demanded, or nil.
func (k *Checker) Nonces() *Nonces { return k.nonces }

// A Request is what a proof has to be about.
type Request struct {
	Method string // as it came over the wire
	// URL is the address the client used, from configuration and not from what
	// the request says about itself: scheme, host and escaped path. Query and
	// fragment do not count.
	URL string
	// Token is the access token that came with the proof, empty where there is
	// none (at the token endpoint).
	Token string
	// Thumbprint is the key the token is bound to (cnf.jkt), or the refresh
	// token's family. Empty leaves it to the caller to compare.
	Thumbprint string
}

// A Proof is one that held.
type Proof struct {
	Thumbprint string // RFC 7638, SHA-256, base64url, of the key that made it
	Algorithm  string
	IssuedAt   time.Time // as the client says
	Nonce      string    // as checked, empty where none is demanded
}

// Check judges the values of the DPoP header fields of one request (all of
// them: http.Header.Values), in the order of section 4.3 of RFC 9449. The error
// is a [*Refused], or wraps [ErrMemory]. A proof that held is used up: the same
// one is refused from then on.
func (k *Checker) Check(ctx context.Context, fields []string, r Request) (*Proof, error) {
	switch {
	case len(fields) == 0:
		return nil, refuse(Missing, nil)
	case len(fields) > 1 || strings.Contains(fields[0], ","):
		return nil, refuse(Several, nil)
	}
	m, err := jose.Parse(fields[0], MaxProof, jose.HeaderPolicy{Type: "dpop+jwt", Algorithms: k.algorithms, Key: jose.KeyEmbedded})
	if err != nil {
		return nil, refuse(Malformed, err)
	}
	payload, err := m.Verify(m.Header.Key)
	if err != nil {
		return nil, refuse(Signature, nil)
	}
	c, err := parseClaims(payload)
	if err != nil {
		return nil, err
	}
	p := &Proof{Thumbprint: m.Header.Key.Thumbprint(), Algorithm: string(m.Header.Algorithm), IssuedAt: c.issued}
	now := k.now()
	until, err := k.judge(c, p, r, now)
	if err != nil {
		return nil, err
	}
	first, err := k.memory.Once(ctx, memoryKey(p.Thumbprint, c.id), now, until)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrMemory, err)
	case !first:
		return nil, refuse(Replayed, nil)
	}
	return p, nil
}

// judge compares what the proof says with the request, and returns until when
// the same proof would hold again.
func (k *Checker) judge(c claims, p *Proof, r Request, now time.Time) (until time.Time, err error) {
	if c.method != r.Method {
		return until, refuse(WrongMethod, nil)
	}
	if !sameTarget(c.url, r.URL) {
		return until, refuse(WrongURL, nil)
	}
	if k.nonces != nil {
		made, ok := k.nonces.check(c.nonce, now)
		if !ok {
			return until, refuse(NeedsNonce, nil)
		}
		p.Nonce, until = c.nonce, made.Add(k.nonces.life)
	} else {
		// A whole second counts as fresh to its end: iat usually has no fraction.
		if c.issued.Before(now.Add(-k.age)) || c.issued.After(now.Add(k.ahead)) {
			return until, refuse(WrongTime, nil)
		}
		until = c.issued.Add(k.age)
	}
	// One that holds to its last moment must not be forgotten in that moment.
	until = until.Add(time.Second)
	if r.Token != "" && !consttime.Equal([]byte(c.token), tokenHash(r.Token)) {
		return until, refuse(WrongToken, nil)
	}
	if r.Thumbprint != "" && !consttime.Equal([]byte(p.Thumbprint), []byte(r.Thumbprint)) {
		return until, refuse(WrongKey, nil)
	}
	return until, nil
}

// tokenHash is ath of section 4.2, for the token as it was sent.
func tokenHash(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return []byte(jose.EncodeBase64(sum[:]))
}

// memoryKey names a proof by its key and its jti: by jti alone one client could
// use up another's.
func memoryKey(thumbprint, id string) string {
	sum := sha256.Sum256([]byte("dpop\x00" + thumbprint + "\x00" + id))
	return "dpop:" + jose.EncodeBase64(sum[:])
}
