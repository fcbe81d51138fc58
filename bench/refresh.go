package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/lanyard-go/lanyard/bench/contender"
	"github.com/lanyard-go/lanyard/internal/engines"
)

const (
	refreshers = 64
	// refreshGoal is by core. The published figure beside it is not a measurement
	// of this program.
	refreshGoal = 2000
	published   = "Keycloak, published: 120/s"
)

var refreshNotes = []string{
	fmt.Sprintf("Refresh and introspection are of %d callers at once, each with sessions of its own, by the second of processor time that the process with the store's client used: the median of five rounds. In process that includes the callers; over HTTP it is `lanyard serve` alone, with its limits, audit trail and a client that authenticates by secret at each call. The processor time of Redis itself is not in it. SQLite syncs every write before it is answered, Redis writes to the disk once a second.", refreshers),
	"Keycloak's figure is from the sizing guide of that project, 120 refreshes per second and vCPU: measured elsewhere, by others, over HTTP, with its own database and on another machine. It is a landmark and no contender in this run.",
}

// renewals measures what the token endpoints can do.
func (b *bench) renewals(ctx context.Context, dir string) (rows []row, err error) {
	rows, err = b.renewalsOn(ctx, dir, "SQLite", contender.LanyardSQLite, "")
	if err != nil {
		return nil, fmt.Errorf("on SQLite: %w", err)
	}
	redis, err := engines.StartRedis("appendonly=yes", "appendfsync=everysec")
	if err != nil {
		return append(rows, left("refresh and introspection, Redis", err.Error())), nil
	}
	defer func() { err = errors.Join(err, redis.Stop()) }()
	more, err := b.renewalsOn(ctx, dir, "Redis", contender.LanyardRedis, redis.URL())
	if err != nil {
		return nil, fmt.Errorf("on Redis: %w", err)
	}
	return append(rows, more...), nil
}

// renewalsOn measures one store, in process and over HTTP. Of a Redis server it
// uses two databases.
func (b *bench) renewalsOn(ctx context.Context, dir, name string, kind contender.Kind, redis string) ([]row, error) {
	home, err := sub(dir)
	if err != nil {
		return nil, err
	}
	base, store := contender.Base{Dir: home}, "sqlite:"+filepath.Join(home, "served.db")
	if redis != "" {
		base.Redis, store = redis+"/1", redis+"/2"
	}
	rows, err := b.renewalsInProcess(ctx, name, kind, base)
	if err != nil {
		return nil, err
	}
	if b.lanyard == "" {
		return append(rows, left("refresh and introspection over HTTP, "+name, "no binary given")), nil
	}
	more, err := b.renewalsOverHTTP(ctx, name, home, store)
	return append(rows, more...), err
}

// onSQLite is the target, which is for SQLite.
func onSQLite(name string, goal *bound) *bound {
	if name == "SQLite" {
		return goal
	}
	return nil
}

func (b *bench) renewalsInProcess(ctx context.Context, name string, kind contender.Kind, base contender.Base) (rows []row, err error) {
	f, err := contender.NewFamilies(ctx, kind, base, refreshers)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	made := 0
	refresh, err := b.perCore(os.Getpid(), func(n int) error { made += n; return f.Refresh(ctx, n) })
	if err != nil {
		return nil, err
	}
	writes := float64(f.Writes()) / float64(made)
	introspect, err := b.perCore(os.Getpid(), func(n int) error { return f.Introspect(ctx, n) })
	if err != nil {
		return nil, err
	}
	return []row{
		absolute("refreshes per second and core, "+name+", in process", refresh, published, onSQLite(name, atLeast(refreshGoal)), perSecond),
		absolute("writes for each of them", writes, "", atMost(1), number),
		absolute("introspections per second and core, "+name+", in process", introspect, "", nil, perSecond),
	}, nil
}

// perCore runs something in batches until the time is over, in rounds, and
// returns how often it can be done in a second of a process's processor time.
func (b *bench) perCore(pid int, run func(n int) error) (float64, error) {
	const batch = 16 * refreshers
	var rates []float64
	for range minRounds {
		before, err := processorTime(pid)
		if err != nil {
			return 0, err
		}
		n := 0
		for end := time.Now().Add(b.span(time.Second)); time.Now().Before(end); n += batch {
			if err := run(batch); err != nil {
				return 0, err
			}
		}
		after, err := processorTime(pid)
		if err != nil {
			return 0, err
		}
		rates = append(rates, float64(n)/(after-before).Seconds())
	}
	return median(rates), nil
}

func (b *bench) renewalsOverHTTP(ctx context.Context, name, dir, store string) (rows []row, err error) {
	d, err := openDesk(ctx, b.lanyard, dir, store, refreshers)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	for _, what := range []struct {
		name, peer string
		goal       *bound
		call       func(*program) error
	}{
		{"refreshes", published, onSQLite(name, atLeast(refreshGoal)), func(p *program) error { return d.refresh(ctx, p) }},
		{"introspections", "", nil, func(p *program) error { return d.introspect(ctx, p) }},
	} {
		var rates []float64
		for range minRounds {
			calls, used, err := d.load(b.span(time.Second), what.call)
			if err != nil {
				return nil, err
			}
			rates = append(rates, float64(calls)/used.Seconds())
		}
		rows = append(rows, absolute(what.name+" per second and core, "+name+", over HTTP", median(rates), what.peer, what.goal, perSecond))
	}
	return rows, nil
}
