package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Backup writes a copy of the database, as it is at one moment, to a new file at
// path that only its owner can read. Calls go on meanwhile. The copy is on the
// disk when Backup returns nil; after an error there is no file.
//
// To restore, put the copy in the place of the database while nothing has it
// open, and call Revoke with All and an AtLeast above every global epoch ever
// used, before anything else: sessions that were ended since the copy was made
// would be live again otherwise.
func (s *Store) Backup(ctx context.Context, path string) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("backing up: %w", err)
	}
	// Made here and not by SQLite, which would let everybody read it.
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("backing up: %w", err)
	}
	err = s.read(ctx, "backing up", func(c *connection) error {
		_, err := c.conn.ExecContext(ctx, "VACUUM INTO ?", path)
		return err
	})
	// VACUUM INTO does not sync what it writes.
	err = errors.Join(err, file.Sync(), file.Close())
	if err == nil {
		err = syncFolder(filepath.Dir(path))
	}
	if err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// syncFolder makes the name of a new file as durable as its content.
func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("syncing the folder: %w", err)
	}
	defer folder.Close()
	if err := folder.Sync(); err != nil {
		return fmt.Errorf("syncing the folder: %w", err)
	}
	return nil
}
