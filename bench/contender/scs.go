package contender

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"path/filepath"
	"time"

	"github.com/alexedwards/scs/sqlite3store"
	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"

	"github.com/lanyard-go/lanyard/store/sqlite"
)

func openSCS(ctx context.Context, kind Kind, n int, dir string) (_ *Site, err error) {
	s := &Site{}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	m := newSCS()
	switch kind {
	case SCSIdle:
		m.IdleTimeout = limit
	case SCSSQLite:
		db, err := scsFile(ctx, filepath.Join(dir, "scs.db"))
		if err != nil {
			return nil, err
		}
		s.closers = append(s.closers, db.Close)
		m.Store = sqlite3store.NewWithCleanupInterval(db, 0)
	}
	s.Handler = m.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		page(w, m.GetString(r.Context(), "subject"))
	}))
	for i := range n {
		token, err := scsLogin(ctx, m, somebody(i))
		if err != nil {
			return nil, err
		}
		s.Badges = append(s.Badges, cookieBadge(m.Cookie.Name, token))
	}
	return s, nil
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
