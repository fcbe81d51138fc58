package lanyard

import (
	"crypto/rand"
	"strings"
	"sync"
	"testing"
)

// handles draws handles of one server.
func handles(t *testing.T, n int) (*Keys, []string, []credential) {
	t.Helper()
	keys, err := RandomKeys()
	if err != nil {
		t.Fatal(err)
	}
	texts, creds := make([]string, n), make([]credential, n)
	for i := range texts {
		c := credential{kind: kindHandle, generation: uint32(i + 1)}
		rand.Read(c.sid[:])
		rand.Read(c.secret[:])
		texts[i], creds[i] = keys.seal(&c).Reveal(), c
	}
	return keys, texts, creds
}

func TestOpenedHandleIsTheOneThatWasPresented(t *testing.T) {
	keys, texts, creds := handles(t, 100)
	for round := range 3 { // opened first, remembered then
		for i, text := range texts {
			h, err := keys.openHandle(text)
			if err != nil || h != (openedHandle{creds[i].sid, creds[i].generation, creds[i].digest()}) {
				t.Fatalf("round %d: %+v, %v", round, h, err)
			}
		}
	}
}

// req: SID-8
func TestHandleThatDiffersInOneCharacterIsNotARememberedOne(t *testing.T) {
	keys, texts, _ := handles(t, 1)
	text := texts[0]
	if _, err := keys.openHandle(text); err != nil {
		t.Fatal(err)
	}
	slot := keys.opened.slot(text)
	if _, ok := slot.load(text); !ok {
		t.Fatal("the handle is not remembered")
	}
	for i := range text {
		other := text[:i] + string(text[i]^1) + text[i+1:]
		if _, ok := slot.load(other); ok {
			t.Errorf("character %d does not count", i)
		}
		if _, err := keys.openHandle(other); err == nil {
			t.Errorf("a handle with another character %d was opened", i)
		}
	}
	for _, other := range []string{"", text[:len(text)-1], text + "A", strings.Repeat("A", len(text))} {
		if _, err := keys.openHandle(other); err == nil {
			t.Errorf("%q was opened", other)
		}
	}
}

func TestWordsReadWhileAWriterWasAtTheSlotDoNotCount(t *testing.T) {
	_, texts, creds := handles(t, 2)
	var slot openedSlot
	for i, c := range creds {
		turn := slot.turn.Load()
		if slot.store(texts[i], &openedHandle{c.sid, c.generation, c.digest()}); slot.settled(turn) {
			t.Error("words of before and after a write count as one handle")
		}
	}
	slot.turn.Add(1) // a writer begins
	if _, ok := slot.load(texts[1]); ok {
		t.Error("a slot was read while a writer was at it")
	}
	slot.store(texts[0], &openedHandle{})
	slot.turn.Add(1)
	if _, ok := slot.load(texts[1]); !ok {
		t.Error("two writers were at one slot")
	}
}

func TestHandlesThatShareASlotAreNeverMixed(t *testing.T) {
	_, texts, creds := handles(t, 2)
	var slot openedSlot
	want := make([]openedHandle, 2)
	for i, c := range creds {
		want[i] = openedHandle{c.sid, c.generation, c.digest()}
	}
	var all sync.WaitGroup
	for w := range 4 {
		all.Go(func() {
			for range 20000 {
				slot.store(texts[w%2], &want[w%2])
			}
		})
		all.Go(func() {
			for range 20000 {
				if h, ok := slot.load(texts[w%2]); ok && h != want[w%2] {
					t.Error("the words of two handles were read as one")
					return
				}
			}
		})
	}
	all.Wait()
	// Whoever wrote last, the slot is whole.
	_, first := slot.load(texts[0])
	_, second := slot.load(texts[1])
	if first == second {
		t.Errorf("after all writers the slot holds neither or both: %v, %v", first, second)
	}
}
