package lanyard

import (
	"encoding/binary"
	"sync/atomic"

	"github.com/lanyard-go/lanyard/internal/consttime"
)

// openedSlots is the size of the table of opened handles, which takes 2.8 MB
// once it is in use.
const openedSlots = 1 << 14

// openedHandles remembers session handles whose MAC has been checked, because
// browsers send the same one again and again. It spares the MAC and the digest
// and decides nothing: the record is read and compared on every request. Only
// handles of ours enter, so strangers cannot fill it, and its size is fixed.
// Safe for concurrent use without locks.
type openedHandles struct {
	slots [openedSlots]openedSlot
}

// openedSlot holds one handle in words instead of behind a pointer, so that the
// garbage collector has nothing to do here. Turn is odd while a writer is at the
// words, and another number after each; words read while it stayed the same and
// even belong together.
type openedSlot struct {
	turn  atomic.Uint64
	words [openedWords]atomic.Uint64
}

const (
	textWords   = (credentialTextLen + 7) / 8
	openedWords = textWords + 2 + 1 + 4 // text, SID, generation, digest
)

// openedHandle is what a handle says once its MAC is known to be right.
type openedHandle struct {
	sid        SID
	generation uint32
	digest     Digest
}

// slot picks a place by the tail of the text, which is the end of the MAC.
func (o *openedHandles) slot(text string) *openedSlot {
	t := text[credentialTextLen-4:]
	h := uint32(t[0])<<24 | uint32(t[1])<<16 | uint32(t[2])<<8 | uint32(t[3])
	h *= 0x9e3779b1 // spreads the six useful bits of each byte
	return &o.slots[h>>(32-14)]
}

// textWord is word i of a handle's text; what is missing of the last is zero.
func textWord(text string, i int) (w uint64) {
	if t := text[8*i:]; len(t) >= 8 {
		_ = t[7]
		return uint64(t[0]) | uint64(t[1])<<8 | uint64(t[2])<<16 | uint64(t[3])<<24 |
			uint64(t[4])<<32 | uint64(t[5])<<40 | uint64(t[6])<<48 | uint64(t[7])<<56
	}
	for j := range len(text) - 8*i {
		w |= uint64(text[8*i+j]) << (8 * j)
	}
	return w
}

// load returns what was noted of this very text. All of it is compared, in time
// that does not depend on where it differs.
func (s *openedSlot) load(text string) (openedHandle, bool) {
	turn := s.turn.Load()
	h, same := s.read(text)
	return h, same && s.settled(turn)
}

// settled reports whether what was read since turn was seen belongs together.
func (s *openedSlot) settled(turn uint64) bool { return turn&1 == 0 && s.turn.Load() == turn }

func (s *openedSlot) read(text string) (h openedHandle, same bool) {
	var differ uint64
	for i := range textWords {
		differ |= s.words[i].Load() ^ textWord(text, i)
	}
	rest := s.words[textWords:]
	le := binary.LittleEndian
	le.PutUint64(h.sid[:8], rest[0].Load())
	le.PutUint64(h.sid[8:], rest[1].Load())
	h.generation = uint32(rest[2].Load())
	for i := range 4 {
		le.PutUint64(h.digest[8*i:], rest[3+i].Load())
	}
	return h, consttime.Zero(differ)
}

// store notes a handle, unless another writer is at the slot.
func (s *openedSlot) store(text string, h *openedHandle) {
	turn := s.turn.Load()
	if turn&1 != 0 || !s.turn.CompareAndSwap(turn, turn+1) {
		return
	}
	for i := range textWords {
		s.words[i].Store(textWord(text, i))
	}
	rest := s.words[textWords:]
	le := binary.LittleEndian
	rest[0].Store(le.Uint64(h.sid[:8]))
	rest[1].Store(le.Uint64(h.sid[8:]))
	rest[2].Store(uint64(h.generation))
	for i := range 4 {
		rest[3+i].Store(le.Uint64(h.digest[8*i:]))
	}
	s.turn.Store(turn + 2)
}

// openHandle is open for handles, with the digest of the secret.
func (k *Keys) openHandle(text string) (openedHandle, error) {
	if len(text) != credentialTextLen {
		return openedHandle{}, errForged
	}
	slot := k.opened.slot(text)
	if h, ok := slot.load(text); ok {
		return h, nil
	}
	c, err := k.open(text, kindHandle)
	if err != nil {
		return openedHandle{}, err
	}
	h := openedHandle{c.sid, c.generation, c.digest()}
	slot.store(text, &h)
	return h, nil
}
