package directory

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

const (
	maxImportLine = 4 << 10
	maxImport     = 1_000_000
)

// ImportResult counts what was imported.
type ImportResult struct {
	Users, Admins, Disabled int
}

// ImportError is a line that cannot be imported. Its text has nothing of the
// hash in it.
type ImportError struct {
	Line int // the first is 1
	Err  error
}

// Error returns the number of the line and what is wrong with it.
func (e *ImportError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }

// Unwrap returns what is wrong with the line.
func (e *ImportError) Unwrap() error { return e.Err }

// ImportUsers adds users who bring the hash of their password from another
// system. Each line of r is a JSON object with the members name and hash, and
// if wanted admin and disabled:
//
//	{"name":"ada","hash":"$2b$10$...","admin":true}
//
// Forms of the hash are those that password.Hasher.Verify knows; the policy for
// new passwords cannot be asked, since nobody has the password. Blank lines are
// skipped. An unknown or repeated member, anything after the object, a name
// that is taken here or was in an earlier line, a line over 4 KiB and more
// than a million users are refused with an *[ImportError].
//
// Either all lines are imported or none.
func (d *Directory) ImportUsers(ctx context.Context, r io.Reader) (ImportResult, error) {
	users, err := readImport(r)
	if err != nil {
		return ImportResult{}, fmt.Errorf("reading users: %w", err)
	}
	for _, u := range users {
		if err := d.hasher.Check(u.Hash); err != nil {
			return ImportResult{}, fmt.Errorf("reading users: %w", &ImportError{u.line, err})
		}
	}
	var res ImportResult
	now := d.now()
	err = d.write(ctx, "importing users", func(tx *sql.Tx) error {
		for _, u := range users {
			err := insertUser(ctx, tx, User{Name: u.Name, Admin: u.Admin, Disabled: u.Disabled, Created: now, PasswordChanged: now}, u.Hash)
			if errors.Is(err, ErrExists) {
				return &ImportError{u.line, err}
			}
			if err != nil {
				return err
			}
			res.count(u)
		}
		return nil
	})
	if err != nil {
		return ImportResult{}, err
	}
	return res, nil
}

func (res *ImportResult) count(u imported) {
	res.Users++
	if u.Admin {
		res.Admins++
	}
	if u.Disabled {
		res.Disabled++
	}
}

type imported struct {
	Name     string `json:"name"`
	Hash     string `json:"hash"`
	Admin    bool   `json:"admin"`
	Disabled bool   `json:"disabled"`
	line     int
}

// readImport reads the lines before the database is touched, so that a slow
// sender never holds its lock.
func readImport(r io.Reader) ([]imported, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxImportLine)
	first := make(map[string]int) // line of each name
	var users []imported
	n := 0
	for lines.Scan() {
		n++
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		u, err := parseImport(lines.Bytes())
		if err != nil {
			return nil, &ImportError{n, err}
		}
		if before := first[fold(u.Name)]; before > 0 {
			return nil, &ImportError{n, fmt.Errorf("name %s is in line %d too: %w", u.Name, before, ErrExists)}
		}
		if len(users) == maxImport {
			return nil, &ImportError{n, fmt.Errorf("more than %d users", maxImport)}
		}
		first[fold(u.Name)] = n
		u.line = n
		users = append(users, u)
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return nil, &ImportError{n + 1, fmt.Errorf("longer than %d bytes", maxImportLine)}
	}
	return users, lines.Err()
}

// parseImport reads one object member by member, because encoding/json takes
// the last of two equal members and matches their names in any letter case.
func parseImport(line []byte) (imported, error) {
	if !utf8.Valid(line) {
		return imported{}, errors.New("not UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(line))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return imported{}, errors.New("not a JSON object")
	}
	var u imported
	seen := make(map[string]bool)
	for dec.More() {
		t, err := dec.Token()
		key, ok := t.(string)
		if err != nil || !ok {
			return imported{}, errors.New("malformed JSON")
		}
		if seen[key] {
			return imported{}, fmt.Errorf("member %.20q is there twice", key)
		}
		seen[key] = true
		if err := u.set(key, dec); err != nil {
			return imported{}, err
		}
	}
	if _, err := dec.Token(); err != nil {
		return imported{}, errors.New("malformed JSON")
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return imported{}, errors.New("something follows the object")
	}
	if !seen["hash"] {
		return imported{}, errors.New("member hash is missing")
	}
	return u, CheckName(u.Name)
}

// set reads the value of a member. Errors of encoding/json are left out, since
// they can quote the line.
func (u *imported) set(key string, dec *json.Decoder) error {
	value, err := dec.Token()
	if err != nil {
		return errors.New("malformed JSON")
	}
	var ok bool
	switch key {
	case "name":
		u.Name, ok = value.(string)
	case "hash":
		u.Hash, ok = value.(string)
	case "admin":
		u.Admin, ok = value.(bool)
	case "disabled":
		u.Disabled, ok = value.(bool)
	default:
		return fmt.Errorf("member %.20q is not known", key)
	}
	if !ok {
		return fmt.Errorf("member %s has a value of the wrong type", key)
	}
	return nil
}
