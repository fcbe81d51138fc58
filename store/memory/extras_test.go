package memory_test

import (
	"context"
	"sync"
	"time"

	"github.com/lanyard-go/lanyard"
)

// extras are the abilities that memory has not, and those it has to be broken.
type extras struct {
	mu    sync.Mutex
	notes map[string]string
	bell  chan struct{}

	ping        func() error
	count       func() (int, error)
	globalEpoch func() (uint64, error)
	watch       func(context.Context, func()) error
	note        func(name, old, value string) (string, error)
	clock       func() (time.Time, error)
	inspect     func() ([]string, error)
	imports     func([]*lanyard.Record, []lanyard.Entry) (int, error)
	covers      func(have, want string) (bool, error)
	setLease    func(node, value string) error
	dropLease   func(node, value string) error
	leases      func() (map[string]string, string, error)
}

var (
	_ lanyard.Noter     = (*broken)(nil)
	_ lanyard.Watcher   = (*broken)(nil)
	_ lanyard.Clocked   = (*broken)(nil)
	_ lanyard.Inspector = (*broken)(nil)
	_ lanyard.Importer  = (*broken)(nil)
)

func (x *extras) ring() {
	select {
	case x.bell <- struct{}{}:
	default:
	}
}

func (x *extras) Watch(ctx context.Context, wake func()) error {
	if x.watch != nil {
		return x.watch(ctx, wake)
	}
	for {
		select {
		case <-x.bell:
			wake()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (x *extras) Note(_ context.Context, name, old, value string) (string, error) {
	if x.note != nil {
		return x.note(name, old, value)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.swap(name, old, value), nil
}

func (x *extras) swap(name, old, value string) string {
	if x.notes[name] == old {
		x.notes[name] = value
	}
	return x.notes[name]
}

func (x *extras) Clock(context.Context) (time.Time, error) {
	if x.clock != nil {
		return x.clock()
	}
	return time.Now(), nil
}

func (x *extras) Inspect(context.Context) ([]string, error) {
	if x.inspect != nil {
		return x.inspect()
	}
	return []string{"nothing is written to disk: a restart loses all sessions"}, nil
}

func (b *broken) Ping(ctx context.Context) error {
	if b.ping != nil {
		return b.ping()
	}
	return b.Store.Ping(ctx)
}

func (b *broken) Count(ctx context.Context, now lanyard.Time) (int, error) {
	if b.count != nil {
		return b.count()
	}
	return b.Store.Count(ctx, now)
}

func (b *broken) GlobalEpoch(ctx context.Context) (uint64, error) {
	if b.globalEpoch != nil {
		return b.globalEpoch()
	}
	return b.Store.GlobalEpoch(ctx)
}

func (b *broken) Import(ctx context.Context, records []*lanyard.Record, entries []lanyard.Entry) (int, error) {
	if b.imports != nil {
		return b.imports(records, entries)
	}
	return b.Store.Import(ctx, records, entries)
}

func (b *broken) Covers(have, want string) (bool, error) {
	if b.covers != nil {
		return b.covers(have, want)
	}
	return b.Store.Covers(have, want)
}

func (b *broken) SetLease(ctx context.Context, node, value string) error {
	if b.setLease != nil {
		return b.setLease(node, value)
	}
	return b.Store.SetLease(ctx, node, value)
}

func (b *broken) DropLease(ctx context.Context, node, value string) error {
	if b.dropLease != nil {
		return b.dropLease(node, value)
	}
	return b.Store.DropLease(ctx, node, value)
}

func (b *broken) Leases(ctx context.Context) (map[string]string, string, error) {
	if b.leases != nil {
		return b.leases()
	}
	return b.Store.Leases(ctx)
}
