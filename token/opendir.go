package token

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// OpenKeys opens the key set kept in dir, and makes directory (0700) and first
// key when there are none. Private keys are PKCS #8 files of mode 0600; a
// directory, key or state file that group or others can use is refused with an
// error that names it and the mode to set.
//
// Several processes may share a directory. Changes are serialised between them,
// written whole and durably; each process sees the changes of others when it
// calls [KeySet.Reload].
func OpenKeys(dir string, cfg KeysConfig) (*KeySet, error) {
	if err := cfg.setDefaults(); err != nil {
		return nil, err
	}
	if dir == "" {
		return nil, errors.New("token: OpenKeys needs a directory")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("opening keys: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("opening keys: %w", err)
	}
	if err := checkPrivate(dir, info, 0o700); err != nil {
		return nil, fmt.Errorf("opening keys: %w", err)
	}
	s := &KeySet{cfg: cfg, makes: true, files: &files{dir: dir}}
	s.view.Store(newView(nil))
	err = s.change(func(records []record, now time.Time) ([]record, error) {
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

// Reload reads the directory again if another process has changed it. Call it
// more often than once per Announce, so that no signing key is met unknown. After
// an error the set stays as it was. A set in memory has nothing to reload.
func (s *KeySet) Reload() error {
	if s.files == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		b, err := s.files.read()
		if err != nil {
			return fmt.Errorf("reloading keys: %w", err)
		}
		if b == nil {
			return fmt.Errorf("reloading keys: %s is gone", filepath.Join(s.files.dir, stateName))
		}
		if bytes.Equal(b, s.files.last) {
			return nil
		}
		records, err := s.files.parse(b, s.view.Load(), s.cfg.AllowRS256)
		if errors.Is(err, fs.ErrNotExist) {
			// A key may have been deleted since the state was read, but then the
			// state has changed too.
			if again, e := s.files.read(); e == nil && !bytes.Equal(again, b) {
				continue
			}
		}
		if err != nil {
			return fmt.Errorf("reloading keys: %w", err)
		}
		s.files.last = b
		s.view.Store(newView(records))
		return nil
	}
}

// changeFiles is change for a set in files: it starts from what the directory
// holds now, which another process may have changed.
func (s *KeySet) changeFiles(f func([]record, time.Time) ([]record, error), now time.Time) error {
	unlock, err := lockFile(filepath.Join(s.files.dir, lockName))
	if err != nil {
		return fmt.Errorf("locking the key directory: %w", err)
	}
	defer unlock()
	b, err := s.files.read()
	if err != nil {
		return err
	}
	s.files.last = b
	before, err := s.files.parse(b, s.view.Load(), s.cfg.AllowRS256)
	if err != nil {
		return err
	}
	records, err := f(before, now)
	if err != nil {
		return err
	}
	records = s.prune(records, now)
	if err := s.files.write(records); err != nil {
		return err
	}
	s.view.Store(newView(records))
	return s.files.sweep(before, records)
}
