package directory

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/lanyard-go/lanyard/token"
)

// KeyStoreConfig sets up a [KeyStore].
type KeyStoreConfig struct {
	// Purpose names the set, 1 to 64 lower case letters, digits and . _ -, and
	// is part of what the seal of its keys is bound to. Required.
	Purpose string

	// Secrets are the server secrets, the current one first. Required. Keys
	// that an older one had sealed are sealed again with the current one.
	Secrets []SealingSecret
}

// KeyStore keeps a set of signing keys in the directory, for all nodes that
// share it: a [token.KeyStore]. Private keys are sealed with AES-256-GCM under
// a key that HKDF-SHA-256 derives from the server secret, so that a copy of
// the database signs nothing. Make one with [Directory.KeyStore].
type KeyStore struct {
	d       *Directory
	purpose string
	secrets []SealingSecret
}

// KeyStore returns the store of a key set, or an error that names the field of
// c that is wrong. It makes nothing in a directory that has no such set, and
// returns [ErrSealed] for a set it cannot open.
func (d *Directory) KeyStore(ctx context.Context, c KeyStoreConfig) (*KeyStore, error) {
	if err := checkWord(c.Purpose, ""); err != nil || c.Purpose != fold(c.Purpose) {
		return nil, errors.New("directory: KeyStoreConfig.Purpose: not 1 to 64 lower case letters, digits and . _ -")
	}
	if len(c.Secrets) == 0 {
		return nil, errors.New("directory: KeyStoreConfig.Secrets: required")
	}
	seen := make(map[byte]bool)
	for _, s := range c.Secrets {
		if len(s.Value) != 32 {
			return nil, fmt.Errorf("directory: KeyStoreConfig.Secrets: secret %d has %d bytes, not 32", s.ID, len(s.Value))
		}
		if seen[s.ID] {
			return nil, fmt.Errorf("directory: KeyStoreConfig.Secrets: the id %d is given twice", s.ID)
		}
		seen[s.ID] = true
	}
	k := &KeyStore{d, c.Purpose, c.Secrets}
	return k, k.reseal(ctx)
}

// keyRow is a row of directory_keys.
type keyRow struct {
	kid, algorithm                     string
	created, signs, retires, withdrawn int64
	sealedBy                           int64 // id of a server secret
	sealed                             string
}

// rows returns the set of q as it is stored, and its revision, which is zero
// when there is none.
func (k *KeyStore) rows(ctx context.Context, q querier) (revision int64, all []keyRow, err error) {
	// One statement, so that revision and keys belong together.
	rows, err := q.QueryContext(ctx, `SELECT s.revision, k.kid, k.algorithm, k.created, k.signs, k.retires, k.withdrawn, k.secret, k.sealed
		FROM directory_keysets s JOIN directory_keys k ON k.purpose = s.purpose
		WHERE s.purpose = $1 ORDER BY k.place`, k.purpose)
	if err != nil {
		return 0, nil, fmt.Errorf("reading signing keys: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var r keyRow
		err := rows.Scan(&revision, &r.kid, &r.algorithm, &r.created, &r.signs, &r.retires, &r.withdrawn, &r.sealedBy, &r.sealed)
		if err != nil {
			return 0, nil, fmt.Errorf("reading signing keys: %w", err)
		}
		all = append(all, r)
	}
	if err := rows.Err(); err != nil {
		return 0, nil, fmt.Errorf("reading signing keys: %w", err)
	}
	return revision, all, nil
}

// LoadKeys reads the set and opens its private keys. Errors are [ErrSealed] and
// those of the database.
func (k *KeyStore) LoadKeys(ctx context.Context) (token.StoredKeys, error) {
	revision, rows, err := k.rows(ctx, k.d.db)
	if err != nil || revision == 0 {
		return token.StoredKeys{}, err
	}
	set := token.StoredKeys{Revision: revisionName(revision)}
	for _, r := range rows {
		s := token.StoredKey{
			ID: r.kid, Algorithm: token.Algorithm(r.algorithm),
			Created: instant(r.created), Signs: instant(r.signs), Retires: instant(r.retires), Withdrawn: instant(r.withdrawn),
		}
		if s.Withdrawn.IsZero() {
			if s.Private, err = k.open(r); err != nil {
				return token.StoredKeys{}, err
			}
		}
		set.Keys = append(set.Keys, s)
	}
	return set, nil
}

// SaveKeys stores a set in the place of the one whose revision it names, or
// returns token.ErrKeysChanged.
func (k *KeyStore) SaveKeys(ctx context.Context, set token.StoredKeys) error {
	if len(set.Keys) == 0 {
		return errors.New("directory: a set without keys is not stored")
	}
	return k.d.write(ctx, "storing signing keys", func(tx *sql.Tx) error {
		revision, rows, err := k.rows(ctx, tx)
		if err != nil {
			return err
		}
		if set.Revision != revisionName(revision) {
			return token.ErrKeysChanged
		}
		before := make(map[string]keyRow, len(rows))
		for _, r := range rows {
			before[r.kid] = r
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO directory_keysets (purpose, revision) VALUES ($1, $2)
			ON CONFLICT (purpose) DO UPDATE SET revision = excluded.revision`, k.purpose, revision+1)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM directory_keys WHERE purpose = $1`, k.purpose); err != nil {
			return err
		}
		for place, s := range set.Keys {
			r := keyRow{
				kid: s.ID, algorithm: string(s.Algorithm),
				created: seconds(s.Created), signs: seconds(s.Signs), retires: seconds(s.Retires), withdrawn: seconds(s.Withdrawn),
			}
			if s.Withdrawn.IsZero() {
				if err := k.seal(&r, s.Private, before[s.ID]); err != nil {
					return err
				}
			}
			_, err := tx.ExecContext(ctx, `INSERT INTO directory_keys
				(purpose, kid, place, algorithm, created, signs, retires, withdrawn, secret, sealed)
				VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
				k.purpose, r.kid, place, r.algorithm, r.created, r.signs, r.retires, r.withdrawn, r.sealedBy, r.sealed)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func revisionName(revision int64) string {
	if revision == 0 {
		return ""
	}
	return strconv.FormatInt(revision, 10)
}

// seconds is millis for the times of keys, which have no fractions.
func seconds(t time.Time) int64 { return millis(t.Truncate(time.Second)) }

// seal seals the private key of r, or takes over the seal it has.
func (k *KeyStore) seal(r *keyRow, der token.PrivateDER, before keyRow) (err error) {
	if before.sealed != "" && before.algorithm == r.algorithm {
		r.sealedBy, r.sealed = before.sealedBy, before.sealed
		return nil
	}
	r.sealedBy = int64(k.secrets[0].ID)
	r.sealed, err = k.secrets[0].seal(der, sealedAbout(k.purpose, r.kid, r.algorithm))
	return err
}

func (k *KeyStore) open(r keyRow) ([]byte, error) {
	for _, s := range k.secrets {
		if int64(s.ID) == r.sealedBy {
			der, err := s.open(r.sealed, sealedAbout(k.purpose, r.kid, r.algorithm))
			if err != nil {
				return nil, fmt.Errorf("opening signing key %s with server secret %d: %w", r.kid, r.sealedBy, err)
			}
			return der, nil
		}
	}
	return nil, fmt.Errorf("opening signing key %s: server secret %d is needed: %w", r.kid, r.sealedBy, ErrSealed)
}

// reseal seals with the current secret what an older one had sealed.
func (k *KeyStore) reseal(ctx context.Context) error {
	_, rows, err := k.rows(ctx, k.d.db)
	if err != nil {
		return err
	}
	current := k.secrets[0]
	outdated := func(r keyRow) bool { return r.sealed != "" && r.sealedBy != int64(current.ID) }
	if !slices.ContainsFunc(rows, outdated) {
		return nil // the lock is for those who write
	}
	return k.d.write(ctx, "sealing signing keys again", func(tx *sql.Tx) error {
		_, rows, err := k.rows(ctx, tx) // now they stay as they are
		if err != nil {
			return err
		}
		for _, r := range rows {
			if !outdated(r) {
				continue
			}
			der, err := k.open(r)
			if err != nil {
				return err
			}
			sealed, err := current.seal(der, sealedAbout(k.purpose, r.kid, r.algorithm))
			if err != nil {
				return err
			}
			_, err = tx.ExecContext(ctx, `UPDATE directory_keys SET secret = $3, sealed = $4 WHERE purpose = $1 AND kid = $2`,
				k.purpose, r.kid, int64(current.ID), sealed)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// ForgetKeys removes all key sets, whose private keys nobody can open any more
// once the server secret is lost. Every token under them is refused.
func (d *Directory) ForgetKeys(ctx context.Context) error {
	return d.write(ctx, "forgetting signing keys", func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM directory_keys`); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM directory_keysets`)
		return err
	})
}
