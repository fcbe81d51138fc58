package contender

import (
	"context"
	"runtime"
	"time"

	"github.com/alexedwards/scs/v2/memstore"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/store/memory"
	"github.com/lanyard-go/lanyard/token"
)

// Heap is what a live session takes in a store in memory.
type Heap struct {
	PerSession float64 // bytes of the heap, indexes and their slack included
	Payload    int     // bytes of what is stored of a session
}

// LanyardHeap signs n people in on this project's memory store.
func LanyardHeap(ctx context.Context, n int) (Heap, error) {
	body, err := somebody(0).record(lanyard.TimeOf(time.Now())).AppendBinary(nil)
	if err != nil {
		return Heap{}, err
	}
	before := heap()
	store := memory.New()
	err = func() error {
		m, err := Manager(store, nil, token.ES256)
		if err != nil {
			return err
		}
		for i := range n {
			if _, err := m.Start(ctx, somebody(i).login(lanyard.ChannelCookie)); err != nil {
				return err
			}
		}
		return nil
	}()
	per := float64(heap()-before) / float64(n)
	runtime.KeepAlive(store)
	return Heap{per, len(body)}, err
}

// SCSHeap signs n people in on the memory store of scs.
func SCSHeap(ctx context.Context, n int) (Heap, error) {
	before := heap()
	store := memstore.NewWithCleanupInterval(0)
	token := ""
	err := func() (err error) {
		m := newSCS()
		m.Store = store
		for i := range n {
			if token, err = scsLogin(ctx, m, somebody(i)); err != nil {
				return err
			}
		}
		return nil
	}()
	if err != nil {
		return Heap{}, err
	}
	per := float64(heap()-before) / float64(n)
	body, _, err := store.Find(token)
	return Heap{per, len(body)}, err
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // the second one empties what pools kept from the first
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
