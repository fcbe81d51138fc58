//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd)

package token

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// lockFile makes a file that must not exist and removes it to unlock. Where the
// system has no flock, a process that died in between leaves it behind.
func lockFile(path string) (unlock func(), err error) {
	for range 500 {
		file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if err == nil {
			return func() { file.Close(); os.Remove(path) }, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
		time.Sleep(10 * time.Millisecond)
	}
	return nil, fmt.Errorf("%s is held by another process; delete it if none is running", path)
}
