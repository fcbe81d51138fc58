package token_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard/token"
)

func TestAnAnnouncementTooShortForSeveralProcessesIsRefused(t *testing.T) {
	for _, test := range []struct {
		name string
		cfg  token.KeysConfig
		bad  string // the field named, empty if it is all right
	}{
		{"the defaults", token.KeysConfig{}, ""},
		{"just enough", token.KeysConfig{Announce: 8 * time.Minute}, ""},
		{"a second too short", token.KeysConfig{Announce: 8*time.Minute - time.Second}, "Announce"},
		{"processes that reload too seldom", token.KeysConfig{ReloadEvery: 3 * time.Minute}, "Announce"},
		{"clocks too far apart", token.KeysConfig{ClockSkew: 5 * time.Minute}, "Announce"},
		{"verifiers that keep the set too long", token.KeysConfig{CacheTime: time.Hour}, "Announce"},
		{"a short one for processes that reload at once", token.KeysConfig{
			Announce: time.Minute, CacheTime: 30 * time.Second, ReloadEvery: 10 * time.Second, ClockSkew: 10 * time.Second,
		}, ""},
		{"keys gone before a slow clock has stopped to use them", token.KeysConfig{Retire: time.Minute}, "Retire"},
		{"no time for the store", token.KeysConfig{StoreTimeout: -1}, "StoreTimeout"},
		{"a negative interval", token.KeysConfig{ReloadEvery: -1}, "ReloadEvery"},
		{"a negative clock difference", token.KeysConfig{ClockSkew: -1}, "ClockSkew"},
		{"a negative time in caches", token.KeysConfig{CacheTime: -1}, "CacheTime"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := token.OpenKeys(filepath.Join(t.TempDir(), "keys"), test.cfg)
			if test.bad == "" && err != nil || test.bad != "" && (err == nil || !strings.Contains(err.Error(), "KeysConfig."+test.bad)) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// mirror verifies by a published set that it fetches every CacheTime, from
// whichever node comes next.
type mirror struct{ keys *token.PublicKeys }

func (m *mirror) Lookup(kid string) (*token.PublicKey, bool) { return m.keys.Lookup(kid) }

func (m *mirror) fetch(t *testing.T, from *token.KeySet, now time.Time) {
	t.Helper()
	var err error
	if m.keys, err = token.ParseJWKS(from.JWKS(now)); err != nil {
		t.Fatal(err)
	}
}

// req: KEY-10
func TestRotationByOneOfTwoNodesRefusesNoValidToken(t *testing.T) {
	// Three hours of two nodes whose clocks are a minute apart and which reload
	// once a minute, one of them failing every other time; with the shortest
	// announcement that is allowed. The one with the slow clock rotates just
	// after the other has reloaded, and the distant verifier asks that other just
	// before it reloads again.
	const step = 10 * time.Second
	now := testNow
	dir := filepath.Join(t.TempDir(), "keys")
	type node struct {
		keys   *token.KeySet
		issuer *token.Issuer
		now    func() time.Time
	}
	var nodes []*node
	var verifiers []*token.Verifier
	verifier := func(keys token.VerifyKeys, now func() time.Time) {
		v, err := token.NewVerifier(token.VerifierConfig{Issuer: testIssuer, Audience: testAudience, Keys: keys, Leeway: time.Minute, Now: now})
		if err != nil {
			t.Fatal(err)
		}
		verifiers = append(verifiers, v)
	}
	for _, off := range []time.Duration{-30 * time.Second, 30 * time.Second} {
		n := &node{now: func() time.Time { return now.Add(off) }}
		var err error
		n.keys, err = token.OpenKeys(dir, token.KeysConfig{
			Algorithm: token.Ed25519, Announce: 8 * time.Minute, Retire: 18 * time.Minute, Now: n.now,
		})
		if err != nil {
			t.Fatal(err)
		}
		if n.issuer, err = token.NewIssuer(token.IssuerConfig{Issuer: testIssuer, Keys: n.keys, Now: n.now}); err != nil {
			t.Fatal(err)
		}
		verifier(n.keys, n.now)
		nodes = append(nodes, n)
	}
	var far mirror
	verifier(&far, func() time.Time { return now })

	type issued struct {
		raw string
		end time.Time
	}
	var live []issued
	used := map[string]bool{}
	for i := 0; now.Before(testNow.Add(3 * time.Hour)); i++ {
		if i%30 == 0 {
			n := nodes[(i/30+1)%2]
			far.fetch(t, n.keys, n.now())
		}
		for j, n := range nodes {
			k, err := n.keys.Signing(n.now())
			if err != nil {
				t.Fatal(err)
			}
			used[k.ID()] = true
			c := testClaims()
			c.ID = fmt.Sprintf("%d-%d", i, j)
			c.IssuedAt, c.Expiry = n.now(), n.now().Add(15*time.Minute)
			raw, err := n.issuer.Issue(c)
			if err != nil {
				t.Fatal(err)
			}
			live = append(live, issued{raw, c.Expiry})
		}
		live = slices.DeleteFunc(live, func(is issued) bool { return !now.Before(is.end.Add(-step)) })
		for k, v := range verifiers {
			for _, is := range []issued{live[0], live[1], live[len(live)-2], live[len(live)-1]} {
				if _, err := v.Verify(is.raw); err != nil {
					t.Fatalf("verifier %d, %v after the start: refused for %s", k, now.Sub(testNow), cause(t, err))
				}
			}
		}
		var wg sync.WaitGroup
		for j, n := range nodes {
			wg.Go(func() {
				if i%6 == 0 && (j == 0 || i%12 == 0) {
					if err := n.keys.Reload(); err != nil {
						t.Error(err)
					}
				}
				if i%60 == 49 && (j == 0 || i%180 == 49) { // both at once every third time
					if _, err := n.keys.Rotate(); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		now = now.Add(step)
	}
	if len(used) < 10 {
		t.Errorf("only %d keys have signed: hardly anything was rotated", len(used))
	}
}

func TestAClockThatIsBehindSignsWithAKeyOfNow(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	now := testNow
	ahead := openAt(t, dir, &now)
	past := testNow.Add(-time.Minute)
	behind := openAt(t, dir, &past)
	first, err := ahead.Signing(now)
	if err != nil {
		t.Fatal(err)
	}
	if k, err := behind.Signing(past); err != nil || k.ID() != first.ID() {
		t.Errorf("at the first start: %v, %v", k, err)
	}
	if err := ahead.Withdraw(first.ID()); err != nil {
		t.Fatal(err)
	}
	if err := behind.Reload(); err != nil {
		t.Fatal(err)
	}
	second, err := ahead.Signing(now)
	if err != nil {
		t.Fatal(err)
	}
	if k, err := behind.Signing(past); err != nil || k.ID() != second.ID() {
		t.Errorf("after a withdrawal: %v, %v", k, err)
	}
}

const rotateIn = "LANYARD_TEST_ROTATE_KEYS_IN"

func TestMain(m *testing.M) {
	if dir := os.Getenv(rotateIn); dir != "" {
		if err := rotateAsProcess(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	m.Run()
}

// rotateAsProcess waits for its standard input to end, so that all processes
// begin at once, and prints the key it has announced.
func rotateAsProcess(dir string) error {
	if _, err := os.Stdin.Read(make([]byte, 1)); err == nil {
		return errors.New("there is something to read")
	}
	s, err := token.OpenKeys(dir, token.KeysConfig{Now: clock(testNow)})
	if err != nil {
		return err
	}
	k, err := s.Rotate()
	if err != nil {
		return err
	}
	_, err = fmt.Println(k.ID)
	return err
}

// req: KEY-10
func TestProcessesThatRotateAtOnceMakeOneKey(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "keys")
	start, gun, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	var all []*exec.Cmd
	var out [6]bytes.Buffer
	for i := range out {
		c := exec.CommandContext(t.Context(), self)
		c.Env = append(os.Environ(), rotateIn+"="+dir)
		c.Stdin, c.Stdout, c.Stderr = start, &out[i], os.Stderr
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	start.Close()
	gun.Close()
	for _, c := range all {
		if err := c.Wait(); err != nil {
			t.Error(err)
		}
	}
	now := testNow
	s := openAt(t, dir, &now)
	if got := phases(s, now); got != "signing announced" {
		t.Fatalf("phases %s", got)
	}
	for i := range out {
		if got := strings.TrimSpace(out[i].String()); got != s.List(now)[1].ID {
			t.Errorf("process %d announced %q, stored is %s", i, got, s.List(now)[1].ID)
		}
	}
}

// box is a KeyStore that can lose its answers.
type box struct {
	mu   sync.Mutex
	set  token.StoredKeys
	fail error // of the next save
	keep bool  // it is done all the same
}

func (b *box) LoadKeys(context.Context) (token.StoredKeys, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return token.StoredKeys{Revision: b.set.Revision, Keys: slices.Clone(b.set.Keys)}, nil
}

func (b *box) SaveKeys(_ context.Context, set token.StoredKeys) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	err := b.fail
	b.fail = nil
	if err != nil && !b.keep {
		return err
	}
	if set.Revision != b.set.Revision {
		return token.ErrKeysChanged
	}
	b.set = set
	b.set.Revision += "+"
	return err
}

func TestAChangeThatIsNotStoredIsNotUsed(t *testing.T) {
	b := new(box)
	s, err := token.OpenKeyStore(t.Context(), b, token.KeysConfig{Now: clock(testNow)})
	if err != nil {
		t.Fatal(err)
	}
	before := s.List(testNow)
	away := errors.New("away")
	b.fail = away
	if _, err := s.Rotate(); !errors.Is(err, away) || !slices.Equal(s.List(testNow), before) {
		t.Errorf("rotation not stored: %v, keys %v", err, s.List(testNow))
	}
	b.fail = away
	if err := s.Withdraw(before[0].ID); !errors.Is(err, away) || !slices.Equal(s.List(testNow), before) {
		t.Errorf("withdrawal not stored: %v, keys %v", err, s.List(testNow))
	}
	b.fail, b.keep = away, true
	if err := s.Withdraw(before[0].ID); !errors.Is(err, away) {
		t.Error(err)
	}
	if _, ok := s.Lookup(before[0].ID); ok {
		t.Error("a withdrawal that was stored, though its answer was lost, does not count")
	}
}

// req: KEY-16
func TestAStoreIsGivenPrivateKeysThatPrintNothing(t *testing.T) {
	b := new(box)
	if _, err := token.OpenKeyStore(t.Context(), b, token.KeysConfig{Now: clock(testNow)}); err != nil {
		t.Fatal(err)
	}
	k := b.set.Keys[0]
	if len(k.Private) < 32 {
		t.Fatalf("%d bytes", len(k.Private))
	}
	raw := k.Private[len(k.Private)-8:]
	leaks := []string{
		string(raw), fmt.Sprintf("%x", []byte(raw)), strings.Trim(fmt.Sprint([]byte(raw)), "[]"),
		strings.Trim(fmt.Sprintf("%#v", []byte(raw)), "[]byte{}"),
		base64.StdEncoding.EncodeToString(k.Private)[8:24],
	}
	var out bytes.Buffer
	for _, v := range []any{k, &k, k.Private, b.set, &b.set} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		slog.New(slog.NewTextHandler(&out, nil)).Info("x", "v", v)
		if err := json.NewEncoder(&out).Encode(v); err != nil {
			t.Fatal(err)
		}
	}
	for _, leak := range leaks {
		if strings.Contains(strings.ToLower(out.String()), strings.ToLower(leak)) {
			t.Errorf("%q shows in %s", leak, out.String())
		}
	}
	if !strings.Contains(out.String(), k.ID) {
		t.Error("the key is not named at all")
	}
}

func TestTheStoreIsNotTrusted(t *testing.T) {
	make2 := func() *box {
		b := new(box)
		if _, err := token.OpenKeyStore(t.Context(), b, token.KeysConfig{Now: clock(testNow)}); err != nil {
			t.Fatal(err)
		}
		return b
	}
	other := make2().set.Keys[0]
	for name, spoil := range map[string]func(*token.StoredKey){
		"another private key":      func(k *token.StoredKey) { k.Private = other.Private },
		"no private key":           func(k *token.StoredKey) { k.Private = nil },
		"another algorithm":        func(k *token.StoredKey) { k.Algorithm = token.Ed25519 },
		"an algorithm not allowed": func(k *token.StoredKey) { k.Algorithm = token.RS256 },
		"another id":               func(k *token.StoredKey) { k.ID = other.ID },
	} {
		b := make2()
		spoil(&b.set.Keys[0])
		if _, err := token.OpenKeyStore(t.Context(), b, token.KeysConfig{Now: clock(testNow)}); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	if _, err := token.OpenKeyStore(t.Context(), nil, token.KeysConfig{}); err == nil {
		t.Error("no store at all was taken")
	}
}
