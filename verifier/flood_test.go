package verifier_test

import (
	"crypto/rand"
	"encoding/base64"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard/token"
	"github.com/lanyard-go/lanyard/verifier"
)

// forged is a token in good form, with a key id of random letters.
func forged() string {
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"ES256","typ":"at+jwt","kid":"`+rand.Text()+`"}`)) + "." + encode([]byte(`{"sub":"`+rand.Text()+`"}`)) + "." + strings.Repeat("A", 86)
}

// A flood of random tokens leaves nothing behind, and good ones are answered in
// it, from memory.
func TestFloodOfRandomTokensKeepsMemoryFlat(t *testing.T) {
	start := time.Now()
	i := newIssuer(t, token.KeysConfig{})
	v := open(t, i.config())
	good := i.token(i.claims(time.Now()))
	kid := i.keys.List(time.Now())[0].ID
	known := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES256","typ":"at+jwt","kid":"` + kid + `"}`))
	huge := strings.Repeat("A", 1<<20)
	flood := func(n int) {
		for k := range n {
			raw := forged()
			switch k % 100 {
			case 0:
				raw = known + raw[strings.IndexByte(raw, '.'):]
			case 1:
				raw = huge
			case 2:
				if _, err := v.Verify(t.Context(), good); err != nil {
					t.Fatalf("a good token: %v", err)
				}
			}
			if _, err := v.Verify(t.Context(), raw); cause(err) != verifier.CauseBadToken {
				t.Fatal(err)
			}
		}
	}
	flood(1000)
	before := heap()
	flood(50_000)
	if after := heap(); after > before+256<<10 {
		t.Errorf("the heap grew from %d to %d bytes", before, after)
	}
	// One fetch, and one for each interval that has begun by the real clock.
	if n := i.asked.Load(); n > 2+int64(time.Since(start)/(5*time.Second)) {
		t.Errorf("%d fetches", n)
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestRepeatedSightAllocatesNothing(t *testing.T) {
	i := newIssuer(t, token.KeysConfig{})
	v := open(t, i.config())
	raw := i.token(i.claims(time.Now()))
	ctx := t.Context()
	if n := testing.AllocsPerRun(1000, func() {
		if _, err := v.Verify(ctx, raw); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
