package server

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/lanyard-go/lanyard/audit"
)

// maxTrails bounds the processes that share a data directory.
const maxTrails = 64

// trailName is the file of the nth process, from 1, on a data directory.
func trailName(n int) string {
	if n == 1 {
		return "audit.log"
	}
	return fmt.Sprintf("audit-%d.log", n)
}

// openAudit takes an audit trail for this process alone, since a chain has one
// writer. Processes that share a data directory have one each, the first that
// nobody else holds.
func (s *Server) openAudit() error {
	for n := 1; ; n++ {
		path := filepath.Join(s.cfg.Data, trailName(n))
		f, err := audit.OpenFile(path, audit.FileConfig{Now: s.now})
		if errors.Is(err, audit.ErrLocked) && s.cfg.store.shared() && n < maxTrails {
			continue
		}
		if err != nil {
			return fmt.Errorf("opening the audit trail %s: %w", path, err)
		}
		s.trail, s.trailPath = f, path
		s.closers = append(s.closers, f.Close)
		return nil
	}
}

// history returns the newest records that match, oldest first, of all trails in
// the data directory.
func (s *Server) history(filter audit.Filter) ([]audit.Record, error) {
	filter.Newest = true
	all, err := s.trail.Query(filter)
	if err != nil {
		return nil, err
	}
	for n := 1; n <= maxTrails; n++ {
		path := filepath.Join(s.cfg.Data, trailName(n))
		if path == s.trailPath {
			continue
		}
		more, err := audit.Query(path, filter)
		if errors.Is(err, os.ErrNotExist) {
			break
		}
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	slices.SortStableFunc(all, func(a, b audit.Record) int {
		return cmp.Or(a.Event.Time.Compare(b.Event.Time), cmp.Compare(a.Seq, b.Seq))
	})
	if filter.Limit > 0 && len(all) > filter.Limit {
		all = all[len(all)-filter.Limit:]
	}
	return all, nil
}
