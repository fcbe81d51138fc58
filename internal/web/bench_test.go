package web

import (
	"io"
	"testing"
)

func BenchmarkAccount(b *testing.B) {
	p, err := New(Config{})
	if err != nil {
		b.Fatal(err)
	}
	v := AccountView{Page: person(), Sessions: rows(), MinPassword: 15}
	b.ReportAllocs()
	for b.Loop() {
		if err := p.Account(io.Discard, v); err != nil {
			b.Fatal(err)
		}
	}
}
