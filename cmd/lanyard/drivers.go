package main

import (
	"database/sql"

	_ "modernc.org/sqlite" // pure Go, so that the binary needs no C library

	"github.com/lanyard-go/lanyard/internal/server"
)

// drivers is the one place that names database drivers.
var drivers = server.Drivers{
	SQLite: func(dsn string) (*sql.DB, error) { return sql.Open("sqlite", dsn) },
}
