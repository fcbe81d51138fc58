package jose

import "testing"

// BenchmarkEmbedded is the whole check of a proof of possession: form, header
// with its key, signature. BenchmarkParseJWK is the part that is the key.
func BenchmarkEmbedded(b *testing.B) {
	for _, s := range testSigners(b)[:2] {
		raw, err := s.Sign(SignOptions{Type: "dpop+jwt", EmbedKey: true}, []byte(`{"jti":"x","htm":"GET","htu":"https://api.example.com/","iat":1790000000}`))
		if err != nil {
			b.Fatal(err)
		}
		b.Run(string(s.Public().Algorithm()), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				m, err := Parse(raw, 8<<10, HeaderPolicy{Type: "dpop+jwt", Key: KeyEmbedded})
				if err != nil {
					b.Fatal(err)
				}
				if _, err := m.Verify(m.Header.Key); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkParseJWK(b *testing.B) {
	for _, s := range testSigners(b) {
		jwk := string(s.Public().AppendJWK(nil))
		b.Run(string(s.Public().Algorithm()), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ParseJWK(jwk); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkParseObject(b *testing.B) {
	const text = `{"iss":"https://id.example.com","sub":"u-4711","aud":"https://api.example.com","client_id":"lanyard",` +
		`"jti":"n3Vx0k2Jm8s1Qp7ZtYb4Lw","sid":"0199f0a2b3c4d5e6f708192a3b4c5d6e","gen":3,"iat":1790000000,"exp":1790000300,"scope":"read write"}`
	b.ReportAllocs()
	for b.Loop() {
		var buf [24]Member
		if _, err := ParseObject(buf[:0], text, Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}
