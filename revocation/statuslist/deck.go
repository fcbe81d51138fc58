package statuslist

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
)

// ListID tells lists apart. It is drawn at random, so that no process has to ask
// another before it begins a list.
type ListID [16]byte

// Deck hands out indices of lists for new tokens: each at random, so that it says
// nothing about when a token was made, and none twice. A list of which half is
// given away makes way for the next. Decks know nothing of each other and need not:
// no two have the same list. A Deck is safe for concurrent use.
type Deck struct {
	size   int
	random io.Reader

	mu    sync.Mutex
	list  ListID
	taken []uint64 // a bit for each index of the list
	left  int      // indices until the next list
}

// NewDeck returns a deck of lists with size indices each, a power of two up to
// the length of the longest list of one bit. What random yields must be as good
// as crypto/rand.
func NewDeck(size int, random io.Reader) (*Deck, error) {
	if size < 2 || size > MaxBytes*8 || size&(size-1) != 0 {
		return nil, fmt.Errorf("statuslist: NewDeck: size: %d is not a power of two from 2 to %d", size, MaxBytes*8)
	}
	if random == nil {
		return nil, errors.New("statuslist: NewDeck: random is required")
	}
	return &Deck{size: size, random: random, taken: make([]uint64, (size+63)/64)}, nil
}

// maxTries bounds the search for a free index. Half of a list is free, so that a
// sound source does not fail so often in a row.
const maxTries = 256

// Draw returns an index that nobody got or will get, and its list. An error comes
// from the source of randomness; nothing is given away then.
func (d *Deck) Draw() (ListID, int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.left == 0 {
		if _, err := io.ReadFull(d.random, d.list[:]); err != nil {
			return ListID{}, 0, fmt.Errorf("drawing a status list: %w", err)
		}
		clear(d.taken)
		d.left = d.size / 2
	}
	for range maxTries {
		var b [4]byte
		if _, err := io.ReadFull(d.random, b[:]); err != nil {
			return ListID{}, 0, fmt.Errorf("drawing an index of a status list: %w", err)
		}
		// A power of two leaves no index more likely than another.
		i := int(binary.BigEndian.Uint32(b[:]) & uint32(d.size-1))
		if at, bit := i/64, uint64(1)<<(i%64); d.taken[at]&bit == 0 {
			d.taken[at] |= bit
			d.left--
			return d.list, i, nil
		}
	}
	return ListID{}, 0, errors.New("drawing an index of a status list: the source of randomness repeats itself")
}
