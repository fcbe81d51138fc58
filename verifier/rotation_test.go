package verifier_test

import (
	"context"
	"net/http"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lanyard-go/lanyard/token"
	"github.com/lanyard-go/lanyard/verifier"
)

// cluster is two nodes that share one stored key set, and answer for it in turns.
type cluster struct {
	*issuer
	nodes [2]*issuer
	turn  atomic.Int64
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "keys")
	c := &cluster{}
	for n := range c.nodes {
		node := &issuer{t: t, instead: map[string]http.HandlerFunc{}}
		var err error
		if node.keys, err = token.OpenKeys(dir, token.KeysConfig{}); err != nil {
			t.Fatal(err)
		}
		if node.sign, err = token.NewIssuer(token.IssuerConfig{Issuer: testIssuer, Keys: node.keys}); err != nil {
			t.Fatal(err)
		}
		c.nodes[n] = node
	}
	c.issuer = c.nodes[0]
	return c
}

func (c *cluster) RoundTrip(r *http.Request) (*http.Response, error) {
	return c.nodes[c.turn.Add(1)%2].RoundTrip(r)
}

// Three hours of two nodes that rotate every 45 minutes, each reloading once a
// minute, and two verifiers of which one has a Run and the other has not: every
// token is accepted when it is issued and just before it expires. Then a key is
// withdrawn, and five minutes later nothing under it is.
//
// req: KEY-10
func TestRotationUnderLoadRefusesNoValidTokenAndWithdrawalAcceptsNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		cfg := c.config()
		cfg.Transport = c
		verifiers := []*verifier.Verifier{open(t, cfg), open(t, cfg)}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go verifiers[0].Run(ctx)

		type issued struct {
			raw string
			at  time.Time
		}
		var alive []issued
		checked, kids := 0, map[string]bool{}
		start := time.Now()
		for tick := 0; time.Since(start) < 3*time.Hour; tick++ {
			node := c.nodes[tick%2]
			if tick%60 == 0 {
				for n, node := range c.nodes {
					if tick/60%5 == n {
						continue // a call that fails now and then
					}
					if err := node.keys.Reload(); err != nil {
						t.Fatal(err)
					}
				}
			}
			if tick > 0 && tick%2700 == 0 {
				if _, err := node.keys.Rotate(); err != nil {
					t.Fatal(err)
				}
			}
			raw := node.token(node.claims(time.Now()))
			alive = append(alive, issued{raw, time.Now()})
			sight := []string{raw}
			if time.Since(alive[0].at) >= 299*time.Second {
				sight = append(sight, alive[0].raw)
				alive = alive[1:]
			}
			for _, v := range verifiers {
				for _, raw := range sight {
					claims, err := v.Verify(ctx, raw)
					if err != nil {
						t.Fatalf("after %v: %v", time.Since(start), err)
					}
					kids[claims.KeyID] = true
					checked++
				}
			}
			time.Sleep(time.Second)
		}
		if len(kids) < 4 || checked < 40_000 {
			t.Errorf("%d keys signed, %d checks", len(kids), checked)
		}

		// The longest a withdrawn key counts is CacheTime; a token that would
		// live longer shows it.
		node := c.nodes[0]
		if err := node.keys.Reload(); err != nil {
			t.Fatal(err)
		}
		long := node.claims(time.Now())
		long.Expiry = long.IssuedAt.Add(15 * time.Minute)
		raw := node.token(long)
		claims, err := verifiers[0].Verify(ctx, raw)
		if err != nil {
			t.Fatal(err)
		}
		if err := node.keys.Withdraw(claims.KeyID); err != nil {
			t.Fatal(err)
		}
		if err := c.nodes[1].keys.Reload(); err != nil {
			t.Fatal(err)
		}
		withdrawn := time.Now()
		time.Sleep(5 * time.Minute)
		for time.Since(withdrawn) < 10*time.Minute {
			for n, v := range verifiers {
				if _, err := v.Verify(ctx, raw); cause(err) != verifier.CauseBadToken {
					t.Fatalf("verifier %d, %v after the withdrawal: %v", n, time.Since(withdrawn), err)
				}
			}
			time.Sleep(5 * time.Second)
		}
	})
}
