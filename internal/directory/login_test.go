package directory

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard/password"
)

// counting counts the work of a real hasher.
type counting struct {
	*password.Hasher
	mu     sync.Mutex
	looked int // Verify and Equalize
	made   int // Hash
}

func (c *counting) Verify(ctx context.Context, encoded, pw string) (bool, bool, error) {
	c.mu.Lock()
	c.looked++
	c.mu.Unlock()
	return c.Hasher.Verify(ctx, encoded, pw)
}

func (c *counting) Equalize(ctx context.Context, pw string) error {
	c.mu.Lock()
	c.looked++
	c.mu.Unlock()
	return c.Hasher.Equalize(ctx, pw)
}

func (c *counting) Hash(ctx context.Context, pw string) (string, error) {
	c.mu.Lock()
	c.made++
	c.mu.Unlock()
	return c.Hasher.Hash(ctx, pw)
}

func newCounting(t *testing.T, e engine) (*Directory, *counting, *clock) {
	t.Helper()
	clk, c := newClock(), &counting{Hasher: newHasher(t)}
	d := open(t, e.openDB(t, filepath.Join(t.TempDir(), "d.db")), Config{Hasher: c.Hasher, Now: clk.now})
	d.hasher = c
	return d, c, clk
}

// req: LOGIN-3
func TestAllBadLoginsAreAlike(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e engine) {
		d, work, _ := newCounting(t, e)
		ctx := t.Context()
		addUser(t, d, "ada")
		addUser(t, d, "gone")
		if err := d.SetDisabled(ctx, "gone", true); err != nil {
			t.Fatal(err)
		}
		if _, err := d.AddUser(ctx, NewUser{Name: "invited"}); err != nil {
			t.Fatal(err)
		}
		tests := []struct{ name, user, pw string }{
			{"a wrong password", "ada", "wrong"},
			{"a name that nobody has", "nobody", "wrong"},
			{"a disabled user, right password", "gone", good.Reveal()},
			{"a disabled user, wrong password", "gone", "wrong"},
			{"a user without a password", "invited", "wrong"},
			{"a user without a password, none given", "invited", ""},
			{"a name that nobody can have", "client:lanyard", "wrong"},
		}
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				looked, made := work.looked, work.made
				u, err := d.Authenticate(ctx, Attempt{Name: tt.user, Password: Secret(tt.pw), Source: "192.0.2.1"})
				if err != ErrInvalidCredentials || u != (User{}) {
					t.Fatalf("got %+v, %v, want exactly ErrInvalidCredentials", u, err)
				}
				if work.looked-looked != 1 || work.made != made {
					t.Fatalf("%d verified and %d made hashes, want 1 and 0", work.looked-looked, work.made-made)
				}
			})
		}
	})
}

// Whether a name exists does not show in when attempts are throttled either.
//
// req: LOGIN-3
func TestUnknownNamesAreThrottledLikeKnownOnes(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e engine) {
		d, _, clk := newQuick(t, e, ThrottleConfig{MaxFailures: 12})
		addUser(t, d, "ada")
		// Each name from a network of its own, so that both see the same.
		script := func(name, source string) string {
			var trace strings.Builder
			for range 40 {
				_, err := d.Authenticate(t.Context(), Attempt{Name: name, Password: "wrong", Source: source})
				trace.WriteString(err.Error() + "\n")
				clk.advance(7 * time.Second)
			}
			return trace.String()
		}
		known, unknown := script("ada", "192.0.2.1"), script("nobody", "198.51.100.1")
		if known != unknown {
			t.Fatalf("known:\n%s\nunknown:\n%s", known, unknown)
		}
		if !strings.Contains(known, "retry after") || !strings.Contains(known, "closed") {
			t.Fatalf("the script shows too little:\n%s", known)
		}
	})
}

func TestLoginTellsOfTheOneBefore(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e engine) {
		d, _, clk := newQuick(t, e, ThrottleConfig{})
		addUser(t, d, "Ada")
		first := clk.now().UTC()
		for _, want := range []time.Time{{}, first} {
			u, err := d.Authenticate(t.Context(), Attempt{Name: "ada", Password: good})
			if err != nil || u.Name != "Ada" || !u.LastLogin.Equal(want) {
				t.Fatalf("got %+v, %v, want the last login %v", u, err, want)
			}
			clk.advance(time.Hour)
		}
		if u, err := d.User(t.Context(), "ada"); err != nil || !u.LastLogin.Equal(first.Add(time.Hour)) {
			t.Fatalf("got %+v, %v", u, err)
		}
	})
}

// req: LOGIN-5
func TestAnOldHashIsUpgradedOnce(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e engine) {
		d, work, _ := newCounting(t, e)
		// bcrypt, cost 4, of "correct horse battery staple", by another program.
		const old = "$2b$04$abcdefghijklmnopqrstuu7EJV7kdjBBQxyb0HjTh9KS7.Lah/6CG"
		if _, err := d.ImportUsers(t.Context(), strings.NewReader(`{"name":"ada","hash":"`+old+`"}`)); err != nil {
			t.Fatal(err)
		}
		stored := func() string {
			a, err := findUser(t.Context(), d.db, "ada")
			if err != nil {
				t.Fatal(err)
			}
			return a.hash
		}
		if _, err := d.Authenticate(t.Context(), Attempt{Name: "ada", Password: "wrong"}); !errors.Is(err, ErrInvalidCredentials) || stored() != old {
			t.Fatalf("a wrong password: %v, stored %s", err, stored())
		}
		for range 2 {
			if _, err := d.Authenticate(t.Context(), Attempt{Name: "ada", Password: good}); err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(stored(), "$argon2id$") || work.made != 1 {
				t.Fatalf("stored %.12s after %d new hashes, want argon2id after 1", stored(), work.made)
			}
		}
	})
}

func TestDisablingBeatsALoginUnderWay(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e engine) {
		d, q, _ := newQuick(t, e, ThrottleConfig{})
		addUser(t, d, "ada")
		q.verify = func() error { return d.SetDisabled(t.Context(), "ada", true) }
		if _, err := d.Authenticate(t.Context(), Attempt{Name: "ada", Password: good}); !errors.Is(err, ErrInvalidCredentials) {
			t.Fatalf("got %v, want ErrInvalidCredentials", err)
		}
	})
}

func TestANewPasswordBeatsALoginUnderWay(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e engine) {
		d, q, _ := newQuick(t, e, ThrottleConfig{})
		addUser(t, d, "ada")
		q.verify = func() error { return d.SetPassword(t.Context(), "ada", "another sentence to sign in") }
		if _, err := d.Authenticate(t.Context(), Attempt{Name: "ada", Password: good}); !errors.Is(err, ErrInvalidCredentials) {
			t.Fatalf("got %v, want ErrInvalidCredentials", err)
		}
		if _, err := d.ChangePassword(t.Context(), Attempt{Name: "ada", Password: good}, good); !errors.Is(err, ErrInvalidCredentials) {
			t.Fatalf("a change: got %v, want ErrInvalidCredentials", err)
		}
	})
}

// An attempt whose password nobody looked at is not held against the user.
func TestABusyHasherCostsNothing(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e engine) {
		d, q, _ := newQuick(t, e, ThrottleConfig{MaxFailures: 10})
		addUser(t, d, "ada")
		busy := func() error { return password.ErrBusy }
		q.verify = busy
		for range 300 {
			if _, err := d.Authenticate(t.Context(), Attempt{Name: "ada", Password: good, Source: "192.0.2.1"}); !errors.Is(err, password.ErrBusy) {
				t.Fatalf("got %v, want ErrBusy", err)
			}
		}
		// Nor does it shorten a delay, or wipe failures out.
		q.verify = nil
		for range 4 {
			d.Authenticate(t.Context(), Attempt{Name: "ada", Password: "wrong", Source: "192.0.2.1"})
		}
		q.verify = busy
		d.Authenticate(t.Context(), Attempt{Name: "ada", Password: good, Source: "192.0.2.1"})
		q.verify = nil
		if _, err := d.Authenticate(t.Context(), Attempt{Name: "ada", Password: "wrong", Source: "192.0.2.1"}); !errors.Is(err, ErrInvalidCredentials) {
			t.Fatalf("the fifth failure: got %v", err)
		}
		_, err := d.Authenticate(t.Context(), Attempt{Name: "ada", Password: good, Source: "192.0.2.1"})
		if th, ok := errors.AsType[*Throttled](err); !ok || th.RetryAfter != time.Second {
			t.Fatalf("after the fifth: got %v, want throttled for 1 s", err)
		}
	})
}

func TestACallerWhoHangsUpCostsNothing(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e engine) {
		d, q, _ := newQuick(t, e, ThrottleConfig{})
		addUser(t, d, "ada")
		for range 20 {
			ctx, cancel := context.WithCancel(t.Context())
			q.verify = func() error { cancel(); return ctx.Err() }
			if _, err := d.Authenticate(ctx, Attempt{Name: "ada", Password: good}); !errors.Is(err, context.Canceled) {
				t.Fatalf("got %v, want context.Canceled", err)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		q.verify = func() error { cancel(); return nil } // too late: the hash is done
		if _, err := d.Authenticate(ctx, Attempt{Name: "ada", Password: good}); err != nil {
			t.Fatalf("a good login whose caller has gone: %v", err)
		}
	})
}

// req: LOGIN-11
func TestChangePassword(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e engine) {
		d, q, _ := newQuick(t, e, ThrottleConfig{})
		addUser(t, d, "ada")
		const other = Secret("another sentence to sign in")
		ctx := t.Context()
		secret, _, err := d.NewReset(ctx, "ada")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.ChangePassword(ctx, Attempt{Name: "ada", Password: "wrong"}, other); !errors.Is(err, ErrInvalidCredentials) {
			t.Fatalf("a wrong current password: got %v, want ErrInvalidCredentials", err)
		}
		if _, err := d.ChangePassword(ctx, Attempt{Name: "ada", Password: good}, "short"); problemCode(err) != "too_short" {
			t.Fatalf("a short new password: got %v", err)
		}
		if _, err := d.Authenticate(ctx, Attempt{Name: "ada", Password: good}); err != nil {
			t.Fatalf("after refused changes: %v", err)
		}
		before := q.verifies.Load()
		u, err := d.ChangePassword(ctx, Attempt{Name: "ada", Password: good}, other)
		if err != nil || u.Name != "ada" || q.verifies.Load() != before+1 {
			t.Fatalf("got %+v, %v after %d verifications", u, err, q.verifies.Load()-before)
		}
		if _, err := d.Authenticate(ctx, Attempt{Name: "ada", Password: good}); !errors.Is(err, ErrInvalidCredentials) {
			t.Fatalf("the old password: got %v", err)
		}
		if _, err := d.Authenticate(ctx, Attempt{Name: "ada", Password: other}); err != nil {
			t.Fatalf("the new password: got %v", err)
		}
		if _, err := d.Reset(ctx, secret, good); !errors.Is(err, ErrResetInvalid) {
			t.Fatalf("a reset from before: got %v, want ErrResetInvalid", err)
		}
	})
}

// Guessing through the change of a password is guessing.
func TestChangePasswordIsThrottledLikeALogin(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e engine) {
		d, q, _ := newQuick(t, e, ThrottleConfig{})
		addUser(t, d, "ada")
		for range 20 {
			d.ChangePassword(t.Context(), Attempt{Name: "ada", Password: "wrong"}, good)
		}
		if got := q.verifies.Load(); got != 5 {
			t.Fatalf("%d passwords were looked at, want 5", got)
		}
		_, err := d.Authenticate(t.Context(), Attempt{Name: "ada", Password: good})
		if _, ok := errors.AsType[*Throttled](err); !ok {
			t.Fatalf("got %v, want *Throttled", err)
		}
	})
}

// More logins than the budget, all good, at one moment: a script that starts
// its workers, a page that opens in many tabs.
func TestParallelGoodLoginsDoNotThrottleEachOther(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e engine) {
		d, _, _ := newQuick(t, e, ThrottleConfig{})
		addUser(t, d, "ada")
		var all sync.WaitGroup
		for range 60 {
			all.Go(func() {
				if _, err := d.Authenticate(t.Context(), Attempt{Name: "ada", Password: good, Source: "192.0.2.1"}); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if n := len(d.turns.lanes); n != 0 {
			t.Fatalf("%d lanes are left", n)
		}
	})
}
