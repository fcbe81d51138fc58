package sqlite_test

import (
	"context"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/store/sqlite"
	"github.com/lanyard-go/lanyard/store/storetest"
)

// req: STORE-3, STORE-4
func TestTwoStoresOnOneFileKeepTheContract(t *testing.T) {
	storetest.Run(t, openPair)
}

// req: STORE-3, STORE-4, LIFE-13, LIFE-20
func TestTwoStoresOnOneFileKeepTheContractUnderContention(t *testing.T) {
	rounds := 10
	if soak() {
		rounds = 1000
	}
	storetest.Contend(t, openPair, rounds)
}

// pair spreads its calls over two stores, as two processes on one file would.
type pair struct {
	nodes [2]*sqlite.Store
	calls atomic.Uint64
}

func openPair(t *testing.T) lanyard.Store {
	path := filepath.Join(t.TempDir(), "sessions.db")
	p := new(pair)
	for i := range p.nodes {
		p.nodes[i] = openAt(t, path, sqlite.Config{Readers: 2})
	}
	return p
}

func (p *pair) next() *sqlite.Store { return p.nodes[p.calls.Add(1)%2] }

func (p *pair) Create(ctx context.Context, rec *lanyard.Record, limit lanyard.Limit) ([]*lanyard.Record, error) {
	return p.next().Create(ctx, rec, limit)
}

func (p *pair) Get(ctx context.Context, sid lanyard.SID) (*lanyard.Record, error) {
	return p.next().Get(ctx, sid)
}

func (p *pair) Update(ctx context.Context, rec *lanyard.Record, announce ...lanyard.Entry) error {
	return p.next().Update(ctx, rec, announce...)
}

func (p *pair) List(ctx context.Context, q lanyard.Query) (lanyard.Page, error) {
	return p.next().List(ctx, q)
}

func (p *pair) Revoke(ctx context.Context, e lanyard.End) (lanyard.Ended, error) {
	return p.next().Revoke(ctx, e)
}

func (p *pair) Revocations(ctx context.Context, after string, limit int) ([]lanyard.Entry, string, error) {
	return p.next().Revocations(ctx, after, limit)
}

func (p *pair) Once(ctx context.Context, key string, at, until lanyard.Time) (bool, error) {
	return p.next().Once(ctx, key, at, until)
}

func (p *pair) Prune(ctx context.Context, prune lanyard.Prune) (lanyard.Ended, error) {
	return p.next().Prune(ctx, prune)
}
