package verifier

import (
	"fmt"
	"log/slog"
	"net/url"
)

// Credentials are what this service proves itself with to the issuer: a client
// id and its secret. However they are printed, logged or encoded as JSON, they
// show the id alone.
type Credentials struct {
	ClientID string
	Secret   string
}

// basic returns the two as RFC 6749 section 2.3.1 wants them for HTTP Basic.
func (c Credentials) basic() (user, password string) {
	return url.QueryEscape(c.ClientID), url.QueryEscape(c.Secret)
}

// String returns the client id, never the secret.
func (c Credentials) String() string { return "client " + c.ClientID }

// GoString is String, so that %#v shows no more.
func (c Credentials) GoString() string { return c.String() }

// Format is String for every verb.
func (c Credentials) Format(f fmt.State, _ rune) { fmt.Fprint(f, c.String()) }

// LogValue is String for structured logs.
func (c Credentials) LogValue() slog.Value { return slog.StringValue(c.String()) }

// MarshalText writes String, so that encodings show no more.
func (c Credentials) MarshalText() ([]byte, error) { return []byte(c.String()), nil }
