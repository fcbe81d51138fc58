package token_test

import (
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard/token"
)

// Several nodes that watch the age of one signing key make one successor of it,
// and one of them says that it did.
func TestNodesThatFindAKeyTooOldMakeOneNewKey(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	now := testNow
	const age = 90 * 24 * time.Hour
	var nodes []*token.KeySet
	for range 3 {
		nodes = append(nodes, openAt(t, dir, &now))
	}
	round := func() (made int) {
		t.Helper()
		var mu sync.Mutex
		var wg sync.WaitGroup
		for _, n := range nodes {
			wg.Go(func() {
				k, did, err := n.RotateDue(age)
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Error(err)
				}
				if did {
					made++
					if k.Phase != token.PhaseAnnounced || k.ID == "" {
						t.Errorf("made %+v", k)
					}
				}
			})
		}
		wg.Wait()
		return made
	}
	for _, step := range []struct {
		after time.Duration
		made  int
		keys  int
	}{
		{age - time.Second, 0, 1}, {time.Second, 1, 2}, {0, 0, 2}, {10 * time.Minute, 0, 2}, {time.Hour, 0, 2}, {age - time.Hour, 1, 2},
	} {
		now = now.Add(step.after)
		if made := round(); made != step.made {
			t.Errorf("at %v: %d keys were made, want %d", now, made, step.made)
		}
		for _, n := range nodes {
			if err := n.Reload(); err != nil {
				t.Fatal(err)
			}
			if got := len(n.List(now)); got != step.keys {
				t.Errorf("at %v: %d keys, want %d", now, got, step.keys)
			}
		}
	}
	if _, made, err := nodes[0].RotateDue(0); made || err != nil {
		t.Errorf("never is an age too: %v, %v", made, err)
	}
	given := newFixture(t, token.ES256)
	k, err := token.GenerateKey(token.ES256, testNow)
	if err != nil {
		t.Fatal(err)
	}
	set, err := token.NewKeySet(token.KeysConfig{Now: func() time.Time { return given.now }}, k)
	if err != nil {
		t.Fatal(err)
	}
	given.now = testNow.Add(2 * age)
	if _, made, err := set.RotateDue(age); made || err != nil {
		t.Errorf("a set that was given its keys makes none: %v, %v", made, err)
	}
}
