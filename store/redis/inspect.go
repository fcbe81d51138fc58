package redis

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// oldest is the first version whose commands the scripts use.
const oldest = 7

// facts is what INFO tells of a server, by field.
type facts map[string]string

func (s *Store) facts(ctx context.Context, do Command) (facts, error) {
	const doing = "asking the server about itself"
	reply, err := do(ctx, []string{"INFO"}, 0)
	if err != nil {
		return nil, explain(doing, err)
	}
	text, ok := reply.(string)
	if !ok {
		return nil, badReply(doing, reply)
	}
	f := make(facts)
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			f[name] = value
		}
	}
	return f, nil
}

// nodes returns the servers that can be asked, by address; the address of the
// only one is empty.
func (s *Store) nodes() map[string]Command {
	if s.cfg.Nodes != nil {
		if nodes := s.cfg.Nodes(); len(nodes) > 0 {
			return nodes
		}
	}
	return map[string]Command{"": s.cfg.Do}
}

// checkServers refuses servers on which nothing would be right. A node that does
// not answer is passed over as long as another one does.
func (s *Store) checkServers(ctx context.Context) error {
	nodes := s.nodes()
	var silent error
	asked := 0
	for _, at := range slices.Sorted(maps.Keys(nodes)) {
		f, err := s.facts(ctx, nodes[at])
		if err != nil {
			silent = err
			continue
		}
		asked++
		s.slots = s.slots || f["cluster_enabled"] != "0"
		if err := f.check(len(nodes) == 1); err != nil {
			return fmt.Errorf("redis: %s%w", of(at), err)
		}
	}
	if asked == 0 {
		return silent
	}
	return nil
}

// check refuses a server; alone says that no other one is known.
func (f facts) check(alone bool) error {
	if alone && f["role"] == "slave" {
		return errors.New("the server is a replica, which may not know yet what has ended: name the primary, or connect through Sentinel")
	}
	// Valkey gives the version of Redis that it is compatible with here.
	version := f["redis_version"]
	major, _, _ := strings.Cut(version, ".")
	if n, err := strconv.Atoi(major); err != nil || n < oldest {
		return fmt.Errorf("the server is of version %q, version %d or later is needed (Redis or Valkey)", version, oldest)
	}
	if policy := f["maxmemory_policy"]; f["maxmemory"] != "0" && policy != "" && policy != "noeviction" {
		return fmt.Errorf("maxmemory-policy is %s: the server would drop sessions and revocations when its memory is full; set it to noeviction", policy)
	}
	return nil
}

// of starts a sentence about one of several servers.
func of(address string) string {
	if address == "" {
		return ""
	}
	return address + ": "
}

// Inspect implements [lanyard.Inspector]: it looks at persistence, replication
// and eviction of each server that Config.Nodes names.
func (s *Store) Inspect(ctx context.Context) ([]string, error) {
	var all []string
	nodes := s.nodes()
	for _, at := range slices.Sorted(maps.Keys(nodes)) {
		f, err := s.facts(ctx, nodes[at])
		if err != nil && len(nodes) == 1 {
			return nil, err
		}
		if err != nil {
			all = append(all, fmt.Sprintf("%sdoes not answer, so nobody can see its settings (%v)", of(at), err))
			continue
		}
		for _, sentence := range s.inspect(ctx, nodes[at], f) {
			all = append(all, of(at)+sentence)
		}
	}
	return all, nil
}

func (s *Store) inspect(ctx context.Context, do Command, f facts) []string {
	var found []string
	note := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	settings, denied := settings(ctx, do, "appendfsync", "min-replicas-to-write", "maxmemory-policy")
	if denied != nil {
		note("CONFIG GET is refused (%v): nobody can see here whether appendfsync and min-replicas-to-write are set", denied)
	}
	switch fsync := settings["appendfsync"]; {
	case f["aof_enabled"] != "1":
		note("appendonly is no: a restart of the server loses every login since the last snapshot, and brings sessions that were ended since back to life; set it to yes")
	case fsync != "" && fsync != "always":
		note("appendfsync is %s: a loss of power loses about the last second (%s), ends of sessions included; with always it loses nothing", fsync, lastSecond(fsync))
	}
	replicas, _ := strconv.Atoi(f["connected_slaves"])
	if least := settings["min-replicas-to-write"]; least == "0" && f["role"] == "master" && (replicas > 0 || f["cluster_enabled"] == "1") {
		note("min-replicas-to-write is 0: a primary that is cut off from its replicas goes on taking writes, and a failover loses them, ends of sessions included; set it to 1")
	}
	if policy := f["maxmemory_policy"]; policy != "" && policy != "noeviction" {
		note("maxmemory-policy is %s: once maxmemory is set, the server drops sessions and revocations when its memory is full; set it to noeviction", policy)
	}
	return found
}

func lastSecond(fsync string) string {
	if fsync == "no" {
		return "with no, whatever the system had not written yet"
	}
	return "at most two when the disk is slow"
}

// settings reads the server's settings, or returns why it cannot.
func settings(ctx context.Context, do Command, names ...string) (map[string]string, error) {
	found := make(map[string]string)
	for _, name := range names {
		reply, err := do(ctx, []string{"CONFIG", "GET", name}, 0)
		if err != nil {
			return found, err
		}
		switch pairs := reply.(type) {
		case []any:
			for pair := range slices.Chunk(pairs, 2) {
				if len(pair) == 2 {
					found[fmt.Sprint(pair[0])] = fmt.Sprint(pair[1])
				}
			}
		case map[string]any:
			for name, value := range pairs {
				found[name] = fmt.Sprint(value)
			}
		}
	}
	return found, nil
}
