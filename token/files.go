package token

import (
	"bytes"
	"crypto"
	"crypto/x509"
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

// files keeps a set in a directory: key-N.pem for each private key (PKCS #8) and
// keys.json for everything else. Files are numbered, never named after a key id.
type files struct {
	dir  string
	last []byte // keys.json as read or written last
}

const (
	stateName  = "keys.json"
	lockName   = "keys.lock"
	keyPrefix  = "key-"
	keySuffix  = ".pem"
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

// read returns the state file, or nil if there is none yet.
func (f *files) read() ([]byte, error) {
	b, err := readPrivate(filepath.Join(f.dir, stateName), maxState)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return b, err
}

// parse turns a state into records. Keys in known are not read again.
func (f *files) parse(b []byte, known *view, allowRS256 bool) ([]record, error) {
	if b == nil {
		return nil, nil
	}
	var st state
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&st); err != nil {
		return nil, fmt.Errorf("reading %s: %w", filepath.Join(f.dir, stateName), err)
	}
	if st.Version != 1 {
		return nil, fmt.Errorf("reading %s: version %d is not known", filepath.Join(f.dir, stateName), st.Version)
	}
	records := make([]record, len(st.Keys))
	for i, k := range st.Keys {
		r := record{
			id: k.ID, alg: k.Algorithm, created: k.Created, signs: k.Signs,
			retires: k.Retires, withdrawn: k.Withdrawn, file: k.File,
		}
		if r.withdrawn.IsZero() {
			if err := f.load(&r, known, allowRS256); err != nil {
				return nil, err
			}
		}
		records[i] = r
	}
	return records, nil
}

// load finds the private key of r.
func (f *files) load(r *record, known *view, allowRS256 bool) error {
	if known != nil {
		if old := known.byID[r.id]; old != nil && old.key != nil {
			r.key = old.key
			return nil
		}
	}
	path := filepath.Join(f.dir, keyName(r.file))
	b, err := readPrivate(path, maxKeyFile)
	if err != nil {
		return err
	}
	block, rest := pem.Decode(b)
	if block == nil || block.Type != "PRIVATE KEY" || len(bytes.TrimSpace(rest)) != 0 {
		return fmt.Errorf("%w: %s is not one PKCS #8 key in PEM", ErrKey, path)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		// The parser's message is left out: it may quote parts of the key.
		return fmt.Errorf("%w: %s is not a PKCS #8 key", ErrKey, path)
	}
	signer, ok := parsed.(crypto.Signer)
	if !ok {
		return fmt.Errorf("%w: %s is not a signing key", ErrKey, path)
	}
	if err := r.alg.check(allowRS256); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if r.key, err = NewKey(signer, r.alg, r.created); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if r.key.ID() != r.id {
		return fmt.Errorf("%w: %s is not the key that %s says it is", ErrKey, path, stateName)
	}
	return nil
}

// write makes records durable: new private keys first, then the state that names
// them, so that a crash at any point leaves a state whose keys are all there.
func (f *files) write(records []record) error {
	st := state{Version: 1}
	for i := range records {
		r := &records[i]
		if r.file == 0 {
			if err := f.store(r); err != nil {
				return err
			}
		}
		st.Keys = append(st.Keys, stateRecord{r.file, r.id, r.alg, r.created, r.signs, r.retires, r.withdrawn})
	}
	b, err := json.MarshalIndent(st, "", "  ")
	if err != nil {
		return err
	}
	b = append(b, '\n')
	if bytes.Equal(b, f.last) {
		return nil
	}
	if err := writePrivate(f.dir, stateName, b); err != nil {
		return err
	}
	f.last = b
	return nil
}

// sweep deletes the files of keys that were dropped or withdrawn. A file that a
// crash left behind goes with the next change.
func (f *files) sweep(before, records []record) error {
	keep := make(map[int]bool)
	for _, r := range records {
		keep[r.file] = r.withdrawn.IsZero()
	}
	for _, r := range slices.Concat(before, records) {
		if keep[r.file] {
			continue
		}
		if err := os.Remove(filepath.Join(f.dir, keyName(r.file))); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("deleting a key that is out of use: %w", err)
		}
	}
	return nil
}

// store writes the private key of r into the next file.
func (f *files) store(r *record) error {
	der, err := x509.MarshalPKCS8PrivateKey(r.key.jose.Private())
	if err != nil {
		return fmt.Errorf("encoding a key: %w", err)
	}
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return err
	}
	r.file = 1
	for _, e := range entries {
		if n, ok := keyNumber(e.Name()); ok && n >= r.file {
			r.file = n + 1
		}
	}
	b := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	return writePrivate(f.dir, keyName(r.file), b)
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
