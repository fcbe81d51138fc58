package server

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// The highest global epoch ever used is kept beside the keys, outside the store
// and its backups, so that a restored store can be put above it.

func epochPath(dir string) string { return filepath.Join(dir, "epoch") }

func readEpoch(dir string) (uint64, error) {
	b, err := os.ReadFile(epochPath(dir))
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("reading the epoch: %w", err)
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("epoch file %s does not hold a number", epochPath(dir))
	}
	return n, nil
}

func noteEpoch(dir string, epoch uint64) error {
	known, err := readEpoch(dir)
	if err != nil || epoch <= known {
		return err
	}
	return writeFile(epochPath(dir), []byte(strconv.FormatUint(epoch, 10)+"\n"))
}
