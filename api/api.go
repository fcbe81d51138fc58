// Package api holds the shapes of lanyard's HTTP interface, shared by the
// server and by Go programs that call it, and a small [Client].
//
// The shapes are those of docs/http.md and openapi.yaml. Times are RFC 3339 in
// UTC. The server refuses members it does not know; a client ignores them.
package api

import (
	"encoding/json"
	"time"
)

// Session is a session as its user, or an administrator, sees it. It never holds
// a credential.
type Session struct {
	SID           string    `json:"sid"`
	Subject       string    `json:"subject"`
	Channel       string    `json:"channel"` // "cookie" or "token"
	Generation    uint32    `json:"generation"`
	CreatedAt     time.Time `json:"created_at"`
	LastActiveAt  time.Time `json:"last_active_at"`
	IdleExpiresAt time.Time `json:"idle_expires_at"`
	ExpiresAt     time.Time `json:"expires_at"`
	AuthTime      time.Time `json:"auth_time"`
	AMR           []string  `json:"amr"`
	ACR           string    `json:"acr"`
	Device        string    `json:"device"`  // what the client calls itself
	Browser       string    `json:"browser"` // read from its user agent, for people
	IP            string    `json:"ip"`
	Binding       string    `json:"binding"`             // "none", "dpop" or "dbsc"
	Current       bool      `json:"current"`             // the session that asks
	Origin        string    `json:"origin,omitempty"`    // sid of the session it was handed off from
	ClientID      string    `json:"client_id,omitempty"` // program that holds its tokens

	EndedAt   *time.Time `json:"ended_at,omitempty"` // administrators only
	EndReason string     `json:"end_reason,omitempty"`
}

// Sessions is a page of a list.
type Sessions struct {
	Sessions []Session `json:"sessions"`
	Next     string    `json:"next,omitempty"` // cursor of the next page; empty at the end
}

// LoginRequest is the body of POST /v1/login.
type LoginRequest struct {
	Username string `json:"username"`
	Password string `json:"password"`
	Channel  string `json:"channel"`            // "cookie" or "token"; empty: cookie
	Device   string `json:"device,omitempty"`   // label, at most 64 bytes
	Resource string `json:"resource,omitempty"` // audience besides the issuer
}

// Login is the answer of a login, step-up or redemption. The cookie channel has
// the session and a CSRF token, and the credential in Set-Cookie; the token
// channel has the tokens.
type Login struct {
	AccessToken  string   `json:"access_token,omitempty"`
	TokenType    string   `json:"token_type,omitempty"`
	ExpiresIn    int      `json:"expires_in,omitempty"` // seconds
	RefreshToken string   `json:"refresh_token,omitempty"`
	Scope        string   `json:"scope,omitempty"`
	Session      *Session `json:"session,omitempty"`
	CSRFToken    string   `json:"csrf_token,omitempty"`
}

// SessionAnswer is the answer of GET /v1/session.
type SessionAnswer struct {
	Session   Session `json:"session"`
	CSRFToken string  `json:"csrf_token,omitempty"` // with a cookie only
}

// RevokeRequest is the body of POST /v1/sessions/revoke.
type RevokeRequest struct {
	Scope string `json:"scope"` // "others" or "all"
}

// Revoked says how many sessions ended.
type Revoked struct {
	Ended int `json:"ended"`
}

// ElevateRequest is the body of POST /v1/elevate.
type ElevateRequest struct {
	Password string `json:"password"`
}

// TokenRequest is the body of POST /v1/session/token.
type TokenRequest struct {
	Resource string `json:"resource,omitempty"`
}

// HandoffRequest is the body of POST /v1/session/handoff.
type HandoffRequest struct {
	Channel string `json:"channel"`
	Keep    *bool  `json:"keep,omitempty"` // default true
}

// HandoffCode is the answer of POST /v1/session/handoff.
type HandoffCode struct {
	Code      string `json:"code"`
	ExpiresIn int    `json:"expires_in"` // seconds
}

// RedeemRequest is the body of POST /v1/session/redeem.
type RedeemRequest struct {
	Code   string `json:"code"`
	Device string `json:"device,omitempty"`
}

// PasswordRequest is the body of POST /v1/password.
type PasswordRequest struct {
	Current   string `json:"current"`
	New       string `json:"new"`
	EndOthers *bool  `json:"end_others,omitempty"` // default true
}

// AdminSessionRequest is the body of POST /v1/admin/sessions: a program vouches
// for somebody it has authenticated.
type AdminSessionRequest struct {
	Subject   string     `json:"subject"`
	AMR       []string   `json:"amr"`
	ACR       string     `json:"acr,omitempty"`
	AuthTime  *time.Time `json:"auth_time,omitempty"` // default now
	Channel   string     `json:"channel"`
	Device    string     `json:"device,omitempty"`
	UserAgent string     `json:"user_agent,omitempty"`
	IP        string     `json:"ip,omitempty"`
	Resource  string     `json:"resource,omitempty"`
	Scope     string     `json:"scope,omitempty"`
}

// AdminSession is the answer of POST /v1/admin/sessions. For the cookie channel
// it also names the cookie that the program is to set, since the browser is not
// the one that asks.
type AdminSession struct {
	Login
	Cookie *Cookie `json:"cookie,omitempty"`
}

// Cookie is a cookie to be set by whoever talks to the browser.
type Cookie struct {
	SetCookie string `json:"set_cookie"` // the whole value of the Set-Cookie header
}

// AdminRevokeRequest is the body of POST /v1/admin/revoke. Exactly one of
// Subject, All and KID is given.
type AdminRevokeRequest struct {
	Subject string `json:"subject,omitempty"`
	All     bool   `json:"all,omitempty"`
	KID     string `json:"kid,omitempty"`
	Mode    string `json:"mode,omitempty"` // "fast", the default, or "strict"
	Reason  string `json:"reason,omitempty"`
}

// AdminRevoked says what a revocation did and whom it waited for.
type AdminRevoked struct {
	Ended      int      `json:"ended"`
	Cursor     string   `json:"cursor"`      // its place on the feed of revocations
	WaitedMS   int64    `json:"waited_ms"`   // for others, once it was stored
	WaitedFor  []string `json:"waited_for"`  // nodes, and with mode strict verifiers, that were not there at once
	NotCovered []string `json:"not_covered"` // verifiers with routes without a bound: those may accept until a token expires
}

// User is a user of the built-in directory.
type User struct {
	Name      string     `json:"name"`
	Admin     bool       `json:"admin"`
	Disabled  bool       `json:"disabled"`
	CreatedAt time.Time  `json:"created_at"`
	LastLogin *time.Time `json:"last_login,omitempty"`
	Pending   bool       `json:"pending"` // has not chosen a password yet
}

// Users is a page of users.
type Users struct {
	Users []User `json:"users"`
	Next  string `json:"next,omitempty"`
}

// UserRequest is the body of POST /v1/admin/users. There is no password in it:
// the new user chooses one with the link of the answer.
type UserRequest struct {
	Name  string `json:"name"`
	Admin bool   `json:"admin,omitempty"`
}

// UserAdded is the answer of POST /v1/admin/users and of a reset.
type UserAdded struct {
	User      User      `json:"user"`
	ResetURL  string    `json:"reset_url"` // one-time
	ExpiresAt time.Time `json:"expires_at"`
}

// Key is a signing key, without its private half.
type Key struct {
	KID         string     `json:"kid"`
	Algorithm   string     `json:"alg"`
	Phase       string     `json:"phase"`
	CreatedAt   time.Time  `json:"created_at"`
	SignsFrom   time.Time  `json:"signs_from"`
	RetiresAt   *time.Time `json:"retires_at,omitempty"`
	RemovedAt   *time.Time `json:"removed_at,omitempty"`
	WithdrawnAt *time.Time `json:"withdrawn_at,omitempty"`
}

// Keys is the list of signing keys.
type Keys struct {
	Keys []Key `json:"keys"`
}

// Event is a line of the audit trail; see docs/audit.md for the names.
type Event struct {
	Seq       uint64            `json:"seq"`
	Time      time.Time         `json:"time"`
	Event     string            `json:"event"`
	Outcome   string            `json:"outcome"`
	Severity  string            `json:"severity"`
	Actor     string            `json:"actor"`
	Subject   string            `json:"subject"`
	SID       string            `json:"sid"`
	Source    string            `json:"source"`
	RequestID string            `json:"request_id"`
	Methods   []string          `json:"methods"`
	Reason    string            `json:"reason"`
	Attrs     map[string]string `json:"attrs"`
}

// Events is a page of the audit trail, oldest first.
type Events struct {
	Events []Event `json:"events"`
	Next   uint64  `json:"next"` // pass as after to read on
}

// Error is the body of every refusal outside of /oauth2.
type Error struct {
	Code      string `json:"error"`
	Message   string `json:"message"`
	RequestID string `json:"request_id"`
}

// OAuthError is the body of a refusal under /oauth2 (RFC 6749 section 5.2).
type OAuthError struct {
	Code        string `json:"error"`
	Description string `json:"error_description,omitempty"`
}

// Introspection is the answer of POST /oauth2/introspect (RFC 7662). An inactive
// token has Active false and nothing else.
type Introspection struct {
	Active    bool     `json:"active"`
	Scope     string   `json:"scope,omitempty"`
	ClientID  string   `json:"client_id,omitempty"`
	Username  string   `json:"username,omitempty"`
	TokenType string   `json:"token_type,omitempty"`
	Exp       int64    `json:"exp,omitempty"`
	Iat       int64    `json:"iat,omitempty"`
	Sub       string   `json:"sub,omitempty"`
	Aud       []string `json:"aud,omitempty"`
	Iss       string   `json:"iss,omitempty"`
	JTI       string   `json:"jti,omitempty"`
	SID       string   `json:"sid,omitempty"`
	ACR       string   `json:"acr,omitempty"`
	AMR       []string `json:"amr,omitempty"`
	AuthTime  int64    `json:"auth_time,omitempty"`
	// Cnf names the key that the token is bound to (RFC 9449 section 6.2). The
	// proof is for whoever got the token to check.
	Cnf *Confirmation `json:"cnf,omitempty"`
}

// Confirmation is a key by its thumbprint (RFC 7800, RFC 7638).
type Confirmation struct {
	JKT string `json:"jkt"`
}

// OAuthClient is a program known to the server. Without a right nothing is
// allowed.
type OAuthClient struct {
	ID        string   `json:"id"`
	Name      string   `json:"name,omitempty"`
	Public    bool     `json:"public,omitempty"`
	Audiences []string `json:"audiences,omitempty"`
	Scopes    []string `json:"scopes,omitempty"`
	Grants    []string `json:"grants,omitempty"` // client_credentials, refresh_token
	// JWKS holds the public keys of a program that authenticates by assertions
	// it signs (private_key_jwt, RFC 7523), in place of a secret.
	JWKS           json.RawMessage `json:"jwks,omitempty"`
	AllowRS256     bool            `json:"allow_rs256,omitempty"`              // it may sign them with RS256
	AccessTokenTTL int             `json:"access_token_ttl,omitempty"`         // seconds; 0: the server's
	RefreshIdle    int             `json:"refresh_idle,omitempty"`             // seconds; 0: the server's
	DPoPBound      bool            `json:"dpop_bound_access_tokens,omitempty"` // it gets tokens with a DPoP proof alone (RFC 9449 section 5.2)

	MayIntrospect     bool `json:"may_introspect,omitempty"`
	MayFollow         bool `json:"may_follow,omitempty"`
	MayCreateSessions bool `json:"may_create_sessions,omitempty"`
	MayAdminister     bool `json:"may_administer,omitempty"`
}

// OAuthClients is the list of programs.
type OAuthClients struct {
	Clients []OAuthClient `json:"clients"`
}

// ClientAdded is the answer of POST /v1/admin/clients.
type ClientAdded struct {
	Client OAuthClient `json:"client"`
	Secret string      `json:"secret,omitempty"` // shown this one time
}
