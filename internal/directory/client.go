package directory

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
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
	if c.Public && (c.Allows(GrantClientCredentials) || c.MayIntrospect || c.MayFollow || c.MayCreateSessions || c.MayAdminister) {
		return fmt.Errorf("%w Public: without a secret it can have no rights of its own", ErrInvalid)
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
