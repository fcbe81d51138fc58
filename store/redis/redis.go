// Package redis keeps sessions in Redis or Valkey, version 7 or later: a single
// server, one behind Sentinel, or a Cluster.
//
// It imports no client. Give [New] a [Command], a dozen lines around the client
// of your choice:
//
//	store, err := redis.New(ctx, redis.Config{Do: do})
//
// Every step is one script on one slot and one round trip; reading a record is
// one MGET. Creations that are asked for while others are on their way share a
// step, in a Cluster those of one slot. Nothing walks the key space. What the
// promises of [lanyard.Store] are worth when a server dies is a matter of its
// settings: see docs/redis.md, and [Store.Inspect], which says what is missing.
//
// The package starts nothing of its own accord: when no call is on its way,
// nothing runs. [Store.Prune], which the manager calls, ends what is past its
// deadlines and removes what nobody needs any more.
package redis

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lanyard-go/lanyard"
)

// Command runs one command. The first word of cmd is its name. If key is not 0,
// cmd[key] is a key of it and says which node of a Cluster it is for; otherwise
// any primary will do.
//
// A null is nil, a text is a string, an integer an int64, a list []any of those,
// a map either a list of its keys and values in turn or a map[string]any. An
// error that the server answered is returned as an error whose text starts with
// its code, such as "NOSCRIPT". Redirections (MOVED, ASK) are the client's
// business. A command must not be sent twice after its answer was lost: switch
// off the retries of the client. Calls come from many goroutines and return soon
// after ctx has ended.
type Command func(ctx context.Context, cmd []string, key int) (any, error)

// Config holds the settings of a [Store]. Only Do is required.
type Config struct {
	Do Command

	// Prefix starts the name of every key: at most 32 of a-z, 0-9, "-", "_",
	// "." and ":". "lanyard" if empty. Stores with different prefixes do not
	// meet.
	Prefix string

	// Backstop is how long after a record's absolute limit the engine removes
	// it by itself, for the case that nobody prunes; 48 h if zero. Make it longer
	// than ended records are kept.
	Backstop time.Duration

	// Subscribe calls heard for each message of the channel until ctx ends or
	// the subscription breaks, and returns why. Nil: [Store.Watch] returns at
	// once, and readers of the feed poll.
	Subscribe func(ctx context.Context, channel string, heard func()) error

	// Nodes returns a Command for each server by its address, replicas
	// included, so that [New] and [Store.Inspect] see every one. Nil: they see
	// the one that answers.
	Nodes func() map[string]Command
}

// Store is a [lanyard.Store] on Redis or Valkey, made by [New]. It is safe for
// concurrent use, by any number of processes. Its errors other than those of
// the interface mean that the step did not happen or that nobody knows; they
// name the setting to look at where there is one.
//
// It also is a [lanyard.Pinger], [lanyard.Counter], [lanyard.Epochs],
// [lanyard.Watcher], [lanyard.Noter], [lanyard.Clocked], [lanyard.Inspector],
// [lanyard.Importer], [lanyard.Comparer] and [lanyard.Leaser].
type Store struct {
	cfg     Config
	keys    [lanyard.Partitions]keys
	channel string
	id      string // of the data, so that cursors of other data are known
	scripts map[string]script
	slots   bool // the server is a Cluster, where partitions are apart
	lanes   [lanyard.Partitions]lane

	// heads are the ends of the feed's partitions as last heard.
	heads [lanyard.Partitions]atomic.Uint64

	// stamps are the epochs that a partition gave a record last: most often the
	// next one gets the same.
	stamps [lanyard.Partitions]stamp
}

var (
	_ lanyard.Store     = (*Store)(nil)
	_ lanyard.Pinger    = (*Store)(nil)
	_ lanyard.Counter   = (*Store)(nil)
	_ lanyard.Epochs    = (*Store)(nil)
	_ lanyard.Watcher   = (*Store)(nil)
	_ lanyard.Noter     = (*Store)(nil)
	_ lanyard.Clocked   = (*Store)(nil)
	_ lanyard.Inspector = (*Store)(nil)
	_ lanyard.Importer  = (*Store)(nil)
)

// New returns a Store on the server behind cfg.Do. It makes the few keys that
// every store has, if they are not there. It refuses a server older than
// version 7, one that would evict keys when its memory is full, and a prefix
// that something else uses. It starts nothing; there is nothing to close.
func New(ctx context.Context, cfg Config) (*Store, error) {
	if cfg.Do == nil {
		return nil, errors.New("redis: Config.Do is nil")
	}
	if cfg.Prefix == "" {
		cfg.Prefix = "lanyard"
	}
	if !wellFormed(cfg.Prefix) {
		return nil, fmt.Errorf("redis: Config.Prefix is %q, want at most 32 of a-z, 0-9, '-', '_', '.' and ':'", cfg.Prefix)
	}
	if cfg.Backstop < 0 {
		return nil, fmt.Errorf("redis: Config.Backstop is %s, it cannot be negative", cfg.Backstop)
	}
	if cfg.Backstop == 0 {
		cfg.Backstop = 48 * time.Hour
	}
	s := &Store{cfg: cfg, channel: cfg.Prefix + ":wake", scripts: make(map[string]script)}
	for i := range s.keys {
		s.keys[i] = keysOf(cfg.Prefix, i)
	}
	if err := s.checkServers(ctx); err != nil {
		return nil, err
	}
	if err := s.nameScripts(ctx); err != nil {
		return nil, err
	}
	if err := s.makePartitions(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// makePartitions makes those partitions that are not there yet. The first one's
// identity is that of the store. One that was lost alone, as with a node of a
// Cluster, starts at the global epoch of the others.
func (s *Store) makePartitions(ctx context.Context) error {
	var fresh [8]byte
	if _, err := rand.Read(fresh[:]); err != nil {
		return fmt.Errorf("redis: drawing an identity: %w", err)
	}
	id, epoch := hex.EncodeToString(fresh[:]), "0"
	join := func(ctx context.Context, part int) (string, string, error) {
		const doing = "opening the store"
		reply, err := s.send(ctx, doing, []string{"EVAL", scriptInit, "1", s.keys[part].meta(), id, epoch}, 3)
		if err != nil {
			return "", "", err
		}
		answer, _ := reply.([]any)
		if len(answer) != 2 {
			return "", "", badReply(doing, reply)
		}
		have, _ := answer[0].(string)
		at, _ := answer[1].(string)
		return have, at, nil
	}
	var err error
	if id, epoch, err = join(ctx, 0); err != nil {
		return err
	}
	s.id = id
	return each(ctx, func(ctx context.Context, part int) error {
		have, _, err := join(ctx, part)
		if err == nil && have != id {
			err = fmt.Errorf("redis: %s belongs to another store than %s: parts of two backups were restored under one prefix",
				s.keys[part].meta(), s.keys[0].meta())
		}
		return err
	})
}

// each calls f for every partition at once, so that a client which puts commands
// together makes one round trip of them. It returns the first error.
func each(ctx context.Context, f func(ctx context.Context, part int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var all sync.WaitGroup
	for part := range lanyard.Partitions {
		all.Go(func() {
			if err := f(ctx, part); err != nil {
				cancel(err)
			}
		})
	}
	all.Wait()
	return context.Cause(ctx)
}
