package redis_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard/internal/engines"
	"github.com/lanyard-go/lanyard/store/redis"
	"github.com/lanyard-go/lanyard/store/storetest"
)

func TestInspectNamesTheSettingsThatBreakPromises(t *testing.T) {
	for _, test := range []struct {
		name     string
		settings []string
		want     []string // what the sentences name, in their order
	}{
		{"nothing is written to disk", nil, []string{"appendonly"}},
		{"each second", []string{"appendonly=yes"}, []string{"appendfsync is everysec"}},
		{"when the system likes", []string{"appendonly=yes", "appendfsync=no"}, []string{"appendfsync is no"}},
		{"every write", []string{"appendonly=yes", "appendfsync=always"}, nil},
		{"a policy that waits for a limit", []string{"appendonly=yes", "appendfsync=always", "maxmemory-policy=allkeys-lru"}, []string{"maxmemory-policy"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newStore(t, connect(t, engines.Redis(t, test.settings...).URL()), "lanyard")
			got, err := s.Inspect(ctx)
			if err != nil || len(got) != len(test.want) {
				t.Fatalf("%q, error %v, want %q", got, err, test.want)
			}
			for i := range got {
				if !strings.Contains(got[i], test.want[i]) {
					t.Errorf("%q, want %q", got[i], test.want[i])
				}
			}
		})
	}
}

func TestInspectSaysWhatItMayNotSee(t *testing.T) {
	server := engines.Redis(t, "appendonly=yes", "appendfsync=always")
	c := connect(t, server.URL())
	s, err := redis.New(ctx, redis.Config{Do: func(ctx context.Context, cmd []string, key int) (any, error) {
		if cmd[0] == "CONFIG" {
			return nil, errors.New("NOPERM this user has no permissions to run the 'config|get' command")
		}
		return c.Do(ctx, cmd, key)
	}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Inspect(ctx)
	if err != nil || len(got) != 1 || !strings.Contains(got[0], "CONFIG GET") {
		t.Errorf("%q, error %v", got, err)
	}
}

func TestInspectLooksAtEveryNodeOfACluster(t *testing.T) {
	cluster := engines.RedisClusterOf(t, 3, 0)
	s := newStore(t, connect(t, cluster.URL()), "lanyard")
	got, err := s.Inspect(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, node := range cluster.Nodes {
		for _, setting := range []string{"appendonly", "min-replicas-to-write"} {
			if !slices.ContainsFunc(got, func(line string) bool {
				return strings.HasPrefix(line, node.Addr+": ") && strings.Contains(line, setting)
			}) {
				t.Errorf("nothing about %s of %s in %q", setting, node.Addr, got)
			}
		}
	}
}

// accessList is the line of docs/redis.md.
const accessList = "resetkeys resetchannels -@all ~lanyard:* &lanyard:wake " +
	"+mget +get +set +del +exists +type +pttl +pexpire +hget +hmget +hset +hdel " +
	"+zadd +zrem +zrange +zcard +zremrangebyscore +sadd +srem +smembers " +
	"+eval +evalsha +publish +subscribe +unsubscribe +time +info +role +config|get " +
	"+hello +client|setname +ping +cluster|slots +cluster|shards"

// req: STORE-6
func TestTheAccessListOfTheGuideIsEnough(t *testing.T) {
	t.Run("Redis", func(t *testing.T) { accessListIsEnough(t, engines.Redis(t)) })
	t.Run("Valkey", func(t *testing.T) { accessListIsEnough(t, engines.Valkey(t)) })
}

func accessListIsEnough(t *testing.T, server *engines.RedisServer) {
	rules := strings.ReplaceAll(strings.ReplaceAll(accessList, "~lanyard:*", "~test*"), "&lanyard:wake", "&test*")
	if out := server.Command(t, append([]string{"ACL", "SETUSER", "lanyard", "on", ">secret"}, strings.Fields(rules)...)...); out != "OK" {
		t.Fatal(out)
	}
	c := connect(t, strings.Replace(server.URL(), "redis://", "redis://lanyard:secret@", 1))
	for _, cmd := range [][]string{{"GET", "other"}, {"FLUSHALL"}, {"KEYS", "*"}, {"CONFIG", "SET", "maxmemory", "0"}} {
		if _, err := c.Do(ctx, cmd, 0); err == nil || !strings.HasPrefix(err.Error(), "NOPERM") {
			t.Errorf("%v: error %v, want it denied", cmd, err)
		}
	}
	s := newStore(t, c, server.Prefix())
	if _, err := s.Inspect(ctx); err != nil {
		t.Error(err)
	}
	for _, test := range storetest.Cases() {
		t.Run(test.Name, func(t *testing.T) { test.Check(t, newStore(t, c, server.Prefix())) })
	}
	log := server.Command(t, "ACL", "LOG")
	for _, denied := range []string{"publish", "subscribe", "zadd", "evalsha"} {
		if strings.Contains(log, denied) {
			t.Errorf("denied: %s", log)
		}
	}
}

func TestWithoutSubscribeThereIsNothingToWatch(t *testing.T) {
	server := engines.Redis(t)
	s, err := redis.New(ctx, redis.Config{Do: connect(t, server.URL()).Do})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Watch(ctx, func() {}); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("error %v, want %v", err, errors.ErrUnsupported)
	}
}

func TestNewNamesTheFieldThatIsWrong(t *testing.T) {
	do := func(context.Context, []string, int) (any, error) { return nil, errors.New("not asked") }
	for _, test := range []struct {
		cfg  redis.Config
		want string
	}{
		{redis.Config{}, "Config.Do"},
		{redis.Config{Do: do, Prefix: "a{b}"}, "Config.Prefix"},
		{redis.Config{Do: do, Prefix: strings.Repeat("p", 33)}, "Config.Prefix"},
		{redis.Config{Do: do, Backstop: -time.Second}, "Config.Backstop"},
	} {
		_, err := redis.New(ctx, test.cfg)
		wantSays(t, "New", err, test.want)
	}
}
