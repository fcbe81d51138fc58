// Package nodeorders shows that a service in another language takes lanyard's
// tokens with a library that knows nothing of lanyard. It has nothing but its
// test.
package nodeorders

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard/token"
)

// patience is how long a busy machine may take for one step.
const patience = 2 * time.Minute

// install puts the program and its library into a directory of their own. Where
// there is no node, or no registry to fetch the library from, the test is skipped
// by name: that says nothing about our tokens.
func install(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"node", "npm"} {
		if _, err := exec.LookPath(name); err != nil {
			missing(t, "%s is not installed (Debian package nodejs or npm, version 20 or later)", name)
		}
	}
	dir := t.TempDir()
	for _, name := range []string{"package.json", "package-lock.json", "orders.mjs"} {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1", "--fetch-timeout=20000")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		missing(t, "npm could not fetch the library jose: %v\n%s", err, out)
	}
	return dir
}

// issuer serves metadata and keys at an address of this machine.
type issuer struct {
	t     *testing.T
	url   string
	ahead atomic.Int64 // of the clock of the keys
	keys  *token.KeySet
	sign  *token.Issuer
}

func newIssuer(t *testing.T, alg token.Algorithm) *issuer {
	t.Helper()
	i := &issuer{t: t}
	now := func() time.Time { return time.Now().Add(time.Duration(i.ahead.Load())) }
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/oauth-authorization-server/tenant", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"issuer":"%s/tenant","jwks_uri":"%s/jwks"}`, "http://"+r.Host, "http://"+r.Host)
	})
	mux.HandleFunc("GET /jwks", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/jwk-set+json")
		w.Write(i.keys.JWKS(now()))
	})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	i.url = srv.URL + "/tenant"
	var err error
	if i.keys, err = token.NewKeySet(token.KeysConfig{Algorithm: alg, Now: now}); err != nil {
		t.Fatal(err)
	}
	if i.sign, err = token.NewIssuer(token.IssuerConfig{Issuer: i.url, Keys: i.keys, Now: now}); err != nil {
		t.Fatal(err)
	}
	return i
}

func (i *issuer) token(change func(*token.Claims)) string {
	i.t.Helper()
	now := time.Now()
	c := token.Claims{Subject: "ann", Audience: []string{"orders"}, ClientID: "web", ID: "1", SID: "s", IssuedAt: now, Expiry: now.Add(5 * time.Minute)}
	if change != nil {
		change(&c)
	}
	raw, err := i.sign.Issue(c)
	if err != nil {
		i.t.Fatal(err)
	}
	return raw
}

// serve runs the program until the test ends and returns its address.
func serve(t *testing.T, dir, issuer string) string {
	t.Helper()
	cmd := exec.Command("node", "orders.mjs")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "ISSUER="+issuer, "AUDIENCE=orders", "PORT=0")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var talk strings.Builder
	cmd.Stderr = &talk
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(patience, func() { cmd.Process.Kill() })
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Logf("node said:\n%s", talk.String())
		}
	})
	line, _ := bufio.NewReader(out).ReadString('\n')
	late.Stop()
	address, ok := strings.CutPrefix(strings.TrimSpace(line), "ready ")
	if !ok {
		t.Fatalf("node said %q", line)
	}
	return address
}

func TestNodeTakesOurTokens(t *testing.T) {
	dir := install(t)
	for _, alg := range []token.Algorithm{token.ES256, token.Ed25519} {
		t.Run(string(alg), func(t *testing.T) {
			i, forger := newIssuer(t, alg), newIssuer(t, alg)
			if _, err := i.keys.Rotate(); err != nil {
				t.Fatal(err)
			}
			address := serve(t, dir, i.url)
			good := i.token(nil)
			want := func(name, raw string, status int, says string) {
				t.Helper()
				r, err := http.NewRequestWithContext(t.Context(), "GET", address, nil)
				if err != nil {
					t.Fatal(err)
				}
				if raw != "" {
					r.Header.Set("Authorization", "Bearer "+raw)
				}
				res, err := http.DefaultClient.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				defer res.Body.Close()
				body, err := io.ReadAll(res.Body)
				if err != nil || res.StatusCode != status || !strings.Contains(string(body), says) {
					t.Errorf("%s: %d %s %v, want %d %s", name, res.StatusCode, body, err, status, says)
				}
			}
			want("a good token", good, 200, `"subject":"ann","sid":"s"`)
			want("nobody", "", 401, "unauthorized")
			want("rubbish", "x.y.z", 401, "invalid_token")
			want("another audience", i.token(func(c *token.Claims) { c.Audience = []string{"billing"} }), 401, "invalid_token")
			want("two audiences", i.token(func(c *token.Claims) { c.Audience = []string{"billing", "orders"} }), 200, "ann")
			want("expired", i.token(func(c *token.Claims) {
				c.IssuedAt, c.Expiry = c.IssuedAt.Add(-10*time.Minute), c.IssuedAt.Add(-time.Minute)
			}), 401, "invalid_token")
			want("another issuer", forger.token(nil), 401, "invalid_token")
			want("bound to a key", i.token(func(c *token.Claims) { c.JKT = "x" }), 401, "invalid_token")
			// The next key was announced before it signs: nobody meets it unknown.
			i.ahead.Store(int64(11 * time.Minute))
			next := i.token(nil)
			if strings.HasPrefix(next, good[:strings.IndexByte(good, '.')]) {
				t.Error("no other key signs after the rotation")
			}
			want("under the next key", next, 200, "ann")
			want("under the key before", good, 200, "ann")
		})
	}
}

// missing skips what cannot run here, and fails where everything has to.
func missing(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf(format, args...)
	}
	t.Skipf("skipped: "+format, args...)
}
