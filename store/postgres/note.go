package postgres

import (
	"context"
	"fmt"
)

// The longest name and value of a note, in bytes.
const (
	maxNoteName  = 64
	maxNoteValue = 512
)

// Note implements [lanyard.Noter].
func (s *Store) Note(ctx context.Context, name, old, value string) (noted string, err error) {
	if len(name) > maxNoteName || len(old) > maxNoteValue || len(value) > maxNoteValue {
		return "", fmt.Errorf("postgres: noting: a name of %d and values of %d and %d bytes, at most %d and %d",
			len(name), len(old), len(value), maxNoteName, maxNoteValue)
	}
	var text []byte
	err = s.scan(ctx, "noting", s.query.note, []any{[]byte(name), []byte(old), []byte(value)}, &text)
	return string(text), err
}
