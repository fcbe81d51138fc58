package server

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/internal/directory"
	"github.com/lanyard-go/lanyard/password"
)

const (
	secretName = "server.secret"
	secretMeta = "server-secret" // its fingerprint, in the directory
)

// ForgetSecret lets a data directory whose server secret is lost be used with
// another one. Every session made with the lost one is over.
func ForgetSecret(ctx context.Context, d Drivers, cfg Config) (err error) {
	r, err := cfg.resolve(nil)
	if err != nil {
		return err
	}
	if err := prepareData(r.Data); err != nil {
		return err
	}
	lock, err := lockDir(r.Data)
	if err != nil {
		return err
	}
	defer lock.Close()
	db, err := openSQL(d, r.dirPath, "directory")
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
	keys, err := loadKeys(r.Data, true)
	if err != nil {
		return err
	}
	return dir.SetMeta(ctx, secretMeta, keys.Fingerprint())
}

// loadKeys reads the server secrets of a data directory, or draws the first one
// where that may be done.
// The file has a line per secret, "ID BASE64", the current one first.
func loadKeys(dir string, mayDraw bool) (*lanyard.Keys, error) {
	path := filepath.Join(dir, secretName)
	secrets, err := readSecrets(path)
	if errors.Is(err, os.ErrNotExist) {
		if !mayDraw {
			return nil, fmt.Errorf("the server secret %s is missing, though this data directory was used with one; restore the file, or if it is lost run: lanyard keys forget-secret, which signs everybody out", path)
		}
		secrets, err = drawSecret(path)
	}
	if err != nil {
		return nil, err
	}
	keys, err := lanyard.NewKeys(secrets...)
	if err != nil {
		return nil, fmt.Errorf("secret file %s: %w", path, err)
	}
	return keys, nil
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

func drawSecret(path string) ([]lanyard.ServerSecret, error) {
	s := lanyard.ServerSecret{ID: 1, Value: make([]byte, lanyard.SecretSize)}
	if _, err := io.ReadFull(rand.Reader, s.Value); err != nil {
		return nil, fmt.Errorf("drawing the server secret: %w", err)
	}
	line := fmt.Sprintf("%d %s\n", s.ID, base64.StdEncoding.EncodeToString(s.Value))
	if err := writeFile(path, []byte(line)); err != nil {
		return nil, err
	}
	return []lanyard.ServerSecret{s}, nil
}

// writeFile writes a private file whole or not at all, and durably.
func writeFile(path string, data []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".new-*") // mode 0600
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(data)
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
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
