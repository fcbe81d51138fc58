package server

import (
	"context"
	"database/sql"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard/internal/directory"
	"github.com/lanyard-go/lanyard/password"
	"github.com/lanyard-go/lanyard/store/sqlite"
)

// sharedDirectory opens the directory in a file, as a node does.
func sharedDirectory(t *testing.T, path string) *directory.Directory {
	t.Helper()
	db, err := sql.Open("sqlite", sqlite.DSN(path))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	hasher, err := password.New(password.Config{})
	if err != nil {
		t.Fatal(err)
	}
	dir, err := directory.Open(t.Context(), db, directory.Config{Hasher: hasher})
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// writeSecrets writes a secret file with secrets of these ids, each made of one
// letter and a number.
func writeSecrets(t *testing.T, path string, ids ...byte) {
	t.Helper()
	var b strings.Builder
	for _, id := range ids {
		fmt.Fprintf(&b, "%d %s\n", id, base64.StdEncoding.EncodeToString([]byte(fmt.Sprintf("%032d", id))))
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestNodesOnOneDataDirectoryDrawOneSecret(t *testing.T) {
	for range 5 {
		data := t.TempDir()
		path := filepath.Join(data, "directory.db")
		sharedDirectory(t, path)
		var prints [6]string
		var all sync.WaitGroup
		for i := range prints {
			dir := sharedDirectory(t, path)
			all.Go(func() {
				n, err := openSecrets(context.Background(), dir, data, "")
				if err != nil {
					t.Error(err)
					return
				}
				prints[i] = n.keys.Fingerprint()
			})
		}
		all.Wait()
		on, err := loadSecrets(data, "", false)
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range prints {
			if p != on.keys.Fingerprint() {
				t.Errorf("node %d uses %s, in the file is %s", i, p, on.keys.Fingerprint())
			}
		}
		if left, err := filepath.Glob(filepath.Join(data, ".new-*")); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	}
}

func TestOfNodesWithTheirOwnDataDirectoriesOneStarts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "directory.db")
	var mu sync.Mutex
	var used []string
	var refused []error
	var all sync.WaitGroup
	datas := make([]string, 4)
	for i := range datas {
		datas[i] = t.TempDir()
		dir := sharedDirectory(t, path)
		all.Go(func() {
			n, err := openSecrets(context.Background(), dir, datas[i], "")
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				refused = append(refused, err)
				return
			}
			used = append(used, n.path)
		})
	}
	all.Wait()
	if len(used) != 1 {
		t.Fatalf("%d nodes started with secrets of their own: %v", len(used), used)
	}
	for _, err := range refused {
		if !strings.Contains(err.Error(), "secret-file") {
			t.Errorf("the error does not say what to do: %v", err)
		}
	}
	// What the error says works.
	for i, data := range datas {
		if _, err := openSecrets(t.Context(), sharedDirectory(t, path), data, used[0]); err != nil {
			t.Errorf("node %d with the common file: %v", i, err)
		}
	}
}

func TestASharedSecretFileIsNeverDrawn(t *testing.T) {
	dir := sharedDirectory(t, filepath.Join(t.TempDir(), "directory.db"))
	data, file := t.TempDir(), filepath.Join(t.TempDir(), "secret")
	if _, err := openSecrets(t.Context(), dir, data, file); err == nil || !strings.Contains(err.Error(), "setting secret-file: "+file+" is missing") {
		t.Errorf("got %v", err)
	}
	if entries, err := os.ReadDir(data); err != nil || len(entries) > 0 {
		t.Errorf("made: %v, %v", entries, err)
	}
	writeSecrets(t, file, 1)
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := openSecrets(t.Context(), dir, data, file); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a file that others can read: %v", err)
	}
}

func TestAMissingSecretIsNotReplaced(t *testing.T) {
	dir := sharedDirectory(t, filepath.Join(t.TempDir(), "directory.db"))
	data := t.TempDir()
	if _, err := openSecrets(t.Context(), dir, data, ""); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(data, secretName)); err != nil {
		t.Fatal(err)
	}
	if _, err := openSecrets(t.Context(), dir, data, ""); err == nil || !strings.Contains(err.Error(), "forget-secret") {
		t.Errorf("got %v", err)
	}
}

// The steps by which nodes go over to another secret, one after the other.
func TestNodesGoOverToAnotherSecretOneByOne(t *testing.T) {
	path, now := filepath.Join(t.TempDir(), "directory.db"), time.Now
	a, b := filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "b")
	writeSecrets(t, a, 1)
	writeSecrets(t, b, 1)
	var kid string
	for i, step := range []struct {
		file string
		ids  []byte
	}{
		{a, []byte{1}},
		{b, []byte{1}},
		{a, []byte{1, 2}}, // first everybody knows it
		{b, []byte{1, 2}},
		{a, []byte{2, 1}}, // then it is used
		{b, []byte{1, 2}}, // a node that starts again before its turn
		{b, []byte{2, 1}},
		{a, []byte{2}}, // and at last the old one goes
		{b, []byte{2}},
	} {
		writeSecrets(t, step.file, step.ids...)
		dir := sharedDirectory(t, path)
		n, err := openSecrets(t.Context(), dir, t.TempDir(), step.file)
		if err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
		keys, err := n.signingKeys(t.Context(), dir, "", true, now)
		if err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
		k, err := keys.Signing(now())
		if err != nil {
			t.Fatal(err)
		}
		if kid == "" {
			kid = k.ID()
		}
		if k.ID() != kid {
			t.Errorf("step %d: the signing key has changed", i)
		}
	}
	writeSecrets(t, a, 3)
	if _, err := openSecrets(t.Context(), sharedDirectory(t, path), t.TempDir(), a); err == nil {
		t.Error("an unknown secret was taken")
	}
}

func TestForgettingASecretForgetsTheKeysItSealed(t *testing.T) {
	path, file, now := filepath.Join(t.TempDir(), "directory.db"), filepath.Join(t.TempDir(), "secret"), time.Now
	open := func() (*nodeSecrets, *directory.Directory) {
		t.Helper()
		n, err := loadSecrets("", file, false)
		if err != nil {
			t.Fatal(err)
		}
		return n, sharedDirectory(t, path)
	}
	writeSecrets(t, file, 1)
	n, dir := open()
	keys, err := n.signingKeys(t.Context(), dir, "", true, now)
	if err != nil {
		t.Fatal(err)
	}
	first := keys.List(now())[0].ID
	if err := n.takeOver(t.Context(), dir); err != nil { // nothing was lost
		t.Fatal(err)
	}
	if keys, err = n.signingKeys(t.Context(), dir, "", true, now); err != nil || keys.List(now())[0].ID != first {
		t.Fatalf("keys that open were forgotten: %v", err)
	}
	writeSecrets(t, file, 2)
	n, dir = open()
	if _, err := n.signingKeys(t.Context(), dir, "", true, now); err == nil || !strings.Contains(err.Error(), "forget-secret") {
		t.Errorf("got %v, want it to say what to run", err)
	}
	if err := n.takeOver(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	if keys, err = n.signingKeys(t.Context(), dir, "", true, now); err != nil || keys.List(now())[0].ID == first {
		t.Errorf("a key that nobody can open is still there: %v", err)
	}
	if _, err := openSecrets(t.Context(), dir, "", file); err != nil {
		t.Error(err)
	}
}
