package directory

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"errors"
	"math"
	"net/netip"
	"time"
)

// reservation is an attempt that was counted as a failure in advance.
type reservation struct {
	key     string // of the user, if there can be one
	account string // bucket
	source  string // bucket, empty for a known device

	// The account's delay as it was, and as the attempt left it.
	before, until int64
}

// reserve counts an attempt as a failure before anybody looks at the password,
// or returns a *Throttled. Counted afterwards, parallel attempts would all see
// the budget as it was before the first of them.
//
// It does the same for a name that nobody has, and returns no account then.
func (d *Directory) reserve(ctx context.Context, at Attempt) (account, reservation, error) {
	r := reservation{key: keyOf(at.Name), account: accountBucket(fold(at.Name), at.KnownDevice)}
	if !at.KnownDevice {
		// Known devices are exempt, or else somebody in the same network could
		// keep their owners out.
		r.source = bucket("source", network(at.Source))
	}
	var who account
	err := d.write(ctx, "counting login attempt", func(tx *sql.Tx) error {
		now := d.now()
		var err error
		who, err = findUser(ctx, tx, r.key)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		acc, err := readDelay(ctx, tx, r.account, now, d.throttle.Cap)
		if err != nil {
			return err
		}
		src, err := readDelay(ctx, tx, r.source, now, time.Duration(d.throttle.SourceBurst)*d.throttle.SourceEvery)
		if err != nil {
			return err
		}
		if err := d.throttle.judge(acc, src, who.failures, at.KnownDevice, now); err != nil {
			return err
		}
		r.before = acc.until
		acc = d.throttle.charged(acc, now)
		r.until = acc.until
		if err := acc.store(ctx, tx, r.account, now); err != nil {
			return err
		}
		if r.source != "" {
			if err := d.throttle.chargedSource(src, now).store(ctx, tx, r.source, now); err != nil {
				return err
			}
		}
		if _, err := tx.ExecContext(ctx, `UPDATE directory_users SET failures = failures + 1 WHERE name_key = $1`, r.key); err != nil {
			return err
		}
		if d.reservations.Add(1)%pruneEvery == 0 {
			return d.prune(ctx, tx, now)
		}
		return nil
	})
	return who, r, err
}

// delay is a row of directory_throttle, in milliseconds.
type delay struct {
	failures int   // of a source: how full its bucket is
	until    int64 // of a source: when its bucket will be empty
	expires  int64
}

// judge refuses an attempt that comes too soon.
func (c ThrottleConfig) judge(acc, src delay, total int, known bool, now time.Time) error {
	if !known && max(acc.failures, total) >= c.MaxFailures {
		return &Throttled{RetryAfter: c.Cap, Closed: true}
	}
	ms := now.UnixMilli()
	room := int64(c.SourceBurst-1) * c.SourceEvery.Milliseconds()
	if wait := max(acc.until-ms, src.until-room-ms); wait > 0 {
		return &Throttled{RetryAfter: time.Duration(wait) * time.Millisecond}
	}
	return nil
}

// charged returns acc with one more failure.
func (c ThrottleConfig) charged(acc delay, now time.Time) delay {
	acc.failures++
	acc.until = now.Add(c.wait(acc.failures)).UnixMilli()
	acc.expires = now.Add(c.Forget).UnixMilli()
	if acc.failures >= c.MaxFailures {
		acc.expires = math.MaxInt64 // closed: no time opens it
	}
	return acc
}

// chargedSource returns src with one more failure. It is a leaky bucket that
// is described by the time at which it will have run out.
func (c ThrottleConfig) chargedSource(src delay, now time.Time) delay {
	every := c.SourceEvery.Milliseconds()
	src.until = max(src.until, now.UnixMilli()) + every
	src.failures = int((src.until - now.UnixMilli() + every - 1) / every)
	src.expires = src.until
	return src
}

// readDelay returns the zero delay for a bucket that is not there, or is there
// and means nothing any more. A delay over the longest there can be was stored
// by a clock that ran ahead; it must not keep people out until then.
func readDelay(ctx context.Context, tx *sql.Tx, bucket string, now time.Time, longest time.Duration) (delay, error) {
	var row delay
	err := tx.QueryRowContext(ctx, `SELECT failures, until, expires FROM directory_throttle
		WHERE bucket = $1 AND expires > $2`, bucket, now.UnixMilli()).Scan(&row.failures, &row.until, &row.expires)
	if errors.Is(err, sql.ErrNoRows) {
		return delay{}, nil
	}
	if row.until > now.Add(longest).UnixMilli() {
		row.until = 0
	}
	return row, err
}

func (row delay) store(ctx context.Context, tx *sql.Tx, bucket string, now time.Time) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO directory_throttle (bucket, failures, until, seen, expires)
		VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (bucket) DO UPDATE SET failures = excluded.failures, until = excluded.until,
			seen = excluded.seen, expires = excluded.expires`,
		bucket, row.failures, row.until, now.UnixMilli(), row.expires)
	return err
}

// reopen forgets the failures of an account, from known devices and others.
func reopen(ctx context.Context, tx *sql.Tx, key string) error {
	_, err := tx.ExecContext(ctx, `DELETE FROM directory_throttle WHERE bucket IN ($1, $2)`,
		accountBucket(key, false), accountBucket(key, true))
	return err
}

// refundSource takes back what a login that turned out good had cost its
// network.
func (d *Directory) refundSource(ctx context.Context, tx *sql.Tx, r reservation) error {
	_, err := tx.ExecContext(ctx, `UPDATE directory_throttle SET until = until - $2, failures = failures - 1,
		expires = expires - $2 WHERE bucket = $1`, r.source, d.throttle.SourceEvery.Milliseconds())
	return err
}

// cancel takes a reservation back for which no password was looked at.
func (d *Directory) cancel(ctx context.Context, r reservation) error {
	return d.write(ctx, "taking back login attempt", func(tx *sql.Tx) error {
		// The delay is put back only if no other attempt has set one since.
		_, err := tx.ExecContext(ctx, `UPDATE directory_throttle SET failures = failures - 1,
			until = CASE WHEN until = $2 THEN $3 ELSE until END,
			expires = $4 WHERE bucket = $1 AND failures > 0`,
			r.account, r.until, r.before, d.now().Add(d.throttle.Forget).UnixMilli())
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE directory_users SET failures = failures - 1
			WHERE name_key = $1 AND failures > 0`, r.key)
		if err != nil {
			return err
		}
		return d.refundSource(ctx, tx, r)
	})
}

func accountBucket(key string, known bool) string {
	if known {
		return bucket("known", key)
	}
	return bucket("account", key)
}

// bucket returns the key of a row: as long for a megabyte as for a name, and
// without the password that somebody typed into the wrong field.
func bucket(kind, value string) string {
	sum := sha256.Sum256([]byte(kind + ":" + value))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// network returns the part of an address that one customer of a provider
// usually has. Whoever has no address shares one network.
func network(source string) string {
	addr, err := netip.ParseAddr(source)
	if err != nil {
		return ""
	}
	addr = addr.Unmap().WithZone("")
	bits := 48
	if addr.Is4() {
		bits = 24
	}
	prefix, err := addr.Prefix(bits)
	if err != nil {
		return ""
	}
	return prefix.String()
}
