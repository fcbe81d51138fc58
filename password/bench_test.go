package password

import "testing"

func BenchmarkHash(b *testing.B) {
	h, err := New(Config{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := h.Hash(b.Context(), phrase); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerifyAndEqualize(b *testing.B) {
	h, err := New(Config{})
	if err != nil {
		b.Fatal(err)
	}
	b.Run("Verify", func(b *testing.B) {
		for b.Loop() {
			if match, _, err := h.Verify(b.Context(), argonReference, phrase); err != nil || !match {
				b.Fatal(match, err)
			}
		}
	})
	b.Run("Equalize", func(b *testing.B) {
		for b.Loop() {
			if err := h.Equalize(b.Context(), phrase); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkPolicyCheck(b *testing.B) {
	p := Policy{Words: []string{"Acme", "Road Runner"}}
	b.ReportAllocs()
	for b.Loop() {
		if err := p.Check(b.Context(), phrase, "alice@example.org"); err != nil {
			b.Fatal(err)
		}
	}
}
