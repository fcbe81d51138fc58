package pgconn

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	pgxconn "github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// Pool limits. A node needs few connections, because calls that write share
// them; the server pays for each with memory and a process.
const (
	maxConns       = 16
	connLifetime   = time.Hour // so that a moved server is found again
	connIdle       = 5 * time.Minute
	connectTimeout = 5 * time.Second
	keepAlive      = 15 * time.Second
)

// settings go to the server with each connection unless the URL has them. No
// statement may read a whole table, whatever the planner thinks of a table that
// was empty when it looked.
var settings = map[string]string{
	"application_name":                    "lanyard",
	"default_transaction_isolation":       "read committed",
	"statement_timeout":                   "30s",
	"lock_timeout":                        "10s",
	"idle_in_transaction_session_timeout": "30s",
	"enable_seqscan":                      "off",
	"jit":                                 "off",
}

// ErrURL: the URL cannot be used. The error says why, without the password.
var ErrURL = errors.New("pgconn: bad postgres URL")

// Open returns a pool of connections for a postgres:// URL and connects to
// nothing yet. The caller closes it. The URL may set what pgx and libpq know,
// among them pool_max_conns, connect_timeout and any setting of the server.
func Open(url string) (*sql.DB, error) {
	cfg, most, err := parse(url)
	if err != nil {
		return nil, err
	}
	for name, value := range settings {
		if _, given := cfg.RuntimeParams[name]; !given {
			cfg.RuntimeParams[name] = value
		}
	}
	db := stdlib.OpenDB(*cfg)
	db.SetMaxOpenConns(most)
	db.SetMaxIdleConns(most)
	db.SetConnMaxLifetime(connLifetime)
	db.SetConnMaxIdleTime(connIdle)
	return db, nil
}

// Listener returns a function that subscribes to a notification channel on a
// connection of its own, calls wake when it has begun and after each
// notification, and returns when ctx ends or the connection breaks.
func Listener(url string) (func(ctx context.Context, channel string, wake func()) error, error) {
	cfg, _, err := parse(url)
	if err != nil {
		return nil, err
	}
	cfg.RuntimeParams["application_name"] = "lanyard listener"
	return func(ctx context.Context, channel string, wake func()) error {
		conn, err := pgx.ConnectConfig(ctx, cfg.Copy())
		if err != nil {
			return fmt.Errorf("connecting to listen: %w", err)
		}
		defer func() {
			closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			_ = conn.Close(closing)
		}()
		if _, err := conn.Exec(ctx, "LISTEN "+pgx.Identifier{channel}.Sanitize()); err != nil {
			return fmt.Errorf("listening: %w", err)
		}
		for {
			// First without a notification: what came before LISTEN was missed.
			wake()
			if _, err := conn.WaitForNotification(ctx); err != nil {
				return fmt.Errorf("waiting for a notification: %w", err)
			}
		}
	}, nil
}

// parse reads the URL and sets what every connection needs.
func parse(url string) (cfg *pgx.ConnConfig, most int, err error) {
	if !strings.HasPrefix(url, "postgres://") && !strings.HasPrefix(url, "postgresql://") {
		return nil, 0, fmt.Errorf("%w: it does not begin with postgres://", ErrURL)
	}
	cfg, err = pgx.ParseConfig(url)
	if err != nil {
		return nil, 0, fmt.Errorf("%w: %w", ErrURL, err)
	}
	most = maxConns
	if text, ok := cfg.RuntimeParams["pool_max_conns"]; ok {
		delete(cfg.RuntimeParams, "pool_max_conns")
		if _, err := fmt.Sscanf(text, "%d", &most); err != nil || most < 1 || fmt.Sprint(most) != text {
			return nil, 0, fmt.Errorf("%w: pool_max_conns is %q, want a number from 1", ErrURL, text)
		}
	}
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = connectTimeout
	}
	dialer := &net.Dialer{Timeout: cfg.ConnectTimeout, KeepAliveConfig: net.KeepAliveConfig{
		Enable: true, Idle: keepAlive, Interval: keepAlive, Count: 3,
	}}
	cfg.DialFunc = dialer.DialContext
	if cfg.ValidateConnect == nil && !strings.Contains(url, "target_session_attrs=") {
		// A standby is behind, and would show revoked sessions as live. The store
		// refuses it by itself too.
		cfg.ValidateConnect = pgxconn.ValidateConnectTargetSessionAttrsPrimary
	}
	return cfg, most, nil
}

// Private reports whether every connection that the URL allows is either to this
// machine (a loopback address or a Unix socket) or encrypted with the server's
// certificate checked against its name, which is sslmode=verify-full. If not,
// reason says what to change. A URL that cannot be read is an error.
func Private(url string) (private bool, reason string, err error) {
	cfg, _, err := parse(url)
	if err != nil {
		return false, "", err
	}
	// An sslmode such as prefer is a list: with TLS first, without it next.
	if !protected(cfg.Host, cfg.TLSConfig != nil && !cfg.TLSConfig.InsecureSkipVerify) {
		return false, advice(cfg.Host), nil
	}
	for _, f := range cfg.Fallbacks {
		if !protected(f.Host, f.TLSConfig != nil && !f.TLSConfig.InsecureSkipVerify) {
			return false, advice(f.Host), nil
		}
	}
	return true, "", nil
}

// protected judges one address. Where names of certificates are not checked pgx
// sets InsecureSkipVerify, also for sslmode=verify-ca.
func protected(host string, verified bool) bool {
	if verified || strings.HasPrefix(host, "/") || strings.HasPrefix(host, "@") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback() || strings.EqualFold(host, "localhost")
}

func advice(host string) string {
	return fmt.Sprintf("connections to %s are not encrypted with the certificate checked: add sslmode=verify-full, and sslrootcert if it is from a CA of your own", host)
}
