package engines

import (
	"strings"
	"testing"
	"time"
)

func TestARedisServerIsKilledPausedAndStartedAgain(t *testing.T) {
	s := Redis(t, "appendonly=yes", "appendfsync=always")
	s.Command(t, "SET", "kept", "1")
	s.Restart(t)
	if got := s.Command(t, "GET", "kept"); got != "1" {
		t.Errorf("after a kill the key is %q, want 1", got)
	}
	s.Pause(t)
	if s.answers() {
		t.Error("a paused server answers")
	}
	s.Continue(t)
	if !s.answers() {
		t.Error("a continued server does not answer")
	}
}

func TestValkeyStarts(t *testing.T) {
	s := Valkey(t)
	if info := s.Command(t, "INFO", "server"); !strings.Contains(info, "valkey_version:") {
		t.Errorf("not Valkey:\n%s", info)
	}
}

func TestARedisClusterIsReadyWhenItIsReturned(t *testing.T) {
	c := RedisClusterOf(t, 3, 1)
	for _, node := range c.Nodes {
		if info := node.Command(t, "CLUSTER", "INFO"); !strings.Contains(info, "cluster_state:ok") {
			t.Errorf("%s:\n%s", node.Addr, info)
		}
	}
	for _, primary := range c.Nodes[:3] {
		c.ReplicaOf(t, primary)
	}
	if err := c.Await(3, time.Second); err != nil {
		t.Error(err)
	}
}
