package directory

import (
	"context"
	"encoding/base64"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const chosen = Secret("another sentence to sign in")

func newReset(t testing.TB, d *Directory, name string) Secret {
	t.Helper()
	s, _, err := d.NewReset(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// req: LOGIN-16
func TestReset(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e engine) {
		d, _, clk := newQuick(t, e, ThrottleConfig{})
		addUser(t, d, "Ada")
		ctx := t.Context()
		secret, expires, err := d.NewReset(ctx, "ada")
		if err != nil || !expires.Equal(clk.now().Add(30*time.Minute)) {
			t.Fatalf("expires %v, %v, want in 30 minutes", expires, err)
		}
		if b, err := base64.RawURLEncoding.DecodeString(secret.Reveal()); err != nil || len(b) != 32 {
			t.Fatalf("the secret has %d bytes, %v, want 32", len(b), err)
		}
		if _, err := d.Reset(ctx, secret, "short"); problemCode(err) != "too_short" {
			t.Fatalf("a short password: got %v", err)
		}
		if _, err := d.Reset(ctx, secret, secret); problemCode(err) == "" {
			t.Fatalf("the secret as the password: got %v, want a problem", err)
		}
		if name, err := d.Reset(ctx, secret, chosen); err != nil || name != "Ada" {
			t.Fatalf("after refused passwords: got %q, %v", name, err)
		}
		u, err := d.User(ctx, "ada")
		if err != nil || !u.LastLogin.IsZero() {
			t.Fatalf("a reset signed in: %+v, %v", u, err)
		}
		if _, err := d.Reset(ctx, secret, good); err != ErrResetInvalid {
			t.Fatalf("a second use: got %v, want exactly ErrResetInvalid", err)
		}
		if _, err := d.Authenticate(ctx, Attempt{Name: "ada", Password: good}); !errors.Is(err, ErrInvalidCredentials) {
			t.Fatalf("the old password: got %v", err)
		}
		if _, err := d.Authenticate(ctx, Attempt{Name: "ada", Password: secret}); !errors.Is(err, ErrInvalidCredentials) {
			t.Fatalf("the secret as the password: got %v", err)
		}
		if _, err := d.Authenticate(ctx, Attempt{Name: "ada", Password: chosen}); err != nil {
			t.Fatalf("the new password: got %v", err)
		}
	})
}

// req: LOGIN-16, STORE-1
func TestBadResetSecretsAreAlike(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e engine) {
		tests := []struct {
			name  string
			spoil func(t *testing.T, d *Directory, clk *clock, s Secret) Secret
		}{
			{"unknown", func(*testing.T, *Directory, *clock, Secret) Secret { return newSecret() }},
			{"empty", func(*testing.T, *Directory, *clock, Secret) Secret { return "" }},
			{"the stored digest", func(_ *testing.T, _ *Directory, _ *clock, s Secret) Secret { return Secret(digest(s.Reveal())) }},
			{"at the instant it expires", func(_ *testing.T, _ *Directory, clk *clock, s Secret) Secret { clk.advance(30 * time.Minute); return s }},
			{"replaced by a newer one", func(t *testing.T, d *Directory, _ *clock, s Secret) Secret { newReset(t, d, "ada"); return s }},
			{"of a disabled user", func(t *testing.T, d *Directory, _ *clock, s Secret) Secret {
				if err := d.SetDisabled(t.Context(), "ada", true); err != nil {
					t.Fatal(err)
				}
				return s
			}},
			{"of a user who was disabled meanwhile", func(t *testing.T, d *Directory, _ *clock, s Secret) Secret {
				for _, disabled := range []bool{true, false} {
					if err := d.SetDisabled(t.Context(), "ada", disabled); err != nil {
						t.Fatal(err)
					}
				}
				return s
			}},
			{"after the operator set a password", func(t *testing.T, d *Directory, _ *clock, s Secret) Secret {
				if err := d.SetPassword(t.Context(), "ada", good); err != nil {
					t.Fatal(err)
				}
				return s
			}},
		}
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				d, q, clk := newQuick(t, e, ThrottleConfig{})
				addUser(t, d, "ada")
				secret := tt.spoil(t, d, clk, newReset(t, d, "ada"))
				made := q.hashes.Load()
				if name, err := d.Reset(t.Context(), secret, chosen); name != "" || err != ErrResetInvalid {
					t.Fatalf("got %q, %v, want exactly ErrResetInvalid", name, err)
				}
				if q.hashes.Load() != made {
					t.Fatal("a stranger made the server hash")
				}
			})
		}
	})
}

func TestNewResetNeedsAUserWhoMaySignIn(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e engine) {
		d, _, _ := newQuick(t, e, ThrottleConfig{})
		addUser(t, d, "ada")
		if _, _, err := d.NewReset(t.Context(), "nobody"); !errors.Is(err, ErrNotFound) {
			t.Fatalf("got %v, want ErrNotFound", err)
		}
		if err := d.SetDisabled(t.Context(), "ada", true); err != nil {
			t.Fatal(err)
		}
		if _, _, err := d.NewReset(t.Context(), "ada"); !errors.Is(err, ErrDisabled) {
			t.Fatalf("got %v, want ErrDisabled", err)
		}
	})
}

func TestAUserWithoutAPasswordStartsWithAReset(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e engine) {
		d, _, _ := newQuick(t, e, ThrottleConfig{})
		u, err := d.AddUser(t.Context(), NewUser{Name: "ada"})
		if err != nil || u.HasPassword || !u.PasswordChanged.IsZero() {
			t.Fatalf("got %+v, %v", u, err)
		}
		if _, err := d.Reset(t.Context(), newReset(t, d, "ada"), chosen); err != nil {
			t.Fatal(err)
		}
		if u, err := d.Authenticate(t.Context(), Attempt{Name: "ada", Password: chosen}); err != nil || !u.HasPassword {
			t.Fatalf("got %+v, %v", u, err)
		}
	})
}

// req: LOGIN-16
func TestParallelResetsHaveOneWinner(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e engine) {
		path := filepath.Join(t.TempDir(), "d.db")
		var nodes []*Directory
		q := new(quick)
		for range 2 {
			d := open(t, e.openDB(t, path), Config{Now: newClock().now})
			d.hasher = q
			nodes = append(nodes, d)
		}
		addUser(t, nodes[0], "ada")
		secret := newReset(t, nodes[0], "ada")
		const callers = 24
		var hashing sync.WaitGroup // until all have found the secret good
		hashing.Add(callers)
		q.hash = func() { hashing.Done(); hashing.Wait() }
		var won atomic.Int64
		var all sync.WaitGroup
		for i := range callers {
			all.Go(func() {
				_, err := nodes[i%2].Reset(context.Background(), secret, chosen)
				if err == nil {
					won.Add(1)
				} else if !errors.Is(err, ErrResetInvalid) {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if won.Load() != 1 {
			t.Fatalf("%d resets succeeded, want 1", won.Load())
		}
	})
}

// Everything that was ever a credential is looked for in a copy of the database.
//
// req: STORE-1
func TestTheDatabaseHoldsNoCredential(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e engine) {
		path := filepath.Join(t.TempDir(), "d.db")
		d := open(t, e.openDB(t, path), Config{Now: newClock().now})
		addUser(t, d, "ada")
		client, err := d.AddClient(t.Context(), Client{ID: "reports"})
		if err != nil {
			t.Fatal(err)
		}
		reset := newReset(t, d, "ada")
		at := Attempt{Name: "a-password-typed-into-the-name", Password: good}
		if _, err := d.Authenticate(t.Context(), at); !errors.Is(err, ErrInvalidCredentials) {
			t.Fatal(err)
		}
		all := e.dump(t, path)
		if !strings.Contains(all, "$argon2id$") || !strings.Contains(all, digest(reset.Reveal())) {
			t.Fatal("the copy does not hold what was stored; nothing can be concluded")
		}
		for _, s := range []string{good.Reveal(), client.Reveal(), reset.Reveal(), at.Name} {
			if strings.Contains(all, s) {
				t.Errorf("%q is in the copy", s)
			}
		}
	})
}
