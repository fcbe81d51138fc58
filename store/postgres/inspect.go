package postgres

import (
	"context"
	"fmt"
)

// Inspect implements [lanyard.Inspector].
func (s *Store) Inspect(ctx context.Context) ([]string, error) {
	var fsync, commit, pages string
	err := s.scan(ctx, "reading the server's settings", `SELECT coalesce(current_setting('fsync', true), ''),
		coalesce(current_setting('synchronous_commit', true), ''), coalesce(current_setting('full_page_writes', true), '')`,
		nil, &fsync, &commit, &pages)
	if err != nil {
		return nil, err
	}
	return findings(fsync, commit, pages), nil
}

// findings says which settings break which promise.
func findings(fsync, commit, pages string) []string {
	var found []string
	for _, setting := range []struct{ name, value, lost string }{
		{"fsync", fsync, "a crash of the server's machine can damage the whole database"},
		{"full_page_writes", pages, "a crash of the server's machine can damage pages that were being written"},
		{"synchronous_commit", commit, "a crash of the server loses the logins and revocations of its last moments: ended sessions come back"},
	} {
		switch setting.value {
		case "off":
			found = append(found, fmt.Sprintf("%s is off: %s. Set it to on.", setting.name, setting.lost))
		case "":
			found = append(found, fmt.Sprintf("%s cannot be read: if it is off, %s.", setting.name, setting.lost))
		}
	}
	return found
}
