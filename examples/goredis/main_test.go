package main

import (
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/internal/engines"
	"github.com/lanyard-go/lanyard/store/redis"
	"github.com/lanyard-go/lanyard/store/storetest"
)

// opener returns what storetest asks for: an empty store, which a prefix of its
// own makes.
func opener(client goredis.UniversalClient, prefix func() string) func(*testing.T) lanyard.Store {
	return func(t *testing.T) lanyard.Store {
		s, err := redis.New(t.Context(), redis.Config{
			Do: command(client), Subscribe: subscribe(client), Prefix: prefix(),
		})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
}

func TestContractWithGoRedis(t *testing.T) {
	server := engines.Redis(t)
	client, err := connect(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	open := opener(client, server.Prefix)
	t.Run("one caller", func(t *testing.T) { storetest.Run(t, open) })
	t.Run("many callers", func(t *testing.T) { storetest.Contend(t, open, 200) })
}

func TestContractWithGoRedisOnACluster(t *testing.T) {
	cluster := engines.RedisClusterOf(t, 3, 0)
	var addresses []string
	for _, node := range cluster.Nodes {
		addresses = append(addresses, node.Addr)
	}
	client := goredis.NewClusterClient(&goredis.ClusterOptions{
		Addrs: addresses, ContextTimeoutEnabled: true,
	})
	t.Cleanup(func() { client.Close() })
	storetest.Run(t, opener(client, cluster.Prefix))
}

func TestTheProgramRuns(t *testing.T) {
	if err := run(t.Context(), engines.Redis(t).URL()); err != nil {
		t.Fatal(err)
	}
}
