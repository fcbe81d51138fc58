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
	how := syscall.LOCK_EX
	if shared {
		how = syscall.LOCK_SH
	}
	f, err := lockFile(filepath.Join(dir, "lock"), how|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, fmt.Errorf("setting data: %s: %w; stop it, or give this one a --data of its own", dir, ErrBusy)
	}
	if err != nil {
		return nil, fmt.Errorf("setting data: %w", err)
	}
	return f, nil
}

// lockFile takes a lock that goes with the process, and makes its file.
func lockFile(path string, how int) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening a lock: %w", err)
	}
	for {
		switch err := syscall.Flock(int(f.Fd()), how); {
		case err == nil:
			return f, nil
		case errors.Is(err, syscall.EINTR):
		default:
			f.Close()
			return nil, fmt.Errorf("locking %s: %w", path, err)
		}
	}
}
