// Package redisconn connects the Redis store to a server with rueidis, the one
// client that this project's commands use. Start with [Open].
package redisconn

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"github.com/lanyard-go/lanyard/store/redis"
)

// Config says where to connect. Only URL is required.
type Config struct {
	// URL is redis://user:password@host:port/db for one server,
	// redis-cluster://h1,h2,h3 for a Cluster, redis-sentinel://h1,h2/primary/db
	// for one behind Sentinel, and the same with rediss for TLS. User,
	// password, port and database may be missing.
	URL string

	// TLS is for the URLs with rediss. Nil checks certificates against the
	// authorities that the system trusts.
	TLS *tls.Config

	// SentinelUser and SentinelPassword are for the Sentinels themselves, which
	// often ask for none.
	SentinelUser, SentinelPassword string

	// InsecurePlaintext allows a URL without TLS to another machine.
	InsecurePlaintext bool
}

// ErrPlaintext is returned by [Open] for a URL that would send session records
// over a network without TLS.
var ErrPlaintext = errors.New("redisconn: no TLS to another machine: use rediss://")

// Private reports whether a URL sends nothing over a network without TLS: it
// asks for TLS with certificate checks, or names this machine alone. Errors
// never show a password.
func Private(url string) (bool, error) {
	t, err := parse(url)
	if err != nil {
		return false, fmt.Errorf("redisconn: bad URL: %w", err)
	}
	return t.tls || t.loopback(), nil
}

// Conn is a connection for any number of goroutines. It reconnects by itself.
// Nothing is sent twice: a command whose answer was lost is an error.
type Conn struct {
	client  rueidis.Client
	replica atomic.Bool // it was a primary, and is none
	stop    context.CancelFunc
	watch   sync.WaitGroup
}

// Open connects and returns when a server has answered. It fails when none does
// within five seconds. Errors never show a password.
func Open(cfg Config) (*Conn, error) {
	t, err := parse(cfg.URL)
	if err != nil {
		return nil, fmt.Errorf("redisconn: Config.URL: %w", err)
	}
	if !t.tls && !cfg.InsecurePlaintext && !t.loopback() {
		return nil, fmt.Errorf("redisconn: Config.URL: %w", ErrPlaintext)
	}
	option := rueidis.ClientOption{
		InitAddress:  t.addresses,
		Username:     t.user,
		Password:     t.password,
		SelectDB:     t.db,
		ClientName:   "lanyard",
		DisableCache: true,
		// A step may not be taken twice, and only the store knows which
		// commands are no steps.
		DisableRetry:  true,
		MaxFlushDelay: 20 * time.Microsecond,
		// A connection on which nothing is heard for this long is given up.
		ConnWriteTimeout: 2 * time.Second,
		ClusterOption: rueidis.ClusterOption{
			ShardsRefreshInterval: 5 * time.Second,
			MaxMovedRedirections:  16,
		},
		ForceSingleClient: !t.cluster && t.sentinel == "",
	}
	// A Cluster and Sentinels name other addresses than the URL's, which the
	// same rule is for.
	mayLeave := t.tls || cfg.InsecurePlaintext
	option.DialCtxFn = func(ctx context.Context, address string, d *net.Dialer, secure *tls.Config) (net.Conn, error) {
		return dial(ctx, address, d, secure, mayLeave)
	}
	if t.tls {
		option.TLSConfig = cfg.TLS
		if option.TLSConfig == nil {
			option.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
		}
	}
	if t.sentinel != "" {
		option.Sentinel = rueidis.SentinelOption{
			MasterSet: t.sentinel, TLSConfig: option.TLSConfig,
			Username: cfg.SentinelUser, Password: cfg.SentinelPassword,
			TopologyRefreshInterval: 5 * time.Second,
		}
	}
	client, err := rueidis.NewClient(option)
	if err != nil {
		return nil, fmt.Errorf("connecting to redis: %w", err)
	}
	c := &Conn{client: client}
	watching, stop := context.WithCancel(context.Background())
	c.stop = stop
	if !t.cluster { // whose replicas send everybody on to the primary
		c.watch.Go(func() { c.watchRole(watching) })
	}
	return c, nil
}

// dial connects, and hangs up on an address of another machine where nothing may
// leave this one in the clear.
func dial(ctx context.Context, address string, d *net.Dialer, secure *tls.Config, mayLeave bool) (net.Conn, error) {
	if secure != nil {
		return (&tls.Dialer{NetDialer: d, Config: secure}).DialContext(ctx, "tcp", address)
	}
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil || mayLeave {
		return conn, err
	}
	if !local(conn.RemoteAddr()) {
		return nil, errors.Join(fmt.Errorf("connecting to %s: %w", address, ErrPlaintext), conn.Close())
	}
	return conn, nil
}

// local reports whether an address is of this machine alone.
func local(address net.Addr) bool {
	peer, ok := address.(*net.TCPAddr)
	return ok && peer.IP.IsLoopback()
}

// Close ends the connections. Commands in progress get an error.
func (c *Conn) Close() {
	c.stop()
	c.client.Close()
	c.watch.Wait()
}

// roleEvery is how often a server is asked whether it is still a primary.
const roleEvery = time.Second

// watchRole notices a primary that became a replica under its connections:
// unlike writes, it would go on answering reads, with what it has heard so far.
func (c *Conn) watchRole(ctx context.Context) {
	t := time.NewTicker(roleEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		asking, cancel := context.WithTimeout(ctx, roleEvery)
		role, err := c.client.Do(asking, c.client.B().Role().Build()).ToArray()
		cancel()
		if err != nil || len(role) == 0 {
			continue // the calls themselves find out what is wrong
		}
		if word, err := role[0].ToString(); err == nil {
			c.replica.Store(word == "slave")
		}
	}
}

// errReplica is worded like the server's own answer to a write.
var errReplica = errors.New("READONLY the server has become a replica: sessions are read from primaries only")

// Do is a [redis.Command]. Of a server that has become a replica meanwhile every
// command is refused, within two seconds.
func (c *Conn) Do(ctx context.Context, cmd []string, key int) (any, error) {
	if c.replica.Load() {
		return nil, errReplica
	}
	return do(ctx, c.client, cmd, key)
}

func do(ctx context.Context, client rueidis.Client, cmd []string, key int) (any, error) {
	line := client.B().Arbitrary(cmd[:max(key, 1)]...)
	if key > 0 {
		line = line.Keys(cmd[key]).Args(cmd[key+1:]...)
	} else {
		line = line.Args(cmd[1:]...)
	}
	reply, err := client.Do(ctx, line.Build()).ToAny()
	if rueidis.IsRedisNil(err) {
		return nil, nil
	}
	return reply, err
}

// Subscribe is for [redis.Config.Subscribe].
func (c *Conn) Subscribe(ctx context.Context, channel string, heard func()) error {
	return c.client.Receive(ctx, c.client.B().Subscribe().Channel(channel).Build(),
		func(rueidis.PubSubMessage) { heard() })
}

// Nodes is for [redis.Config.Nodes].
func (c *Conn) Nodes() map[string]redis.Command {
	nodes := make(map[string]redis.Command)
	for address, client := range c.client.Nodes() {
		nodes[address] = func(ctx context.Context, cmd []string, key int) (any, error) {
			return do(ctx, client, cmd, key)
		}
	}
	return nodes
}
