package main

import (
	"database/sql"
	"errors"
	"strings"

	_ "modernc.org/sqlite" // pure Go, so that the binary needs no C library

	"github.com/lanyard-go/lanyard/internal/pgconn"
	"github.com/lanyard-go/lanyard/internal/redisconn"
	"github.com/lanyard-go/lanyard/internal/server"
	"github.com/lanyard-go/lanyard/store/redis"
)

// drivers is the one place that names database drivers.
var drivers = server.Drivers{
	SQLite:   func(dsn string) (*sql.DB, error) { return sql.Open("sqlite", dsn) },
	Postgres: openPostgres,
	Redis:    openRedis,
	Private:  private,
}

func private(url string) (bool, error) {
	if strings.HasPrefix(url, "postgres") {
		private, _, err := pgconn.Private(url)
		return private, err
	}
	return redisconn.Private(url)
}

func openPostgres(url string) (*server.PostgresDB, error) {
	db, err := pgconn.Open(url)
	if err != nil {
		return nil, err
	}
	listen, err := pgconn.Listener(url)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &server.PostgresDB{DB: db, Listen: listen}, nil
}

func openRedis(url string, insecurePlaintext bool) (redis.Config, func(), error) {
	c, err := redisconn.Open(redisconn.Config{URL: url, InsecurePlaintext: insecurePlaintext})
	if err != nil {
		return redis.Config{}, nil, err
	}
	return redis.Config{Do: c.Do, Subscribe: c.Subscribe, Nodes: c.Nodes}, c.Close, nil
}
