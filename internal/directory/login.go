package directory

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/lanyard-go/lanyard/password"
)

// settleTimeout is how long the outcome of an attempt may take to be stored
// when its caller has gone away.
const settleTimeout = 5 * time.Second

// settling returns a context in which the outcome of an attempt is stored: an
// honest caller who hangs up early must not be left with a failure.
func settling(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
}

// Attempt is somebody who says who they are.
type Attempt struct {
	Name     string
	Password Secret

	// Source is the address of the client, without a port. One that cannot be
	// parsed, or none, is throttled together with all others of that kind.
	Source string

	// KnownDevice says that the device has proved, by something an attacker
	// elsewhere cannot have, that this user signed in on it before. Its
	// failures are counted apart from those of strangers, so that strangers
	// cannot lock the user out.
	KnownDevice bool
}

// Authenticate returns the user whose name and password at holds. Every way to
// sign in with a password, and to confirm it later, goes through it.
//
// Errors are:
//   - [ErrInvalidCredentials] for a wrong password as for an unknown or
//     disabled user, after the same work;
//   - *[Throttled] when it is too soon after failures; the password was not
//     looked at;
//   - password.ErrBusy or the context's error while waiting for a turn to
//     hash; the attempt is not counted then;
//   - others when the database fails.
//
// Attempts are counted as failures until the password has been verified. In one
// process, more than ThrottleConfig.Free for one account at the same moment
// wait for each other; in several, good ones may be throttled for a second.
//
// Success starts the account's counters over. LastLogin of the user returned
// is the login before this one: zero the first time.
func (d *Directory) Authenticate(ctx context.Context, at Attempt) (User, error) {
	release, err := d.turns.take(ctx, accountBucket(fold(at.Name), at.KnownDevice))
	if err != nil {
		return User{}, fmt.Errorf("waiting for other logins: %w", err)
	}
	defer release()
	who, r, err := d.verify(ctx, at)
	if err != nil {
		return User{}, err
	}
	var better string
	if r.stale {
		// When this fails the hasher is busy, or the caller has gone; another
		// login will do it.
		better, _ = d.hasher.Hash(ctx, at.Password.Reveal())
	}
	ctx, stop := settling(ctx)
	defer stop()
	err = d.write(ctx, "recording login", func(tx *sql.Tx) error {
		if err := d.confirm(ctx, tx, who, r.reservation); err != nil {
			return err
		}
		if better != "" {
			// The user still has this password, as confirm has seen.
			_, err := tx.ExecContext(ctx, `UPDATE directory_users SET hash = $2 WHERE name_key = $1`, who.key, better)
			if err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx, `UPDATE directory_users SET last_login = $2 WHERE name_key = $1`, who.key, millis(d.now()))
		return err
	})
	if err != nil {
		return User{}, err
	}
	return who.User, nil
}

// ChangePassword verifies the current password as [Directory.Authenticate]
// does, with its errors, and puts a new one in its place. A new password that
// the policy refuses gives a *password.Problem. A pending reset is voided. It
// is not a login: LastLogin stays. Ending other sessions is the caller's part.
func (d *Directory) ChangePassword(ctx context.Context, current Attempt, pw Secret) (User, error) {
	who, r, err := d.verify(ctx, current)
	if err != nil {
		return User{}, err
	}
	hash, problem := d.newHash(ctx, pw, who.Name)
	ctx, stop := settling(ctx)
	defer stop()
	err = d.write(ctx, "changing password", func(tx *sql.Tx) error {
		if err := d.confirm(ctx, tx, who, r.reservation); err != nil {
			return err
		}
		if problem != nil {
			return nil // the current password was right all the same
		}
		if err := d.storePassword(ctx, tx, who.key, hash); err != nil {
			return err
		}
		who, err = findUser(ctx, tx, who.key)
		return err
	})
	if err != nil {
		return User{}, err
	}
	if problem != nil {
		return User{}, problem
	}
	return who.User, nil
}

type verified struct {
	reservation
	stale bool
}

// verify looks at the password of an attempt, for exactly one hash whoever is
// named. The attempt stays counted as a failure; confirm takes that back.
func (d *Directory) verify(ctx context.Context, at Attempt) (account, verified, error) {
	who, r, err := d.reserve(ctx, at)
	if err != nil {
		return account{}, verified{}, err
	}
	var match, stale bool
	if who.hash == "" {
		err = d.hasher.Equalize(ctx, at.Password.Reveal())
	} else {
		match, stale, err = d.hasher.Verify(ctx, who.hash, at.Password.Reveal())
	}
	if err != nil {
		if errors.Is(err, password.ErrBusy) || ctx.Err() != nil {
			settle, stop := settling(ctx)
			defer stop()
			err = errors.Join(err, d.cancel(settle, r))
		}
		return account{}, verified{}, fmt.Errorf("verifying password: %w", err)
	}
	if !match || who.Disabled {
		return account{}, verified{}, ErrInvalidCredentials
	}
	return who, verified{r, stale}, nil
}

// confirm turns a counted attempt into a success, unless the user was disabled
// or given another password while the hash was computed.
func (d *Directory) confirm(ctx context.Context, tx *sql.Tx, who account, r reservation) error {
	res, err := tx.ExecContext(ctx, `UPDATE directory_users SET failures = 0
		WHERE name_key = $1 AND password_serial = $2 AND disabled = FALSE`, who.key, who.serial)
	if err := changed(res, err, ErrInvalidCredentials); err != nil {
		return err
	}
	if err := reopen(ctx, tx, who.key); err != nil {
		return err
	}
	return d.refundSource(ctx, tx, r)
}
