package token

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"
)

// OpenKeyStore opens the key set kept in store, and makes the first key when
// there is none: of several processes that do so at once, one makes it.
//
// The set is shared by all processes that open it with one configuration. A
// change is written before it is used; each process sees those of others when
// it calls [KeySet.Reload], which it has to do every KeysConfig.ReloadEvery. No
// token is refused for a rotation then, whichever process signs it and whichever
// verifies it, as long as their clocks differ by no more than ClockSkew.
func OpenKeyStore(ctx context.Context, store KeyStore, cfg KeysConfig) (*KeySet, error) {
	if store == nil {
		return nil, errors.New("token: OpenKeyStore needs a store")
	}
	if err := cfg.setDefaults(); err != nil {
		return nil, err
	}
	if err := cfg.checkShared(); err != nil {
		return nil, err
	}
	s := &KeySet{cfg: cfg, makes: true, store: store}
	s.view.Store(newView(nil))
	ctx, stop := context.WithTimeout(ctx, cfg.StoreTimeout)
	defer stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.changeStored(ctx, func(records []record, now time.Time) ([]record, error) {
		if len(records) > 0 {
			return records, nil
		}
		k, err := GenerateKey(cfg.Algorithm, now)
		if err != nil {
			return nil, err
		}
		return s.succeed(records, k, now, now)
	})
	if err != nil {
		return nil, fmt.Errorf("opening keys: %w", err)
	}
	return s, nil
}

// Reload reads the stored keys again, to see what other processes have changed.
// Call it every KeysConfig.ReloadEvery, so that no signing key is met unknown;
// one call that fails does no harm. After an error the set stays as it was. A
// set in memory has nothing to reload.
func (s *KeySet) Reload() error {
	if s.store == nil {
		return nil
	}
	ctx, stop := context.WithTimeout(context.Background(), s.cfg.StoreTimeout)
	defer stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	_, records, err := s.load(ctx)
	if err == nil && len(records) == 0 {
		err = errors.New("they are gone")
	}
	if err != nil {
		return fmt.Errorf("reloading keys: %w", err)
	}
	s.view.Store(newView(records))
	return nil
}

// changeStored is change for a stored set: it starts from what is stored now,
// and starts over when another process has changed it meanwhile. Whoever loses
// that race has met a change that was made, so that somebody always gets on.
func (s *KeySet) changeStored(ctx context.Context, f func([]record, time.Time) ([]record, error)) error {
	for {
		revision, before, err := s.load(ctx)
		if err != nil {
			return err
		}
		now := s.seconds()
		records, err := f(before, now)
		if err != nil {
			return err
		}
		records = s.prune(records, now)
		if !slices.EqualFunc(before, records, (record).same) {
			err = s.save(ctx, revision, records)
		}
		if err == nil {
			s.view.Store(newView(records))
			return nil
		}
		if !errors.Is(err, ErrKeysChanged) {
			// It may be stored all the same, and a withdrawal counts at once.
			if _, records, e := s.load(ctx); e == nil && len(records) > 0 {
				s.view.Store(newView(records))
			}
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// same reports whether two records would be stored alike.
func (r record) same(other record) bool {
	return r.id == other.id && r.signs.Equal(other.signs) && r.retires.Equal(other.retires) && r.withdrawn.Equal(other.withdrawn)
}

func (s *KeySet) load(ctx context.Context) (revision string, records []record, err error) {
	set, err := s.store.LoadKeys(ctx)
	if err != nil {
		return "", nil, err
	}
	known := s.view.Load()
	seen := make(map[string]bool, len(set.Keys))
	for _, k := range set.Keys {
		if seen[k.ID] {
			return "", nil, fmt.Errorf("%w: %s has an id that the set has already, %s", ErrKey, k.place(), k.ID)
		}
		seen[k.ID] = true
		r := record{
			id: k.ID, alg: k.Algorithm, created: k.Created.UTC(), signs: k.Signs.UTC(),
			retires: k.Retires.UTC(), withdrawn: k.Withdrawn.UTC(),
		}
		if r.withdrawn.IsZero() {
			if old := known.byID[k.ID]; old != nil && old.key != nil {
				r.key = old.key // it is named by its content
			} else if r.key, err = k.parse(s.cfg.AllowRS256); err != nil {
				return "", nil, err
			}
		}
		records = append(records, r)
	}
	return set.Revision, records, nil
}

func (s *KeySet) save(ctx context.Context, revision string, records []record) error {
	set := StoredKeys{Revision: revision}
	for _, r := range records {
		k := StoredKey{
			ID: r.id, Algorithm: r.alg, Created: r.created, Signs: r.signs, Retires: r.retires, Withdrawn: r.withdrawn,
		}
		if r.key != nil {
			var err error
			if k.Private, err = x509.MarshalPKCS8PrivateKey(r.key.jose.Private()); err != nil {
				return fmt.Errorf("encoding a key: %w", err)
			}
		}
		set.Keys = append(set.Keys, k)
	}
	return s.store.SaveKeys(ctx, set)
}

// place is what to call the key in errors.
func (k *StoredKey) place() string {
	if k.from == "" {
		return "stored key " + k.ID
	}
	return k.from
}

// parse returns the key. What a store returns is not trusted to be one.
func (k *StoredKey) parse(allowRS256 bool) (*Key, error) {
	from := k.place()
	parsed, err := x509.ParsePKCS8PrivateKey(k.Private)
	if err != nil {
		// The parser's message is left out: it may quote parts of the key.
		return nil, fmt.Errorf("%w: %s is not a PKCS #8 key", ErrKey, from)
	}
	signer, ok := parsed.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("%w: %s is not a signing key", ErrKey, from)
	}
	if err := k.Algorithm.check(allowRS256); err != nil {
		return nil, fmt.Errorf("%s: %w", from, err)
	}
	key, err := NewKey(signer, k.Algorithm, k.Created)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", from, err)
	}
	if key.ID() != k.ID {
		return nil, fmt.Errorf("%w: %s is not the key that its set says it is", ErrKey, from)
	}
	return key, nil
}
