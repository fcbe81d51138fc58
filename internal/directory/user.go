package directory

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// User is somebody who may sign in. It holds nothing of the password.
type User struct {
	Name        string // unique in any letter case; the subject of sessions
	Admin       bool
	Disabled    bool
	Initial     bool // the administrator that the first start made
	HasPassword bool // false until the first reset of a user added without one

	Created         time.Time // to the millisecond, UTC
	PasswordChanged time.Time // zero without a password
	LastLogin       time.Time // zero before the first
}

// NewUser describes a user to add.
type NewUser struct {
	Name string

	// Password may be empty: nobody can sign in as the user until a reset
	// (see [Directory.NewReset]) has set one.
	Password Secret

	Admin bool

	// Initial marks the administrator of the first start. Such a user is added
	// only to a directory without users, by one caller if several try.
	Initial bool
}

// account is a row of directory_users.
type account struct {
	User
	key      string
	hash     string
	serial   int64
	failures int
}

const userColumns = `name_key, name, admin, disabled, initial, created, hash, password_serial, password_changed, last_login, failures`

func scanUser(row interface{ Scan(...any) error }) (account, error) {
	var a account
	var created, changed, login int64
	err := row.Scan(&a.key, &a.Name, &a.Admin, &a.Disabled, &a.Initial, &created, &a.hash, &a.serial, &changed, &login, &a.failures)
	if errors.Is(err, sql.ErrNoRows) {
		return account{}, ErrNotFound
	}
	a.HasPassword = a.hash != ""
	a.Created, a.PasswordChanged, a.LastLogin = instant(created), instant(changed), instant(login)
	return a, err
}

func findUser(ctx context.Context, q querier, key string) (account, error) {
	return scanUser(q.QueryRowContext(ctx, `SELECT `+userColumns+` FROM directory_users WHERE name_key = $1`, key))
}

// AddUser adds a user. Errors are [ErrInvalid] for the name, a
// *password.Problem for the password, [ErrExists] and [ErrNotEmpty].
func (d *Directory) AddUser(ctx context.Context, n NewUser) (User, error) {
	if err := CheckName(n.Name); err != nil {
		return User{}, err
	}
	now := d.now()
	u := User{Name: n.Name, Admin: n.Admin, Initial: n.Initial, Created: now}
	var hash string
	if n.Password != "" {
		var err error
		if hash, err = d.newHash(ctx, n.Password, n.Name); err != nil {
			return User{}, err
		}
		u.HasPassword, u.PasswordChanged = true, now
	}
	err := d.write(ctx, "adding user", func(tx *sql.Tx) error {
		if n.Initial {
			var users int
			if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM directory_users`).Scan(&users); err != nil {
				return err
			}
			if users > 0 {
				return ErrNotEmpty
			}
		}
		return insertUser(ctx, tx, u, hash)
	})
	if err != nil {
		return User{}, err
	}
	return u, nil
}

// insertUser stores u as it is, or returns ErrExists.
func insertUser(ctx context.Context, tx *sql.Tx, u User, hash string) error {
	res, err := tx.ExecContext(ctx, `INSERT INTO directory_users (`+userColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, 1, $8, 0, 0) ON CONFLICT DO NOTHING`,
		fold(u.Name), u.Name, u.Admin, u.Disabled, u.Initial, millis(u.Created), hash, millis(u.PasswordChanged))
	return changed(res, err, ErrExists)
}

// changed turns "no row was affected" into an error of its own.
func changed(res sql.Result, err, none error) error {
	if err != nil {
		return err
	}
	n, err := res.RowsAffected()
	if err == nil && n == 0 {
		err = none
	}
	return err
}

// newHash returns the stored form of a password that somebody chose, or the
// *password.Problem with it.
func (d *Directory) newHash(ctx context.Context, pw Secret, about ...string) (string, error) {
	if err := d.policy.Check(ctx, pw.Reveal(), about...); err != nil {
		return "", err
	}
	hash, err := d.hasher.Hash(ctx, pw.Reveal())
	if err != nil {
		return "", fmt.Errorf("hashing new password: %w", err)
	}
	return hash, nil
}

// User returns the user of that name in any letter case, or [ErrNotFound].
func (d *Directory) User(ctx context.Context, name string) (User, error) {
	a, err := findUser(ctx, d.db, keyOf(name))
	if err != nil {
		return User{}, fmt.Errorf("reading user: %w", err)
	}
	return a.User, nil
}

const maxPage = 1000

// Users returns up to limit users whose names come after the name given, in
// the order of their names without regard to case. The next page starts after
// the last name of this one, the first after the empty name. A limit outside
// 1 to 1000 means 1000.
func (d *Directory) Users(ctx context.Context, after string, limit int) ([]User, error) {
	if limit < 1 || limit > maxPage {
		limit = maxPage
	}
	rows, err := d.db.QueryContext(ctx, `SELECT `+userColumns+` FROM directory_users
		WHERE name_key > $1 ORDER BY name_key LIMIT $2`, bound(after), limit)
	if err != nil {
		return nil, fmt.Errorf("listing users: %w", err)
	}
	defer rows.Close()
	var users []User
	for rows.Next() {
		a, err := scanUser(rows)
		if err != nil {
			return nil, fmt.Errorf("listing users: %w", err)
		}
		users = append(users, a.User)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("listing users: %w", err)
	}
	return users, nil
}

// SetDisabled disables a user or enables them again, or returns [ErrNotFound].
// Once it has returned, no login of a disabled user succeeds, not even one
// that had begun. Ending the user's sessions is the caller's part.
func (d *Directory) SetDisabled(ctx context.Context, name string, disabled bool) error {
	return d.write(ctx, "changing user", func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE directory_users SET disabled = $2 WHERE name_key = $1`, keyOf(name), disabled)
		if err := changed(res, err, ErrNotFound); err != nil {
			return err
		}
		if !disabled {
			return nil
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM directory_resets WHERE name_key = $1`, keyOf(name))
		return err
	})
}

// SetPassword sets a user's password, on the word of the operator at the
// command line. It also voids a pending reset and opens the account where
// throttling had closed it. Errors are a *password.Problem and [ErrNotFound].
// Ending the user's sessions is the caller's part.
func (d *Directory) SetPassword(ctx context.Context, name string, pw Secret) error {
	u, err := d.User(ctx, name) // before the work of hashing
	if err != nil {
		return err
	}
	hash, err := d.newHash(ctx, pw, u.Name)
	if err != nil {
		return err
	}
	return d.write(ctx, "setting password", func(tx *sql.Tx) error {
		return d.storePassword(ctx, tx, keyOf(name), hash)
	})
}

// storePassword replaces the password of a user, who exists. Whoever had been
// guessing the old one, or held a reset secret, starts over.
func (d *Directory) storePassword(ctx context.Context, tx *sql.Tx, key, hash string) error {
	_, err := tx.ExecContext(ctx, `UPDATE directory_users SET hash = $2, password_serial = password_serial + 1,
		password_changed = $3, failures = 0 WHERE name_key = $1`, key, hash, millis(d.now()))
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM directory_resets WHERE name_key = $1`, key); err != nil {
		return err
	}
	return reopen(ctx, tx, key)
}
