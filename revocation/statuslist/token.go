package statuslist

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/lanyard-go/lanyard/internal/jose"
	"github.com/lanyard-go/lanyard/token"
)

const (
	// Type is the typ of a status list token, and MediaType what it is served as.
	Type      = "statuslist+jwt"
	MediaType = "application/" + Type
	// MaxTTL is the longest ttl that [Token.Sign] writes and the longest time that
	// a list is believed after it was fetched, unless a reader says less.
	MaxTTL = 24 * time.Hour
	// maxSize is the longest token read: a list that does not compress, encoded
	// twice.
	maxSize = 2*MaxBytes + 64<<10
)

// ErrToken is wrapped by whatever is wrong with a status list token. No
// statement about any token follows from such a one; readers refuse.
var ErrToken = errors.New("statuslist: token refused")

// Token is a list and how long it may be gone by. Times are whole seconds.
type Token struct {
	URI      string // sub: the address that the list is served at
	Issuer   string // iss, empty if absent
	IssuedAt time.Time
	Expiry   time.Time     // zero if absent
	TTL      time.Duration // zero if absent
	List     *List
}

// Delay returns how late a reader that keeps to the rules may notice that a
// session has ended, if a new list is signed every so often: it may have fetched
// the last one right before the next. It is what an issuer has to tell as the
// delay of this way to revoke. Whoever hands lists on from a cache of its own adds
// its time to that, up to the expiry.
func (t *Token) Delay(every time.Duration) time.Duration {
	life := t.Expiry.Sub(t.IssuedAt)
	switch late := every + t.TTL; {
	case t.TTL == 0:
		return life
	case t.Expiry.IsZero():
		return late
	default:
		return min(life, late)
	}
}

// Until returns when a list that was fetched at a time may no longer be gone by:
// the sooner of its expiry and its ttl after that, at most a day.
func (t *Token) Until(fetched time.Time) time.Time {
	until := fetched.Add(MaxTTL)
	if t.TTL > 0 && t.TTL < MaxTTL {
		until = fetched.Add(t.TTL)
	}
	if !t.Expiry.IsZero() && t.Expiry.Before(until) {
		until = t.Expiry
	}
	return until
}

// check refuses what Sign would not write and Verify does not believe.
func (t *Token) check() error {
	switch {
	case checkURI(t.URI) != nil:
		return fmt.Errorf("%w: sub: not an https address", ErrToken)
	case t.IssuedAt.Unix() < 0 || t.IssuedAt.Year() > 9999 || t.IssuedAt.IsZero():
		return fmt.Errorf("%w: iat: required", ErrToken)
	case t.Expiry.IsZero() && t.TTL == 0:
		return fmt.Errorf("%w: ttl or exp is required: nobody would know for how long to go by the list", ErrToken)
	case !t.Expiry.IsZero() && t.Expiry.Unix() <= t.IssuedAt.Unix():
		return fmt.Errorf("%w: exp: not later than iat", ErrToken)
	case t.List == nil:
		return fmt.Errorf("%w: status_list: none", ErrToken)
	}
	return nil
}

// Signer signs claims as a JWT of a type. *[token.Key] is one, for claims of at
// most 64 KiB: any list of 2^18 tokens of one bit, and larger ones of which few
// are invalid. It can be the key of the tokens that the list is about, where
// whoever takes those looks for it: the types tell a list from a token.
type Signer interface {
	Sign(typ string, claims []byte) (string, error)
}

// Sign returns the list as a signed JWT. One without ttl or exp is refused, and
// so is a ttl that is no whole number of seconds from 1 to [MaxTTL].
func (t *Token) Sign(key Signer) (string, error) {
	if err := t.check(); err != nil {
		return "", err
	}
	if t.TTL < 0 || t.TTL > MaxTTL || t.TTL%time.Second != 0 {
		return "", fmt.Errorf("%w: ttl: want whole seconds, at most %v", ErrToken, MaxTTL)
	}
	b := jose.AppendString([]byte(`{"sub":`), t.URI)
	if t.Issuer != "" {
		b = jose.AppendString(append(b, `,"iss":`...), t.Issuer)
	}
	number := func(name string, n int64) {
		b = strconv.AppendInt(append(append(append(b, ',', '"'), name...), '"', ':'), n, 10)
	}
	number("iat", t.IssuedAt.Unix())
	if !t.Expiry.IsZero() {
		number("exp", t.Expiry.Unix())
	}
	if t.TTL > 0 {
		number("ttl", int64(t.TTL/time.Second))
	}
	b = append(b, `,"status_list":{"bits":`...)
	b = strconv.AppendInt(b, int64(t.List.bits), 10)
	b = jose.AppendString(append(b, `,"lst":`...), t.List.Encode())
	raw, err := key.Sign(Type, append(b, '}', '}'))
	if err != nil {
		return "", fmt.Errorf("signing the status list: %w", err)
	}
	return raw, nil
}

// Expected is what a status list token has to be. URI and Keys are required.
type Expected struct {
	// URI is the one in the token whose status is asked.
	URI string
	// Issuer is the only iss accepted; empty accepts any, and none.
	Issuer string
	// Keys are the keys of whoever may speak about the token.
	Keys token.VerifyKeys
	// Now is the time. The token may have been issued up to a minute later.
	Now time.Time
}

// leeway is how far the clock of an issuer may be ahead.
const leeway = time.Minute

// Verify checks raw as section 8.3 of the draft demands: form and type, key and
// signature (ES256 or Ed25519), that it is about the address, and its times. What
// it refuses is ErrToken. The caller goes by the list up to [Token.Until], and
// asks it only about tokens that are good in every other way.
func Verify(raw string, want Expected) (*Token, error) {
	if want.URI == "" || want.Keys == nil {
		return nil, errors.New("statuslist: Expected.URI and Expected.Keys are required")
	}
	m, err := jose.Parse(raw, maxSize, jose.HeaderPolicy{Type: Type, Key: jose.KeyByID})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrToken, err)
	}
	known, ok := want.Keys.Lookup(m.Header.KeyID)
	if !ok {
		return nil, fmt.Errorf("%w: the key is unknown", ErrToken)
	}
	key, err := jose.ParseJWK(string(known.JWK()))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrToken, err)
	}
	payload, err := m.Verify(key)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrToken, err)
	}
	t, err := parse(payload)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrToken, err)
	case t.URI != want.URI:
		return nil, fmt.Errorf("%w: sub: it is about another address", ErrToken)
	case want.Issuer != "" && t.Issuer != want.Issuer:
		return nil, fmt.Errorf("%w: iss: not the issuer", ErrToken)
	case t.IssuedAt.After(want.Now.Add(leeway)):
		return nil, fmt.Errorf("%w: iat: in the future", ErrToken)
	case !t.Expiry.IsZero() && !want.Now.Before(t.Expiry):
		return nil, fmt.Errorf("%w: exp: expired", ErrToken)
	}
	return t, t.check()
}
