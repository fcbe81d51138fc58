package engines

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// RedisCluster is a Cluster of a test's own.
type RedisCluster struct {
	Nodes []*RedisServer // primaries first, as they were made

	made atomic.Int64
}

// RedisClusterOf starts a Cluster of so many primaries, each with so many
// replicas, and stops it when the test is over. Settings are as for [Redis].
func RedisClusterOf(t testing.TB, primaries, replicas int, settings ...string) *RedisCluster {
	t.Helper()
	c, err := StartRedisCluster(primaries, replicas, settings...)
	if errors.Is(err, errNoRedis) {
		missing(t, "redis-server", "install the package redis-server")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, node := range c.Nodes {
			node.finish(t)
		}
	})
	return c
}

// StartRedisCluster is [RedisClusterOf] for a Cluster that several tests share.
func StartRedisCluster(primaries, replicas int, settings ...string) (*RedisCluster, error) {
	c := &RedisCluster{}
	settings = append([]string{"cluster-enabled=yes", "cluster-node-timeout=2000"}, settings...)
	for range primaries * (1 + replicas) {
		s, err := StartRedis(settings...)
		if err != nil {
			return nil, errors.Join(err, c.Stop())
		}
		c.Nodes = append(c.Nodes, s)
	}
	args := append([]string{"--cluster", "create"}, c.addresses()...)
	args = append(args, "--cluster-replicas", fmt.Sprint(replicas), "--cluster-yes")
	if out, err := c.Nodes[0].cli(args...); err != nil {
		return nil, errors.Join(fmt.Errorf("creating a cluster: %w\n%s", err, out), c.Stop())
	}
	if err := c.Await(primaries*replicas, 30*time.Second); err != nil {
		return nil, errors.Join(err, c.Stop())
	}
	return c, nil
}

func (c *RedisCluster) addresses() []string {
	var all []string
	for _, node := range c.Nodes {
		all = append(all, node.Addr)
	}
	return all
}

// Await returns when every node says that all is well, and so many replicas
// follow their primaries. Nodes that were stopped are not asked.
func (c *RedisCluster) Await(replicas int, limit time.Duration) error {
	deadline := time.After(limit)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		missing := c.unready(replicas)
		if missing == "" {
			return nil
		}
		select {
		case <-deadline:
			return fmt.Errorf("the cluster is not ready within %s: %s", limit, missing)
		case <-tick.C:
		}
	}
}

func (c *RedisCluster) unready(replicas int) string {
	following := 0
	for _, node := range c.Nodes {
		select {
		case <-node.exited:
			continue
		default:
		}
		info, err := node.cli("cluster", "info")
		if err != nil || !strings.Contains(info, "cluster_state:ok") {
			return node.Addr + " does not say cluster_state:ok"
		}
		known, err := node.cli("cluster", "nodes")
		if err != nil || strings.Contains(known, "handshake") || strings.Count(known, "connected") < len(c.Nodes) {
			return node.Addr + " does not know all nodes"
		}
		if role, err := node.cli("info", "replication"); err == nil && strings.Contains(role, "master_link_status:up") {
			following++
		}
	}
	if following < replicas {
		return fmt.Sprintf("%d of %d replicas follow", following, replicas)
	}
	return ""
}

// URL returns the addresses in the form that redisconn takes.
func (c *RedisCluster) URL() string {
	return "redis-cluster://" + strings.Join(c.addresses(), ",")
}

// Prefix returns a prefix for keys that no other call returns.
func (c *RedisCluster) Prefix() string { return fmt.Sprintf("test%d", c.made.Add(1)) }

// ReplicaOf returns a replica of the node.
func (c *RedisCluster) ReplicaOf(t testing.TB, primary *RedisServer) *RedisServer {
	t.Helper()
	_, port, _ := net.SplitHostPort(primary.Addr)
	for _, node := range c.Nodes {
		if strings.Contains(node.Command(t, "info", "replication"), "master_port:"+port+"\r") {
			return node
		}
	}
	t.Fatalf("nobody follows %s", primary.Addr)
	return nil
}

// Stop ends all nodes.
func (c *RedisCluster) Stop() error {
	var errs []error
	for _, node := range c.Nodes {
		errs = append(errs, node.Stop())
	}
	return errors.Join(errs...)
}
