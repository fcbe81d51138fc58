package consttime

import (
	"bytes"
	"testing"
)

func TestEqualSeesEachBitOfEachLength(t *testing.T) {
	for n := range 40 {
		a := bytes.Repeat([]byte{0x5a}, n)
		if !Equal(a, bytes.Clone(a)) {
			t.Fatalf("%d equal bytes differ", n)
		}
		for i := range n {
			for bit := range 8 {
				b := bytes.Clone(a)
				b[i] ^= 1 << bit
				if Equal(a, b) {
					t.Fatalf("%d bytes: bit %d of byte %d was not seen", n, bit, i)
				}
			}
		}
		if Equal(a, append(bytes.Clone(a), 0)) {
			t.Fatalf("%d and %d bytes are equal", n, n+1)
		}
	}
}

func FuzzEqual(f *testing.F) {
	f.Add([]byte("abc"), []byte("abd"))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		if Equal(a, b) != bytes.Equal(a, b) {
			t.Errorf("%x and %x", a, b)
		}
	})
}
