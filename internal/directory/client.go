package directory

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/lanyard-go/lanyard/internal/jose"
)

// BuiltInClient is the id of the public client through which people sign in to
// the server itself. It exists from the start, gets refresh tokens, and can be
// neither changed nor removed.
const BuiltInClient = "lanyard"

// The grants a client can be registered for (RFC 6749 sections 4.4 and 6).
const (
	GrantClientCredentials = "client_credentials"
	GrantRefreshToken      = "refresh_token"
)

// Client is a program with rights of its own, or one that people sign in
// through. Everything that is not granted is refused.
type Client struct {
	// ID is 1 to 64 of a-z, 0-9 and . _ - of which the first is a letter or a
	// digit. Its tokens have the subject [Client.Subject].
	ID string

	Name string // for people, up to 200 bytes

	// Public says that the program cannot keep a secret (RFC 6749 section 2.1)
	// and has none. Such a client has no rights of its own: no grant
	// client_credentials and none of the May fields.
	Public bool

	Audiences []string // it may ask for tokens to
	Scopes    []string // it may ask for

	// Grants it may use. Without GrantRefreshToken it gets no refresh tokens.
	Grants []string

	// JWKS is a JWK set (RFC 7517) with the public keys of a client that
	// authenticates by assertions it signs (private_key_jwt, RFC 7523) and has no
	// secret: 1 to 10 keys for ES256 or Ed25519, or for RS256 with AllowRS256, each
	// with an id. Empty: the client has a secret, or is public.
	JWKS string

	// AllowRS256 lets the client sign its assertions with RS256. It is a
	// deviation, for programs that can do nothing else.
	AllowRS256 bool

	// Limits of its own, narrower than the server's, in whole seconds; zero
	// leaves the server's.
	AccessTokenTTL time.Duration // of its access tokens
	RefreshIdle    time.Duration // an unused refresh token ends its session

	// DPoPBound gives it tokens only with proof of possession of a key (RFC 9449
	// section 5.2).
	DPoPBound bool

	MayIntrospect     bool // ask about tokens (RFC 7662)
	MayFollow         bool // follow the feed of revocations
	MayCreateSessions bool // make sessions for users it has authenticated
	MayAdminister     bool // do everything an administrator may

	Created time.Time // set by AddClient; zero for the built-in client
}

// Subject returns the name of the client where names of users also stand. No
// user can have it, since there is a colon in it.
func (c Client) Subject() string { return "client:" + c.ID }

// Allows reports whether the client is registered for a grant.
func (c Client) Allows(grant string) bool { return slices.Contains(c.Grants, grant) }

const (
	maxClientName = 200
	maxListed     = 100 // audiences or scopes
	maxListedSize = 512 // bytes of one
	maxClientKeys = 10
	maxClientJWKS = 16 << 10
)

// check returns an error that wraps ErrInvalid and names the field.
func (c Client) check() error {
	if err := checkWord(c.ID, ""); err != nil {
		return fmt.Errorf("%w ID: %w", ErrInvalid, err)
	}
	if c.ID != fold(c.ID) {
		return fmt.Errorf("%w ID: it has upper case letters", ErrInvalid)
	}
	if len(c.Name) > maxClientName || !utf8.ValidString(c.Name) || strings.ContainsFunc(c.Name, isControl) {
		return fmt.Errorf("%w Name: longer than %d bytes, not UTF-8, or with control characters", ErrInvalid, maxClientName)
	}
	if err := checkTokens(c.Audiences); err != nil {
		return fmt.Errorf("%w Audiences: %w", ErrInvalid, err)
	}
	if err := checkTokens(c.Scopes); err != nil {
		return fmt.Errorf("%w Scopes: %w", ErrInvalid, err)
	}
	for _, g := range c.Grants {
		if g != GrantClientCredentials && g != GrantRefreshToken {
			return fmt.Errorf("%w Grants: %q is not offered", ErrInvalid, g)
		}
	}
	if err := c.checkKeys(); err != nil {
		return err
	}
	for _, l := range []struct {
		field string
		value time.Duration
	}{{"AccessTokenTTL", c.AccessTokenTTL}, {"RefreshIdle", c.RefreshIdle}} {
		if l.value < 0 || l.value > maxClientLimit || l.value%time.Second != 0 {
			return fmt.Errorf("%w %s: not whole seconds from 0 to %d", ErrInvalid, l.field, maxClientLimit/time.Second)
		}
	}
	if c.Public && (c.Allows(GrantClientCredentials) || c.MayIntrospect || c.MayFollow || c.MayCreateSessions || c.MayAdminister) {
		return fmt.Errorf("%w Public: without a secret it can have no rights of its own", ErrInvalid)
	}
	return nil
}

// maxClientLimit is longer than any limit a server has.
const maxClientLimit = 366 * 24 * time.Hour

func (c Client) checkKeys() error {
	switch {
	case c.JWKS == "" && c.AllowRS256:
		return fmt.Errorf("%w AllowRS256: it says something about keys, and there are none", ErrInvalid)
	case c.JWKS == "":
		return nil
	case c.Public:
		return fmt.Errorf("%w JWKS: a public client does not authenticate", ErrInvalid)
	case len(c.JWKS) > maxClientJWKS:
		return fmt.Errorf("%w JWKS: longer than %d bytes", ErrInvalid, maxClientJWKS)
	}
	keys, err := jose.ParseSet(c.JWKS)
	if err != nil {
		return fmt.Errorf("%w JWKS: %s", ErrInvalid, strings.ReplaceAll(err.Error(), "jose: ", ""))
	}
	if len(keys) == 0 || len(keys) > maxClientKeys {
		return fmt.Errorf("%w JWKS: it has %d keys that can be used, want 1 to %d", ErrInvalid, len(keys), maxClientKeys)
	}
	for _, k := range keys {
		if k.Algorithm() == jose.RS256 && !c.AllowRS256 {
			return fmt.Errorf("%w JWKS: the key %q is for RS256, which has to be allowed for the client", ErrInvalid, k.KeyID())
		}
	}
	return nil
}

func isControl(r rune) bool { return r < 0x20 || r >= 0x7f && r < 0xa0 }

// checkTokens holds scopes and audiences to the characters of a scope-token
// (RFC 6749 section 3.3), which are also all that a URI can have.
func checkTokens(list []string) error {
	if len(list) > maxListed {
		return fmt.Errorf("more than %d", maxListed)
	}
	for _, s := range list {
		if s == "" || len(s) > maxListedSize {
			return fmt.Errorf("one is empty or longer than %d bytes", maxListedSize)
		}
		if strings.ContainsFunc(s, func(r rune) bool { return r <= 0x20 || r >= 0x7f || r == '"' || r == '\\' }) {
			return errors.New("a space, quote, backslash or control character in one, or a letter beyond ASCII")
		}
	}
	return nil
}
