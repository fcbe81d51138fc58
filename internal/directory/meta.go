package directory

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// Meta returns the value that SetMeta stored under key, or [ErrNotFound].
func (d *Directory) Meta(ctx context.Context, key string) (string, error) {
	var value string
	err := d.db.QueryRowContext(ctx, `SELECT value FROM directory_meta WHERE key = $1`, key).Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		return "", ErrNotFound
	}
	if err != nil {
		return "", fmt.Errorf("reading value %s: %w", key, err)
	}
	return value, nil
}

// ClaimMeta stores a value under a key that has none, and returns the value
// that the key has then: of several processes that claim one key at once, all
// learn the value of the first. It is no place for secrets.
func (d *Directory) ClaimMeta(ctx context.Context, key, value string) (string, error) {
	err := d.write(ctx, "claiming value "+key, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO directory_meta (key, value) VALUES ($1, $2) ON CONFLICT DO NOTHING`, key, value)
		if err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, `SELECT value FROM directory_meta WHERE key = $1`, key).Scan(&value)
	})
	if err != nil {
		return "", err
	}
	return value, nil
}

// SetMeta stores a small value, such as the fingerprint of a key, under key in
// place of the one before. It is no place for secrets.
func (d *Directory) SetMeta(ctx context.Context, key, value string) error {
	return d.write(ctx, "storing value "+key, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO directory_meta (key, value) VALUES ($1, $2)
			ON CONFLICT (key) DO UPDATE SET value = excluded.value`, key, value)
		return err
	})
}
