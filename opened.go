package lanyard

import (
	"sync/atomic"

	"github.com/lanyard-go/lanyard/internal/consttime"
)

// openedSlots is the size of the table of opened handles: 128 KiB of pointers,
// and about 200 bytes for each one in use.
const openedSlots = 1 << 14

// openedHandles remembers session handles whose MAC has been checked, because
// browsers send the same one again and again. It spares the MAC and the digest
// and decides nothing: the record is read and compared on every request. Only
// handles of ours enter, so strangers cannot fill it, and its size is fixed.
// Safe for concurrent use without locks.
type openedHandles struct {
	slots [openedSlots]atomic.Pointer[openedHandle]
}

type openedHandle struct {
	text   [credentialTextLen]byte
	opened credential
	digest Digest
}

// slot picks a place by the tail of the text, which is the end of the MAC.
func (o *openedHandles) slot(text string) *atomic.Pointer[openedHandle] {
	t := text[credentialTextLen-4:]
	h := uint32(t[0])<<24 | uint32(t[1])<<16 | uint32(t[2])<<8 | uint32(t[3])
	h *= 0x9e3779b1 // spreads the six useful bits of each byte
	return &o.slots[h>>(32-14)]
}

// openHandle is open for handles, with the digest of the secret.
func (k *Keys) openHandle(text string) (c credential, d Digest, err error) {
	if len(text) != credentialTextLen {
		return credential{}, Digest{}, errForged
	}
	slot := k.opened.slot(text)
	if seen := slot.Load(); seen != nil {
		var given [credentialTextLen]byte
		copy(given[:], text)
		if consttime.Equal(given[:], seen.text[:]) {
			return seen.opened, seen.digest, nil
		}
	}
	if c, err = k.open(text, kindHandle); err != nil {
		return credential{}, Digest{}, err
	}
	d = c.digest()
	entry := &openedHandle{opened: c, digest: d}
	copy(entry.text[:], text)
	slot.Store(entry)
	return c, d, nil
}
