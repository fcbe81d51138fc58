package main

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard/internal/engines"
)

// TestStoresThatCannotBeUsedStopTheStart names for each what is wrong and the
// setting to change, before the first request is served.
//
// req: STORE-6, OPS-10
func TestStoresThatCannotBeUsedStopTheStart(t *testing.T) {
	t.Parallel()
	cache := engines.Redis(t, "requirepass=hunter2")
	// redis-cli needs the password from here on.
	inUse := engines.Redis(t)
	inUse.Command(t, "set", "lanyard:{00}:m", "somebody else's")
	evicting := engines.Redis(t, "maxmemory=100mb", "maxmemory-policy=allkeys-lru")
	db := postgresServer.Get(t)
	foreign := db.Database(t)
	name := func(address string) string {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimPrefix(u.Path, "/")
	}
	db.Exec(t, name(foreign), `CREATE SCHEMA lanyard`, `CREATE TABLE lanyard.sessions (cart text)`)
	old := db.Database(t)
	reader := db.Database(t)
	db.Exec(t, name(reader), `ALTER DATABASE "`+name(reader)+`" SET default_transaction_read_only = on`)

	for what, c := range map[string]struct {
		args []string
		say  []string
	}{
		"an engine that nobody knows":         {[]string{"--store", "mysql://u:hunter2@h/x"}, []string{"setting store", "mysql"}},
		"a broken address":                    {[]string{"--store", "postgres://u:hunter2@h:port/x"}, []string{"setting store"}},
		"nobody listens, Redis":               {[]string{"--store", "redis://:hunter2@127.0.0.1:1"}, []string{"setting store", "127.0.0.1:1", "refused"}},
		"nobody listens, PostgreSQL":          {[]string{"--store", "postgres://u:hunter2@127.0.0.1:1/x"}, []string{"setting store", "127.0.0.1", "refused"}},
		"in the clear to another machine":     {[]string{"--store", "redis://:hunter2@192.0.2.1:6379"}, []string{"setting store", "TLS", "rediss", "insecure-plaintext-store"}},
		"the same to PostgreSQL":              {[]string{"--store", "postgres://u:hunter2@192.0.2.1/x"}, []string{"setting store", "sslmode=verify-full", "insecure-plaintext-store"}},
		"the directory in the clear":          {[]string{"--directory", "postgres://u:hunter2@192.0.2.1/x?sslmode=require"}, []string{"setting directory", "sslmode=verify-full"}},
		"no password":                         {[]string{"--store", cache.URL()}, []string{"setting store", "NOAUTH"}},
		"a wrong password":                    {[]string{"--store", "redis://:hunter3@" + cache.Addr}, []string{"setting store", "WRONGPASS"}},
		"a database that is not there":        {[]string{"--store", db.URL("nowhere")}, []string{"setting store", "nowhere"}},
		"keys of something else":              {[]string{"--store", inUse.URL()}, []string{"setting store"}},
		"a cache that forgets":                {[]string{"--store", evicting.URL()}, []string{"setting store", "noeviction"}},
		"tables of another program":           {[]string{"--store", foreign}, []string{"setting store"}},
		"a database that is only for reading": {[]string{"--store", reader}, []string{"setting store", "read"}},
		"a directory on Redis":                {[]string{"--directory", "redis://127.0.0.1"}, []string{"setting directory"}},
		"a directory in memory":               {[]string{"--directory", "memory:"}, []string{"setting directory"}},
		"a directory that is not there":       {[]string{"--directory", db.URL("nowhere")}, []string{"setting directory", "nowhere"}},
		"a secret that is not there":          {[]string{"--store", old, "--secret-file", "/nowhere/secret"}, []string{"/nowhere/secret"}},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			code, said := refused(t, dataDir(t), c.args...)
			if code == 0 {
				t.Error("exit code 0")
			}
			for _, word := range c.say {
				if !strings.Contains(said, word) {
					t.Errorf("it does not say %q: %s", word, said)
				}
			}
			if strings.Contains(said, "hunter2") || strings.Contains(said, "hunter3") {
				t.Errorf("it says the password: %s", said)
			}
			if n := strings.Count(strings.TrimSpace(said), "\n"); n > 3 {
				t.Errorf("it takes %d lines to say so: %s", n+1, said)
			}
		})
	}
}

// TestTwoServersOnOneFileAreOneTooMany: each would answer from a memory that does
// not hear of the other's ends.
func TestTwoServersOnOneFileAreOneTooMany(t *testing.T) {
	t.Parallel()
	first := start(t, dataDir(t))
	code, said := refused(t, dataDir(t), "--store", "sqlite:"+filepath.Join(first.data, "sessions.db"), "--secret-file", filepath.Join(first.data, "server.secret"))
	if code == 0 || !strings.Contains(said, "setting store") || !strings.Contains(said, "in use by another") {
		t.Errorf("exit code %d: %s", code, said)
	}
}

// TestANodeWithUsersOfItsOwnStaysOut keeps two people of one name apart.
func TestANodeWithUsersOfItsOwnStaysOut(t *testing.T) {
	t.Parallel()
	store := postgresServer.Get(t).Database(t)
	first := start(t, dataDir(t), "--store", store)
	code, said := refused(t, dataDir(t), "--store", store, "--secret-file", filepath.Join(first.data, "server.secret"))
	if code == 0 || !strings.Contains(said, "setting directory") || !strings.Contains(said, "another directory") {
		t.Errorf("exit code %d: %s", code, said)
	}
}

// TestNodesStartTogetherInAnEmptyDirectory starts some at the same moment: one
// administrator, whose password can be read.
func TestNodesStartTogetherInAnEmptyDirectory(t *testing.T) {
	t.Parallel()
	data, store := dataDir(t), engines.Redis(t, "appendonly=yes").URL()
	all := make([]*process, 4)
	var wg sync.WaitGroup
	for i := range all {
		wg.Go(func() {
			p, err := launch(data, "--store", store, "--issuer", "http://localhost:1")
			if err != nil || p.url == "" {
				t.Errorf("node %d: %v", i, err)
				return
			}
			all[i] = p
			t.Cleanup(func() { p.cmd.Process.Kill(); <-p.exited })
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	password := initialPassword(t, data)
	all[0].login(t, "admin", password)
	if !strings.Contains(all[0].lanyard(t, "", "users", "list"), "admin") {
		t.Error("commands do not work on the data directory")
	}
	// Whoever had the command socket goes; another one takes it over.
	for i, p := range all[:3] {
		if i%2 == 0 {
			p.crash(t)
		} else {
			p.stop(t)
		}
		limit := time.Now().Add(patience)
		for {
			out, _, code := command(t, "", "users", "list", "--data", data)
			if code == 0 && strings.Contains(out, "admin") {
				break
			}
			if time.Now().After(limit) {
				t.Fatalf("nobody serves commands after node %d is gone", i)
			}
			time.Sleep(100 * time.Millisecond)
		}
	}
}

// TestANodeWithAnotherSecretStaysOut lets nobody near a store whose sessions it
// could not check.
func TestANodeWithAnotherSecretStaysOut(t *testing.T) {
	t.Parallel()
	server := engines.Redis(t, "appendonly=yes")
	directory := postgresServer.Get(t).Database(t)
	for name, store := range map[string]string{"PostgreSQL": postgresServer.Get(t).Database(t), "Redis": server.URL()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first := start(t, dataDir(t), "--store", store)
			other := dataDir(t)
			code, said := refused(t, other, "--store", store)
			if code == 0 || !strings.Contains(said, "secret") || !strings.Contains(said, "setting store") {
				t.Errorf("exit code %d: %s", code, said)
			}
			if code := first.stop(t); code != 0 {
				t.Errorf("exit code %d:\n%s", code, first.log)
			}
		})
	}
	t.Run("with the secret and the directory of the others it may come", func(t *testing.T) {
		t.Parallel()
		store := postgresServer.Get(t).Database(t)
		first := start(t, dataDir(t), "--store", store, "--directory", directory)
		second := start(t, dataDir(t), "--store", store, "--directory", directory, "--issuer", first.url, "--secret-file", filepath.Join(first.data, "server.secret"))
		if code := second.stop(t); code != 0 {
			t.Errorf("exit code %d:\n%s", code, second.log)
		}
		if _, err := os.Stat(filepath.Join(second.data, "server.secret")); err == nil {
			t.Error("it drew a secret of its own although one was named")
		}
	})
}
