//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd)

package audit

import (
	"errors"
	"fmt"
	"os"
)

// lock refuses: two writers would fork the chain, and the standard library has
// no lock here that a crash releases.
func lock(*os.File) error {
	return fmt.Errorf("locking: %w", errors.ErrUnsupported)
}
