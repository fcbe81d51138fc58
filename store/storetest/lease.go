package storetest

import (
	"fmt"
	"maps"
	"strconv"
	"strings"

	"github.com/lanyard-go/lanyard"
)

// The longest name and value of a lease, in bytes.
const (
	maxLeaseName  = 64
	maxLeaseValue = 8 << 10
)

var leaseCases = []Case{
	{"SetLease replaces what is kept under the node's name", able(func(b *bed, s lanyard.Leaser) {
		b.wantLeases(s, nil)
		want := make(map[string]string)
		for i, node := range []string{"a", "b", "a", "a", "c", "b"} {
			want[node] = fmt.Sprint("value ", i)
			b.lease(s, node, want[node])
			b.wantLeases(s, want)
		}
		b.lease(s, "c", want["c"]) // the same once more
		b.wantLeases(s, want)
	})},
	{"SetLease keeps every byte of names and values", able(func(b *bed, s lanyard.Leaser) {
		want := map[string]string{
			"empty":                           "",
			strings.Repeat("n", maxLeaseName): strings.Repeat("v", maxLeaseValue),
		}
		for i, text := range oddTexts() {
			want[text[:min(len(text), maxLeaseName)]] = fmt.Sprint(i, text)
		}
		delete(want, "")
		for node, value := range want {
			b.lease(s, node, value)
		}
		b.wantLeases(s, want)
	})},
	{"SetLease refuses names and values out of bounds", able(func(b *bed, s lanyard.Leaser) {
		want := map[string]string{"a": "1"}
		b.lease(s, "a", "1")
		for _, c := range []struct{ node, value string }{
			{"", "2"},
			{strings.Repeat("n", maxLeaseName+1), "2"},
			{"a", strings.Repeat("v", maxLeaseValue+1)},
			{"b", strings.Repeat("v", maxLeaseValue+1)},
		} {
			if err := s.SetLease(b.ctx, c.node, c.value); err == nil {
				b.Errorf("a name of %d and a value of %d bytes were taken", len(c.node), len(c.value))
			}
			b.wantLeases(s, want)
		}
	})},
	{"DropLease removes a lease that is still the value", able(func(b *bed, s lanyard.Leaser) {
		b.lease(s, "a", "1")
		b.lease(s, "b", "1")
		b.lease(s, "empty", "")
		for _, c := range []struct {
			node, value string
			want        map[string]string
		}{
			{"a", "2", map[string]string{"a": "1", "b": "1", "empty": ""}},
			{"a", "", map[string]string{"a": "1", "b": "1", "empty": ""}},
			{"nobody", "1", map[string]string{"a": "1", "b": "1", "empty": ""}},
			{"nobody", "", map[string]string{"a": "1", "b": "1", "empty": ""}},
			{"a", "1", map[string]string{"b": "1", "empty": ""}},
			{"a", "1", map[string]string{"b": "1", "empty": ""}},
			{"empty", "", map[string]string{"b": "1"}},
		} {
			b.unlease(s, c.node, c.value)
			b.wantLeases(s, c.want)
		}
		b.lease(s, "a", "3") // the name is free again
		b.wantLeases(s, map[string]string{"a": "3", "b": "1"})
	})},
	{"Leases outlive the records", able(func(b *bed, s lanyard.Leaser) {
		want := map[string]string{"a": "1", "b": "2"}
		for node, value := range want {
			b.lease(s, node, value)
		}
		b.start("alice")
		b.end(lanyard.End{Subject: "alice"})
		b.end(lanyard.End{All: true})
		b.prune(lanyard.Prune{Now: absolute, Forget: absolute, Limit: 100})
		b.wantLeases(s, want)
	})},
	{"Leases names one incarnation while the engine runs undisturbed", able(func(b *bed, s lanyard.Leaser) {
		first := b.wantLeases(s, nil)
		if first == "" {
			b.Error("the incarnation is empty")
		}
		for _, step := range []func(){
			func() { b.lease(s, "a", "1") },
			func() { b.end(lanyard.End{SID: b.start("alice").SID}) },
			func() { b.end(lanyard.End{All: true, AtLeast: 40}) },
			func() { b.prune(lanyard.Prune{Now: absolute, Forget: absolute, Limit: 100}) },
			func() { b.unlease(s, "a", "1") },
		} {
			step()
			for range 2 { // once for each node, where calls are spread over them
				if _, word, err := s.Leases(b.ctx); word != first || err != nil {
					b.Errorf("the incarnation is %q, %v, was %q", word, err, first)
				}
			}
		}
	})},
}

func (b *bed) lease(s lanyard.Leaser, node, value string) {
	b.Helper()
	if err := s.SetLease(b.ctx, node, value); err != nil {
		b.Fatalf("SetLease of %q: %v", node, err)
	}
}

func (b *bed) unlease(s lanyard.Leaser, node, value string) {
	b.Helper()
	if err := s.DropLease(b.ctx, node, value); err != nil {
		b.Fatalf("DropLease of %q: %v", node, err)
	}
}

// wantLeases expects these leases and returns the incarnation.
func (b *bed) wantLeases(s lanyard.Leaser, want map[string]string) (incarnation string) {
	b.Helper()
	got, incarnation, err := s.Leases(b.ctx)
	if err != nil {
		b.Fatalf("Leases: %v", err)
	}
	if !maps.Equal(got, want) {
		b.Errorf("leases %.200q\nwant   %.200q", fmt.Sprint(got), fmt.Sprint(want))
	}
	return incarnation
}

// contendLeases has nodes write two leases each, one after the other: whoever
// reads at one moment finds the second never ahead of the first, and a node finds
// its own as it has just written them.
func contendLeases(rounds int) func(b *bed, s lanyard.Leaser) {
	return func(b *bed, s lanyard.Leaser) {
		const nodes = 4
		together(nodes, func(i int) {
			for n := 1; n <= rounds/20+2; n++ {
				for _, which := range []string{"first", "second"} {
					if err := s.SetLease(b.ctx, fmt.Sprint(which, i), strconv.Itoa(n)); err != nil {
						b.Errorf("SetLease: %v", err)
						return
					}
				}
				got, _, err := s.Leases(b.ctx)
				if err != nil {
					b.Errorf("Leases: %v", err)
					return
				}
				for other := range nodes {
					first, _ := strconv.Atoi(got[fmt.Sprint("first", other)])
					second, _ := strconv.Atoi(got[fmt.Sprint("second", other)])
					if other == i && (first != n || second != n) {
						b.Errorf("node %d has set %d, and reads %d and %d", i, n, first, second)
						return
					}
					if first != second && first != second+1 {
						b.Errorf("the leases of node %d are %d and %d, which they never were at one moment", other, first, second)
						return
					}
				}
			}
		})
	}
}

// contendDrop has a lease replaced while somebody removes the one before.
func contendDrop(rounds int) func(b *bed, s lanyard.Leaser) {
	return func(b *bed, s lanyard.Leaser) {
		b.lease(s, "a", "0")
		for n := 1; n <= rounds/10+5; n++ {
			value := strconv.Itoa(n)
			together(2, func(i int) {
				var err error
				if i == 0 {
					err = s.SetLease(b.ctx, "a", value)
				} else {
					err = s.DropLease(b.ctx, "a", strconv.Itoa(n-1))
				}
				if err != nil {
					b.Errorf("a lease is replaced and removed: %v", err)
				}
			})
			b.wantLeases(s, map[string]string{"a": value})
			if b.Failed() {
				return
			}
		}
	}
}
