package token

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Rotate makes a new key and announces it: it is published at once and signs
// after Announce; the key that signs until then stays published for Retire more.
// With no key left that signs, the new one signs at once. A rotation that is
// under way is not repeated: its key is returned, so that several nodes may ask.
// Keys whose time is over are deleted. Sets that were given their keys need
// [KeySet.Add] instead.
func (s *KeySet) Rotate() (KeyInfo, error) {
	if !s.makes {
		return KeyInfo{}, errors.New("token: this set was given its keys, add one instead")
	}
	var id string
	err := s.change(func(records []record, now time.Time) ([]record, error) {
		for _, r := range records {
			if r.phase(now, s.cfg.Retire) == PhaseAnnounced {
				id = r.id
				return records, nil
			}
		}
		k, err := GenerateKey(s.cfg.Algorithm, now)
		if err != nil {
			return nil, err
		}
		id = k.ID()
		return s.announce(records, k, now)
	})
	if err != nil {
		return KeyInfo{}, fmt.Errorf("rotating keys: %w", err)
	}
	return s.info(id), nil
}

// RotateDue is Rotate for a set whose newest key began to sign age ago or earlier,
// and does nothing for others. Made is true if this call made the key: of any
// number of processes that ask at the same time, one hears so. It may be called
// often, since it asks the store only when a rotation is due.
func (s *KeySet) RotateDue(age time.Duration) (key KeyInfo, made bool, err error) {
	if !s.makes || age <= 0 || !s.due(s.view.Load().records, age, s.seconds()) {
		return KeyInfo{}, false, nil
	}
	var id string
	err = s.change(func(records []record, now time.Time) ([]record, error) {
		id = ""
		if !s.due(records, age, now) {
			return records, nil // another process was faster
		}
		k, err := GenerateKey(s.cfg.Algorithm, now)
		if err != nil {
			return nil, err
		}
		id = k.ID()
		return s.announce(records, k, now)
	})
	if err != nil {
		return KeyInfo{}, false, fmt.Errorf("rotating keys: %w", err)
	}
	return s.info(id), id != "", nil
}

// due reports whether no key will take over by itself and the one that signs has
// done so for age.
func (s *KeySet) due(records []record, age time.Duration, now time.Time) bool {
	for _, r := range records {
		switch r.phase(now, s.cfg.Retire) {
		case PhaseAnnounced:
			return false
		case PhaseSigning:
			if now.Sub(r.signs) < age {
				return false
			}
		}
	}
	return true
}

// Add announces a key that the caller made, in a hardware module for example, as
// Rotate does. Stored sets refuse it, because they store what they hold.
func (s *KeySet) Add(k *Key) error {
	if s.store != nil {
		return errors.New("token: a stored set makes its own keys")
	}
	err := s.change(func(records []record, now time.Time) ([]record, error) {
		return s.announce(records, k, now)
	})
	if err != nil {
		return fmt.Errorf("adding a key: %w", err)
	}
	return nil
}

// announce adds k to sign after the announcement, or at once if nothing signs.
func (s *KeySet) announce(records []record, k *Key, now time.Time) ([]record, error) {
	from := now
	for _, r := range records {
		if r.phase(now, s.cfg.Retire) == PhaseSigning {
			from = now.Add(s.cfg.Announce)
		}
	}
	return s.succeed(records, k, now, from)
}

// Withdraw takes a key back for good, because it may be in wrong hands: it
// leaves the published set and every token under it is refused from now on, by
// this process at once and by others once they reload or hear of it. The private
// half is deleted. If it was the signing key, an announced key signs at once;
// without one, a set that makes its keys makes another, which signs at once.
func (s *KeySet) Withdraw(kid string) error {
	err := s.change(func(records []record, now time.Time) ([]record, error) {
		i := slices.IndexFunc(records, func(r record) bool { return r.id == kid })
		if i < 0 {
			return nil, ErrUnknownKey
		}
		was := records[i].phase(now, s.cfg.Retire)
		if was == PhaseWithdrawn {
			return records, nil
		}
		records = slices.Clone(records)
		records[i].withdrawn, records[i].key = now, nil
		switch was {
		case PhaseAnnounced:
			// Its predecessor was to retire in its favour; now it signs until the
			// next one starts, if there is a next one.
			for j := range records {
				if r := &records[j]; r.withdrawn.IsZero() && r.retires.Equal(records[i].signs) && now.Before(r.retires) {
					r.retires = records[i].retires
				}
			}
		case PhaseSigning:
			return s.replace(records, now)
		}
		return records, nil
	})
	if err != nil {
		return fmt.Errorf("withdrawing a key: %w", err)
	}
	return nil
}

// replace finds a key to sign in place of a withdrawn one.
func (s *KeySet) replace(records []record, now time.Time) ([]record, error) {
	for i := range records {
		if records[i].phase(now, s.cfg.Retire) == PhaseAnnounced {
			records[i].signs = now
			return records, nil
		}
	}
	if !s.makes {
		return records, nil
	}
	k, err := GenerateKey(s.cfg.Algorithm, now)
	if err != nil {
		return nil, err
	}
	return s.succeed(records, k, now, now)
}

// change runs f on the newest records and makes its result the new state, in
// the store first. f may run several times.
func (s *KeySet) change(f func(records []record, now time.Time) ([]record, error)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.store != nil {
		ctx, stop := context.WithTimeout(context.Background(), s.cfg.StoreTimeout)
		defer stop()
		return s.changeStored(ctx, f)
	}
	now := s.seconds()
	records, err := f(s.view.Load().records, now)
	if err != nil {
		return err
	}
	s.view.Store(newView(s.prune(records, now)))
	return nil
}

// seconds is the clock in the precision in which times are kept.
func (s *KeySet) seconds() time.Time { return s.cfg.Now().UTC().Truncate(time.Second) }

// prune drops keys that nobody needs any more. Withdrawn keys stay listed, as
// the record of what happened.
func (s *KeySet) prune(records []record, now time.Time) []record {
	return slices.DeleteFunc(slices.Clone(records), func(r record) bool {
		return r.phase(now, s.cfg.Retire) == PhaseRemoved
	})
}

func (s *KeySet) info(kid string) KeyInfo {
	for _, i := range s.List(s.cfg.Now()) {
		if i.ID == kid {
			return i
		}
	}
	return KeyInfo{}
}
