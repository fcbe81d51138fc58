package directory

import (
	"context"
	"crypto/subtle"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

const clientColumns = `id, name, public, digest, audiences, scopes, grants, may_introspect, may_follow, may_create_sessions, may_administer, created, jwks, allow_rs256, access_token_ttl, refresh_idle, dpop_bound`

// scanClient returns a client and the digest of its secret.
func scanClient(row interface{ Scan(...any) error }) (Client, string, error) {
	var c Client
	var stored, audiences, scopes, grants string
	var created, ttl, idle int64
	err := row.Scan(&c.ID, &c.Name, &c.Public, &stored, &audiences, &scopes, &grants,
		&c.MayIntrospect, &c.MayFollow, &c.MayCreateSessions, &c.MayAdminister, &created, &c.JWKS, &c.AllowRS256, &ttl, &idle, &c.DPoPBound)
	if errors.Is(err, sql.ErrNoRows) {
		return Client{}, "", ErrNotFound
	}
	if err != nil {
		return Client{}, "", err
	}
	c.Created = instant(created)
	c.AccessTokenTTL, c.RefreshIdle = time.Duration(ttl)*time.Millisecond, time.Duration(idle)*time.Millisecond
	err = errors.Join(
		json.Unmarshal([]byte(audiences), &c.Audiences),
		json.Unmarshal([]byte(scopes), &c.Scopes),
		json.Unmarshal([]byte(grants), &c.Grants))
	return c, stored, err
}

// AddClient adds a client and returns its secret, of which only a digest is
// kept: this is the one time it can be seen. A client that is public or has keys
// gets none. Errors
// are [ErrInvalid], which says which field, and [ErrExists].
func (d *Directory) AddClient(ctx context.Context, c Client) (Secret, error) {
	if err := c.check(); err != nil {
		return "", err
	}
	var secret Secret
	var stored string
	if !c.Public && c.JWKS == "" {
		secret = newSecret()
		stored = digest(secret.Reveal())
	}
	err := d.write(ctx, "adding client", func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `INSERT INTO directory_clients (`+clientColumns+`)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) ON CONFLICT DO NOTHING`,
			c.ID, c.Name, c.Public, stored, array(c.Audiences), array(c.Scopes), array(c.Grants),
			c.MayIntrospect, c.MayFollow, c.MayCreateSessions, c.MayAdminister, millis(d.now()),
			c.JWKS, c.AllowRS256, c.AccessTokenTTL.Milliseconds(), c.RefreshIdle.Milliseconds(), c.DPoPBound)
		return changed(res, err, ErrExists)
	})
	if err != nil {
		return "", err
	}
	return secret, nil
}

// array returns a list as JSON. Nothing in a checked list fails to encode.
func array(list []string) string {
	if list == nil {
		list = []string{}
	}
	b, _ := json.Marshal(list)
	return string(b)
}

// Client returns the client with that id, or [ErrNotFound].
func (d *Directory) Client(ctx context.Context, id string) (Client, error) {
	c, _, err := d.client(ctx, id)
	return c, err
}

func (d *Directory) client(ctx context.Context, id string) (Client, string, error) {
	if checkWord(id, "") != nil { // strangers send anything, and not all of it is text to a database
		id = ""
	}
	c, stored, err := scanClient(d.db.QueryRowContext(ctx, `SELECT `+clientColumns+` FROM directory_clients WHERE id = $1`, id))
	if err != nil {
		return Client{}, "", fmt.Errorf("reading client: %w", err)
	}
	return c, stored, nil
}

// Clients returns all clients, the built-in one included, in order of their
// ids.
func (d *Directory) Clients(ctx context.Context) ([]Client, error) {
	rows, err := d.db.QueryContext(ctx, `SELECT `+clientColumns+` FROM directory_clients ORDER BY id`)
	if err != nil {
		return nil, fmt.Errorf("listing clients: %w", err)
	}
	defer rows.Close()
	var all []Client
	for rows.Next() {
		c, _, err := scanClient(rows)
		if err != nil {
			return nil, fmt.Errorf("listing clients: %w", err)
		}
		all = append(all, c)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("listing clients: %w", err)
	}
	return all, nil
}

// RemoveClient removes a client: its secret is refused from then on. Errors
// are [ErrNotFound] and [ErrBuiltIn]. Ending sessions it made is the caller's
// part.
func (d *Directory) RemoveClient(ctx context.Context, id string) error {
	if id == BuiltInClient {
		return fmt.Errorf("removing client: %w", ErrBuiltIn)
	}
	if checkWord(id, "") != nil {
		return fmt.Errorf("removing client: %w", ErrNotFound)
	}
	return d.write(ctx, "removing client", func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `DELETE FROM directory_clients WHERE id = $1`, id)
		return changed(res, err, ErrNotFound)
	})
}

// AuthenticateClient returns the client whose id and secret these are, or
// [ErrInvalidClient]. A client that is public or has keys has no secret and never
// passes. Other
// errors mean that the database failed.
func (d *Directory) AuthenticateClient(ctx context.Context, id string, secret Secret) (Client, error) {
	c, stored, err := d.client(ctx, id)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return Client{}, err
	}
	some := stored != "" // false without a client, and for a public one
	if !some {
		stored = digest("") // for the same comparison
	}
	if subtle.ConstantTimeCompare([]byte(stored), []byte(digest(secret.Reveal()))) != 1 || !some {
		return Client{}, ErrInvalidClient
	}
	return c, nil
}
