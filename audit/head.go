package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

func headPath(path string) string { return path + ".head" }

// readHead returns the head noted beside the file at path, and false if there is
// none.
func readHead(path string) (Head, bool, error) {
	data, err := os.ReadFile(headPath(path))
	if errors.Is(err, fs.ErrNotExist) {
		return Head{}, false, nil
	}
	if err != nil {
		return Head{}, false, fmt.Errorf("reading audit head: %w", err)
	}
	var h Head
	if err := json.Unmarshal(data, &h); err != nil {
		return Head{}, false, fmt.Errorf("reading audit head %s: %w", headPath(path), err)
	}
	return h, true, nil
}

// writeHead replaces the note in one step, so that a crash leaves the old or the
// new one.
func writeHead(path string, h Head) (err error) {
	data, err := json.Marshal(h)
	if err != nil {
		return fmt.Errorf("writing audit head: %w", err)
	}
	return replaceFile(headPath(path), append(data, '\n'))
}

// replaceFile makes path hold data, durably, with mode 0600.
func replaceFile(path string, data []byte) error {
	tmp := path + ".tmp"
	if err := writeSynced(tmp, data); err != nil {
		return fmt.Errorf("writing %s: %w", tmp, err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return fmt.Errorf("replacing %s: %w", path, err)
	}
	return syncDir(filepath.Dir(path))
}

func writeSynced(path string, data []byte) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := f.Write(data); err != nil {
		return err
	}
	return f.Sync()
}

// syncDir makes a new or renamed entry of dir survive a power cut.
func syncDir(dir string) (err error) {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("syncing %s: %w", dir, err)
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	if err := d.Sync(); err != nil {
		return fmt.Errorf("syncing %s: %w", dir, err)
	}
	return nil
}
