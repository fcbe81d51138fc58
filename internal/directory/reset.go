package directory

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// resetLife is how long a reset secret is valid.
const resetLife = 30 * time.Minute

// NewReset returns a secret with which its bearer can choose a new password
// for the user, once and until expires, 30 minutes from now. It voids an
// earlier one. Only a digest of it is stored. Whoever calls this never learns
// the password. Errors are [ErrNotFound] and [ErrDisabled].
func (d *Directory) NewReset(ctx context.Context, name string) (secret Secret, expires time.Time, err error) {
	secret = newSecret()
	expires = d.now().Add(resetLife)
	err = d.write(ctx, "making reset secret", func(tx *sql.Tx) error {
		u, err := findUser(ctx, tx, keyOf(name))
		if err != nil {
			return err
		}
		if u.Disabled {
			return ErrDisabled
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO directory_resets (name_key, digest, expires) VALUES ($1, $2, $3)
			ON CONFLICT (name_key) DO UPDATE SET digest = excluded.digest, expires = excluded.expires`,
			u.key, digest(secret.Reveal()), millis(expires))
		return err
	})
	if err != nil {
		return "", time.Time{}, err
	}
	return secret, expires, nil
}

// Reset spends a reset secret on a new password and returns the name of its
// user. Of any number of callers with one secret, one succeeds. It opens the
// account where throttling had closed it; it does not sign anybody in and does
// not lift the need for a second factor. Ending the user's sessions is the
// caller's part.
//
// A password that the policy refuses gives a *password.Problem and leaves the
// secret valid; the secret itself is refused as a password. Other errors are
// [ErrResetInvalid] and password.ErrBusy.
func (d *Directory) Reset(ctx context.Context, secret, pw Secret) (name string, err error) {
	// Asked first without spending it, so that only a holder gets a hash out
	// of the server, and again below, where it counts.
	who, err := d.resetOwner(ctx, d.db, secret)
	if err != nil {
		return "", err
	}
	hash, err := d.newHash(ctx, pw, who.Name, secret.Reveal())
	if err != nil {
		return "", err
	}
	err = d.write(ctx, "resetting password", func(tx *sql.Tx) error {
		if who, err = d.resetOwner(ctx, tx, secret); err != nil {
			return err
		}
		return d.storePassword(ctx, tx, who.key, hash)
	})
	if err != nil {
		return "", err
	}
	return who.Name, nil
}

func (d *Directory) resetOwner(ctx context.Context, q querier, secret Secret) (account, error) {
	who, err := scanUser(q.QueryRowContext(ctx, `SELECT `+userColumns+` FROM directory_users
		WHERE name_key = (SELECT name_key FROM directory_resets WHERE digest = $1 AND expires > $2)`,
		digest(secret.Reveal()), millis(d.now())))
	if errors.Is(err, ErrNotFound) {
		return account{}, ErrResetInvalid
	}
	if err != nil {
		return account{}, fmt.Errorf("reading reset secret: %w", err)
	}
	return who, nil
}
