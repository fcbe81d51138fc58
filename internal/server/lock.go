package server

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// ErrBusy is returned when another process uses the data directory.
var ErrBusy = errors.New("the data directory is in use by another lanyard process")

// lockDir keeps other processes off a data directory whose stores have one
// owner. With shared, those that share too may come. The lock goes with the
// process, however it dies.
func lockDir(dir string, shared bool) (*os.File, error) {
	path := filepath.Join(dir, "lock")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("setting data: opening the lock: %w", err)
	}
	how := syscall.LOCK_EX
	if shared {
		how = syscall.LOCK_SH
	}
	if err := syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("setting data: %s: %w; stop it, or give this one a --data of its own", dir, ErrBusy)
		}
		return nil, fmt.Errorf("setting data: locking %s: %w", path, err)
	}
	return f, nil
}
