package lanyard

import "slices"

// Channel says how a record's long-lived credential travels.
type Channel uint8

// The two badges.
const (
	ChannelCookie Channel = 1 // a handle in a cookie
	ChannelToken  Channel = 2 // a refresh token, with access tokens drawn from it
)

// String returns "cookie" or "token", the words of the HTTP interface.
func (c Channel) String() string {
	switch c {
	case ChannelCookie:
		return "cookie"
	case ChannelToken:
		return "token"
	}
	return ""
}

// ParseChannel is the inverse of [Channel.String]; ok is false for other words.
func ParseChannel(word string) (c Channel, ok bool) {
	switch word {
	case "cookie":
		return ChannelCookie, true
	case "token":
		return ChannelToken, true
	}
	return 0, false
}

// State says what a record stands for while it has not ended.
type State uint8

// The states of a record. Ended is not among them: a record has ended when it
// has an [Record.EndReason], and it stays ended.
const (
	StateAnonymous State = 1 // nobody signed in; exists because data was written
	StatePending   State = 2 // a first factor is done, a second one is awaited
	StateLive      State = 3 // signed in
)

// Binding says what proves possession besides the credential itself.
type Binding uint8

// Bindings of a session to a key of its client.
const (
	BindingNone Binding = 0
	BindingDPoP Binding = 1
	BindingDBSC Binding = 2
)

// String returns "none", "dpop" or "dbsc".
func (b Binding) String() string {
	switch b {
	case BindingDPoP:
		return "dpop"
	case BindingDBSC:
		return "dbsc"
	}
	return "none"
}

// Reason says why a record ended. The words are part of the HTTP interface, the
// audit trail and the revocation feed.
type Reason string

// Reasons for an end.
const (
	ReasonLogout          Reason = "logout"           // its own client signed out
	ReasonUser            Reason = "user"             // ended by its user from another session
	ReasonAdmin           Reason = "admin"            // ended by an administrator or a program
	ReasonIdle            Reason = "idle_timeout"     // no activity for the idle limit
	ReasonExpired         Reason = "absolute_timeout" // the absolute limit passed
	ReasonLimit           Reason = "session_limit"    // too many live sessions of its subject
	ReasonReplaced        Reason = "replaced"         // its browser signed in again
	ReasonTakenOver       Reason = "taken_over"       // another client took over from it
	ReasonLinked          Reason = "linked"           // the session it was handed off from ended
	ReasonRefreshReuse    Reason = "refresh_reuse"    // a used refresh token came back
	ReasonPasswordChanged Reason = "password_changed" // its user chose a new password
	ReasonDisabled        Reason = "subject_disabled" // its user was disabled
	ReasonRevokedAll      Reason = "revoked_all"      // everything was revoked
	ReasonTokenRevoked    Reason = "token_revoked"    // its client revoked a token (RFC 7009)
	ReasonRestored        Reason = "restored"         // a restored backup revives nobody
)

// Digest is the SHA-256 of a credential's secret, tagged with the credential's
// kind. Records hold digests only; a digest opens nothing.
type Digest [32]byte

// IsZero reports whether no credential is meant.
func (d Digest) IsZero() bool { return d == Digest{} }

// Device holds what a record knows of its client. It is shown to its user and
// used to recognise repeated refreshes; it proves nothing.
type Device struct {
	Label     string // what the client calls itself, at most 64 bytes
	UserAgent string // the User-Agent header, at most 512 bytes
	IP        string // the address at login, as policy keeps it
}

// Refresh is the state of a refresh family: constant in size however often it
// rotates.
type Refresh struct {
	Counter     uint32   // number of the current token, from 0
	Digest      Digest   // of the current token's secret
	Predecessor Digest   // of the one before; zero at the start and after a step-up
	Nonce       [16]byte // drawn for the current token; without it the key derives nothing
	RotatedAt   Time     // when the current token was made
	Agent       uint64   // hash of the user agent that caused the rotation
	Range       string   // its address range
	MovedRange  string   // the one other range that repeated the rotation, if any
	Retried     bool     // whether this rotation already counts as retried
	RetriedRow  uint8    // retried rotations in a row
}

// Record is one session as a store keeps it: the same for both channels. It is
// the unit of compare-and-swap. Applications see a [Session] instead.
type Record struct {
	SID     SID
	Version uint64 // raised by the store with each write, 1 at creation
	State   State
	Channel Channel
	Binding Binding

	Subject      string // who is signed in; empty for an anonymous record
	SubjectEpoch uint64 // stamped by the store at creation
	GlobalEpoch  uint64 // stamped by the store at creation
	ClientID     string // the program that holds a token-channel record
	Generation   uint32 // raised at every new authentication, from 1

	CreatedAt     Time
	AuthTime      Time // the authentication; never moved by activity
	LastActive    Time // lags as [Policy] states
	IdleExpiresAt Time // the session is over at this very instant
	ExpiresAt     Time // the absolute limit, likewise

	Methods  []string // authentication methods, RFC 8176 words
	Class    string   // authentication context class
	Device   Device
	Audience []string // audiences its access tokens may name
	Scope    string   // scopes its access tokens may carry, space-separated
	Origin   SID      // the session it was handed off from

	Key string // [BindingDPoP]: RFC 7638 thumbprint of the key it is bound to

	Handle  Digest   // cookie channel: of the current handle
	Refresh *Refresh // token channel: its family

	// Status is its place in the lists of [Config.StatusLists], zero without.
	Status StatusIndex

	// Persistent: its cookie outlives a restart of the browser.
	Persistent bool

	Data []byte // application data, at most 16 KiB

	EndedAt   Time
	EndReason Reason // not empty: the record has ended, for good
	EndedBy   string // who ended it: a subject, a client, or "system"

	// Fenced is set by the store on what it returns, and never stored: the
	// record is older than the global epoch, so it counts as ended with
	// [ReasonRevokedAll] although nobody has written that down yet.
	Fenced bool
}

// Ended reports whether the record has ended, written down or fenced off.
func (r *Record) Ended() bool { return r.EndReason != "" || r.Fenced }

// Expired returns the reason for which a record is over at now although it has
// not ended yet, or the empty string. A deadline is over at its own instant.
func (r *Record) Expired(now Time) Reason {
	switch {
	case now >= r.ExpiresAt:
		return ReasonExpired
	case now >= r.IdleExpiresAt:
		return ReasonIdle
	}
	return ""
}

// Live reports whether the record can still be used at now.
func (r *Record) Live(now Time) bool { return !r.Ended() && r.Expired(now) == "" }

// Clone returns a copy that shares nothing that can be changed.
func (r *Record) Clone() *Record {
	c := *r
	c.Methods = slices.Clone(r.Methods)
	c.Audience = slices.Clone(r.Audience)
	c.Data = slices.Clone(r.Data)
	if r.Refresh != nil {
		f := *r.Refresh
		c.Refresh = &f
	}
	return &c
}
