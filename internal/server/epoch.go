package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/internal/directory"
)

// The highest global epoch ever used is kept beside the keys, and in the
// directory for all nodes, outside the store and its backups, so that a restored
// store can be put above it.

// epochMeta is where the directory keeps it.
const epochMeta = "global-epoch"

// notedEpoch is the highest epoch that this node or another one has seen.
func (s *Server) notedEpoch(ctx context.Context) (uint64, error) {
	here, err := readEpoch(s.cfg.Data)
	if err != nil {
		return 0, err
	}
	text, err := s.dir.Meta(ctx, epochMeta)
	if errors.Is(err, directory.ErrNotFound) {
		return here, nil
	}
	if err != nil {
		return 0, fmt.Errorf("reading the directory: %w", err)
	}
	all, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("the directory holds a global epoch of %q", text)
	}
	return max(here, all), nil
}

// keepEpoch notes an epoch in both places, unless they have a higher one.
func (s *Server) keepEpoch(ctx context.Context, epoch uint64) error {
	if err := noteEpoch(s.cfg.Data, epoch); err != nil {
		return err
	}
	known, err := s.notedEpoch(ctx)
	if err != nil {
		return err
	}
	number := strconv.FormatUint(known, 10)
	if noted, err := s.dir.Meta(ctx, epochMeta); err == nil && noted == number {
		return nil
	}
	return s.dir.SetMeta(ctx, epochMeta, number)
}

// followEpoch notes what other nodes have raised.
func (s *Server) followEpoch(ctx context.Context) error {
	e, ok := s.store.(lanyard.Epochs)
	if !ok || !s.cfg.store.shared() {
		return nil
	}
	epoch, err := e.GlobalEpoch(ctx)
	if err != nil {
		return err
	}
	return s.keepEpoch(ctx, epoch)
}

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
