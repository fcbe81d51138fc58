package token_test

import (
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard/token"
)

// openAt opens a directory with a clock that stands at *now.
func openAt(t testing.TB, dir string, now *time.Time) *token.KeySet {
	t.Helper()
	s, err := token.OpenKeys(dir, token.KeysConfig{Now: func() time.Time { return *now }})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestKeysSurviveReopening(t *testing.T) {
	for _, alg := range []token.Algorithm{token.ES256, token.Ed25519, token.EdDSA, token.RS256} {
		t.Run(string(alg), func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "made", "keys")
			cfg := token.KeysConfig{Algorithm: alg, AllowRS256: alg == token.RS256, Now: clock(testNow)}
			s, err := token.OpenKeys(dir, cfg)
			if err != nil {
				t.Fatal(err)
			}
			if alg != token.RS256 {
				if _, err := s.Rotate(); err != nil {
					t.Fatal(err)
				}
			}
			again, err := token.OpenKeys(dir, cfg)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(s.List(testNow), again.List(testNow)) {
				t.Errorf("keys %v became %v", s.List(testNow), again.List(testNow))
			}
			if string(s.JWKS(testNow)) != string(again.JWKS(testNow)) {
				t.Error("the published set has changed")
			}
			k, err := again.Signing(testNow)
			if err != nil {
				t.Fatal(err)
			}
			if k.Algorithm() != alg {
				t.Errorf("it is %s now", k.Algorithm())
			}
			if _, err := k.Sign("x", []byte("{}")); err != nil {
				t.Error(err)
			}
		})
	}
}

// req: KEY-14
func TestKeyFilesAreForTheirOwnerOnly(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("SKIPPED: Windows keeps no permission bits")
	}
	dir := filepath.Join(t.TempDir(), "keys")
	now := testNow
	s := openAt(t, dir, &now)
	if _, err := s.Rotate(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o700 {
		t.Errorf("the directory has mode %v", info.Mode())
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", e.Name(), info.Mode())
		}
	}
	if want := []string{"key-0001.pem", "key-0002.pem", "keys.json", "keys.lock"}; !slices.Equal(names, want) {
		t.Errorf("files %v, want %v", names, want)
	}

	for _, test := range []struct {
		name string
		mode fs.FileMode
		want string
	}{
		{"key-0001.pem", 0o644, "0600"},
		{"key-0001.pem", 0o640, "0600"},
		{"key-0002.pem", 0o602, "0600"},
		{"keys.json", 0o604, "0600"},
		{".", 0o755, "0700"},
		{".", 0o710, "0700"},
	} {
		path := filepath.Join(dir, test.name)
		before, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, test.mode); err != nil {
			t.Fatal(err)
		}
		_, err = token.OpenKeys(dir, token.KeysConfig{Now: clock(testNow)})
		if !errors.Is(err, token.ErrKey) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s with mode %#o: %v", test.name, test.mode, err)
		}
		if err := os.Chmod(path, before.Mode()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := token.OpenKeys(dir, token.KeysConfig{Now: clock(testNow)}); err != nil {
		t.Error(err)
	}
}

// req: KEY-10
func TestTwoProcessesShareADirectory(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	now := testNow
	a, b := openAt(t, dir, &now), openAt(t, dir, &now)
	first := a.List(now)[0].ID
	if got := b.List(now)[0].ID; got != first {
		t.Fatalf("one made %s, the other %s", first, got)
	}
	second, err := a.Rotate()
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := b.Lookup(second.ID); ok {
		t.Error("the other process knows the key before it has reloaded")
	}
	if err := b.Reload(); err != nil {
		t.Fatal(err)
	}
	if _, ok := b.Lookup(second.ID); !ok {
		t.Error("the other process does not know the announced key")
	}
	// A change starts from what the files say, not from what was seen last.
	if err := a.Withdraw(first); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Hour)
	third, err := b.Rotate()
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := b.Lookup(first); ok {
		t.Error("the other process has not learned of the withdrawal by its own change")
	}
	if err := a.Reload(); err != nil {
		t.Fatal(err)
	}
	if got, want := a.List(now), b.List(now); !slices.Equal(got, want) {
		t.Errorf("they differ:\n%v\n%v", got, want)
	}
	if _, ok := a.Lookup(third.ID); !ok {
		t.Error("the first process does not know the third key")
	}
	if _, err := os.Stat(filepath.Join(dir, "key-0001.pem")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file of the withdrawn key is still there: %v", err)
	}
}

func TestContendedChangesAreAllKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	now := testNow
	var wg sync.WaitGroup
	// Opening is contended too: one of them makes the first key.
	sets := make([]*token.KeySet, 6)
	for i := range sets {
		wg.Go(func() {
			s, err := token.OpenKeys(dir, token.KeysConfig{Now: func() time.Time { return now }})
			if err != nil {
				t.Error(err)
				return
			}
			sets[i] = s
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	first := sets[0].List(now)[0].ID
	for _, s := range sets {
		wg.Go(func() {
			if _, err := s.Rotate(); err != nil {
				t.Error(err)
			}
			if err := s.Reload(); err != nil {
				t.Error(err)
			}
			if err := s.Withdraw(first); err != nil {
				t.Error(err)
			}
			if err := s.Reload(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, s := range sets {
		if err := s.Reload(); err != nil {
			t.Error(err)
		}
		if _, ok := s.Lookup(first); ok {
			t.Error("a withdrawal was lost")
		}
		if !slices.Equal(s.List(now), sets[0].List(now)) {
			t.Errorf("sets differ:\n%v\n%v", s.List(now), sets[0].List(now))
		}
	}
	signing := 0
	for _, k := range sets[0].List(now) {
		if k.Phase == token.PhaseSigning {
			signing++
		}
	}
	if signing != 1 {
		t.Errorf("%d keys sign", signing)
	}
}

func TestRemovedKeysLeaveNoFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	now := testNow
	s := openAt(t, dir, &now)
	for range 5 {
		if _, err := s.Rotate(); err != nil {
			t.Fatal(err)
		}
		now = now.Add(24 * time.Hour)
	}
	files, err := filepath.Glob(filepath.Join(dir, "key-*.pem"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 2 {
		t.Errorf("files %v after five rotations", files)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".new-*")); len(left) != 0 {
		t.Errorf("temporary files are left: %v", left)
	}
}

func TestInterruptedWritesDoNoHarm(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	now := testNow
	s := openAt(t, dir, &now)
	// What a crash can leave: a key whose state was not written yet, and a
	// temporary file.
	key, err := os.ReadFile(filepath.Join(dir, "key-0001.pem"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"key-0007.pem", ".new-123"} {
		if err := os.WriteFile(filepath.Join(dir, name), key, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	again := openAt(t, dir, &now)
	if !slices.Equal(s.List(now), again.List(now)) {
		t.Errorf("keys %v", again.List(now))
	}
	if _, err := again.Rotate(); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "key-0007.pem")); err != nil || string(b) != string(key) {
		t.Errorf("the file nobody knows was written over: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "key-0008.pem")); err != nil {
		t.Error(err)
	}
}

func TestOpenKeysRefusesWhatItCannotTrust(t *testing.T) {
	pkcs8 := func(key any) string {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	}
	_, other, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	agreement, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ name, file, content string }{
		{"an empty key file", "key-0001.pem", ""},
		{"no PEM", "key-0001.pem", "key"},
		{"PEM of another type", "key-0001.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"},
		{"PEM of garbage", "key-0001.pem", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"},
		{"two keys in a file", "key-0001.pem", pkcs8(other) + pkcs8(other)},
		{"another key", "key-0001.pem", pkcs8(other)},
		{"a key that cannot sign", "key-0001.pem", pkcs8(agreement)},
		{"a key file without end", "key-0001.pem", strings.Repeat("x", 1<<20)},
		{"an empty state", "keys.json", ""},
		{"a state that is no JSON", "keys.json", "{"},
		{"a state of the future", "keys.json", `{"version":2,"keys":[]}`},
		{"a state with a member nobody knows", "keys.json", `{"version":1,"keys":[],"x":1}`},
		{"a state that names a missing file", "keys.json", `{"version":1,"keys":[{"file":9,"kid":"x","alg":"ES256","created_at":"2026-11-23T12:00:00Z","signs_from":"2026-11-23T12:00:00Z"}]}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "keys")
			now := testNow
			s := openAt(t, dir, &now)
			if err := os.WriteFile(filepath.Join(dir, test.file), []byte(test.content), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := token.OpenKeys(dir, token.KeysConfig{Now: clock(now)}); err == nil {
				t.Error("it was opened")
			} else if strings.Contains(err.Error(), "BEGIN") {
				t.Errorf("the error quotes the file: %v", err)
			}
			// A running process keeps what it has.
			before := s.List(now)
			if err := s.Reload(); test.file == "keys.json" && err == nil {
				t.Error("it was reloaded")
			}
			if _, err := s.Signing(now); err != nil || !slices.Equal(before, s.List(now)) {
				t.Errorf("the running set has changed: %v", err)
			}
		})
	}
}

func TestRS256InFilesNeedsOptIn(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	if _, err := token.OpenKeys(dir, token.KeysConfig{Algorithm: token.RS256, AllowRS256: true, Now: clock(testNow)}); err != nil {
		t.Fatal(err)
	}
	if _, err := token.OpenKeys(dir, token.KeysConfig{Now: clock(testNow)}); !errors.Is(err, token.ErrAlgorithm) {
		t.Errorf("an RS256 key was loaded without opt-in: %v", err)
	}
}

func TestReloadWhenTheStateIsGone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	now := testNow
	s := openAt(t, dir, &now)
	if err := os.Remove(filepath.Join(dir, "keys.json")); err != nil {
		t.Fatal(err)
	}
	if err := s.Reload(); err == nil {
		t.Error("a missing state was taken for an unchanged one")
	}
	if _, err := s.Signing(now); err != nil {
		t.Error(err)
	}
}
