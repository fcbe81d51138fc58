package contender

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/alexedwards/scs/sqlite3store"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/store/sqlite"
	"github.com/lanyard-go/lanyard/token"
)

// Creator makes durable sessions in a SQLite file of its own, with
// synchronous=FULL.
type Creator struct {
	// Create makes one session of a person who has none yet. When it returns
	// nil the session is on the disk. It may be called concurrently.
	Create func(ctx context.Context) error

	// Count returns how many sessions are in the file.
	Count func(ctx context.Context) (int, error)

	db    *sql.DB
	close func() error
}

// Close gives the file back.
func (c *Creator) Close() error { return c.close() }

// Together lets so many callers create n sessions in all.
func (c *Creator) Together(ctx context.Context, callers, n int) error {
	return share(callers, n, func(int) error { return c.Create(ctx) })
}

// people hands out persons who have not been seen before.
type people struct{ n atomic.Int64 }

func (p *people) next() person { return somebody(int(p.n.Add(1) - 1)) }

// StoreCreator writes through this project's store.
func StoreCreator(ctx context.Context, dir string) (*Creator, error) {
	f, err := openFile(ctx, filepath.Join(dir, "store.db"))
	if err != nil {
		return nil, err
	}
	var people people
	return &Creator{
		Create: func(ctx context.Context) error {
			_, err := f.Store.Create(ctx, people.next().record(lanyard.TimeOf(time.Now())), lanyard.Limit{})
			return err
		},
		Count: counter(f.db), db: f.db, close: f.Close,
	}, nil
}

// LoginCreator makes whole logins with this project's manager.
func LoginCreator(ctx context.Context, dir string) (*Creator, error) {
	f, err := openFile(ctx, filepath.Join(dir, "login.db"))
	if err != nil {
		return nil, err
	}
	m, err := Manager(f.Store, nil, token.ES256)
	if err != nil {
		f.Close()
		return nil, err
	}
	var people people
	return &Creator{
		Create: func(ctx context.Context) error {
			_, err := m.Start(ctx, people.next().login(lanyard.ChannelCookie))
			return err
		},
		Count: counter(f.db), db: f.db, close: f.Close,
	}, nil
}

// SCSCreator makes whole logins with scs. Its store writes with whatever
// connection is free; it gets one, since SQLite's own waiting for a lock among
// several is far slower.
func SCSCreator(ctx context.Context, dir string) (*Creator, error) {
	db, err := scsFile(ctx, filepath.Join(dir, "scs.db"))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	m := newSCS()
	m.Store = sqlite3store.NewWithCleanupInterval(db, 0)
	var people people
	return &Creator{
		Create: func(ctx context.Context) error {
			_, err := scsLogin(ctx, m, people.next())
			return err
		},
		Count: counter(db), db: db, close: db.Close,
	}, nil
}

// The statements of a creation, as this project's store runs them.
const (
	plainBegin  = "BEGIN IMMEDIATE"
	plainEpoch  = "SELECT epoch FROM session_epochs WHERE subject = ?"
	plainInsert = `INSERT INTO sessions (sid, version, subject, epoch, deadline, origin, body)
		VALUES (?, 1, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`
	plainCommit = "COMMIT"
)

// PlainCreator writes the same rows into the same tables with the same
// statements, keys, indexes and pragmas, but gives each session a transaction of
// its own. The callers take turns on one prepared connection.
func PlainCreator(ctx context.Context, dir string) (*Creator, error) {
	path := filepath.Join(dir, "plain.db")
	f, err := openFile(ctx, path) // makes the tables
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", sqlite.DSN(path))
	if err != nil {
		return nil, err
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		db.Close()
		return nil, err
	}
	stmts := map[string]*sql.Stmt{}
	for _, text := range []string{"PRAGMA cache_size = -8000", "PRAGMA wal_autocheckpoint = 4000"} {
		if _, err := conn.ExecContext(ctx, text); err != nil {
			db.Close()
			return nil, fmt.Errorf("setting up the connection: %w", err)
		}
	}
	for _, text := range []string{plainBegin, plainEpoch, plainInsert, plainCommit} {
		if stmts[text], err = conn.PrepareContext(ctx, text); err != nil {
			db.Close()
			return nil, fmt.Errorf("preparing a statement: %w", err)
		}
	}
	p := &plain{stmts: stmts}
	return &Creator{Create: p.create, Count: counter(db), db: db, close: func() error {
		conn.Close()
		return db.Close()
	}}, nil
}

type plain struct {
	mu     sync.Mutex
	stmts  map[string]*sql.Stmt
	people people
}

func (p *plain) create(ctx context.Context) error {
	rec := p.people.next().record(lanyard.TimeOf(time.Now()))
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, err := p.stmts[plainBegin].ExecContext(ctx); err != nil {
		return fmt.Errorf("beginning: %w", err)
	}
	if err := p.stmts[plainEpoch].QueryRowContext(ctx, rec.Subject).Scan(&rec.SubjectEpoch); err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("reading the subject's epoch: %w", err)
	}
	body, err := rec.AppendBinary(nil)
	if err != nil {
		return err
	}
	_, err = p.stmts[plainInsert].ExecContext(ctx, rec.SID[:], rec.Subject, 0, int64(min(rec.IdleExpiresAt, rec.ExpiresAt)), nil, body)
	if err != nil {
		return fmt.Errorf("inserting: %w", err)
	}
	_, err = p.stmts[plainCommit].ExecContext(ctx)
	return err
}

func counter(db *sql.DB) func(context.Context) (int, error) {
	return func(ctx context.Context) (n int, err error) {
		err = db.QueryRowContext(ctx, "SELECT count(*) FROM sessions").Scan(&n)
		return n, err
	}
}
