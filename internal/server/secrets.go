package server

import (
	"bufio"
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
)

// loadKeys reads the server secrets of a data directory, or draws the first one.
// The file has a line per secret, "ID BASE64", the current one first.
func loadKeys(dir string) (*lanyard.Keys, error) {
	path := filepath.Join(dir, "server.secret")
	secrets, err := readSecrets(path)
	if errors.Is(err, os.ErrNotExist) {
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
			return nil, fmt.Errorf("secret file %s: line %d is not \"ID BASE64\"; restore the file, or move it away to sign everybody out with a new secret", path, n)
		}
		out = append(out, lanyard.ServerSecret{ID: byte(number), Value: value})
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("reading secret file %s: %w", path, err)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("secret file %s is empty; restore it, or move it away to sign everybody out with a new secret", path)
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
