package lanyard

import (
	"errors"
	"sync/atomic"
)

// errWithdrawn is why a token signed by a withdrawn key is refused.
var errWithdrawn = errors.New("lanyard: the key that signed it was withdrawn")

// withdrawn are the signing keys that the feed has called back. There are few,
// and they stay: a key never comes back.
type withdrawn struct {
	kids   atomic.Pointer[map[string]bool]
	reload func() // reads the signing keys again; nil: nobody else changes them
}

func (k *withdrawn) has(kid string) bool {
	kids := k.kids.Load()
	return kids != nil && (*kids)[kid]
}

// apply is called by one goroutine at a time.
func (k *withdrawn) apply(e *Entry) {
	if e.Kind != EntryKey || k.has(e.Key) {
		return
	}
	more := map[string]bool{e.Key: true}
	if old := k.kids.Load(); old != nil {
		for kid := range *old {
			more[kid] = true
		}
	}
	k.kids.Store(&more)
	if k.reload != nil {
		// Another node withdrew it, and this one may be signing with it. Whoever waits
		// for the feed does not wait for this.
		go k.reload()
	}
}
