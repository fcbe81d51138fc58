package token

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// files is a KeyStore in a directory: key-N.pem for each private key (PKCS #8)
// and keys.json for everything else. Files are numbered, never named after a key
// id. The content of keys.json is the revision.
type files struct {
	dir string
}

const (
	stateName  = "keys.json"
	lockName   = "keys.lock"
	keyPrefix  = "key-"
	keySuffix  = ".pem"
	keyBlock   = "PRIVATE KEY"
	maxKeyFile = 16 << 10
	maxState   = 1 << 20
)

// state is the content of keys.json.
type state struct {
	Version int           `json:"version"`
	Keys    []stateRecord `json:"keys"`
}

type stateRecord struct {
	File      int       `json:"file"`
	ID        string    `json:"kid"`
	Algorithm Algorithm `json:"alg"`
	Created   time.Time `json:"created_at"`
	Signs     time.Time `json:"signs_from"`
	Retires   time.Time `json:"retires_at,omitzero"`
	Withdrawn time.Time `json:"withdrawn_at,omitzero"`
}

// LoadKeys reads the directory, without its lock.
func (f *files) LoadKeys(ctx context.Context) (StoredKeys, error) {
	for {
		if err := ctx.Err(); err != nil {
			return StoredKeys{}, err
		}
		b, err := f.read()
		if err != nil {
			return StoredKeys{}, err
		}
		set, err := f.load(b)
		if errors.Is(err, fs.ErrNotExist) {
			// A key may have been deleted since the state was read, but then the
			// state has changed too.
			if again, e := f.read(); e == nil && !bytes.Equal(again, b) {
				continue
			}
		}
		return set, err
	}
}

// SaveKeys makes a set durable: new private keys first, then the state that
// names them, so that a crash at any point leaves a state whose keys are all
// there.
func (f *files) SaveKeys(_ context.Context, set StoredKeys) error {
	unlock, err := lockFile(filepath.Join(f.dir, lockName))
	if err != nil {
		return fmt.Errorf("locking the key directory: %w", err)
	}
	defer unlock()
	b, err := f.read()
	if err != nil {
		return err
	}
	if string(b) != set.Revision {
		return ErrKeysChanged
	}
	before, err := f.decode(b)
	if err != nil {
		return err
	}
	numbers := make(map[string]int)
	for _, k := range before.Keys {
		numbers[k.ID] = k.File
	}
	after := state{Version: 1}
	for _, k := range set.Keys {
		number, ok := numbers[k.ID]
		if !ok {
			if number, err = f.add(k.Private); err != nil {
				return err
			}
		}
		after.Keys = append(after.Keys, stateRecord{number, k.ID, k.Algorithm, k.Created, k.Signs, k.Retires, k.Withdrawn})
	}
	if b, err = json.MarshalIndent(after, "", "  "); err != nil {
		return err
	}
	if err := writePrivate(f.dir, stateName, append(b, '\n')); err != nil {
		return err
	}
	return f.sweep(before, after)
}

// read returns the state file, or nil if there is none yet.
func (f *files) read() ([]byte, error) {
	b, err := readPrivate(filepath.Join(f.dir, stateName), maxState)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return b, err
}

// decode reads a state; nil is the one before the first.
func (f *files) decode(b []byte) (state, error) {
	var st state
	if b == nil {
		return st, nil
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&st); err != nil {
		return st, fmt.Errorf("reading %s: %w", filepath.Join(f.dir, stateName), err)
	}
	if _, err := d.Token(); err != io.EOF {
		return st, fmt.Errorf("reading %s: there is something behind its end", filepath.Join(f.dir, stateName))
	}
	if st.Version != 1 {
		return st, fmt.Errorf("reading %s: version %d is not known", filepath.Join(f.dir, stateName), st.Version)
	}
	return st, nil
}

// load reads the private keys of a state.
func (f *files) load(b []byte) (StoredKeys, error) {
	st, err := f.decode(b)
	if err != nil {
		return StoredKeys{}, err
	}
	set := StoredKeys{Revision: string(b)}
	for _, r := range st.Keys {
		k := StoredKey{
			ID: r.ID, Algorithm: r.Algorithm, Created: r.Created, Signs: r.Signs, Retires: r.Retires, Withdrawn: r.Withdrawn,
			from: filepath.Join(f.dir, keyName(r.File)),
		}
		if k.Withdrawn.IsZero() {
			if k.Private, err = readKey(k.from); err != nil {
				return StoredKeys{}, err
			}
		}
		set.Keys = append(set.Keys, k)
	}
	return set, nil
}

func readKey(path string) (PrivateDER, error) {
	b, err := readPrivate(path, maxKeyFile)
	if err != nil {
		return nil, err
	}
	block, rest := pem.Decode(b)
	if block == nil || block.Type != keyBlock || len(bytes.TrimSpace(rest)) != 0 {
		return nil, fmt.Errorf("%w: %s is not one PKCS #8 key in PEM", ErrKey, path)
	}
	return block.Bytes, nil
}

// sweep deletes the files of keys that were dropped or withdrawn. A file that a
// crash left behind goes with the next change.
func (f *files) sweep(before, after state) error {
	keep := make(map[int]bool)
	for _, r := range after.Keys {
		keep[r.File] = r.Withdrawn.IsZero()
	}
	for _, r := range slices.Concat(before.Keys, after.Keys) {
		if keep[r.File] {
			continue
		}
		if err := os.Remove(filepath.Join(f.dir, keyName(r.File))); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("deleting a key that is out of use: %w", err)
		}
	}
	return nil
}

// add writes a private key into the next file and returns its number.
func (f *files) add(der PrivateDER) (int, error) {
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return 0, err
	}
	number := 1
	for _, e := range entries {
		if n, ok := keyNumber(e.Name()); ok && n >= number {
			number = n + 1
		}
	}
	return number, writePrivate(f.dir, keyName(number), pem.EncodeToMemory(&pem.Block{Type: keyBlock, Bytes: der}))
}

func keyName(number int) string {
	return fmt.Sprintf("%s%04d%s", keyPrefix, number, keySuffix)
}

func keyNumber(name string) (int, bool) {
	digits, prefix := strings.CutPrefix(name, keyPrefix)
	digits, suffix := strings.CutSuffix(digits, keySuffix)
	n, err := strconv.Atoi(digits)
	return n, prefix && suffix && err == nil
}

// readPrivate reads a file that nobody but its owner may use. The mode is that
// of the open file, so it cannot change in between.
func readPrivate(path string, limit int64) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if err := checkPrivate(path, info, 0o600); err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("%w: %s is longer than %d bytes", ErrKey, path, limit)
	}
	return b, nil
}

// checkPrivate refuses what group or others can use. Windows keeps no such bits.
func checkPrivate(path string, info fs.FileInfo, want fs.FileMode) error {
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return fmt.Errorf("%w: %s has mode %#o and can be used by others, set it to %#o (chmod %o %s)",
			ErrKey, path, mode, want, want, path)
	}
	return nil
}

// writePrivate replaces a file whole and durably: after a crash it has the old
// or the new content.
func writePrivate(dir, name string, b []byte) error {
	temp, err := os.CreateTemp(dir, ".new-*") // made with mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name()) // does nothing after the rename
	_, err = temp.Write(b)
	if err == nil {
		err = temp.Sync()
	}
	if err := errors.Join(err, temp.Close()); err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	if err := os.Rename(temp.Name(), filepath.Join(dir, name)); err != nil {
		return err
	}
	return syncDir(dir)
}

// syncDir makes a rename durable.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // directories cannot be synced there
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
