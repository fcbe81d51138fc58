package contender

import (
	"testing"

	"github.com/lanyard-go/lanyard/token"
)

func BenchmarkPage(b *testing.B) {
	base := bases(b)
	for _, kind := range Kinds() {
		b.Run(string(kind), func(b *testing.B) {
			s, err := Open(b.Context(), kind, 1000, base())
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

func BenchmarkPageBy64(b *testing.B) {
	base := bases(b)
	for _, kind := range Kinds() {
		b.Run(string(kind), func(b *testing.B) {
			s, err := Open(b.Context(), kind, 1000, base())
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			c := NewCrowd(s, 64)
			b.ReportAllocs()
			for b.Loop() {
				if err := c.Visit(1000); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkLoginsBy64(b *testing.B) {
	base := bases(b)
	for _, kind := range Kinds() {
		b.Run(string(kind), func(b *testing.B) {
			s, err := Open(b.Context(), kind, 1, base())
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			if s.login == nil {
				b.Skip("its logins are not measured")
			}
			b.ReportAllocs()
			for b.Loop() {
				if err := s.Logins(b.Context(), 64, 1000); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkRedisFloorBy64(b *testing.B) {
	base := bases(b)()
	s, err := Open(b.Context(), LanyardRedis, 1000, base)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	f, err := NewRedisFloor(b.Context(), s, base)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	b.ReportAllocs()
	for b.Loop() {
		if err := f.Read(b.Context(), 64, 1000); err != nil {
			b.Fatal(err)
		}
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
