//go:build unix

package lanyard_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/store/sqlite"
)

// writes is a store that counts what is written to it.
type writes struct {
	lanyard.Store
	n atomic.Int64
}

func (w *writes) Update(ctx context.Context, rec *lanyard.Record, announce ...lanyard.Entry) error {
	w.n.Add(1)
	return w.Store.Update(ctx, rec, announce...)
}

func (w *writes) Revoke(ctx context.Context, e lanyard.End) (lanyard.Ended, error) {
	w.n.Add(1)
	return w.Store.Revoke(ctx, e)
}

// sqliteBench is a manager on a SQLite file with its syncs, as a server has it.
func sqliteBench(b *testing.B) (*lanyard.Manager, *writes) {
	b.Helper()
	db, err := sql.Open("sqlite", sqlite.DSN(filepath.Join(b.TempDir(), "sessions.db")))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	s, err := sqlite.New(b.Context(), db, sqlite.Config{Exclusive: true})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	w := &writes{Store: s}
	m, err := lanyard.New(w, lanyard.Config{Issuer: site, Keys: someKeys(b, 1), TokenKeys: signingKeys(b, time.Now)})
	if err != nil {
		b.Fatal(err)
	}
	return m, w
}

// processorTime is what the whole process has used: with it a result per core
// does not depend on who else uses the machine.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// callers lets 64 callers share b.N calls, each with a session of its own, and
// reports calls by wall time, by processor time, and writes for each call.
func callers(b *testing.B, call func(m *lanyard.Manager, g *lanyard.Grant) (*lanyard.Grant, error)) {
	const n = 64
	m, w := sqliteBench(b)
	grants := make([]*lanyard.Grant, n)
	for i := range grants {
		grants[i] = benchStart(b, m, lanyard.ChannelToken)
	}
	w.n.Store(0)
	var left atomic.Int64
	left.Store(int64(b.N))
	used := processorTime(b)
	b.ResetTimer()
	together(n, func(i int) {
		for left.Add(-1) >= 0 {
			g, err := call(m, grants[i])
			if err != nil {
				b.Error(err)
				return
			}
			grants[i] = g
		}
	})
	b.StopTimer()
	used = processorTime(b) - used
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
	b.ReportMetric(float64(b.N)/used.Seconds(), "calls/core-s")
	b.ReportMetric(float64(w.n.Load())/float64(b.N), "writes/call")
}

// BenchmarkRefreshOnSQLite rotates 64 families at once: one synced write each.
func BenchmarkRefreshOnSQLite(b *testing.B) {
	callers(b, func(m *lanyard.Manager, g *lanyard.Grant) (*lanyard.Grant, error) {
		return m.Renew(context.Background(), g.Refresh.Reveal(), lanyard.Renewal{})
	})
}

// BenchmarkIntrospectOnSQLite judges access tokens, each known already, as the
// introspection endpoint does.
func BenchmarkIntrospectOnSQLite(b *testing.B) {
	callers(b, func(m *lanyard.Manager, g *lanyard.Grant) (*lanyard.Grant, error) {
		_, _, err := m.CheckAccess(context.Background(), g.Access.Reveal())
		return g, err
	})
}

// BenchmarkRefreshAndIntrospectOnSQLite also judges each new access token, for the first
// time, signature and all.
func BenchmarkRefreshAndIntrospectOnSQLite(b *testing.B) {
	callers(b, func(m *lanyard.Manager, g *lanyard.Grant) (*lanyard.Grant, error) {
		g, err := m.Renew(context.Background(), g.Refresh.Reveal(), lanyard.Renewal{})
		if err != nil {
			return nil, err
		}
		_, _, err = m.CheckAccess(context.Background(), g.Access.Reveal())
		return g, err
	})
}
