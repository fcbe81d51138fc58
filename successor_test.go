package lanyard

import "testing"

// Without any one of its inputs nobody computes a successor: not with the key and
// an old token, nor with the key and a dump of the store.
//
// req: REFRESH-10
func TestSuccessorDependsOnEachOfItsInputs(t *testing.T) {
	one, err := RandomKeys()
	if err != nil {
		t.Fatal(err)
	}
	two, err := RandomKeys()
	if err != nil {
		t.Fatal(err)
	}
	secret, nonce := [SecretSize]byte{1}, [16]byte{2}
	want := one.current.successor(SID{3}, 4, nonce, secret)
	if again := one.current.successor(SID{3}, 4, nonce, secret); again != want {
		t.Fatal("it cannot be computed again")
	}
	for name, got := range map[string][SecretSize]byte{
		"key":     two.current.successor(SID{3}, 4, nonce, secret),
		"sid":     one.current.successor(SID{5}, 4, nonce, secret),
		"counter": one.current.successor(SID{3}, 5, nonce, secret),
		"nonce":   one.current.successor(SID{3}, 4, [16]byte{9}, secret),
		"secret":  one.current.successor(SID{3}, 4, nonce, [SecretSize]byte{9}),
	} {
		if got == want {
			t.Errorf("another %s yields the same successor", name)
		}
	}
	if want == secret {
		t.Error("the successor is the old secret")
	}
}
