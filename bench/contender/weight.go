package contender

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/lanyard-go/lanyard/store/sqlite"
)

// Settle does what a server does by itself soon after many writes, so that it
// does not happen while somebody measures.
func Settle(ctx context.Context, kind Kind, base Base) error {
	if kind != LanyardPostgres && kind != SCSPostgres {
		return nil
	}
	conn, err := pgx.Connect(ctx, base.Postgres)
	if err != nil {
		return fmt.Errorf("settling PostgreSQL: %w", err)
	}
	defer conn.Close(ctx)
	for _, text := range []string{"VACUUM (ANALYZE)", "CHECKPOINT"} {
		if _, err := conn.Exec(ctx, text); err != nil {
			return fmt.Errorf("settling PostgreSQL: %w", err)
		}
	}
	return nil
}

// Weight is how many bytes the database of a contender takes: on disk, or in the
// memory of Redis, where those of the others are counted too.
func Weight(ctx context.Context, kind Kind, base Base) (float64, error) {
	switch kind {
	case LanyardPostgres, SCSPostgres:
		conn, err := pgx.Connect(ctx, base.Postgres)
		if err != nil {
			return 0, fmt.Errorf("weighing PostgreSQL: %w", err)
		}
		defer conn.Close(ctx)
		var n float64
		err = conn.QueryRow(ctx, "SELECT pg_database_size(current_database())").Scan(&n)
		return n, err
	case LanyardRedis, SCSRedis:
		return redisMemory(ctx, base.Redis)
	case LanyardSQLite:
		return fileSize(ctx, filepath.Join(base.Dir, "sessions.db"))
	case SCSSQLite, SCSSQLiteIdle:
		return fileSize(ctx, filepath.Join(base.Dir, "scs.db"))
	}
	return 0, fmt.Errorf("no weight of %s", kind)
}

func redisMemory(ctx context.Context, url string) (float64, error) {
	client, err := goRedis(url)
	if err != nil {
		return 0, err
	}
	defer client.Close()
	text, err := client.Info(ctx, "memory").Result()
	if err != nil {
		return 0, fmt.Errorf("weighing Redis: %w", err)
	}
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), "used_memory:"); ok {
			return strconv.ParseFloat(value, 64)
		}
	}
	return 0, fmt.Errorf("weighing Redis: no used_memory")
}

// fileSize counts the pages, those in the write-ahead log included, of a file
// that may not be there yet.
func fileSize(ctx context.Context, path string) (float64, error) {
	db, err := sql.Open("sqlite", sqlite.DSN(path))
	if err != nil {
		return 0, err
	}
	defer db.Close()
	var pages, size float64
	if err := db.QueryRowContext(ctx, "PRAGMA page_count").Scan(&pages); err != nil {
		return 0, fmt.Errorf("weighing SQLite: %w", err)
	}
	if err := db.QueryRowContext(ctx, "PRAGMA page_size").Scan(&size); err != nil {
		return 0, fmt.Errorf("weighing SQLite: %w", err)
	}
	return pages * size, nil
}
