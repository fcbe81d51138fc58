package token

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// OpenKeys opens the key set kept in dir, and makes directory (0700) and first
// key when there are none. Private keys are PKCS #8 files of mode 0600; a
// directory, key or state file that group or others can use is refused with an
// error that names it and the mode to set.
//
// Several processes may share a directory, as [OpenKeyStore] says. The file
// system must have locks that hold between them.
func OpenKeys(dir string, cfg KeysConfig) (*KeySet, error) {
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
	return OpenKeyStore(context.Background(), &files{dir}, cfg)
}
