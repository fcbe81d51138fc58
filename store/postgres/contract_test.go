package postgres_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/store/postgres"
	"github.com/lanyard-go/lanyard/store/storetest"
)

// req: STORE-3, STORE-5
func TestStoreKeepsTheContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) lanyard.Store { return open(t) })
}

// req: STORE-3, LIFE-13, LIFE-20
func TestStoreKeepsTheContractUnderContention(t *testing.T) {
	storetest.Contend(t, func(t *testing.T) lanyard.Store { return open(t) }, rounds())
}

// req: STORE-3, STORE-4
func TestTwoNodesOnOneDatabaseKeepTheContract(t *testing.T) {
	storetest.Run(t, openPair)
}

// req: STORE-3, STORE-4, LIFE-13, LIFE-20
func TestTwoNodesOnOneDatabaseKeepTheContractUnderContention(t *testing.T) {
	storetest.Contend(t, openPair, rounds())
}

func rounds() int {
	if soak() {
		return 10_000
	}
	return 50
}

// pair spreads its calls over two stores with pools of their own, as two
// processes would.
type pair struct {
	nodes [2]*postgres.Store
	calls atomic.Uint64
}

func openPair(t *testing.T) lanyard.Store {
	p := new(pair)
	schema, url := newSchema(), shared.Get(t).URL("postgres")
	cleaner := openDB(t, url)
	t.Cleanup(func() { drop(t, cleaner, schema) })
	for i := range p.nodes {
		p.nodes[i] = openAt(t, openDB(t, url), postgres.Config{Schema: schema})
	}
	return p
}

func (p *pair) next() *postgres.Store { return p.nodes[p.calls.Add(1)%2] }

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
