package directory

import (
	"encoding/base64"
	"errors"
	"reflect"
	"strings"
	"testing"
)

// req: REFRESH-19
func TestAClientGetsWhatItIsGivenAndNothingElse(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e engine) {
		d, _, clk := newQuick(t, e, ThrottleConfig{})
		ctx := t.Context()
		if _, err := d.AddClient(ctx, Client{ID: "plain"}); err != nil {
			t.Fatal(err)
		}
		plain, err := d.Client(ctx, "plain")
		if err != nil || plain.Allows(GrantRefreshToken) || plain.Allows(GrantClientCredentials) || plain.Allows("") ||
			plain.MayIntrospect || plain.MayFollow || plain.MayCreateSessions || plain.MayAdminister || plain.Public {
			t.Fatalf("a new client: %+v, %v", plain, err)
		}
		full := Client{
			ID: "full", Name: "Füll report", Audiences: []string{"https://api.example/v1?x=1"}, Scopes: []string{"read", "write:all"},
			Grants: []string{GrantClientCredentials, GrantRefreshToken}, MayIntrospect: true, MayFollow: true, MayCreateSessions: true, MayAdminister: true,
		}
		if _, err := d.AddClient(ctx, full); err != nil {
			t.Fatal(err)
		}
		full.Created = clk.now().UTC()
		if got, err := d.Client(ctx, "full"); err != nil || !reflect.DeepEqual(got, full) {
			t.Fatalf("got %+v, %v, want %+v", got, err, full)
		}
		if !full.Allows(GrantRefreshToken) || !full.Allows(GrantClientCredentials) || full.Allows("password") {
			t.Fatal("Allows does not follow Grants")
		}
		all, err := d.Clients(ctx)
		if err != nil || len(all) != 3 || all[0].ID != "full" || all[1].ID != BuiltInClient || all[2].ID != "plain" {
			t.Fatalf("got %+v, %v", all, err)
		}
	})
}

// req: REFRESH-19
func TestTheBuiltInClient(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e engine) {
		d, _, _ := newQuick(t, e, ThrottleConfig{})
		ctx := t.Context()
		c, err := d.Client(ctx, BuiltInClient)
		if err != nil || !c.Public || !c.Allows(GrantRefreshToken) || c.Allows(GrantClientCredentials) {
			t.Fatalf("got %+v, %v", c, err)
		}
		if err := d.RemoveClient(ctx, BuiltInClient); !errors.Is(err, ErrBuiltIn) {
			t.Fatalf("removing: got %v, want ErrBuiltIn", err)
		}
		if _, err := d.AddClient(ctx, Client{ID: BuiltInClient}); !errors.Is(err, ErrExists) {
			t.Fatalf("adding: got %v, want ErrExists", err)
		}
	})
}

// req: STORE-1
func TestAuthenticateClient(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e engine) {
		d, _, _ := newQuick(t, e, ThrottleConfig{})
		ctx := t.Context()
		secret, err := d.AddClient(ctx, Client{ID: "reports", Grants: []string{GrantClientCredentials}})
		if err != nil {
			t.Fatal(err)
		}
		if b, err := base64.RawURLEncoding.DecodeString(secret.Reveal()); err != nil || len(b) != 32 {
			t.Fatalf("the secret has %d bytes, %v, want 32", len(b), err)
		}
		other, err := d.AddClient(ctx, Client{ID: "other"})
		if err != nil || other == secret {
			t.Fatalf("another secret: %v, the same: %v", err, other == secret)
		}
		if none, err := d.AddClient(ctx, Client{ID: "page", Public: true}); err != nil || none != "" {
			t.Fatalf("a public client: %v, with a secret: %v", err, none != "")
		}
		if c, err := d.AuthenticateClient(ctx, "reports", secret); err != nil || c.ID != "reports" {
			t.Fatalf("got %+v, %v", c, err)
		}
		tests := []struct {
			name, id string
			secret   Secret
		}{
			{"no secret", "reports", ""},
			{"another client's secret", "reports", other},
			{"a longer secret", "reports", secret + "A"},
			{"the stored digest", "reports", Secret(digest(secret.Reveal()))},
			{"the id in capitals", "Reports", secret},
			{"an unknown client", "nobody", secret},
			{"an unknown client without a secret", "nobody", ""},
			{"no client", "", ""},
			{"a public client", "page", secret},
			{"a public client without a secret", "page", ""},
			{"the built-in client", BuiltInClient, ""},
		}
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				c, err := d.AuthenticateClient(ctx, tt.id, tt.secret)
				if err != ErrInvalidClient || c.ID != "" {
					t.Fatalf("got %+v, %v, want exactly ErrInvalidClient", c, err)
				}
			})
		}
		if err := d.RemoveClient(ctx, "reports"); err != nil {
			t.Fatal(err)
		}
		if _, err := d.AuthenticateClient(ctx, "reports", secret); err != ErrInvalidClient {
			t.Fatalf("a removed client: got %v, want ErrInvalidClient", err)
		}
		if err := d.RemoveClient(ctx, "reports"); !errors.Is(err, ErrNotFound) {
			t.Fatalf("removing again: got %v, want ErrNotFound", err)
		}
	})
}

func TestAddClientNamesTheWrongField(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e engine) {
		d, _, _ := newQuick(t, e, ThrottleConfig{})
		tests := []struct {
			name string
			c    Client
			want string
		}{
			{"no id", Client{}, "ID"},
			{"an id with capitals", Client{ID: "Reports"}, "ID"},
			{"an id with a colon", Client{ID: "a:b"}, "ID"},
			{"an id like an address", Client{ID: "a@b"}, "ID"},
			{"a long id", Client{ID: strings.Repeat("a", 65)}, "ID"},
			{"a name with an escape sequence", Client{ID: "a", Name: "\x1b[31m"}, "Name"},
			{"a name that is no text", Client{ID: "a", Name: "a\xff"}, "Name"},
			{"a long name", Client{ID: "a", Name: strings.Repeat("a", 201)}, "Name"},
			{"an empty audience", Client{ID: "a", Audiences: []string{""}}, "Audiences"},
			{"two scopes in one", Client{ID: "a", Scopes: []string{"read write"}}, "Scopes"},
			{"a scope with a quote", Client{ID: "a", Scopes: []string{`a"`}}, "Scopes"},
			{"too many scopes", Client{ID: "a", Scopes: make([]string, 101)}, "Scopes"},
			{"the password grant", Client{ID: "a", Grants: []string{"password"}}, "Grants"},
			{"a public client with a grant of its own", Client{ID: "a", Public: true, Grants: []string{GrantClientCredentials}}, "Public"},
			{"a public client that introspects", Client{ID: "a", Public: true, MayIntrospect: true}, "Public"},
			{"a public client that follows", Client{ID: "a", Public: true, MayFollow: true}, "Public"},
			{"a public client that administers", Client{ID: "a", Public: true, MayAdminister: true}, "Public"},
			{"a public client that creates sessions", Client{ID: "a", Public: true, MayCreateSessions: true}, "Public"},
		}
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				_, err := d.AddClient(t.Context(), tt.c)
				if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "invalid "+tt.want) {
					t.Fatalf("got %v, want ErrInvalid that names %s", err, tt.want)
				}
			})
		}
	})
}
