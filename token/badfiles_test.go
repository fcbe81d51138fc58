package token_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lanyard-go/lanyard/token"
)

// Whoever has to repair a key directory is told which file is the trouble and
// what is wrong with it.
func TestABadKeyFileIsNamedInTheError(t *testing.T) {
	pkcs8 := func(curve elliptic.Curve) []byte {
		k, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		der, err := x509.MarshalPKCS8PrivateKey(k)
		if err != nil {
			t.Fatal(err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	}
	for _, test := range []struct {
		name, file string
		spoil      func(path string, content []byte) error
		want       string // beside the file
	}{
		{"half of a key", "key-0001.pem", func(path string, b []byte) error { return os.WriteFile(path, b[:len(b)/2], 0o600) }, "PKCS #8"},
		{"a key on another curve", "key-0001.pem", func(path string, _ []byte) error { return os.WriteFile(path, pkcs8(elliptic.P384()), 0o600) }, "P-256"},
		{"another key of the right kind", "key-0001.pem", func(path string, _ []byte) error { return os.WriteFile(path, pkcs8(elliptic.P256()), 0o600) }, "not the key"},
		{"a key that others can read", "key-0001.pem", func(path string, _ []byte) error { return os.Chmod(path, 0o644) }, "chmod"},
		{"a key that is a directory", "key-0001.pem", func(path string, _ []byte) error {
			return errors.Join(os.Remove(path), os.Mkdir(path, 0o700))
		}, "directory"},
		{"a key that is gone", "key-0001.pem", func(path string, _ []byte) error { return os.Remove(path) }, "no such file"},
		{"a link that leads nowhere", "key-0001.pem", func(path string, _ []byte) error {
			return errors.Join(os.Remove(path), os.Symlink("nowhere", path))
		}, "no such file"},
		{"half of a state", "keys.json", func(path string, b []byte) error { return os.WriteFile(path, b[:len(b)/2], 0o600) }, "unexpected EOF"},
		{"a state with something behind it", "keys.json", func(path string, b []byte) error { return os.WriteFile(path, append(b, "{}"...), 0o600) }, "behind"},
		{"a state with a key twice", "keys.json", func(path string, b []byte) error {
			text := string(b)
			i, j := strings.Index(text, "[")+1, strings.LastIndex(text, "]")
			return os.WriteFile(path, []byte(text[:j]+","+text[i:j]+text[j:]), 0o600)
		}, "already"},
		{"a state that others can read", "keys.json", func(path string, _ []byte) error { return os.Chmod(path, 0o640) }, "chmod"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "keys")
			now := testNow
			openAt(t, dir, &now)
			path := filepath.Join(dir, test.file)
			b, err := os.ReadFile(path)
			if err == nil {
				err = test.spoil(path, b)
			}
			if err != nil {
				t.Fatal(err)
			}
			_, err = token.OpenKeys(dir, token.KeysConfig{Now: clock(now)})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got %v, want a word of %q", err, test.want)
			}
			if test.want != "already" && !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), dir) {
				t.Errorf("the error does not name %s: %v", path, err)
			}
			if strings.Contains(err.Error(), "BEGIN") {
				t.Errorf("the error quotes the key: %v", err)
			}
		})
	}
}

// twice is a key store whose content has a key in two places.
type twice struct{ set token.StoredKeys }

func (s *twice) LoadKeys(context.Context) (token.StoredKeys, error) { return s.set, nil }

func (s *twice) SaveKeys(_ context.Context, set token.StoredKeys) error {
	set.Revision = "1"
	s.set = set
	return nil
}

func TestAStoreWithAKeyTwiceIsRefused(t *testing.T) {
	s := &twice{}
	if _, err := token.OpenKeyStore(t.Context(), s, token.KeysConfig{Now: clock(testNow)}); err != nil {
		t.Fatal(err)
	}
	s.set.Keys = append(s.set.Keys, s.set.Keys[0])
	if _, err := token.OpenKeyStore(t.Context(), s, token.KeysConfig{Now: clock(testNow)}); !errors.Is(err, token.ErrKey) || !strings.Contains(err.Error(), s.set.Keys[0].ID) {
		t.Errorf("got %v", err)
	}
}
