package redis_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/internal/engines"
	"github.com/lanyard-go/lanyard/internal/redisconn"
	"github.com/lanyard-go/lanyard/store/redis"
	"github.com/lanyard-go/lanyard/store/storetest"
)

var ctx = context.Background()

// server is what an engine of package engines has.
type server interface {
	URL() string
	Prefix() string
}

// connect opens a connection for the length of the test.
func connect(t testing.TB, url string) *redisconn.Conn {
	t.Helper()
	c, err := redisconn.Open(redisconn.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func newStore(t testing.TB, c *redisconn.Conn, prefix string) *redis.Store {
	t.Helper()
	s, err := redis.New(ctx, redis.Config{Do: c.Do, Subscribe: c.Subscribe, Nodes: c.Nodes, Prefix: prefix})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// two is a store whose calls go to two clients of one server in turn: what one
// has done, the other one knows.
type two struct {
	*redis.Store
	other *redis.Store
	calls atomic.Uint64
}

func (s *two) next() lanyard.Store {
	if s.calls.Add(1)%2 == 0 {
		return s.other
	}
	return s.Store
}

func (s *two) Create(ctx context.Context, r *lanyard.Record, l lanyard.Limit) ([]*lanyard.Record, error) {
	return s.next().Create(ctx, r, l)
}
func (s *two) Get(ctx context.Context, sid lanyard.SID) (*lanyard.Record, error) {
	return s.next().Get(ctx, sid)
}
func (s *two) Update(ctx context.Context, r *lanyard.Record, announce ...lanyard.Entry) error {
	return s.next().Update(ctx, r, announce...)
}
func (s *two) List(ctx context.Context, q lanyard.Query) (lanyard.Page, error) {
	return s.next().List(ctx, q)
}
func (s *two) Revoke(ctx context.Context, e lanyard.End) (lanyard.Ended, error) {
	return s.next().Revoke(ctx, e)
}
func (s *two) Revocations(ctx context.Context, after string, limit int) ([]lanyard.Entry, string, error) {
	return s.next().Revocations(ctx, after, limit)
}
func (s *two) Once(ctx context.Context, key string, now, until lanyard.Time) (bool, error) {
	return s.next().Once(ctx, key, now, until)
}
func (s *two) Prune(ctx context.Context, p lanyard.Prune) (lanyard.Ended, error) {
	return s.next().Prune(ctx, p)
}

// opener returns what storetest asks for, on one server with a prefix for each
// case and two clients.
func opener(t *testing.T, at server) func(t *testing.T) lanyard.Store {
	clients := [2]*redisconn.Conn{connect(t, at.URL()), connect(t, at.URL())}
	return func(t *testing.T) lanyard.Store {
		prefix := at.Prefix()
		return &two{Store: newStore(t, clients[0], prefix), other: newStore(t, clients[1], prefix)}
	}
}

// req: STORE-3, STORE-4, STORE-5
func TestContractOnRedis(t *testing.T) { storetest.Run(t, opener(t, engines.Redis(t))) }

// req: STORE-3, LIFE-13, LIFE-20
func TestContentionOnRedis(t *testing.T) { storetest.Contend(t, opener(t, engines.Redis(t)), 300) }

func TestContractOnValkey(t *testing.T) { storetest.Run(t, opener(t, engines.Valkey(t))) }

func TestContentionOnValkey(t *testing.T) { storetest.Contend(t, opener(t, engines.Valkey(t)), 300) }

// req: STORE-3
func TestContractOnCluster(t *testing.T) {
	cluster := engines.RedisClusterOf(t, 3, 1)
	t.Run("one caller", func(t *testing.T) { storetest.Run(t, opener(t, cluster)) })
	t.Run("many callers", func(t *testing.T) { storetest.Contend(t, opener(t, cluster), 200) })
}
