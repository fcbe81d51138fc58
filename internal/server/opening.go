package server

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/store/memory"
	"github.com/lanyard-go/lanyard/store/postgres"
	"github.com/lanyard-go/lanyard/store/redis"
	"github.com/lanyard-go/lanyard/store/sqlite"
)

const (
	// openTimeout bounds what a start asks of engines elsewhere.
	openTimeout = 15 * time.Second

	// maxClockGap is how far this machine's clock and the store server's may be
	// apart at a start. Deadlines are computed by the nodes' clocks.
	maxClockGap = time.Minute
)

// Facts about a store, kept beside its records.
const (
	noteSecret    = "server-secret" // fingerprint of the secret its records were made with
	noteDirectory = "directory"     // identity of the directory its subjects are in
	noteMoved     = "moved"         // where its sessions went
	noteMoving    = "moving"        // where sessions are being moved from
	noteLeaving   = "leaving"       // where sessions are being moved to
)

// directoryMeta is the directory's identity, drawn once.
const directoryMeta = "directory-id"

// openSessions opens a session store. Exclusive says that no other process
// writes to a SQLite file. Close gives back what was opened.
func (r *resolved) openSessions(ctx context.Context, d Drivers, e engine, setting string, exclusive bool) (store lanyard.Store, shut func() error, err error) {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	if err := r.encrypted(d, e, setting); err != nil {
		return nil, nil, err
	}
	switch e.kind {
	case onSQLite:
		store, shut, err = openSQLiteSessions(ctx, d, e, setting, exclusive)
	case onPostgres:
		store, shut, err = r.openPostgresSessions(ctx, d, e, setting)
	case onRedis:
		store, shut, err = r.openRedisSessions(ctx, d, e, setting)
	default:
		store, shut = memory.New(), func() error { return nil }
	}
	if err != nil && !errors.As(err, new(*SettingError)) {
		err = wrong(setting, "opening %s: %v", e, err)
	}
	return store, shut, err
}

func openSQLiteSessions(ctx context.Context, d Drivers, e engine, setting string, exclusive bool) (lanyard.Store, func() error, error) {
	release := func() error { return nil }
	if exclusive {
		// Two servers may have data directories of their own and name one file.
		// Each would answer from a memory that does not hear of the other's ends.
		lock, err := lockFile(e.address+".lock", syscall.LOCK_EX|syscall.LOCK_NB)
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, nil, wrong(setting, "%s is in use by another lanyard process; for several nodes use PostgreSQL or Redis", e)
		}
		if err != nil {
			return nil, nil, err
		}
		release = lock.Close
	}
	db, err := openSQL(d, e.address, setting)
	if err != nil {
		return nil, nil, errors.Join(err, release())
	}
	store, err := sqlite.New(ctx, db, sqlite.Config{Exclusive: exclusive})
	if err != nil {
		return nil, nil, errors.Join(err, db.Close(), release())
	}
	return store, func() error { return errors.Join(store.Close(), db.Close(), release()) }, nil
}

func (r *resolved) openPostgresSessions(ctx context.Context, d Drivers, e engine, setting string) (lanyard.Store, func() error, error) {
	db, err := r.openPostgres(d, e, setting)
	if err != nil {
		return nil, nil, err
	}
	store, err := postgres.New(ctx, db.DB, postgres.Config{Listen: db.Listen})
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	return store, func() error { return errors.Join(store.Close(), db.Close()) }, nil
}

func (r *resolved) openRedisSessions(ctx context.Context, d Drivers, e engine, setting string) (lanyard.Store, func() error, error) {
	if d.Redis == nil {
		return nil, nil, wrong(setting, "this program was built without Redis")
	}
	cfg, shut, err := d.Redis(e.address, r.InsecurePlaintextStore)
	if err != nil {
		return nil, nil, err
	}
	store, err := redis.New(ctx, cfg)
	for timedOut(err) && ctx.Err() == nil { // busy, as after a failover of all its clients
		store, err = redis.New(ctx, cfg)
	}
	if err != nil {
		shut()
		return nil, nil, err
	}
	return store, func() error { shut(); return nil }, nil
}

// timedOut reports whether an engine was reached and did not answer in time.
func timedOut(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout()
}

// openSQL opens a SQLite file, and makes it if need be.
func openSQL(d Drivers, path, setting string) (*sql.DB, error) {
	if d.SQLite == nil {
		return nil, wrong(setting, "this program was built without SQLite")
	}
	// The file is made here so that it never exists with a wider mode.
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, wrong(setting, "opening the database: %v", err)
	}
	f.Close()
	db, err := d.SQLite(sqlite.DSN(path))
	if err != nil {
		return nil, wrong(setting, "opening %s: %v", path, err)
	}
	return db, nil
}

// openDirectoryDB opens the database of users, clients and keys.
func (r *resolved) openDirectoryDB(d Drivers) (*sql.DB, error) {
	if r.directory.kind == onSQLite {
		return openSQL(d, r.directory.address, "directory")
	}
	db, err := r.openPostgres(d, r.directory, "directory")
	if err != nil {
		return nil, err
	}
	return db.DB, nil
}

// openStore opens the session store and looks whether it can be relied on.
func (s *Server) openStore(ctx context.Context, d Drivers) error {
	// The lock on the data directory makes this process the only writer of a
	// SQLite store.
	store, shut, err := s.cfg.openSessions(ctx, d, s.cfg.store, "store", true)
	if err != nil {
		return err
	}
	s.store = store
	s.closers = append(s.closers, shut)
	s.sessions, _ = store.(*sqlite.Store)
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	if err := s.checkMoved(ctx); err != nil {
		return err
	}
	if err := s.checkClock(ctx); err != nil {
		return err
	}
	if i, ok := store.(lanyard.Inspector); ok {
		found, err := i.Inspect(ctx)
		if err != nil {
			return wrong("store", "looking at the settings of %s: %v", s.cfg.store, err)
		}
		for _, sentence := range found {
			s.log.Warn("the session store does not keep every promise", "store", s.cfg.store.String(), "why", sentence)
		}
	}
	return nil
}

// checkMoved refuses a store whose sessions have been moved to another: what was
// ended there since would be live again.
func (s *Server) checkMoved(ctx context.Context) error {
	n, ok := s.store.(lanyard.Noter)
	if !ok {
		return nil
	}
	moved, err := n.Note(ctx, noteMoved, "", "")
	if err != nil {
		return wrong("store", "reading from %s: %v", s.cfg.store, err)
	}
	if moved != "" {
		return wrong("store", "the sessions of %s were moved to %s; use that store, since sessions ended there would be live again here", s.cfg.store, moved)
	}
	leaving, err := n.Note(ctx, noteLeaving, "", "")
	if err != nil {
		return wrong("store", "reading from %s: %v", s.cfg.store, err)
	}
	if leaving != "" {
		return wrong("store", "moving sessions from %s to %s was not finished; run lanyard migrate --from %s --to %s again", s.cfg.store, leaving, s.cfg.store, leaving)
	}
	moving, err := n.Note(ctx, noteMoving, "", "")
	if err != nil {
		return wrong("store", "reading from %s: %v", s.cfg.store, err)
	}
	if moving != "" {
		return wrong("store", "moving sessions from %s into %s was not finished; run lanyard migrate --from %s --to %s again", moving, s.cfg.store, moving, s.cfg.store)
	}
	return nil
}

// checkClock finds a machine whose clock is wrong, which would end sessions too
// early or keep them too long.
func (s *Server) checkClock(ctx context.Context) error {
	c, ok := s.store.(lanyard.Clocked)
	if !ok {
		return nil
	}
	before := s.now()
	theirs, err := c.Clock(ctx)
	if err != nil {
		return wrong("store", "asking %s for its clock: %v", s.cfg.store, err)
	}
	after := s.now()
	switch {
	case theirs.After(after.Add(maxClockGap)):
		return wrong("store", "this machine's clock is %v behind that of %s; set the clocks right (NTP) and start again", theirs.Sub(after).Round(time.Second), s.cfg.store)
	case theirs.Before(before.Add(-maxClockGap)):
		return wrong("store", "this machine's clock is %v ahead of that of %s; set the clocks right (NTP) and start again", before.Sub(theirs).Round(time.Second), s.cfg.store)
	}
	return nil
}

// checkNotedSecret keeps a node out whose server secret is not the one that the
// sessions in the store were made with: it could check none of them.
func (s *Server) checkNotedSecret(ctx context.Context, keys *lanyard.Keys) error {
	n, ok := s.store.(lanyard.Noter)
	if !ok {
		return nil
	}
	known, err := n.Note(ctx, noteSecret, "", keys.Fingerprint())
	if err == nil && known != keys.Fingerprint() && keys.Knows(known) {
		// A new secret was put in front of the old one, which is still kept.
		known, err = n.Note(ctx, noteSecret, known, keys.Fingerprint())
	}
	if err != nil {
		return fmt.Errorf("setting store: noting the server secret's fingerprint in %s: %w", s.cfg.store, err)
	}
	if !keys.Knows(known) {
		return wrong("store", "the sessions in %s were made with another server secret (fingerprint %s, this node has %s); nodes that share a store share the secret: copy the file and name it with secret-file", s.cfg.store, known, keys.Fingerprint())
	}
	return nil
}

// checkNotedDirectory keeps a node out that has users of its own: a name would
// be one person here and another one there.
func (s *Server) checkNotedDirectory(ctx context.Context) error {
	n, ok := s.store.(lanyard.Noter)
	if !ok {
		return nil
	}
	id, err := s.dir.ClaimMeta(ctx, directoryMeta, rand.Text())
	if err != nil {
		return fmt.Errorf("reading the directory: %w", err)
	}
	known, err := n.Note(ctx, noteDirectory, "", id)
	if err != nil {
		return fmt.Errorf("setting store: noting the directory in %s: %w", s.cfg.store, err)
	}
	if known != id {
		return wrong("directory", "the sessions in %s are of people in another directory than %s; nodes that share a store share the directory: one data directory on one machine, --directory postgres://... on several", s.cfg.store, s.cfg.directory)
	}
	return nil
}
