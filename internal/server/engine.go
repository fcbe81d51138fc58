package server

import (
	"cmp"
	"context"
	"database/sql"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/lanyard-go/lanyard/store/redis"
)

// Drivers opens databases. The program that brings the drivers fills it in; one
// that is nil is an engine the program was built without.
type Drivers struct {
	SQLite   func(dsn string) (*sql.DB, error)
	Postgres func(url string) (*PostgresDB, error)
	Redis    func(url string, insecurePlaintext bool) (cfg redis.Config, shut func(), err error)

	// Private reports whether a URL of PostgreSQL or Redis sends nothing beyond
	// this machine without TLS and certificate checks.
	Private func(url string) (bool, error)
}

// PostgresDB is a PostgreSQL database that a driver has opened.
type PostgresDB struct {
	*sql.DB
	// Listen calls wake at each notification of a channel until ctx ends or the
	// connection is lost.
	Listen func(ctx context.Context, channel string, wake func()) error
}

// engine is a place for data that a setting names.
type engine struct {
	kind    engineKind
	address string // file of SQLite, URL of the others
}

type engineKind string

const (
	onMemory   engineKind = "memory"
	onSQLite   engineKind = "sqlite"
	onPostgres engineKind = "postgres"
	onRedis    engineKind = "redis"
)

// parseEngine reads a setting such as sqlite:PATH or postgres://... File is
// where SQLite puts it by default.
func parseEngine(setting, value, file string) (engine, error) {
	if value == "" {
		value = "sqlite"
	}
	scheme, rest, _ := strings.Cut(value, ":")
	switch scheme {
	case "sqlite":
		return engine{onSQLite, cmp.Or(rest, file)}, nil
	case "memory":
		if rest != "" {
			return engine{}, wrong(setting, "memory: takes nothing behind the colon")
		}
		return engine{kind: onMemory}, nil
	case "postgres", "postgresql":
		return engine{onPostgres, value}, nil
	case "redis", "rediss", "redis-cluster", "rediss-cluster", "redis-sentinel", "rediss-sentinel":
		return engine{onRedis, value}, nil
	}
	return engine{}, wrong(setting, "%q is not sqlite, sqlite:PATH, memory:, postgres://..., redis://..., rediss://... or redis-cluster://...", onlyScheme(value))
}

// onlyScheme is what may be shown of an address that is not understood.
func onlyScheme(value string) string {
	if i := strings.IndexAny(value, ":= @"); i >= 0 {
		return value[:i] + "..."
	}
	return value
}

// shared reports whether several processes may use the engine at once.
func (e engine) shared() bool { return e.kind == onPostgres || e.kind == onRedis }

// file is the database file of SQLite, empty for the others.
func (e engine) file() string {
	if e.kind != onSQLite {
		return ""
	}
	return e.address
}

// String names the place as the setting does, without a password.
func (e engine) String() string {
	switch e.kind {
	case onMemory:
		return "memory:"
	case onSQLite:
		return "sqlite:" + e.address
	}
	return Hidden(e.address)
}

// Hidden returns an address with its password replaced, for people to read.
func Hidden(address string) string {
	if !strings.Contains(address, "://") {
		return address
	}
	scheme, rest, _ := strings.Cut(address, "://")
	// Cluster addresses name several hosts, which net/url may refuse, so this is
	// done by hand. The password may have signs in it that should be escaped:
	// everything between the first colon and the last @ that is not of the query
	// goes.
	end := len(rest)
	if i := strings.IndexAny(rest, "?#"); i >= 0 && !strings.Contains(rest[i:], "@") {
		end = i
	} else if i >= 0 && strings.Contains(rest[i:], "=") {
		end = i // an @ in a value of the query
		if j := strings.LastIndex(rest, "@"); !strings.Contains(rest[i:j], "=") {
			end = len(rest)
		}
	}
	authority, path := rest[:end], rest[end:]
	if at := strings.LastIndex(authority, "@"); at >= 0 {
		user, _, secret := strings.Cut(authority[:at], ":")
		if secret {
			user += ":..."
		}
		authority = user + authority[at:]
	}
	base, query, asked := strings.Cut(path, "?")
	if asked {
		values, err := url.ParseQuery(query)
		if err != nil {
			return scheme + "://" + authority + base + "?..."
		}
		for name := range values {
			if strings.Contains(strings.ToLower(name), "pass") || strings.Contains(strings.ToLower(name), "secret") {
				values.Set(name, "...")
			}
		}
		base += "?" + values.Encode()
	}
	return scheme + "://" + authority + base
}

// places decides where things are kept.
func (r *resolved) places() (err error) {
	if r.store, err = parseEngine("store", r.Store, filepath.Join(r.Data, "sessions.db")); err != nil {
		return err
	}
	if r.directory, err = parseEngine("directory", r.Directory, filepath.Join(r.Data, "directory.db")); err != nil {
		return err
	}
	if r.directory.kind != onSQLite && r.directory.kind != onPostgres {
		return wrong("directory", "%q is not sqlite:PATH or postgres://...", onlyScheme(r.Directory))
	}
	return nil
}

// encrypted refuses to send sessions over a network in the clear, before
// anything is opened.
func (r *resolved) encrypted(d Drivers, e engine, setting string) error {
	remedy := "use the scheme with TLS (rediss://, rediss-cluster://, rediss-sentinel://)"
	switch {
	case !e.shared():
		return nil
	case d.Private == nil:
		return wrong(setting, "this program was built without %s", e.kind)
	case e.kind == onPostgres:
		remedy = "add sslmode=verify-full (and sslrootcert=FILE for an authority of your own)"
	}
	private, err := d.Private(e.address)
	if err != nil {
		return wrong(setting, "%v", err)
	}
	if private || r.InsecurePlaintextStore {
		return nil
	}
	return wrong(setting, "%s would send sessions over the network without TLS and certificate checks; %s, or if the network itself is trusted set insecure-plaintext-store", e, remedy)
}

// openPostgres opens a database.
func (r *resolved) openPostgres(d Drivers, e engine, setting string) (*PostgresDB, error) {
	if d.Postgres == nil {
		return nil, wrong(setting, "this program was built without PostgreSQL")
	}
	db, err := d.Postgres(e.address)
	if err != nil {
		return nil, wrong(setting, "opening %s: %v", e, err)
	}
	return db, nil
}
