package engines

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// RedisSentinel is a primary with a replica and three Sentinels that watch them
// under the name "main".
type RedisSentinel struct {
	Primary, Replica *RedisServer

	watchers []*RedisServer
}

// Sentinel starts a primary, a replica and three Sentinels, which promote the
// replica when the primary has been away for a second, and stops them when the
// test is over. Settings are those of the two servers, as for [Redis].
func Sentinel(t testing.TB, settings ...string) *RedisSentinel {
	t.Helper()
	s := &RedisSentinel{Primary: Redis(t, settings...)}
	host, port, _ := net.SplitHostPort(s.Primary.Addr)
	s.Replica = Redis(t, append([]string{"replicaof=" + host + " " + port}, settings...)...)
	for range 3 {
		w, err := startSentinel(host, port)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { w.finish(t) })
		s.watchers = append(s.watchers, w)
	}
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !s.ready() {
		select {
		case <-deadline:
			t.Fatal("the Sentinels do not know each other and the replica within 20 s")
		case <-tick.C:
		}
	}
	return s
}

// ready reports whether every Sentinel knows the two others and the replica.
func (s *RedisSentinel) ready() bool {
	for _, w := range s.watchers {
		out, err := w.cli("sentinel", "master", "main")
		fields := strings.Fields(out)
		facts := make(map[string]string)
		for i := 0; i+1 < len(fields); i += 2 {
			facts[fields[i]] = fields[i+1]
		}
		if err != nil || facts["num-slaves"] != "1" || facts["num-other-sentinels"] != "2" || facts["flags"] != "master" {
			return false
		}
	}
	return true
}

func startSentinel(host, port string) (*RedisServer, error) {
	program := find("redis-server")
	dir, err := os.MkdirTemp("", "lanyard-sentinel-")
	if err != nil {
		return nil, fmt.Errorf("making a directory for Sentinel: %w", err)
	}
	s := &RedisServer{Dir: dir, program: program}
	if err := s.keep(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	for range 10 {
		var own int
		if own, err = freePort(); err != nil {
			break
		}
		s.Addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(own))
		if err = s.startSentinel(own, host, port); !errors.Is(err, errRedisEnded) {
			break
		}
	}
	if err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

func (s *RedisServer) startSentinel(own int, host, port string) error {
	// Sentinel keeps its state in its settings, so those are a file.
	file := filepath.Join(s.Dir, "sentinel.conf")
	text := fmt.Sprintf("port %d\nbind 127.0.0.1\ndir %s\nsentinel monitor main %s %s 2\n"+
		"sentinel down-after-milliseconds main 1000\nsentinel failover-timeout main 5000\n", own, s.Dir, host, port)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return fmt.Errorf("writing the settings of Sentinel: %w", err)
	}
	return s.launch(exec.Command(s.program, file, "--sentinel"))
}

// URL returns the addresses in the form that redisconn takes.
func (s *RedisSentinel) URL() string {
	var all []string
	for _, w := range s.watchers {
		all = append(all, w.Addr)
	}
	return "redis-sentinel://" + strings.Join(all, ",") + "/main"
}
