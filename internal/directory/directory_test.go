package directory

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard/password"
)

// clock is a Now that stands still until it is moved.
type clock struct{ ms atomic.Int64 }

func newClock() *clock {
	c := new(clock)
	c.ms.Store(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).UnixMilli())
	return c
}

func (c *clock) now() time.Time           { return time.UnixMilli(c.ms.Load()) }
func (c *clock) advance(by time.Duration) { c.ms.Add(by.Milliseconds()) }

// quick is a hasher of one SHA-256, for tests of what lies around the hash that
// make hundreds of attempts. It counts them.
type quick struct {
	hashes, verifies, equalizes atomic.Int64
	hash                        func()       // when set, runs in the middle of a Hash
	verify                      func() error // when set, runs in the middle of a Verify
}

func (q *quick) Hash(_ context.Context, pw string) (string, error) {
	q.hashes.Add(1)
	if q.hash != nil {
		q.hash()
	}
	return "quick:" + digest(pw), nil
}

func (q *quick) Verify(_ context.Context, encoded, pw string) (match, stale bool, err error) {
	q.verifies.Add(1)
	if q.verify != nil {
		if err := q.verify(); err != nil {
			return false, false, err
		}
	}
	return encoded == "quick:"+digest(pw), false, nil
}

func (q *quick) Equalize(context.Context, string) error {
	q.equalizes.Add(1)
	return nil
}

func (q *quick) Check(encoded string) error {
	if !strings.HasPrefix(encoded, "quick:") {
		return &password.HashError{Problem: "not quick"}
	}
	return nil
}

const good = Secret("correct horse battery staple")

func newHasher(t testing.TB) *password.Hasher {
	t.Helper()
	h, err := password.New(password.Config{Params: password.Params{Memory: 12288, Time: 3}, MaxWait: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func open(t testing.TB, db *sql.DB, c Config) *Directory {
	t.Helper()
	if c.Hasher == nil {
		c.Hasher = newHasher(t)
	}
	d, err := Open(t.Context(), db, c)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// newQuick returns a directory with a quick hasher and a clock of its own.
func newQuick(t testing.TB, e engine, throttle ThrottleConfig) (*Directory, *quick, *clock) {
	t.Helper()
	clk, q := newClock(), new(quick)
	d := open(t, e.openDB(t, filepath.Join(t.TempDir(), "d.db")), Config{Throttle: throttle, Now: clk.now})
	d.hasher = q
	return d, q, clk
}

// newNodes returns two directories on one database, each with a pool of its own
// as two processes have.
func newNodes(t testing.TB, e engine) [2]*Directory {
	t.Helper()
	path, clk := filepath.Join(t.TempDir(), "d.db"), newClock()
	var nodes [2]*Directory
	for i := range nodes {
		nodes[i] = open(t, e.openDB(t, path), Config{Now: clk.now})
		nodes[i].hasher = new(quick)
	}
	return nodes
}

func addUser(t testing.TB, d *Directory, name string) User {
	t.Helper()
	u, err := d.AddUser(t.Context(), NewUser{Name: name, Password: good})
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestOpenNamesTheWrongField(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e engine) {
		h := newHasher(t)
		db := e.openDB(t, filepath.Join(t.TempDir(), "d.db"))
		tests := []struct {
			name string
			db   *sql.DB
			c    Config
			want string // empty: opens
		}{
			{"no database", nil, Config{Hasher: h}, "db"},
			{"no hasher", db, Config{}, "Hasher"},
			{"a policy out of range", db, Config{Hasher: h, Policy: password.Policy{MinLength: 3}}, "Policy: "},
			{"more failures than the rules allow", db, Config{Hasher: h, Throttle: ThrottleConfig{MaxFailures: 101}}, "Throttle.MaxFailures"},
			{"negative failures", db, Config{Hasher: h, Throttle: ThrottleConfig{MaxFailures: -1}}, "Throttle.MaxFailures"},
			{"more free failures than failures", db, Config{Hasher: h, Throttle: ThrottleConfig{MaxFailures: 4}}, "Throttle.Free"},
			{"negative free failures", db, Config{Hasher: h, Throttle: ThrottleConfig{Free: -1}}, "Throttle.Free"},
			{"a delay under the clock's step", db, Config{Hasher: h, Throttle: ThrottleConfig{Base: time.Microsecond}}, "Throttle.Base"},
			{"a cap under the base", db, Config{Hasher: h, Throttle: ThrottleConfig{Base: time.Hour, Cap: time.Minute}}, "Throttle.Cap"},
			{"a cap of days", db, Config{Hasher: h, Throttle: ThrottleConfig{Cap: 25 * time.Hour, Forget: 48 * time.Hour}}, "Throttle.Cap"},
			{"a source with less than an account", db, Config{Hasher: h, Throttle: ThrottleConfig{SourceBurst: 4}}, "Throttle.SourceBurst"},
			{"a source refilled at once", db, Config{Hasher: h, Throttle: ThrottleConfig{SourceEvery: 1}}, "Throttle.SourceEvery"},
			{"forgetting before the delay is over", db, Config{Hasher: h, Throttle: ThrottleConfig{Forget: time.Minute}}, "Throttle.Forget"},
			{"a tiny table", db, Config{Hasher: h, Throttle: ThrottleConfig{MaxRows: 999}}, "Throttle.MaxRows"},
			{"defaults", db, Config{Hasher: h}, ""},
		}
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				_, err := Open(t.Context(), tt.db, tt.c)
				if tt.want == "" {
					if err != nil {
						t.Fatal(err)
					}
				} else if err == nil || !strings.Contains(err.Error(), "directory: "+tt.want) {
					t.Fatalf("got %v, want an error that names %s", err, tt.want)
				}
			})
		}
	})
}

// The pool may be as small as one connection: nothing may wait for a second
// while it holds the first.
func TestOneConnectionIsEnough(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e engine) {
		db := e.openDB(t, filepath.Join(t.TempDir(), "d.db"))
		db.SetMaxOpenConns(1)
		d := open(t, db, Config{Now: newClock().now})
		d.hasher = new(quick)
		addUser(t, d, "ada")
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				if _, err := d.Authenticate(t.Context(), Attempt{Name: "ada", Password: good}); err != nil {
					t.Error(err)
				}
				if _, err := d.Users(t.Context(), "", 0); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	})
}

func TestMeta(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e engine) {
		d, _, _ := newQuick(t, e, ThrottleConfig{})
		if _, err := d.Meta(t.Context(), "kid"); !errors.Is(err, ErrNotFound) {
			t.Fatalf("got %v, want ErrNotFound", err)
		}
		for _, want := range []string{"one", "two", "'; DROP TABLE directory_meta; --"} {
			if err := d.SetMeta(t.Context(), "kid", want); err != nil {
				t.Fatal(err)
			}
			if got, err := d.Meta(t.Context(), "kid"); err != nil || got != want {
				t.Fatalf("got %q, %v, want %q", got, err, want)
			}
		}
	})
}

func TestAValueIsClaimedOnce(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e engine) {
		nodes := newNodes(t, e)
		var got [12]string
		var all sync.WaitGroup
		for i := range got {
			all.Go(func() {
				var err error
				if got[i], err = nodes[i%2].ClaimMeta(context.Background(), "secret", fmt.Sprint("of ", i)); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		stored, err := nodes[0].Meta(t.Context(), "secret")
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range got {
			if v != stored {
				t.Errorf("caller %d learned %q, stored is %q", i, v, stored)
			}
		}
	})
}

func TestSecretsAreNotPrinted(t *testing.T) {
	at := Attempt{Name: "ada", Password: good}
	n := NewUser{Name: "ada", Password: good}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, v := range []any{at, &at, n, good, []Secret{good}} {
			if got := fmt.Sprintf(verb, v); strings.Contains(got, "correct") || strings.Contains(got, "636f7272") {
				t.Errorf("%s of %T shows the secret: %s", verb, v, got)
			}
		}
	}
	if got := good.LogValue().String() + good.String() + good.GoString(); strings.Contains(got, "correct") {
		t.Errorf("the secret is shown: %s", got)
	}
	if b, err := good.MarshalText(); err != nil || strings.Contains(string(b), "correct") {
		t.Errorf("the secret is encoded: %s, %v", b, err)
	}
	if good.Reveal() != "correct horse battery staple" {
		t.Error("Reveal does not reveal")
	}
}
