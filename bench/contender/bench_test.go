package contender

import (
	"testing"

	"github.com/lanyard-go/lanyard/token"
)

func BenchmarkPage(b *testing.B) {
	for _, kind := range Kinds() {
		b.Run(string(kind), func(b *testing.B) {
			s, err := Open(b.Context(), kind, 1000, b.TempDir())
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			v := NewVisitor(s)
			b.ReportAllocs()
			for b.Loop() {
				if err := v.Visit(1); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkTokenFirstSight(b *testing.B) {
	for _, alg := range []token.Algorithm{token.ES256, token.EdDSA} {
		tokens, err := NewTokens(alg, 1)
		if err != nil {
			b.Fatal(err)
		}
		v, err := tokens.Verifier(-1)
		if err != nil {
			b.Fatal(err)
		}
		bare, err := tokens.BareCheck(0)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(string(alg)+"/lanyard", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.Verify(tokens.Texts[0]); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(string(alg)+"/bare", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if !bare() {
					b.Fatal("a good signature does not hold")
				}
			}
		})
	}
}

func BenchmarkCreateAlone(b *testing.B) {
	c, err := StoreCreator(b.Context(), b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Create(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCreateBy64(b *testing.B) {
	c, err := StoreCreator(b.Context(), b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Together(b.Context(), 64, 6400); err != nil {
			b.Fatal(err)
		}
	}
}
