package statuslist

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
)

type place struct {
	list  ListID
	index int
}

func newDeck(t *testing.T, size int) *Deck {
	t.Helper()
	d, err := NewDeck(size, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// Several processes draw, each from many goroutines, past the end of several
// lists.
func TestNoPlaceIsGivenTwice(t *testing.T) {
	const size, drawers, each = 1 << 10, 8, 400
	decks := []*Deck{newDeck(t, size), newDeck(t, size), newDeck(t, size)}
	drawn := make([][]place, len(decks)*drawers)
	var wg sync.WaitGroup
	for i := range drawn {
		wg.Go(func() {
			for range each {
				list, index, err := decks[i%len(decks)].Draw()
				if err != nil {
					t.Error(err)
					return
				}
				drawn[i] = append(drawn[i], place{list, index})
			}
		})
	}
	wg.Wait()
	given, lists := map[place]bool{}, map[ListID]int{}
	for _, some := range drawn {
		for _, p := range some {
			if given[p] || p.index < 0 || p.index >= size {
				t.Fatalf("%v is given again, or is outside of its list", p)
			}
			given[p] = true
			lists[p.list]++
		}
	}
	if len(given) != len(drawn)*each || len(lists) != 3*7 { // 3200 of each deck, 512 to a list
		t.Errorf("%d places in %d lists", len(given), len(lists))
	}
	for list, n := range lists {
		if n > size/2 || list == (ListID{}) {
			t.Errorf("list %x has %d of %d places given away", list, n, size)
		}
	}
}

// Whoever sees two indices must not see which session came first, or how many lie
// between them.
func TestIndicesTellNothingAboutTheOrderInWhichTheyWereGiven(t *testing.T) {
	const size = 1 << 12
	d := newDeck(t, size)
	last, rising, quarters := -1, 0, [4]int{}
	for range size / 2 {
		_, i, err := d.Draw()
		if err != nil {
			t.Fatal(err)
		}
		if i > last {
			rising++
		}
		quarters[i*4/size]++
		last = i
	}
	// Of 2048 draws half rise, and a quarter falls into each quarter; both stray by
	// less than 20. Ten times that does not happen.
	if rising < 824 || rising > 1224 {
		t.Errorf("%d of %d indices are higher than the one before", rising, size/2)
	}
	for q, n := range quarters {
		if n < 312 || n > 712 {
			t.Errorf("%d of %d indices are in quarter %d", n, size/2, q)
		}
	}
}

func TestADeckWithoutRandomnessGivesNothing(t *testing.T) {
	for name, c := range map[string]struct {
		source io.Reader
		draws  int // that succeed
	}{
		"one that is empty":          {strings.NewReader(""), 0},
		"one that ends in the list":  {strings.NewReader("too short"), 0},
		"one that ends in the index": {strings.NewReader("sixteen bytes of" + "0001" + "0"), 1},
		"one that says one thing":    {constant{}, 1},
	} {
		d, err := NewDeck(1<<10, c.source)
		if err != nil {
			t.Fatal(err)
		}
		for n := 0; n <= c.draws; n++ {
			list, index, err := d.Draw()
			if ok := err == nil; ok != (n < c.draws) || !ok && (list != ListID{} || index != 0) {
				t.Errorf("%s, draw %d: %x %d, %v", name, n, list, index, err)
			}
		}
	}
	for _, size := range []int{-1, 0, 1, 3, 1000, MaxBytes*8 + 1, MaxBytes * 16} {
		if _, err := NewDeck(size, rand.Reader); err == nil {
			t.Errorf("a deck of %d", size)
		}
	}
	if _, err := NewDeck(2, nil); err == nil {
		t.Error("a deck without randomness")
	}
}

type constant struct{}

func (constant) Read(b []byte) (int, error) { return copy(b, bytes.Repeat([]byte{7}, len(b))), nil }

// A deck that failed goes on with the next good draw, without giving twice.
func TestADeckGoesOnAfterAFailure(t *testing.T) {
	source := &faulty{}
	d, err := NewDeck(1<<6, source)
	if err != nil {
		t.Fatal(err)
	}
	given := map[place]bool{}
	for n := range 300 {
		source.broken = n%3 == 0
		list, index, err := d.Draw()
		if errors.Is(err, errFaulty) != source.broken {
			t.Fatalf("draw %d: %v", n, err)
		}
		if err == nil && given[place{list, index}] {
			t.Fatalf("%x %d is given again", list, index)
		}
		given[place{list, index}] = err == nil
	}
}

var errFaulty = errors.New("no randomness")

type faulty struct{ broken bool }

func (f *faulty) Read(b []byte) (int, error) {
	if f.broken {
		return 0, errFaulty
	}
	return rand.Read(b)
}
