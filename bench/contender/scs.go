package contender

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"path/filepath"
	"time"

	"github.com/alexedwards/scs/goredisstore"
	"github.com/alexedwards/scs/pgxstore"
	"github.com/alexedwards/scs/sqlite3store"
	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"

	"github.com/lanyard-go/lanyard/store/sqlite"
)

// scsConns is how many connections its pools may open: as many as there are
// callers at most, so that nobody waits for one and PostgreSQL shares syncs.
const scsConns = 64

func openSCS(ctx context.Context, kind Kind, n int, base Base) (_ *Site, err error) {
	s := &Site{}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	m := newSCS()
	switch kind {
	case SCSMemoryIdle, SCSSQLiteIdle, SCSPostgresIdle, SCSRedisIdle:
		m.IdleTimeout = limit
	}
	switch kind {
	case SCSSQLite, SCSSQLiteIdle:
		db, err := scsFile(ctx, filepath.Join(base.Dir, "scs.db"))
		if err != nil {
			return nil, err
		}
		s.closers = append(s.closers, db.Close)
		if kind == SCSSQLiteIdle {
			db.SetMaxOpenConns(1) // see SCSCreator
		}
		m.Store = sqlite3store.NewWithCleanupInterval(db, 0)
	case SCSPostgres, SCSPostgresIdle:
		pool, err := scsPool(ctx, base.Postgres)
		if err != nil {
			return nil, err
		}
		s.closers = append(s.closers, func() error { pool.Close(); return nil })
		m.Store = pgxstore.NewWithCleanupInterval(pool, 0)
	case SCSRedis, SCSRedisIdle:
		client, err := goRedis(base.Redis)
		if err != nil {
			return nil, err
		}
		s.closers = append(s.closers, client.Close)
		m.Store = goredisstore.New(client)
	}
	s.Handler = m.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		page(w, m.GetString(r.Context(), "subject"))
	}))
	s.login = func(ctx context.Context, p person) (Badge, error) {
		token, err := scsLogin(ctx, m, p)
		return cookieBadge(m.Cookie.Name, token), err
	}
	return s, s.fill(ctx, n)
}

// newSCS returns a manager with its defaults, which have no idle limit, and the
// one setting its documentation recommends for production. Expired sessions are
// not cleaned up while somebody measures.
func newSCS() *scs.SessionManager {
	m := scs.New()
	m.Store = memstore.NewWithCleanupInterval(0)
	m.Lifetime = limit
	m.Cookie.Secure = true
	return m
}

// scsFile opens a database with the table of the store's documentation and the
// very settings of the other contenders on SQLite.
func scsFile(ctx context.Context, path string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", sqlite.DSN(path))
	if err != nil {
		return nil, err
	}
	_, err = db.ExecContext(ctx, `CREATE TABLE sessions (token TEXT PRIMARY KEY, data BLOB NOT NULL, expiry REAL NOT NULL);
		CREATE INDEX sessions_expiry_idx ON sessions(expiry);`)
	if err != nil {
		db.Close()
		return nil, fmt.Errorf("making the table: %w", err)
	}
	return db, nil
}

// scsPool opens a pool as large as ours and makes the table of the store's
// documentation.
func scsPool(ctx context.Context, url string) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	cfg.MaxConns = scsConns
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, err
	}
	_, err = pool.Exec(ctx, `CREATE TABLE sessions (token TEXT PRIMARY KEY, data BYTEA NOT NULL, expiry TIMESTAMPTZ NOT NULL);
		CREATE INDEX sessions_expiry_idx ON sessions (expiry)`)
	if err != nil {
		pool.Close()
		return nil, fmt.Errorf("making the table: %w", err)
	}
	return pool, nil
}

// goRedis connects with the client that the store is for. Its pool has a
// connection for each of the callers.
func goRedis(url string) (*redis.Client, error) {
	options, err := redis.ParseURL(url)
	if err != nil {
		return nil, err
	}
	options.PoolSize = scsConns
	return redis.NewClient(options), nil
}

// scsLogin signs a person in and returns the session token.
func scsLogin(ctx context.Context, m *scs.SessionManager, p person) (string, error) {
	ctx, err := m.Load(ctx, "")
	if err != nil {
		return "", fmt.Errorf("loading a session: %w", err)
	}
	now := time.Now().UnixMilli()
	for name, value := range map[string]any{
		"subject": p.subject, "methods": "pwd", "label": p.label, "user_agent": p.agent, "ip": p.address,
		"created_at": now, "auth_time": now,
	} {
		m.Put(ctx, name, value)
	}
	token, _, err := m.Commit(ctx)
	if err != nil {
		return "", fmt.Errorf("saving a session: %w", err)
	}
	return token, nil
}
