package contender

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/lanyard-go/lanyard/internal/engines"
)

// Base is where one contender keeps its sessions, alone. Which part it needs is
// a matter of its kind.
type Base struct {
	Dir      string // an empty directory on a disk, for databases in files
	Redis    string // URL of an empty database
	Postgres string // URL of an empty database
}

// Engines are a PostgreSQL and a Redis server that all contenders share, with
// the same settings for all.
type Engines struct {
	redis    *engines.RedisServer
	postgres *engines.PostgresServer
	made     int
}

// What the servers are told. PostgreSQL answers when a commit is on the disk.
// Redis answers before, and writes to the disk once a second.
var (
	postgresSettings = []string{"fsync=on", "synchronous_commit=on"}
	redisSettings    = []string{"appendonly=yes", "appendfsync=everysec", "databases=64"}
)

// StartEngines starts the servers. They keep their files below TMPDIR.
func StartEngines() (*Engines, error) {
	e := &Engines{}
	var err error
	if e.redis, err = engines.StartRedis(redisSettings...); err != nil {
		return nil, fmt.Errorf("starting Redis: %w", err)
	}
	if e.postgres, err = engines.StartPostgres(postgresSettings...); err != nil {
		return nil, errors.Join(fmt.Errorf("starting PostgreSQL: %w", err), e.redis.Stop())
	}
	return e, nil
}

// RedisAddr is where the Redis server listens.
func (e *Engines) RedisAddr() string { return e.redis.Addr }

// Base makes empty databases on the servers, beside the directory. It is for one
// goroutine.
func (e *Engines) Base(ctx context.Context, dir string) (Base, error) {
	e.made++
	conn, err := pgx.Connect(ctx, e.postgres.URL("postgres"))
	if err != nil {
		return Base{}, fmt.Errorf("making a database: %w", err)
	}
	defer conn.Close(ctx)
	name := fmt.Sprintf("bench%d", e.made)
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+name); err != nil {
		return Base{}, fmt.Errorf("making a database: %w", err)
	}
	return Base{dir, fmt.Sprintf("%s/%d", e.redis.URL(), e.made), e.postgres.URL(name)}, nil
}

// Stop ends the servers and removes their files.
func (e *Engines) Stop() error { return errors.Join(e.postgres.Stop(), e.redis.Stop()) }
