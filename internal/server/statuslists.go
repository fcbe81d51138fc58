package server

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/revocation/publish"
	"github.com/lanyard-go/lanyard/revocation/statuslist"
	"github.com/lanyard-go/lanyard/token"
)

const (
	// listSize is how many sessions a list has room for. In so large a crowd an
	// address says nothing about one of them, and the largest list can be signed.
	listSize = 1 << 18
	// listRebuild is how long one reading of the feed serves, for all lists.
	listRebuild = time.Second
	// listLookups is how many ended sessions are looked up at a time.
	listLookups = 16
	// listSweep is how often indices of sessions are forgotten whose tokens have
	// expired.
	listSweep = time.Minute
)

// listDelay is how late an end may show to whoever goes by lists. They are signed
// for whole seconds, which adds one.
func listDelay(ttl time.Duration) time.Duration { return ttl + listRebuild + time.Second }

// statusLists are the lists of all nodes, as this one knows them: all that matters
// of a list is which of its sessions have ended lately, and the feed tells that.
// A token that is older than what the feed still tells has expired. No reader is
// told anything before the feed was read to its end and every session that has
// ended was found.
type statusLists struct {
	issuer string
	base   string // of addresses
	ttl    time.Duration
	now    func() time.Time
	keys   token.SigningKeys
	names  listNames
	deck   *statuslist.Deck
	places func(context.Context, lanyard.Entry) ([]lanyard.StatusPlace, error)
	feed   lanyard.FeedSource

	mu      sync.Mutex
	pending []pendingEnd
	wake    chan struct{}

	turn   chan struct{} // held by whoever uses what follows
	ended  map[listID]map[uint32]time.Time
	epoch  uint64 // lists of lower epochs have ended whole
	swept  time.Time
	asOf   time.Time // when the feed was last read to its end, noted before
	signed map[listID]signedList
}

// pendingEnd is an entry of the feed whose sessions are not looked up yet.
type pendingEnd struct {
	entry lanyard.Entry
	until time.Time // when no token can be alive that it is about
}

// signedList is a list as it is handed out.
type signedList struct {
	raw     string
	expires time.Time
}

// Draw implements [lanyard.StatusLists].
func (l *statusLists) Draw() (lanyard.StatusIndex, error) {
	list, index, err := l.deck.Draw()
	return lanyard.StatusIndex{List: list, Index: uint32(index)}, err
}

// Claim implements [lanyard.StatusLists].
func (l *statusLists) Claim(p lanyard.StatusPlace) (any, error) {
	return statuslist.Reference{URI: l.uri(listID{p.List, p.Epoch}), Index: int(p.Index)}.Claim()
}

func (l *statusLists) uri(id listID) string { return l.base + l.names.name(id) }

// listedFeed lets the lists hear what followers are told.
type listedFeed struct {
	*publish.Feed
	lists *statusLists
}

// Attach implements [lanyard.Feed].
func (f *listedFeed) Attach(source lanyard.FeedSource) {
	f.lists.feed = source
	f.Feed.Attach(source)
}

// Append implements [lanyard.Feed]. A feed that begins anew is told from its
// beginning, and what is known stays known: a list only ever says more.
func (f *listedFeed) Append(entries []lanyard.Entry, cursor string) {
	f.lists.add(entries)
	f.Feed.Append(entries, cursor)
}

// add takes entries in without looking anything up. How long they matter is
// counted from now, as followers do: no clocks of two machines are compared.
func (l *statusLists) add(entries []lanyard.Entry) {
	now := l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range entries {
		switch e.Kind {
		case lanyard.EntrySession, lanyard.EntrySubject, lanyard.EntryAll:
			l.pending = append(l.pending, pendingEnd{e, now.Add(max(e.Until.Sub(e.At), 0))})
		}
	}
	if len(l.pending) > 0 {
		select {
		case l.wake <- struct{}{}:
		default:
		}
	}
}

// run looks ended sessions up as they are told, until ctx ends, so that whoever
// asks for a list seldom waits for that. What fails is tried again with the next
// end, and by whoever asks.
func (l *statusLists) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.wake:
		case <-time.After(listSweep): // only to forget
		}
		if l.take(ctx) == nil {
			_ = l.resolve(ctx)
			l.give()
		}
	}
}

func (l *statusLists) take(ctx context.Context) error {
	select {
	case l.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for the status lists: %w", ctx.Err())
	}
}

func (l *statusLists) give() { <-l.turn }

// list returns a list as it was no longer than [listRebuild] ago. An error means
// that this cannot be known.
func (l *statusLists) list(ctx context.Context, id listID) (signedList, error) {
	if err := l.take(ctx); err != nil {
		return signedList{}, err
	}
	defer l.give()
	// By the wall clock, which goes on while the machine sleeps.
	now := l.now().Round(0)
	if age := now.Sub(l.asOf); age < 0 || age >= listRebuild {
		if err := l.feed.FeedCatchUp(ctx); err != nil {
			return signedList{}, err
		}
		if err := l.resolve(ctx); err != nil {
			return signedList{}, err
		}
		l.asOf = now
		clear(l.signed)
	}
	if s, ok := l.signed[id]; ok {
		return s, nil
	}
	s, err := l.sign(id)
	if err == nil {
		l.signed[id] = s
	}
	return s, err
}

// resolve looks up all sessions that are told to have ended, but for those whose
// tokens have expired meanwhile: a record that cannot be read is not waited for
// any longer.
func (l *statusLists) resolve(ctx context.Context) error {
	for {
		l.mu.Lock()
		batch := slices.Clone(l.pending[:min(len(l.pending), listLookups)])
		l.pending = l.pending[len(batch):]
		l.mu.Unlock()
		if len(batch) == 0 {
			l.sweep()
			return nil
		}
		errs := make([]error, len(batch))
		found := make([][]lanyard.StatusPlace, len(batch))
		var looking sync.WaitGroup
		for i := range batch {
			if l.now().Before(batch[i].until) {
				looking.Go(func() { found[i], errs[i] = l.places(ctx, batch[i].entry) })
			}
		}
		looking.Wait()
		var failed error
		for i, p := range batch {
			if errs[i] != nil {
				failed = errs[i]
				l.mu.Lock()
				l.pending = append(l.pending, p)
				l.mu.Unlock()
				continue
			}
			l.note(p, found[i])
		}
		if failed != nil {
			return failed
		}
	}
}

func (l *statusLists) note(p pendingEnd, places []lanyard.StatusPlace) {
	if p.entry.Kind == lanyard.EntryAll {
		l.epoch = max(l.epoch, p.entry.Epoch)
	}
	for _, at := range places {
		id := listID{at.List, at.Epoch}
		if l.ended[id] == nil {
			l.ended[id] = make(map[uint32]time.Time)
		}
		if p.until.After(l.ended[id][at.Index]) {
			l.ended[id][at.Index] = p.until
		}
	}
}

func (l *statusLists) sweep() {
	now := l.now()
	if age := now.Sub(l.swept); age >= 0 && age < listSweep {
		return
	}
	l.swept = now
	for id, indices := range l.ended {
		maps.DeleteFunc(indices, func(_ uint32, until time.Time) bool { return !now.Before(until) })
		if len(indices) == 0 {
			delete(l.ended, id)
		}
	}
}

// sign makes a list of what is known. It expires when the last reader has to have
// the next, so that no cache on the way makes an end show later than [listDelay].
func (l *statusLists) sign(id listID) (signedList, error) {
	list, err := statuslist.New(1, listSize)
	if err != nil {
		return signedList{}, err
	}
	indices := maps.Keys(l.ended[id])
	if id.epoch < l.epoch {
		indices = everyIndex
	}
	for i := range indices {
		if err := list.Set(int(i), statuslist.Invalid); err != nil {
			return signedList{}, err
		}
	}
	key, err := l.keys.Signing(l.asOf)
	if err != nil {
		return signedList{}, fmt.Errorf("signing a status list: %w", err)
	}
	at := l.asOf.UTC().Truncate(time.Second)
	t := statuslist.Token{URI: l.uri(id), Issuer: l.issuer, IssuedAt: at, Expiry: at.Add(listDelay(l.ttl)), TTL: l.ttl, List: list}
	raw, err := t.Sign(key)
	return signedList{raw, t.Expiry}, err
}

func everyIndex(yield func(uint32) bool) {
	for i := range uint32(listSize) {
		if !yield(i) {
			return
		}
	}
}
