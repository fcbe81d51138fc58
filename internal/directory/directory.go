package directory

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/lanyard-go/lanyard/password"
)

// What callers branch on, with [errors.Is].
var (
	// ErrNotFound: there is no such user, client or value.
	ErrNotFound = errors.New("directory: not found")
	// ErrExists: the name or id is taken, if only by a disabled user or in
	// other letter case.
	ErrExists = errors.New("directory: already exists")
	// ErrNotEmpty: an initial user was to be added and there are users.
	ErrNotEmpty = errors.New("directory: there are users already")
	// ErrDisabled: the user is disabled.
	ErrDisabled = errors.New("directory: user is disabled")
	// ErrInvalid: a name, an id or another field breaks a rule, which the
	// wrapping error states.
	ErrInvalid = errors.New("directory: invalid")
	// ErrBuiltIn: the client belongs to the product and cannot be changed.
	ErrBuiltIn = errors.New("directory: built-in client")

	// ErrInvalidCredentials is the one answer to an unknown name, a wrong
	// password, a user without a password and a disabled user.
	ErrInvalidCredentials = errors.New("directory: invalid credentials")
	// ErrInvalidClient is the one answer to an unknown client, a wrong secret
	// and a public client.
	ErrInvalidClient = errors.New("directory: invalid client")
	// ErrResetInvalid is the one answer to a reset secret that is unknown,
	// used, replaced by a newer one, or expired, and to that of a disabled user.
	ErrResetInvalid = errors.New("directory: reset secret is not valid")
)

// Config sets up a [Directory].
type Config struct {
	// Hasher hashes and verifies passwords. Required.
	Hasher *password.Hasher

	// Policy judges every new password. The zero value is a good one.
	Policy password.Policy

	// Throttle slows down guessing. The zero value is a good one.
	Throttle ThrottleConfig

	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Directory holds users and clients. Make one with [Open].
type Directory struct {
	db       *sql.DB
	dialect  dialect
	hasher   hasher
	policy   password.Policy
	throttle ThrottleConfig
	clock    func() time.Time

	// writing holds the one token that a writing transaction takes, so that
	// writers of one process queue here, in order and without polling, and
	// only writers of other processes meet at the database's lock.
	writing chan struct{}

	turns        *turns
	reservations atomic.Uint64
}

// hasher is what the directory needs of a [password.Hasher].
type hasher interface {
	Hash(ctx context.Context, pw string) (string, error)
	Verify(ctx context.Context, encoded, pw string) (match, stale bool, err error)
	Equalize(ctx context.Context, pw string) error
	Check(encoded string) error
}

// Open returns the directory in db, or an error that names the field of c that
// is wrong. A database without a directory gets one. A directory of an older
// or newer version of the program is refused with [ErrSchemaOld] or
// [ErrSchemaNew]; see [Up]. So is one that can only be read.
//
// The database is SQLite or PostgreSQL 14 or later, which Open finds out. The
// caller keeps db and closes it after the last call. On SQLite the data source
// should set a busy_timeout of some seconds and journal_mode WAL; on PostgreSQL
// the tables are in the first schema of its search_path.
func Open(ctx context.Context, db *sql.DB, c Config) (*Directory, error) {
	if db == nil {
		return nil, errors.New("directory: db: required")
	}
	if c.Hasher == nil {
		return nil, errors.New("directory: Hasher: required")
	}
	if err := c.Policy.Validate(); err != nil {
		return nil, fmt.Errorf("directory: Policy: %w", err)
	}
	throttle := c.Throttle.withDefaults()
	if err := throttle.validate(); err != nil {
		return nil, err
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	m, err := numbered(files)
	if err != nil {
		return nil, err
	}
	if err := m.prepare(ctx, db); err != nil {
		return nil, err
	}
	l, err := detect(ctx, db)
	if err != nil {
		return nil, err
	}
	if err := writable(ctx, l, db); err != nil {
		return nil, err
	}
	return &Directory{
		db:       db,
		dialect:  l,
		hasher:   c.Hasher,
		policy:   c.Policy,
		throttle: throttle,
		clock:    c.Now,
		writing:  make(chan struct{}, 1),
		turns:    newTurns(throttle.Free),
	}, nil
}

// write runs do in a transaction that holds the database's write lock from its
// first statement: what do reads stays true until it commits. do must use tx
// only and must not wait for anything but the database. An error is wrapped in
// the action, a gerund for the log.
func (d *Directory) write(ctx context.Context, action string, do func(tx *sql.Tx) error) error {
	select {
	case d.writing <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", action, ctx.Err())
	}
	defer func() { <-d.writing }()
	if err := d.dialect.exclusive(ctx, d.db, do); err != nil {
		return fmt.Errorf("%s: %w", action, err)
	}
	return nil
}
