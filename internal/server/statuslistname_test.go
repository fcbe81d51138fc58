package server

import (
	"strings"
	"testing"

	"github.com/lanyard-go/lanyard"
)

func newNames(t testing.TB, secrets ...lanyard.ServerSecret) listNames {
	t.Helper()
	n, err := newListNames(secrets)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestNamesOfListsAreKnownByEveryNodeAndNobodyElseWritesThem(t *testing.T) {
	old, current := drawnSecret(t, 1), drawnSecret(t, 2)
	before, after, stranger := newNames(t, old), newNames(t, current, old), newNames(t, drawnSecret(t, 1))
	for _, id := range []listID{{}, {list: [16]byte{1, 15: 2}}, {list: [16]byte{255}, epoch: 1<<64 - 1}} {
		name := before.name(id)
		for who, n := range map[string]listNames{"the node itself": before, "one with a newer secret in front": after} {
			if got, ok := n.parse(name); !ok || got != id {
				t.Errorf("%s reads %s as %v, %v", who, name, got, ok)
			}
		}
		if name := after.name(id); name == before.name(id) {
			t.Error("two secrets give the same name")
		}
		if _, ok := before.parse(after.name(id)); ok {
			t.Error("a name of a secret that is not known is taken")
		}
		if _, ok := stranger.parse(name); ok {
			t.Error("another server takes the name for its own")
		}
		for i := range name {
			for _, c := range "AB-_9" {
				if changed := name[:i] + string(c) + name[i+1:]; changed != name {
					if _, ok := before.parse(changed); ok {
						t.Errorf("%s is taken for %s", changed, name)
					}
				}
			}
			if _, ok := before.parse(name[:i]); ok {
				t.Errorf("%d characters are taken for a name", i)
			}
		}
		for _, more := range []string{name + "A", name + "=", name + "\n", " " + name, name + name, strings.ToLower(name) + "x"} {
			if _, ok := before.parse(more); ok {
				t.Errorf("%q is taken for a name", more)
			}
		}
	}
}

func FuzzListName(f *testing.F) {
	secret := lanyard.ServerSecret{ID: 1, Value: []byte("thirty-two bytes that are known.")}
	n := newNames(f, secret)
	f.Add(n.name(listID{}))
	f.Add(n.name(listID{list: [16]byte{1}, epoch: 7}))
	f.Add(strings.Repeat("A", listNameText))
	f.Fuzz(func(t *testing.T, text string) {
		if id, ok := n.parse(text); ok && n.name(id) != text {
			t.Errorf("%q has another name, %q", text, n.name(id))
		}
	})
}
