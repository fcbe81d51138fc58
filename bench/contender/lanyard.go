package contender

import (
	"context"
	"crypto"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite" // the driver of every SQLite contender

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/internal/pgconn"
	"github.com/lanyard-go/lanyard/internal/redisconn"
	"github.com/lanyard-go/lanyard/store/memory"
	"github.com/lanyard-go/lanyard/store/postgres"
	"github.com/lanyard-go/lanyard/store/redis"
	"github.com/lanyard-go/lanyard/store/sqlite"
	"github.com/lanyard-go/lanyard/token"
)

func openLanyard(ctx context.Context, kind Kind, n int, base Base) (_ *Site, err error) {
	s := &Site{}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	store, shut, err := openStore(ctx, kind, base)
	if err != nil {
		return nil, err
	}
	s.closers = append(s.closers, shut)
	m, err := Manager(store, nil, token.ES256)
	if err != nil {
		return nil, err
	}
	s.Manager, s.store = m, store
	s.Handler = m.Handler(m.Require(lanyard.Need{}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		page(w, lanyard.From(r.Context()).Subject())
	})))
	channel := lanyard.ChannelCookie
	if kind == LanyardToken {
		channel = lanyard.ChannelToken
	}
	s.login = func(ctx context.Context, p person) (Badge, error) {
		g, err := m.Start(ctx, p.login(channel))
		switch {
		case err != nil:
			return Badge{}, err
		case channel == lanyard.ChannelToken:
			return bearerBadge(g.Access.Reveal()), nil
		}
		return cookieBadge(m.CookieName(), g.Handle.Reveal()), nil
	}
	return s, s.fill(ctx, n)
}

// openStore opens the store that the kind names, as the server opens it.
func openStore(ctx context.Context, kind Kind, base Base) (lanyard.Store, func() error, error) {
	switch kind {
	case LanyardSQLite:
		f, err := openFile(ctx, filepath.Join(base.Dir, "sessions.db"))
		if err != nil {
			return nil, nil, err
		}
		return f.Store, f.Close, nil
	case LanyardPostgres:
		return openPostgres(ctx, base.Postgres)
	case LanyardRedis:
		return openRedis(ctx, base.Redis)
	}
	return memory.New(), func() error { return nil }, nil
}

func openPostgres(ctx context.Context, url string) (lanyard.Store, func() error, error) {
	db, err := pgconn.Open(url)
	if err != nil {
		return nil, nil, err
	}
	listen, err := pgconn.Listener(url)
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	store, err := postgres.New(ctx, db, postgres.Config{Listen: listen})
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	return store, func() error { return errors.Join(store.Close(), db.Close()) }, nil
}

func openRedis(ctx context.Context, url string) (lanyard.Store, func() error, error) {
	conn, err := redisconn.Open(redisconn.Config{URL: url})
	if err != nil {
		return nil, nil, err
	}
	store, err := redis.New(ctx, redis.Config{Do: conn.Do, Subscribe: conn.Subscribe, Nodes: conn.Nodes})
	if err != nil {
		conn.Close()
		return nil, nil, err
	}
	return store, func() error { conn.Close(); return nil }, nil
}

// Manager makes a manager with the default policy, except that access tokens
// live as long as policy permits, so that they outlast a run, and a store may
// take as long to answer as others wait for theirs. Without keys it draws some.
func Manager(store lanyard.Store, keys *lanyard.Keys, alg token.Algorithm) (*lanyard.Manager, error) {
	return managerAt(store, keys, alg, time.Now)
}

// managerAt is Manager with another clock.
func managerAt(store lanyard.Store, keys *lanyard.Keys, alg token.Algorithm, now func() time.Time) (*lanyard.Manager, error) {
	if keys == nil {
		var err error
		if keys, err = lanyard.RandomKeys(); err != nil {
			return nil, err
		}
	}
	signer, err := newSigner(alg)
	if err != nil {
		return nil, err
	}
	set, err := keySet(signer, alg)
	if err != nil {
		return nil, err
	}
	return lanyard.New(store, lanyard.Config{
		Issuer: issuer, Keys: keys, TokenKeys: set, Now: now, StoreTimeout: time.Minute,
		Policy: lanyard.Policy{AccessTokenTTL: token.MaxLifetime},
	})
}

func keySet(signer crypto.Signer, alg token.Algorithm) (*token.KeySet, error) {
	key, err := token.NewKey(signer, alg, time.Now())
	if err != nil {
		return nil, err
	}
	return token.NewKeySet(token.KeysConfig{}, key)
}

// File is this project's SQLite store on a file of its own.
type File struct {
	*sqlite.Store
	db *sql.DB
}

// openFile opens the store as the server does: the only process on its file.
func openFile(ctx context.Context, path string) (*File, error) {
	db, err := sql.Open("sqlite", sqlite.DSN(path))
	if err != nil {
		return nil, err
	}
	s, err := sqlite.New(ctx, db, sqlite.Config{Exclusive: true})
	if err != nil {
		db.Close()
		return nil, err
	}
	return &File{s, db}, nil
}

// OpenFile opens the store of a server that is not running.
func OpenFile(ctx context.Context, path string) (*File, error) {
	f, err := openFile(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("opening the store %s: %w", path, err)
	}
	return f, nil
}

// Close closes the store and its database.
func (f *File) Close() error {
	if err := f.Store.Close(); err != nil {
		return err
	}
	return f.db.Close()
}

// Fill signs n people in on one manager and returns their handles.
func Fill(ctx context.Context, m *lanyard.Manager, n int) ([]Badge, error) {
	badges := make([]Badge, n)
	err := together(64, func(caller int) error {
		for i := caller; i < n; i += 64 {
			g, err := m.Start(ctx, somebody(i).login(lanyard.ChannelCookie))
			if err != nil {
				return fmt.Errorf("signing in: %w", err)
			}
			badges[i] = cookieBadge(m.CookieName(), g.Handle.Reveal())
		}
		return nil
	})
	return badges, err
}

// record is a person's record as the manager would write it, for stores alone.
func (p person) record(now lanyard.Time) *lanyard.Record {
	r := &lanyard.Record{
		State: lanyard.StateLive, Channel: lanyard.ChannelCookie, Subject: p.subject, Generation: 1,
		CreatedAt: now, AuthTime: now, LastActive: now, IdleExpiresAt: now.Add(limit), ExpiresAt: now.Add(30 * limit),
		Methods: []string{"pwd"},
		Device:  lanyard.Device{Label: p.label, UserAgent: p.agent, IP: p.address},
	}
	rand.Read(r.Handle[:])
	rand.Read(r.SID[6:])
	for i := range 6 { // 48 bits of milliseconds lead, as in every sid
		r.SID[i] = byte(uint64(now) >> (40 - 8*i))
	}
	tag := uint16(lanyard.SubjectPartition(p.subject))
	r.SID[6], r.SID[7] = byte(tag>>2), byte(tag<<6)|r.SID[7]&0x3f
	return r
}
