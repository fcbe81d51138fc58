package directory

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := newTurns(2)
		first, _ := turns.take(t.Context(), "ada")
		second, _ := turns.take(t.Context(), "ada")
		if other, err := turns.take(t.Context(), "bob"); err != nil {
			t.Fatalf("another account had to wait: %v", err)
		} else {
			other()
		}

		got := false
		go func() {
			release, err := turns.take(t.Context(), "ada")
			if err != nil {
				t.Error(err)
				return
			}
			got = true
			release()
		}()
		synctest.Wait()
		if got {
			t.Fatal("a third went in beside two")
		}

		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := turns.take(ctx, "ada"); !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v, want context.Canceled", err)
		}

		first()
		synctest.Wait()
		if !got {
			t.Fatal("the third did not go in after the first")
		}
		second()
		if n := len(turns.lanes); n != 0 {
			t.Fatalf("%d lanes are left", n)
		}
	})
}
