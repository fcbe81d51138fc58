package directory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/lanyard-go/lanyard/password"
)

func TestAddUser(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e engine) {
		d, _, clk := newQuick(t, e, ThrottleConfig{})
		ctx := t.Context()
		u, err := d.AddUser(ctx, NewUser{Name: "Ada", Password: good, Admin: true})
		want := User{Name: "Ada", Admin: true, HasPassword: true, Created: clk.now().UTC(), PasswordChanged: clk.now().UTC()}
		if err != nil || u != want {
			t.Fatalf("got %+v, %v, want %+v", u, err, want)
		}
		if got, err := d.User(ctx, "aDA"); err != nil || got != want {
			t.Fatalf("in other letter case: got %+v, %v, want %+v", got, err, want)
		}
		if _, err := d.AddUser(ctx, NewUser{Name: "ADA", Password: good}); !errors.Is(err, ErrExists) {
			t.Fatalf("the name in other letter case: got %v, want ErrExists", err)
		}
		if _, err := d.AddUser(ctx, NewUser{Name: "client:x", Password: good}); !errors.Is(err, ErrInvalid) {
			t.Fatalf("a client's subject: got %v, want ErrInvalid", err)
		}
		if _, err := d.AddUser(ctx, NewUser{Name: "eve", Password: "short"}); problemCode(err) != "too_short" {
			t.Fatalf("a short password: got %v", err)
		}
		if _, err := d.User(ctx, "eve"); !errors.Is(err, ErrNotFound) {
			t.Fatalf("a user whom the policy refused: got %v, want ErrNotFound", err)
		}
	})
}

func problemCode(err error) string {
	if p, ok := errors.AsType[*password.Problem](err); ok {
		return p.Code
	}
	return ""
}

func TestANameIsNeverFreeAgain(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e engine) {
		d, _, _ := newQuick(t, e, ThrottleConfig{})
		addUser(t, d, "ada")
		if err := d.SetDisabled(t.Context(), "ada", true); err != nil {
			t.Fatal(err)
		}
		if _, err := d.AddUser(t.Context(), NewUser{Name: "ada", Password: good}); !errors.Is(err, ErrExists) {
			t.Fatalf("got %v, want ErrExists", err)
		}
	})
}

// Nothing is there that the operator did not add. The only client has no secret.
//
// req: LOGIN-18
func TestANewDirectoryHasNoAccountAndNoSecret(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e engine) {
		d, _, _ := newQuick(t, e, ThrottleConfig{})
		if users, err := d.Users(t.Context(), "", 0); err != nil || len(users) != 0 {
			t.Fatalf("users: %v, %v", users, err)
		}
		clients, err := d.Clients(t.Context())
		if err != nil || len(clients) != 1 || clients[0].ID != BuiltInClient || !clients[0].Public {
			t.Fatalf("clients: %+v, %v", clients, err)
		}
		for _, name := range []string{"admin", "root", "lanyard", "administrator"} {
			if _, err := d.Authenticate(t.Context(), Attempt{Name: name, Password: Secret(name)}); !errors.Is(err, ErrInvalidCredentials) {
				t.Errorf("%s: got %v, want ErrInvalidCredentials", name, err)
			}
		}
	})
}

// Nodes count the users and then insert, all at the same moment.
func TestThereIsOneInitialUser(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e engine) {
		nodes := newNodes(t, e)
		var won atomic.Int64
		var all sync.WaitGroup
		for i := range 16 {
			all.Go(func() {
				_, err := nodes[i%2].AddUser(context.Background(), NewUser{Name: fmt.Sprint("admin", i), Password: good, Admin: true, Initial: true})
				switch {
				case err == nil:
					won.Add(1)
				case !errors.Is(err, ErrNotEmpty):
					t.Errorf("got %v, want ErrNotEmpty", err)
				}
			})
		}
		all.Wait()
		users, err := nodes[0].Users(t.Context(), "", 0)
		if err != nil || won.Load() != 1 || len(users) != 1 || !users[0].Initial {
			t.Fatalf("%d winners, %+v, %v", won.Load(), users, err)
		}
	})
}

func TestANameGoesToOneOfManyWhoWantIt(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e engine) {
		nodes := newNodes(t, e)
		var won atomic.Int64
		var all sync.WaitGroup
		for i := range 16 {
			all.Go(func() {
				name := []string{"ada", "Ada", "ADA", "aDa"}[i/2%4]
				_, err := nodes[i%2].AddUser(context.Background(), NewUser{Name: name})
				switch {
				case err == nil:
					won.Add(1)
				case !errors.Is(err, ErrExists):
					t.Errorf("got %v, want ErrExists", err)
				}
			})
		}
		all.Wait()
		if users, err := nodes[1].Users(t.Context(), "", 0); err != nil || won.Load() != 1 || len(users) != 1 {
			t.Fatalf("%d winners, %+v, %v", won.Load(), users, err)
		}
	})
}

func TestUsersInPages(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e engine) {
		d, _, _ := newQuick(t, e, ThrottleConfig{})
		for _, name := range []string{"eve", "Bob", "dora", "ada", "Carl"} {
			addUser(t, d, name)
		}
		var got []string
		for after := ""; ; {
			page, err := d.Users(t.Context(), after, 2)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			for _, u := range page {
				got = append(got, u.Name)
			}
			after = page[len(page)-1].Name
		}
		if want := []string{"ada", "Bob", "Carl", "dora", "eve"}; !slices.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	})
}

func TestADisabledUserComesBack(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e engine) {
		d, _, _ := newQuick(t, e, ThrottleConfig{})
		addUser(t, d, "ada")
		for _, tt := range []struct {
			disabled bool
			want     error
		}{{true, ErrInvalidCredentials}, {false, nil}} {
			if err := d.SetDisabled(t.Context(), "Ada", tt.disabled); err != nil {
				t.Fatal(err)
			}
			if _, err := d.Authenticate(t.Context(), Attempt{Name: "ada", Password: good}); !errors.Is(err, tt.want) {
				t.Fatalf("disabled %v: got %v, want %v", tt.disabled, err, tt.want)
			}
		}
		if err := d.SetDisabled(t.Context(), "nobody", true); !errors.Is(err, ErrNotFound) {
			t.Fatalf("got %v, want ErrNotFound", err)
		}
	})
}

func TestSetPassword(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e engine) {
		d, _, _ := newQuick(t, e, ThrottleConfig{})
		addUser(t, d, "ada")
		const other = Secret("another sentence to sign in")
		if err := d.SetPassword(t.Context(), "ADA", other); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Authenticate(t.Context(), Attempt{Name: "ada", Password: good}); !errors.Is(err, ErrInvalidCredentials) {
			t.Fatalf("the old password: got %v", err)
		}
		if _, err := d.Authenticate(t.Context(), Attempt{Name: "ada", Password: other}); err != nil {
			t.Fatalf("the new password: got %v", err)
		}
		if err := d.SetPassword(t.Context(), "ada", "short"); problemCode(err) != "too_short" {
			t.Fatalf("a short one: got %v", err)
		}
		if err := d.SetPassword(t.Context(), "nobody", other); !errors.Is(err, ErrNotFound) {
			t.Fatalf("for nobody: got %v, want ErrNotFound", err)
		}
	})
}

// Names are parameters of statements, never part of them, and what is no name
// gets the same answers as one that nobody has, also where a database would
// fail on it.
//
// req: STORE-5
func TestHostileNames(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e engine) {
		d, _, _ := newQuick(t, e, ThrottleConfig{})
		addUser(t, d, "ada")
		for i, name := range []string{
			"ada' OR '1'='1", "ada'--", `ada"; DROP TABLE directory_users; --`, "%", "$1", "",
			"ada\x00", "\x00", "ada\xff", "\xed\xa0\x80", "\xc0\x80", strings.Repeat("a", 1<<20),
		} {
			if _, err := d.Authenticate(t.Context(), Attempt{Name: name, Password: good, Source: spread(i)}); !errors.Is(err, ErrInvalidCredentials) {
				t.Errorf("%.40q: logging in: got %v, want ErrInvalidCredentials", name, err)
			}
			_, err := d.AuthenticateClient(t.Context(), name, good)
			if !errors.Is(err, ErrInvalidClient) {
				t.Errorf("%.40q: as a client: got %v, want ErrInvalidClient", name, err)
			}
			_, user := d.User(t.Context(), name)
			_, client := d.Client(t.Context(), name)
			_, _, reset := d.NewReset(t.Context(), name)
			for what, err := range map[string]error{
				"User": user, "Client": client, "NewReset": reset,
				"SetDisabled": d.SetDisabled(t.Context(), name, true),
				"SetPassword": d.SetPassword(t.Context(), name, good), "RemoveClient": d.RemoveClient(t.Context(), name),
			} {
				if !errors.Is(err, ErrNotFound) {
					t.Errorf("%.40q: %s: got %v, want ErrNotFound", name, what, err)
				}
			}
			if _, err := d.Users(t.Context(), name, 0); err != nil {
				t.Errorf("%.40q: users after it: %v", name, err)
			}
			if _, err := d.Reset(t.Context(), Secret(name), good); !errors.Is(err, ErrResetInvalid) {
				t.Errorf("%.40q: reset: got %v, want ErrResetInvalid", name, err)
			}
		}
		if _, err := d.User(t.Context(), "ada"); err != nil {
			t.Fatal(err)
		}
	})
}

func TestUsersComeInOneOrderOnEveryEngine(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e engine) {
		d, _, _ := newQuick(t, e, ThrottleConfig{})
		sorted := []string{"0", "a+b", "a-b", "a.b", "a0", "a@b", "A_b", "ab", "Az", "b"}
		for _, name := range sorted {
			addUser(t, d, name)
		}
		for _, tt := range []struct {
			after string
			want  []string
		}{
			{"", sorted}, {"a", sorted[1:]}, {"A", sorted[1:]}, {"a\x00z", sorted[1:]}, {"a!", sorted[1:]}, {"a-b", sorted[3:]},
			{"a_b\t", sorted[7:]}, {"a\xff", sorted[9:]}, {"aé", sorted[9:]}, {"a\x7f", sorted[9:]}, {"\x00", sorted}, {"ÿ", nil},
		} {
			users, err := d.Users(t.Context(), tt.after, 0)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, u := range users {
				got = append(got, u.Name)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("after %q: %v, want %v", tt.after, got, tt.want)
			}
		}
	})
}
