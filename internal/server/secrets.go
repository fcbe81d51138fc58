package server

import (
	"bufio"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/internal/directory"
	"github.com/lanyard-go/lanyard/password"
	"github.com/lanyard-go/lanyard/token"
)

const (
	secretName = "server.secret"
	secretMeta = "server-secret" // its fingerprint, in the directory
)

// reloadKeys is how often housekeeping reads the signing keys again. Every node
// that shares them must, or a key could sign before all know it.
const reloadKeys = time.Minute

// keysMaxAge is how long verifiers may keep the published keys, as the answer's
// Cache-Control says.
const keysMaxAge = 5 * time.Minute

// nodeSecrets are the server secrets of this node.
type nodeSecrets struct {
	path    string
	secrets []lanyard.ServerSecret // the current one first
	keys    *lanyard.Keys
}

// openSecrets reads the server secrets from a file that the nodes of a directory
// share, or without one from the data directory, where the first start draws
// them. A directory remembers which secret it was used with and is not opened
// with another, which would sign everybody out; of nodes that start with it at
// the same moment, each with a secret of its own, one gets it.
func openSecrets(ctx context.Context, dir *directory.Directory, data, file string) (*nodeSecrets, error) {
	known, err := dir.Meta(ctx, secretMeta)
	if err != nil && !errors.Is(err, directory.ErrNotFound) {
		return nil, fmt.Errorf("reading the directory: %w", err)
	}
	n, err := loadSecrets(data, file, known == "")
	if err != nil {
		return nil, err
	}
	if known == "" {
		if known, err = dir.ClaimMeta(ctx, secretMeta, n.keys.Fingerprint()); err != nil {
			return nil, fmt.Errorf("noting the server secret in the directory: %w", err)
		}
	}
	if !n.keys.Knows(known) {
		return nil, fmt.Errorf("the server secret in %s (fingerprint %s) is not the one this data directory was used with (%s); restore the right file, or if other nodes use the directory copy theirs or name it with secret-file; if it is lost run: lanyard keys forget-secret, which signs everybody out",
			n.path, n.keys.Fingerprint(), known)
	}
	if known != n.keys.Fingerprint() {
		// A new secret was put in front of the old one, which is still kept.
		if err := dir.SetMeta(ctx, secretMeta, n.keys.Fingerprint()); err != nil {
			return nil, fmt.Errorf("noting the server secret in the directory: %w", err)
		}
	}
	return n, nil
}

// keyStore returns the store of signing keys in a directory, sealed with the
// node's secrets.
func (n *nodeSecrets) keyStore(ctx context.Context, dir *directory.Directory) (*directory.KeyStore, error) {
	c := directory.KeyStoreConfig{Purpose: "access-token"}
	for _, s := range n.secrets {
		c.Secrets = append(c.Secrets, directory.SealingSecret{ID: s.ID, Value: directory.Secret(s.Value)})
	}
	return dir.KeyStore(ctx, c)
}

// signingKeys opens the keys that sign access tokens: in the directory if the
// nodes share it, else in files of the data directory.
func (n *nodeSecrets) signingKeys(ctx context.Context, dir *directory.Directory, data string, shared bool, now func() time.Time) (*token.KeySet, error) {
	c := token.KeysConfig{ReloadEvery: reloadKeys, CacheTime: keysMaxAge, Now: now}
	if !shared {
		return token.OpenKeys(filepath.Join(data, "keys"), c)
	}
	store, err := n.keyStore(ctx, dir)
	if errors.Is(err, directory.ErrSealed) {
		return nil, fmt.Errorf("the signing keys in the directory were sealed with another server secret than those in %s; restore it, or if it is lost run: lanyard keys forget-secret: %w", n.path, err)
	}
	if err != nil {
		return nil, err
	}
	return token.OpenKeyStore(ctx, store, c)
}

// ForgetSecret lets a data directory whose server secret is lost be used with
// another one. Every session made with the lost one is over, and signing keys in
// the directory that it had sealed make room for new ones.
func ForgetSecret(ctx context.Context, d Drivers, cfg Config) (err error) {
	r, err := cfg.resolve(nil)
	if err != nil {
		return err
	}
	if err := prepareData(r.Data); err != nil {
		return err
	}
	lock, err := lockDir(r.Data, false)
	if err != nil {
		return err
	}
	defer lock.Close()
	db, err := r.openDirectoryDB(d)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	hasher, err := password.New(password.Config{})
	if err != nil {
		return err
	}
	dir, err := directory.Open(ctx, db, directory.Config{Hasher: hasher})
	if err != nil {
		return err
	}
	n, err := loadSecrets(r.Data, r.SecretFile, true)
	if err != nil {
		return err
	}
	if err := n.takeOver(ctx, dir); err != nil {
		return err
	}
	id, err := dir.ClaimMeta(ctx, directoryMeta, rand.Text())
	if err != nil {
		return err
	}
	return r.renote(ctx, d, map[string]string{noteSecret: n.keys.Fingerprint(), noteDirectory: id})
}

// renote gives the session store to the node's secret and directory.
func (r *resolved) renote(ctx context.Context, d Drivers, notes map[string]string) error {
	store, shut, err := r.openSessions(ctx, d, r.store, "store", true)
	if err != nil {
		return err
	}
	if n, ok := store.(lanyard.Noter); ok {
		for name, value := range notes {
			var known string
			if known, err = n.Note(ctx, name, "", ""); err == nil {
				_, err = n.Note(ctx, name, known, value)
			}
			if err != nil {
				break
			}
		}
	}
	return errors.Join(err, shut())
}

// takeOver gives a directory to the node's secret, whatever it was used with.
func (n *nodeSecrets) takeOver(ctx context.Context, dir *directory.Directory) error {
	store, err := n.keyStore(ctx, dir)
	if err == nil {
		_, err = store.LoadKeys(ctx)
	}
	if errors.Is(err, directory.ErrSealed) {
		err = dir.ForgetKeys(ctx)
	}
	if err != nil {
		return err
	}
	return dir.SetMeta(ctx, secretMeta, n.keys.Fingerprint())
}

// loadSecrets reads the server secrets, or draws the first one in the data
// directory where that may be done. A shared file is never drawn: a path that
// one of the nodes got wrong would give it a secret of its own.
// The file has a line per secret, "ID BASE64", the current one first.
func loadSecrets(data, file string, mayDraw bool) (*nodeSecrets, error) {
	n := &nodeSecrets{path: cmp.Or(file, filepath.Join(data, secretName))}
	var err error
	n.secrets, err = readSecrets(n.path)
	if errors.Is(err, os.ErrNotExist) {
		switch {
		case file != "":
			return nil, wrong("secret-file", "%s is missing; copy it from a node that has it, or for a new installation make it, readable by its owner alone, with the line: 1 $(head -c 32 /dev/urandom | base64)", n.path)
		case !mayDraw:
			return nil, fmt.Errorf("the server secret %s is missing, though this data directory was used with one; restore the file, or if other nodes use the directory copy theirs or name it with secret-file; if it is lost run: lanyard keys forget-secret, which signs everybody out", n.path)
		}
		n.secrets, err = drawSecret(n.path)
	}
	if err != nil {
		return nil, err
	}
	if n.keys, err = lanyard.NewKeys(n.secrets...); err != nil {
		return nil, fmt.Errorf("secret file %s: %w", n.path, err)
	}
	return n, nil
}

func readSecrets(path string) ([]lanyard.ServerSecret, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("secret file %s can be read by others (mode %04o); run: chmod 600 %s", path, info.Mode().Perm(), path)
	}
	var out []lanyard.ServerSecret
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		id, text, ok := strings.Cut(strings.TrimSpace(lines.Text()), " ")
		if id == "" {
			continue
		}
		number, err1 := strconv.ParseUint(id, 10, 8)
		value, err2 := base64.StdEncoding.DecodeString(text)
		if !ok || err1 != nil || err2 != nil {
			return nil, fmt.Errorf("secret file %s: line %d is not \"ID BASE64\"; restore the file, or if it is lost remove it and run: lanyard keys forget-secret", path, n)
		}
		out = append(out, lanyard.ServerSecret{ID: byte(number), Value: value})
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("reading secret file %s: %w", path, err)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("secret file %s is empty; restore it, or if it is lost remove it and run: lanyard keys forget-secret", path)
	}
	return out, nil
}

// drawSecret makes the file, or reads the one that another process has made
// meanwhile: what is in the file is the secret of all.
func drawSecret(path string) ([]lanyard.ServerSecret, error) {
	s := lanyard.ServerSecret{ID: 1, Value: make([]byte, lanyard.SecretSize)}
	if _, err := io.ReadFull(rand.Reader, s.Value); err != nil {
		return nil, fmt.Errorf("drawing the server secret: %w", err)
	}
	line := fmt.Sprintf("%d %s\n", s.ID, base64.StdEncoding.EncodeToString(s.Value))
	err := placeFile(path, []byte(line), os.Link) // unlike a rename it never overwrites
	if errors.Is(err, fs.ErrExist) {
		return readSecrets(path)
	}
	if err != nil {
		return nil, err
	}
	return []lanyard.ServerSecret{s}, nil
}

// writeFile writes a private file whole or not at all, and durably.
func writeFile(path string, data []byte) error { return placeFile(path, data, os.Rename) }

// placeFile writes a private file durably beside path and has place put it there.
func placeFile(path string, data []byte, place func(from, to string) error) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".new-*") // mode 0600
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(data)
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err == nil {
		err = place(tmp.Name(), path)
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
