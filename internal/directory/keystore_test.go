package directory

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard/token"
)

var (
	secretOne = SealingSecret{ID: 1, Value: Secret("the first server secret, 32 byte")}
	secretTwo = SealingSecret{ID: 2, Value: Secret("another server secret of 32 byte")}
)

func keyStore(t testing.TB, d *Directory, secrets ...SealingSecret) *KeyStore {
	t.Helper()
	k, err := d.KeyStore(t.Context(), KeyStoreConfig{Purpose: "access-token", Secrets: secrets})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func openKeySet(t testing.TB, d *Directory, clk *clock, secrets ...SealingSecret) *token.KeySet {
	t.Helper()
	s, err := token.OpenKeyStore(t.Context(), keyStore(t, d, secrets...), token.KeysConfig{Now: clk.now})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// private returns the private keys that are stored, by kid.
func private(t testing.TB, k *KeyStore) map[string][]byte {
	t.Helper()
	set, err := k.LoadKeys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]byte{}
	for _, key := range set.Keys {
		if key.Private != nil {
			all[key.ID] = key.Private
		}
	}
	return all
}

func TestKeysAreSharedByTheNodesOfADirectory(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e engine) {
		nodes, clk := newNodes(t, e), newClock()
		a, b := openKeySet(t, nodes[0], clk, secretOne), openKeySet(t, nodes[1], clk, secretOne)
		first := a.List(clk.now())[0].ID
		if got := b.List(clk.now()); len(got) != 1 || got[0].ID != first {
			t.Fatalf("the second node has %v", got)
		}
		second, err := a.Rotate()
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Reload(); err != nil {
			t.Fatal(err)
		}
		if got, want := b.List(clk.now()), a.List(clk.now()); !slices.Equal(got, want) {
			t.Errorf("they differ:\n%v\n%v", got, want)
		}
		clk.advance(10 * time.Minute)
		k, err := b.Signing(clk.now())
		if err != nil || k.ID() != second.ID {
			t.Fatalf("signing: %v, %v", k, err)
		}
		if _, err := k.Sign("x", []byte("{}")); err != nil {
			t.Error(err)
		}
		if err := b.Withdraw(second.ID); err != nil {
			t.Fatal(err)
		}
		if _, ok := a.Lookup(second.ID); !ok {
			t.Error("a node knows of the withdrawal before it has reloaded: the test shows nothing")
		}
		if err := a.Reload(); err != nil {
			t.Fatal(err)
		}
		if _, ok := a.Lookup(second.ID); ok {
			t.Error("the withdrawal has not reached the other node")
		}
		if _, there := private(t, keyStore(t, nodes[0], secretOne))[second.ID]; there {
			t.Error("the private half of the withdrawn key is still there")
		}
		again := openKeySet(t, nodes[0], clk, secretOne)
		if got, want := again.List(clk.now()), b.List(clk.now()); !slices.Equal(got, want) {
			t.Errorf("opened again:\n%v\n%v", got, want)
		}
	})
}

// req: KEY-10
func TestNodesThatRotateAtOnceMakeOneKey(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e engine) {
		nodes, clk := newNodes(t, e), newClock()
		var sets [8]*token.KeySet
		var all sync.WaitGroup
		for i := range sets {
			all.Go(func() { sets[i] = openKeySet(t, nodes[i%2], clk, secretOne) })
		}
		all.Wait()
		var made [len(sets)]string
		for i, s := range sets {
			all.Go(func() {
				k, err := s.Rotate()
				if err != nil {
					t.Error(err)
				}
				made[i] = k.ID
			})
		}
		all.Wait()
		for i, id := range made {
			if id != made[0] {
				t.Errorf("node %d announced %s, node 0 %s", i, id, made[0])
			}
		}
		if list := openKeySet(t, nodes[0], clk, secretOne).List(clk.now()); len(list) != 2 {
			t.Errorf("%d keys, want the first and one announced: %v", len(list), list)
		}
	})
}

// req: KEY-10
func TestNodesUnderLoadRefuseNoValidTokenWhileKeysRotate(t *testing.T) {
	const issuer, audience = "https://id.example.com", "https://api.example.com"
	onEachEngine(t, func(t *testing.T, e engine) {
		nodes, clk := newNodes(t, e), newClock()
		ahead := func() time.Time { return clk.now().Add(time.Minute) }
		var far atomic.Pointer[token.PublicKeys] // somebody who has only the published set
		var sets [2]*token.KeySet
		var issuers [2]*token.Issuer
		verifiers := [3]*token.Verifier{}
		for i, now := range []func() time.Time{clk.now, ahead, clk.now} {
			keys := token.VerifyKeys(lookup(func(kid string) (*token.PublicKey, bool) { return far.Load().Lookup(kid) }))
			var err error
			if i < 2 {
				sets[i], err = token.OpenKeyStore(t.Context(), keyStore(t, nodes[i], secretOne), token.KeysConfig{Now: now, Retire: 20 * time.Minute})
				if err != nil {
					t.Fatal(err)
				}
				keys = sets[i]
				if issuers[i], err = token.NewIssuer(token.IssuerConfig{Issuer: issuer, Keys: sets[i], Now: now}); err != nil {
					t.Fatal(err)
				}
			}
			if verifiers[i], err = token.NewVerifier(token.VerifierConfig{Issuer: issuer, Audience: audience, Keys: keys, Leeway: time.Minute, Now: now}); err != nil {
				t.Fatal(err)
			}
		}
		used := map[string]bool{}
		var old []string // tokens of the last quarter of an hour
		for minute := range 60 {
			if minute%5 == 0 {
				keys, err := token.ParseJWKS(sets[minute/5%2].JWKS(clk.now()))
				if err != nil {
					t.Fatal(err)
				}
				far.Store(keys)
			}
			var mu sync.Mutex
			var fresh []string
			var all sync.WaitGroup
			for i := range sets {
				all.Go(func() {
					for n := range 4 {
						k, err := sets[i].Signing(clk.now())
						if err != nil {
							t.Error(err)
							return
						}
						now := clk.now()
						raw, err := issuers[i].Issue(token.Claims{
							Subject: "ada", Audience: []string{audience}, ClientID: "lanyard", ID: fmt.Sprint(minute, i, n),
							SID: "0199f0a2b3c4d5e6f708192a3b4c5d6e", IssuedAt: now, Expiry: now.Add(15 * time.Minute), AuthTime: now,
						})
						if err != nil {
							t.Error(err)
							return
						}
						mu.Lock()
						used[k.ID()] = true
						fresh = append(fresh, raw)
						mu.Unlock()
						for v := range verifiers {
							if _, err := verifiers[v].Verify(raw); err != nil {
								t.Errorf("minute %d: node %d signed, verifier %d refused: %v", minute, i, v, err)
							}
						}
					}
				})
				all.Go(func() {
					if err := sets[i].Reload(); err != nil {
						t.Error(err)
					}
					if minute%4 == 1 { // both at once
						if _, err := sets[i].Rotate(); err != nil {
							t.Error(err)
						}
					}
				})
			}
			all.Wait()
			for _, raw := range old {
				for v := range verifiers {
					if _, err := verifiers[v].Verify(raw); err != nil {
						t.Fatalf("minute %d: verifier %d refused an older token: %v", minute, v, err)
					}
				}
			}
			old = append(old, fresh[0], fresh[len(fresh)-1])
			old = old[max(0, len(old)-2*13):]
			clk.advance(time.Minute)
		}
		if len(used) < 4 {
			t.Errorf("only %d keys have signed", len(used))
		}
	})
}

type lookup func(kid string) (*token.PublicKey, bool)

func (l lookup) Lookup(kid string) (*token.PublicKey, bool) { return l(kid) }

func TestACopyOfTheDatabaseSignsNothing(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e engine) {
		path, clk := filepath.Join(t.TempDir(), "d.db"), newClock()
		d := open(t, e.openDB(t, path), Config{Now: clk.now})
		s := openKeySet(t, d, clk, secretOne)
		if _, err := s.Rotate(); err != nil {
			t.Fatal(err)
		}
		copied := e.dump(t, path)
		keys := private(t, keyStore(t, d, secretOne))
		if len(keys) != 2 {
			t.Fatalf("%d private keys", len(keys))
		}
		for kid, der := range keys {
			if !strings.Contains(copied, kid) {
				t.Error("the copy does not hold the keys; nothing can be concluded")
			}
			parsed, err := x509.ParsePKCS8PrivateKey(der)
			if err != nil {
				t.Fatal(err)
			}
			scalar, err := parsed.(*ecdsa.PrivateKey).Bytes()
			if err != nil {
				t.Fatal(err)
			}
			for what, secret := range map[string][]byte{"private key": der, "scalar": scalar, "server secret": []byte(secretOne.Value)} {
				for _, form := range []string{
					string(secret), hex.EncodeToString(secret),
					base64.RawStdEncoding.EncodeToString(secret), base64.RawURLEncoding.EncodeToString(secret),
				} {
					if strings.Contains(strings.ToLower(copied), strings.ToLower(form)) {
						t.Errorf("the %s is in the copy as %.20q", what, form)
					}
				}
			}
		}
		impostor := SealingSecret{ID: 1, Value: secretTwo.Value}
		for name, secret := range map[string]SealingSecret{"another secret with the same id": impostor, "another id": secretTwo} {
			k, err := d.KeyStore(t.Context(), KeyStoreConfig{Purpose: "access-token", Secrets: []SealingSecret{secret}})
			if err == nil {
				_, err = token.OpenKeyStore(t.Context(), k, token.KeysConfig{Now: clk.now})
			}
			if !errors.Is(err, ErrSealed) {
				t.Errorf("%s: got %v, want ErrSealed", name, err)
			}
		}
	})
}

// req: KEY-3, KEY-6, KEY-7
func TestASealOpensForItsOwnKeyOnly(t *testing.T) {
	d, _, clk := newQuick(t, onSQLite, ThrottleConfig{})
	s := openKeySet(t, d, clk, secretOne)
	second, err := s.Rotate()
	if err != nil {
		t.Fatal(err)
	}
	first := s.List(clk.now())[0].ID
	if _, err := token.OpenKeyStore(t.Context(), must(d.KeyStore(t.Context(), KeyStoreConfig{Purpose: "events", Secrets: []SealingSecret{secretOne}})), token.KeysConfig{Now: clk.now}); err != nil {
		t.Fatal(err)
	}
	var good string
	if err := d.db.QueryRow(`SELECT sealed FROM directory_keys WHERE kid = $1`, first).Scan(&good); err != nil {
		t.Fatal(err)
	}
	raw, err := base64.StdEncoding.DecodeString(good)
	if err != nil {
		t.Fatal(err)
	}
	set := func(query string, args ...any) {
		t.Helper()
		if _, err := d.db.Exec(query, args...); err != nil {
			t.Fatal(err)
		}
	}
	k := keyStore(t, d, secretOne)
	refused := func(name string) {
		t.Helper()
		if _, err := k.LoadKeys(t.Context()); !errors.Is(err, ErrSealed) {
			t.Errorf("%s: got %v, want ErrSealed", name, err)
		}
		set(`UPDATE directory_keys SET sealed = $2, algorithm = 'ES256' WHERE kid = $1`, first, good)
		if _, err := k.LoadKeys(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for i := range raw {
		bad := bytes.Clone(raw)
		bad[i] ^= 1
		set(`UPDATE directory_keys SET sealed = $2 WHERE kid = $1`, first, base64.StdEncoding.EncodeToString(bad))
		refused(fmt.Sprint("byte changed: ", i))
	}
	for _, n := range []int{1, 31, 32, 44, len(raw) - 1} {
		set(`UPDATE directory_keys SET sealed = $2 WHERE kid = $1`, first, base64.StdEncoding.EncodeToString(raw[:n]))
		refused(fmt.Sprint("bytes left: ", n))
	}
	set(`UPDATE directory_keys SET sealed = 'not base64' WHERE kid = $1`, first)
	refused("no base64")
	set(`UPDATE directory_keys SET sealed = (SELECT sealed FROM directory_keys WHERE kid = $2) WHERE kid = $1`, first, second.ID)
	refused("another key's seal")
	set(`UPDATE directory_keys SET sealed = (SELECT sealed FROM directory_keys WHERE purpose = 'events') WHERE kid = $1`, first)
	refused("a seal of another purpose")
	set(`UPDATE directory_keys SET algorithm = 'RS256' WHERE kid = $1`, first)
	refused("another algorithm")

	// No two seals share key and nonce.
	a, b := must(secretOne.seal([]byte("same"), "x")), must(secretOne.seal([]byte("same"), "x"))
	if a[:40] == b[:40] {
		t.Error("two seals have one salt")
	}
	if _, err := secretTwo.open(a, "x"); !errors.Is(err, ErrSealed) {
		t.Errorf("another secret: %v", err)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestKeysFollowTheServerSecret(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e engine) {
		nodes, clk := newNodes(t, e), newClock()
		running := openKeySet(t, nodes[0], clk, secretOne)
		before := private(t, keyStore(t, nodes[0], secretOne))
		ids := func() []string {
			return column(t, nodes[0].db, `SELECT DISTINCT CAST(secret AS TEXT) FROM directory_keys WHERE sealed <> ''`)
		}

		openKeySet(t, nodes[1], clk, secretOne, secretTwo) // known, not used yet
		if got := ids(); !slices.Equal(got, []string{"1"}) {
			t.Errorf("sealed with %v before the new secret is the current one", got)
		}
		next := openKeySet(t, nodes[1], clk, secretTwo, secretOne)
		if got := ids(); !slices.Equal(got, []string{"2"}) {
			t.Errorf("sealed with %v after", got)
		}
		if _, err := next.Rotate(); err != nil {
			t.Fatal(err)
		}
		// A node that was not given the new secret in time says so, and works on
		// with what it has.
		if err := running.Reload(); !errors.Is(err, ErrSealed) || !strings.Contains(err.Error(), "server secret 2") {
			t.Errorf("got %v, want ErrSealed with the secret needed", err)
		}
		if k, err := running.Signing(clk.now()); err != nil || before[k.ID()] == nil {
			t.Errorf("signing: %v, %v", k, err)
		}
		after := private(t, keyStore(t, nodes[0], secretTwo)) // the old one is not needed any more
		if len(after) != 2 {
			t.Errorf("%d keys", len(after))
		}
		for kid, der := range before {
			if !bytes.Equal(after[kid], der) {
				t.Errorf("key %s has changed", kid)
			}
		}
	})
}

func TestAnOlderRevisionIsNotSaved(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e engine) {
		d, _, clk := newQuick(t, e, ThrottleConfig{})
		openKeySet(t, d, clk, secretOne)
		k := keyStore(t, d, secretOne)
		old, err := k.LoadKeys(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := k.SaveKeys(t.Context(), old); err != nil {
			t.Fatal(err)
		}
		for _, revision := range []string{old.Revision, "", "0", "7", "x"} {
			if err := k.SaveKeys(t.Context(), token.StoredKeys{Revision: revision, Keys: old.Keys}); !errors.Is(err, token.ErrKeysChanged) {
				t.Errorf("revision %q: got %v, want ErrKeysChanged", revision, err)
			}
		}
		if err := k.SaveKeys(t.Context(), token.StoredKeys{Revision: "2"}); err == nil {
			t.Error("a set without keys was stored")
		}
	})
}

func TestForgottenKeysMakeRoomForNewOnes(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e engine) {
		d, _, clk := newQuick(t, e, ThrottleConfig{})
		lost := openKeySet(t, d, clk, secretOne).List(clk.now())[0].ID
		if err := d.ForgetKeys(t.Context()); err != nil {
			t.Fatal(err)
		}
		s := openKeySet(t, d, clk, secretTwo)
		if _, ok := s.Lookup(lost); ok {
			t.Error("the lost key is still there")
		}
	})
}

func TestKeysGoOnWhileTheDatabaseIsAway(t *testing.T) {
	d, _, clk := newQuick(t, onSQLite, ThrottleConfig{})
	s := openKeySet(t, d, clk, secretOne)
	before := s.List(clk.now())
	if err := d.db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Reload(); err == nil {
		t.Error("a closed database was read")
	}
	if _, err := s.Rotate(); err == nil {
		t.Error("a key was announced that nobody else can see")
	}
	if k, err := s.Signing(clk.now()); err != nil || k.ID() != before[0].ID || !slices.Equal(s.List(clk.now()), before) {
		t.Errorf("signing: %v, %v", k, err)
	}
}

func TestKeyStoreNamesTheWrongField(t *testing.T) {
	d, _, _ := newQuick(t, onSQLite, ThrottleConfig{})
	one := []SealingSecret{secretOne}
	for _, tt := range []struct {
		name string
		c    KeyStoreConfig
		want string
	}{
		{"no purpose", KeyStoreConfig{Secrets: one}, "Purpose"},
		{"a purpose that could pass for two parts", KeyStoreConfig{Purpose: "a\x00b", Secrets: one}, "Purpose"},
		{"upper case", KeyStoreConfig{Purpose: "Access", Secrets: one}, "Purpose"},
		{"no secret", KeyStoreConfig{Purpose: "x"}, "Secrets"},
		{"a short secret", KeyStoreConfig{Purpose: "x", Secrets: []SealingSecret{{ID: 1, Value: "short"}}}, "Secrets"},
		{"an id twice", KeyStoreConfig{Purpose: "x", Secrets: []SealingSecret{secretOne, secretOne}}, "Secrets"},
	} {
		if _, err := d.KeyStore(context.Background(), tt.c); err == nil || !strings.Contains(err.Error(), "KeyStoreConfig."+tt.want) {
			t.Errorf("%s: got %v, want an error that names %s", tt.name, err, tt.want)
		} else if strings.Contains(err.Error(), string(secretOne.Value)) {
			t.Errorf("%s: the error shows the secret", tt.name)
		}
	}
	if got := fmt.Sprintf("%v %+v %#v %x", secretOne, secretOne, secretOne, secretOne); strings.Contains(got, "first server") || strings.Contains(got, "746865206669") {
		t.Errorf("the secret is printed: %s", got)
	}
}
