package contender

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/token"
)

// Families are sessions with refresh tokens in one of this project's stores, one
// for each caller, in this process. Their tokens go on from call to call.
type Families struct {
	manager *lanyard.Manager
	writes  *writes
	grants  []*lanyard.Grant
	shut    func() error
}

// writes counts what is written to a store.
type writes struct {
	lanyard.Store
	n atomic.Int64
}

func (w *writes) Update(ctx context.Context, rec *lanyard.Record, announce ...lanyard.Entry) error {
	w.n.Add(1)
	return w.Store.Update(ctx, rec, announce...)
}

func (w *writes) Revoke(ctx context.Context, e lanyard.End) (lanyard.Ended, error) {
	w.n.Add(1)
	return w.Store.Revoke(ctx, e)
}

// NewFamilies starts a session for each of so many callers.
func NewFamilies(ctx context.Context, kind Kind, base Base, callers int) (_ *Families, err error) {
	store, shut, err := openStore(ctx, kind, base)
	if err != nil {
		return nil, err
	}
	f := &Families{writes: &writes{Store: store}, grants: make([]*lanyard.Grant, callers), shut: shut}
	defer func() {
		if err != nil {
			err = errors.Join(err, shut())
		}
	}()
	if f.manager, err = Manager(f.writes, nil, token.ES256); err != nil {
		return nil, err
	}
	for i := range f.grants {
		if f.grants[i], err = f.manager.Start(ctx, somebody(i).login(lanyard.ChannelToken)); err != nil {
			return nil, fmt.Errorf("signing in: %w", err)
		}
	}
	return f, nil
}

// Refresh rotates n times in all, the callers at once.
func (f *Families) Refresh(ctx context.Context, n int) error {
	return share(len(f.grants), n, func(caller int) error {
		g, err := f.manager.Renew(ctx, f.grants[caller].Refresh.Reveal(), lanyard.Renewal{})
		if err == nil {
			f.grants[caller] = g
		}
		return err
	})
}

// Introspect judges an access token n times in all, as the endpoint does: the
// token, and the record it stands for.
func (f *Families) Introspect(ctx context.Context, n int) error {
	return share(len(f.grants), n, func(caller int) error {
		_, _, err := f.manager.CheckAccess(ctx, f.grants[caller].Access.Reveal())
		return err
	})
}

// Writes is how often the store has been written to since the sessions began.
func (f *Families) Writes() int { return int(f.writes.n.Load()) }

// Close closes the store.
func (f *Families) Close() error { return f.shut() }
