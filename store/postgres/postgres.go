// Package postgres keeps sessions in PostgreSQL 14 or later: the store for
// several nodes that share one database.
//
// Open the database with a driver of your choice, then call [New]:
//
//	db, err := sql.Open("pgx", url)
//	...
//	store, err := postgres.New(ctx, db, postgres.Config{})
//
// Every call is one statement that commits by itself, so a session costs one
// round trip to check, to create, to update or to end. Calls that write at the
// same moment share a statement and its commit; a lone caller waits for nobody.
//
// # Isolation and locks
//
// Transactions run at READ COMMITTED, and functions in the database order them
// with advisory locks that are held until the commit:
//
//   - one for each subject whose records are written, taken first and in
//     ascending order. It makes the limit of a subject hold however many sign in
//     at once, and a new session either end with its subject or be of the new
//     epoch;
//   - one for the feed, taken last. Places in the feed are given while it is
//     held, so they are in the order of commits, and a reader never passes an
//     entry that was not yet visible.
//
// Whoever holds the lock of the feed waits for nothing but the disk, and records
// are written only under the locks of their subjects, so there are no deadlocks.
// Pruning locks no subject and never waits for a row.
//
// A session is written before its step has returned nil, as durably as the
// server is set to be; [Store.Inspect] says where that is not durable. When a
// connection breaks during a write nobody knows whether it happened: such a call
// returns an error and is not repeated.
//
// The package imports no driver. It was written for and is tested with pgx's
// database/sql driver, which prepares each statement once per connection.
package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/lanyard-go/lanyard"
)

// Config holds the settings of a [Store]. The zero value is safe.
type Config struct {
	// Schema is the database schema that holds the tables, so that they share a
	// database with others: lower-case letters, digits and underscores, at most
	// 40. Empty means "lanyard".
	Schema string

	// NoCreate keeps New from creating the tables in a database that has none,
	// as for a role that may not: it gives [ErrNoSchema] then.
	NoCreate bool

	// Timeout bounds a transaction that several callers share, 0 means 10
	// seconds. A single caller is answered when its own context ends, whatever
	// becomes of the transaction.
	Timeout time.Duration

	// Listen, if not nil, subscribes to a notification channel with LISTEN on a
	// connection of its own: it calls wake after each notification and when it
	// has begun to listen, until ctx ends or the connection breaks, and returns
	// why. With it [Store.Watch] works, and this store notifies the others.
	Listen func(ctx context.Context, channel string, wake func()) error
}

// Store is a [lanyard.Store] on PostgreSQL. It is safe for concurrent use, and
// any number of them, on any number of machines, may share a schema.
type Store struct {
	db     *sql.DB
	query  queries
	listen func(ctx context.Context, channel string, wake func()) error

	creating *lane[creation]
	updating *lane[update]
	ending   *lane[ending]
	taking   *lane[taking]

	timeout time.Duration
	news    notifier
	calls   sync.WaitGroup // transactions and notifications under way
	mu      sync.Mutex
	closed  bool
}

// New returns a Store on db. It creates the tables if there are none, and
// refuses tables that are older ([ErrOldSchema], run [Migrate]) or newer
// ([ErrNewSchema]) than this program or that belong to another one
// ([ErrForeign]). It also refuses a server that is too old or in recovery, a
// database with another encoding than UTF8, a role that may not write, and
// another default isolation level; the errors name what to change.
//
// It starts nothing and does not close db.
func New(ctx context.Context, db *sql.DB, cfg Config) (*Store, error) {
	if db == nil {
		return nil, errors.New("postgres: db is nil")
	}
	schema, err := schemaName(cfg.Schema)
	if err != nil {
		return nil, err
	}
	if cfg.Timeout < 0 {
		return nil, fmt.Errorf("postgres: Config.Timeout is %v, it cannot be negative", cfg.Timeout)
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 10 * time.Second
	}
	s := &Store{db: db, query: newQueries(schema), listen: cfg.Listen, timeout: cfg.Timeout}
	s.creating = newLane(s, s.createAll)
	s.updating = newLane(s, s.updateAll)
	s.ending = newLane(s, s.endEach)
	s.taking = newLane(s, s.takeAll)
	if err := checkServer(ctx, db); err != nil {
		return nil, err
	}
	if err := prepareSchema(ctx, db, schema, cfg.NoCreate); err != nil {
		return nil, err
	}
	if err := s.checkStatements(ctx); err != nil {
		return nil, err
	}
	if err := checkRights(ctx, db, schema); err != nil {
		return nil, err
	}
	return s, nil
}

// Close waits for the transactions in progress. Later calls get [ErrClosed]. The
// [sql.DB] stays open; closing it is its owner's business.
func (s *Store) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.calls.Wait()
	return nil
}

// enter counts a call in, unless the store is closed. The caller calls
// s.calls.Done in the end.
func (s *Store) enter() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	s.calls.Add(1)
	return nil
}

var _ lanyard.Store = (*Store)(nil)
