package lanyard

import (
	"context"
	"errors"
	"strings"
)

// What a [Store] answers besides success. Stores wrap these; callers match with
// [errors.Is].
var (
	// ErrNotFound: there is no such record.
	ErrNotFound = errors.New("lanyard: no such session")
	// ErrExists: a record with this SID is there already.
	ErrExists = errors.New("lanyard: session id taken")
	// ErrConflict: the record was changed since it was read. Read again.
	ErrConflict = errors.New("lanyard: session changed meanwhile")
	// ErrEnded: the record has ended, and ended is final.
	ErrEnded = errors.New("lanyard: session has ended")
	// ErrLimit: the subject has as many live sessions as it may have.
	ErrLimit = errors.New("lanyard: too many live sessions")
	// ErrBadCursor: the cursor was not made by this store.
	ErrBadCursor = errors.New("lanyard: cursor not understood")
)

// Store keeps records. Its methods are safe for concurrent use and each is one
// atomic step: it happens whole or not at all, also when the process is killed,
// and a method that returned nil has made its change as durable as the engine
// is set to be.
//
// A store decides nothing. It reads no clock, draws no randomness and knows no
// policy: times, identifiers and limits are arguments. Records passed in are
// not kept, records returned belong to the caller.
//
// Package storetest holds one case for each sentence below; a new store passes
// it before it is used. Errors other than the ones named mean that the engine
// failed and that nothing is known; callers refuse then.
type Store interface {
	// Create stores rec as version 1 if its SID is unused, else [ErrExists].
	// It stamps rec with version 1 and with the current epochs of its subject
	// and partition, in the same step, so that a record is never older than an
	// "end everything" that returned before Create was called.
	// With a limit, the step also counts the subject's live records, this one
	// included, and ends those over the limit (or stores nothing and returns
	// [ErrLimit], as the limit says); however many calls run at once, no more
	// than the limit stay live. The ended ones are returned and each has an
	// entry in the feed.
	Create(ctx context.Context, rec *Record, limit Limit) (ended []*Record, err error)

	// Get returns the record as last written, ended or not, or [ErrNotFound].
	// It sees every change that returned before it was called, on any node. A
	// record older than the global epoch comes back with Fenced set.
	Get(ctx context.Context, sid SID) (*Record, error)

	// Update replaces the record whose version is still rec.Version and raises
	// the version, in the store and in rec. A record that was changed meanwhile
	// gives [ErrConflict], one that has ended or is fenced [ErrEnded], one that
	// is not there [ErrNotFound]; the stored record is then as before. Update
	// never ends a record (an EndReason is an error) and never makes one.
	// The entries, if any, are appended to the feed in the same step.
	Update(ctx context.Context, rec *Record, announce ...Entry) error

	// List returns the records that match q, newest first, in pages: at most
	// q.Limit records and a cursor for the next page, empty at the end. A page
	// may be short, even empty, and still have a next one. Records that exist
	// during the whole walk appear exactly once.
	List(ctx context.Context, q Query) (Page, error)

	// Revoke ends what e names and appends to the feed, in one step. Records
	// that had ended already stay as they are: of any number of calls exactly
	// one returns a record as ended. An unknown SID gives [ErrNotFound].
	Revoke(ctx context.Context, e End) (Ended, error)

	// Revocations returns entries after the cursor in the order of their
	// cursors, at most limit, and the cursor behind the last one (or behind
	// everything there is, if none). The empty cursor is before all entries.
	// A cursor that has passed an entry has seen every entry before it: no
	// entry ever appears behind a cursor that was handed out. A cursor the store did
	// not make gives [ErrBadCursor].
	Revocations(ctx context.Context, after string, limit int) (entries []Entry, next string, err error)

	// Once returns true for exactly one caller with this key, and false for all
	// others until the time until; afterwards the key may be forgotten. Now is
	// the caller's time. Keys are at most 64 bytes.
	Once(ctx context.Context, key string, now, until Time) (bool, error)

	// Prune ends, with the reason that applies, at most p.Limit records whose
	// deadlines are at or before p.Now or that are fenced, returns them, and
	// removes ended records with EndedAt at or before p.Forget, keys of Once
	// and feed entries whose Until is at or before p.Now. More says that a
	// further call has work left. An end by deadline has no feed entry: nothing
	// that was issued outlives its record's deadlines.
	Prune(ctx context.Context, p Prune) (Ended, error)
}

// LimitAction says what happens when a subject would have too many live
// sessions.
type LimitAction uint8

// Actions at the limit.
const (
	LimitEndOldest      LimitAction = iota // the one created first ends
	LimitEndLeastRecent                    // the one least recently active ends
	LimitRefuse                            // the new one is refused with [ErrLimit]
)

// Limit is the bound on live records of a subject that Create enforces. The
// zero Limit is none.
type Limit struct {
	Max    int // 0: none
	Action LimitAction
	Now    Time // which deadlines have passed, and the EndedAt of those ended
	Until  Time // Until of the feed entries
}

// Query selects records for [Store.List]. The zero value of a field selects
// all; every field given must match.
type Query struct {
	Subject       string // exact; uses an index
	Client        string // exact: the program that started it or holds its tokens
	Channel       Channel
	IP            string // exact
	Device        string // part of label or user agent, ASCII case ignored
	Text          string // part of subject, device or address, or a whole SID
	CreatedBefore Time
	ActiveBefore  Time
	LiveAt        Time // not ended and within its deadlines at this time

	After string // cursor of a page
	Limit int    // at most this many records; 0 means 100, at most 1000
}

// Page is what [Store.List] returns.
type Page struct {
	Records []*Record
	Next    string // cursor for the next page; empty at the end
}

// Match reports whether rec is selected by q, paging apart. Stores use it for
// what their indexes do not decide.
func (q *Query) Match(rec *Record) bool {
	switch {
	case q.Subject != "" && rec.Subject != q.Subject,
		q.Channel != 0 && rec.Channel != q.Channel,
		q.Client != "" && rec.ClientID != q.Client,
		q.IP != "" && rec.Device.IP != q.IP,
		q.CreatedBefore != 0 && rec.CreatedAt >= q.CreatedBefore,
		q.ActiveBefore != 0 && rec.LastActive >= q.ActiveBefore,
		q.LiveAt != 0 && !rec.Live(q.LiveAt),
		q.Device != "" && !contains(rec.Device.Label, q.Device) && !contains(rec.Device.UserAgent, q.Device):
		return false
	}
	return q.Text == "" || contains(rec.Subject, q.Text) || contains(rec.Device.Label, q.Text) ||
		contains(rec.Device.UserAgent, q.Text) || contains(rec.Device.IP, q.Text) || rec.SID.String() == q.Text
}

// PageSize returns q.Limit within its bounds.
func (q *Query) PageSize() int {
	switch {
	case q.Limit <= 0:
		return 100
	case q.Limit > 1000:
		return 1000
	}
	return q.Limit
}

func contains(s, part string) bool {
	return strings.Contains(strings.ToLower(s), strings.ToLower(part))
}

// End names what [Store.Revoke] ends. Exactly one of SID, Subject, All and Key
// is set.
type End struct {
	// SID ends one record and, unless KeepLinked, the records handed off from
	// it, directly or through others, with [ReasonLinked].
	SID        SID
	KeepLinked bool

	// Subject raises the subject's epoch and ends all its records. With Except
	// set, that record is spared, the epoch stays, and each other record is
	// ended by itself.
	Subject string
	Except  SID

	// All raises the global epoch, to AtLeast if that is higher. Older records
	// are fenced from then on; they are ended, with their events, as they are
	// met or pruned.
	All     bool
	AtLeast uint64

	// Key announces that a signing key is withdrawn. No record ends.
	Key string

	Reason Reason // required, except with Key
	By     string // who asks
	Now    Time   // EndedAt, and At of the entries
	Until  Time   // Until of the entries
}

// Ended is the outcome of [Store.Revoke] and [Store.Prune].
type Ended struct {
	Records []*Record // those that this call ended, as they are now
	Cursor  string    // behind the last entry appended; empty if none was. Entries of other partitions may come again after it
	Epoch   uint64    // the epoch that was raised, if one was
	More    bool      // Prune: call again
}

// Prune is the argument of [Store.Prune].
type Prune struct {
	Now    Time
	Forget Time
	Limit  int // at least 1
}

// EntryKind says what a feed entry is about.
type EntryKind uint8

// Kinds of feed entries.
const (
	EntrySession    EntryKind = 1 // SID has ended
	EntryGeneration EntryKind = 2 // everything of SID below Generation is dead
	EntrySubject    EntryKind = 3 // everything of Subject below Epoch is dead
	EntryAll        EntryKind = 4 // everything below the global Epoch is dead
	EntryKey        EntryKind = 5 // everything signed by Key is dead
)

// Entry is one line of the revocation feed. An entry matters until Until, when
// the last access token it covers has expired.
type Entry struct {
	Kind       EntryKind
	SID        SID
	Generation uint32
	Subject    string
	Epoch      uint64
	Key        string
	Reason     Reason
	At         Time
	Until      Time
}
