package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// The longest name and value of a note, in bytes.
const (
	maxNoteName  = 64
	maxNoteValue = 512
)

// Note implements [lanyard.Noter]. Notes outlive all sessions; Prune does not
// touch them, and a [Store.Backup] has them.
func (s *Store) Note(ctx context.Context, name, old, value string) (noted string, err error) {
	switch {
	case name == "" || len(name) > maxNoteName:
		return "", fmt.Errorf("sqlite: noting: a name of %d bytes, want 1 to %d", len(name), maxNoteName)
	case len(value) > maxNoteValue:
		return "", fmt.Errorf("sqlite: noting: a value of %d bytes, at most %d", len(value), maxNoteValue)
	}
	if old == value {
		err = s.read(ctx, "reading a note", func(c *connection) error {
			err := c.stmt[sqlNote].QueryRowContext(ctx, name).Scan(&noted)
			if errors.Is(err, sql.ErrNoRows) {
				return nil
			}
			return err
		})
		return noted, err
	}
	err = s.commit(ctx, "noting", func(t *tx) error {
		noted = ""
		if _, err := t.scan(sqlNote, []any{name}, &noted); err != nil || noted != old {
			return err
		}
		noted = value
		if value == "" {
			_, err := t.exec(sqlForgetNote, name)
			return err
		}
		_, err := t.exec(sqlSetNote, name, value)
		return err
	})
	if err != nil {
		return "", err
	}
	return noted, nil
}
