package dpop_test

import (
	"testing"
	"time"

	"github.com/lanyard-go/lanyard/dpop"
)

// FuzzCheck holds that whatever passes is the one proof that was made.
func FuzzCheck(f *testing.F) {
	prover, err := dpop.NewProver(ecKey(f), func() time.Time { return start })
	if err != nil {
		f.Fatal(err)
	}
	text, err := prover.Proof("GET", here, "token", "")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add(rfcAtToken)
	f.Add(rfcAtResource)
	f.Add("a.b.c")
	f.Fuzz(func(t *testing.T, other string) {
		_, err := checker(t, dpop.Config{}).Check(t.Context(), []string{other}, dpop.Request{Method: "GET", URL: here, Token: "token", Thumbprint: prover.Thumbprint()})
		if (err == nil) != (other == text) {
			t.Fatalf("%q: %v", other, err)
		}
		why(t, err)
	})
}
