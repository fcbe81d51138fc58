// Package sqlite keeps sessions in one SQLite file: the store for one machine.
//
// Open the database with the driver of your choice and [DSN], then call [New]:
//
//	db, err := sql.Open("sqlite", sqlite.DSN("sessiondb"))
//	...
//	store, err := sqlite.New(ctx, db, sqlite.Config{})
//
// A call that returned nil has been synced to the disk: it survives a killed
// process and a loss of power. Callers that write at the same moment share one
// transaction and one sync, a lone caller waits for nobody.
//
// [Migrate] and [Status] are about the tables, [Store.Check] and [Store.Backup]
// about the file. Several processes of one machine may share the file; several
// machines may not, and a network file system will not do.
//
// The package imports no driver. It was written for and is tested with
// modernc.org/sqlite; with another driver, set the pragmas that [New] asks for
// in that driver's way.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
)

// Config holds the settings of a [Store]. The zero value is safe for several
// processes on one file.
type Config struct {
	// Exclusive promises that nothing but this Store writes to the file while
	// it is open. Only then may records be kept in memory. If the promise is
	// broken, ended sessions may be accepted; the caller holds a lock.
	Exclusive bool

	// CacheSize bounds the memory for records when Exclusive is set, in bytes; 0
	// means [DefaultCacheSize]. It is taken as sessions are used, at most 450
	// bytes for one of a usual size, and given back when the store is closed. A
	// check of a session that is not there reads the file, which takes some ten
	// times as long: a million sessions in use want all of the default, a small
	// machine may want less.
	CacheSize int

	// Readers is the number of connections for reading, 0 means 4. One more
	// is used for writing.
	Readers int
}

// Store is a [lanyard.Store] on SQLite. It is safe for concurrent use.
type Store struct {
	writer  writer
	readers chan *connection
	opened  int    // number of readers
	cache   *cache // nil unless Exclusive

	// epoch is at least the global epoch of every change that has returned.
	// It decides for records that come from the cache.
	epoch atomic.Uint64

	lead   chan struct{} // held by the caller that runs a transaction
	known  *meta         // what the last transaction left, if nobody else writes; belongs to the lead
	mu     sync.Mutex
	queue  []*op // waiting to be taken into a transaction
	closed chan struct{}
	once   sync.Once
	prunes atomic.Uint64 // that left work; see copyLog
	bell   bell          // rings when feed entries were appended
}

// New returns a Store on db. It creates the tables in a database that has none
// and refuses one whose tables are older ([ErrOldSchema], run [Migrate]) or
// newer ([ErrNewSchema]) than this program. It refuses connections that are not
// in WAL mode, do not sync each commit, or do not wait for a lock; the error
// names the pragma.
//
// New takes Readers+1 connections from db and keeps them until [Store.Close].
// It starts nothing and does not close db.
func New(ctx context.Context, db *sql.DB, cfg Config) (*Store, error) {
	if db == nil {
		return nil, errors.New("sqlite: db is nil")
	}
	if cfg.CacheSize < 0 {
		return nil, fmt.Errorf("sqlite: Config.CacheSize is %d bytes, it cannot be negative", cfg.CacheSize)
	}
	if cfg.Readers < 0 {
		return nil, fmt.Errorf("sqlite: Config.Readers is %d, it cannot be negative", cfg.Readers)
	}
	if cfg.CacheSize == 0 {
		cfg.CacheSize = DefaultCacheSize
	}
	if cfg.Readers == 0 {
		cfg.Readers = 4
	}
	if most := db.Stats().MaxOpenConnections; most != 0 && most <= cfg.Readers {
		return nil, fmt.Errorf("sqlite: db may open %d connections, the store needs %d: raise SetMaxOpenConns or lower Config.Readers",
			most, cfg.Readers+1)
	}
	s := &Store{
		readers: make(chan *connection, cfg.Readers),
		lead:    make(chan struct{}, 1),
		closed:  make(chan struct{}),
	}
	if cfg.Exclusive {
		s.cache = newCache(cfg.CacheSize)
	}
	if err := s.open(ctx, db); err != nil {
		return nil, err
	}
	return s, nil
}

// open takes the connections. What was taken is given back on an error.
func (s *Store) open(ctx context.Context, db *sql.DB) (err error) {
	if err := checkSettings(ctx, db); err != nil {
		return err
	}
	steps, err := loadSteps()
	if err != nil {
		return err
	}
	if err := prepareSchema(ctx, db, steps); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.release())
		}
	}()
	if s.writer.connection, err = connect(ctx, db, writeStatements); err != nil {
		return err
	}
	if err := s.writer.tune(ctx); err != nil {
		return err
	}
	for range cap(s.readers) {
		c, err := connect(ctx, db, readStatements)
		if err != nil {
			return err
		}
		s.readers <- c
		s.opened++
	}
	epoch, err := s.GlobalEpoch(ctx)
	if err != nil {
		return err
	}
	s.epoch.Store(epoch)
	return nil
}

// Close waits for the calls in progress and gives the connections back. Later
// calls, and those still waiting for their turn, get [ErrClosed]. The
// [sql.DB] stays open; closing it is its owner's business.
func (s *Store) Close() (err error) {
	s.once.Do(func() {
		s.lead <- struct{}{} // never handed back: no transaction starts any more
		close(s.closed)
		s.cache.clear() // the file may have another owner from now on
		err = s.release()
	})
	return err
}

func (s *Store) release() error {
	var errs []error
	for range s.opened {
		errs = append(errs, (<-s.readers).close())
	}
	if s.writer.connection != nil {
		errs = append(errs, s.writer.close())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("closing the store: %w", err)
	}
	return nil
}
