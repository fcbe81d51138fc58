package postgres_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/internal/engines"
	"github.com/lanyard-go/lanyard/store/postgres"
)

// The server syncs each commit, as it would in production. The plain forms are
// what a session store without shared commits does at best: pgx's own pool, one
// statement and one transaction each, on a table with a key and an expiry.
func openBench(b *testing.B) (*postgres.Store, *pgxpool.Pool) {
	b.Helper()
	server := engines.Postgres(b, "fsync=on")
	url := server.Database(b)
	db := openDB(b, url)
	s := openAt(b, db, postgres.Config{})
	pool, err := pgxpool.New(b.Context(), url+"&pool_max_conns=12")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(pool.Close)
	_, err = pool.Exec(b.Context(), `CREATE TABLE plain (token text PRIMARY KEY, data bytea NOT NULL, expiry timestamptz NOT NULL);
		CREATE INDEX ON plain (expiry)`)
	if err != nil {
		b.Fatal(err)
	}
	return s, pool
}

// callers runs b.N calls from so many goroutines.
func callers(b *testing.B, number int, call func(ctx context.Context, n int) error) {
	var next atomic.Int64
	var all sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	for range number {
		all.Go(func() {
			for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
				if err := call(context.Background(), int(n)); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
}

func user(n int) string { return fmt.Sprintf("user%08d", n*7919%100_000) }

func BenchmarkCreate(b *testing.B) {
	s, pool := openBench(b)
	for _, number := range []int{1, 64} {
		b.Run(fmt.Sprintf("callers %d", number), func(b *testing.B) {
			callers(b, number, func(ctx context.Context, n int) error {
				_, err := s.Create(ctx, record(user(n)), lanyard.Limit{})
				return err
			})
		})
		b.Run(fmt.Sprintf("callers %d with a limit", number), func(b *testing.B) {
			callers(b, number, func(ctx context.Context, n int) error {
				_, err := s.Create(ctx, record(user(n)), lanyard.Limit{Max: 5, Now: now})
				return err
			})
		})
		b.Run(fmt.Sprintf("callers %d, a plain transaction each", number), func(b *testing.B) {
			callers(b, number, func(ctx context.Context, n int) error { return plainCommit(ctx, pool, record(user(n))) })
		})
	}
}

func plainCommit(ctx context.Context, pool *pgxpool.Pool, r *lanyard.Record) error {
	body, err := r.AppendBinary(nil)
	if err != nil {
		return err
	}
	_, err = pool.Exec(ctx, `INSERT INTO plain (token, data, expiry) VALUES ($1, $2, $3)
		ON CONFLICT (token) DO UPDATE SET data = EXCLUDED.data, expiry = EXCLUDED.expiry`, r.SID.String(), body, r.IdleExpiresAt.Time())
	return err
}

func BenchmarkUpdate(b *testing.B) {
	s, pool := openBench(b)
	for _, number := range []int{1, 64} {
		records := make(chan *lanyard.Record, 1000)
		for range cap(records) {
			r := create(b, s, user(len(records)))
			if err := plainCommit(b.Context(), pool, r); err != nil {
				b.Fatal(err)
			}
			records <- r
		}
		touched := func(then func(context.Context, *lanyard.Record) error) func(context.Context, int) error {
			return func(ctx context.Context, _ int) error {
				r := <-records
				defer func() { records <- r }()
				r.LastActive++
				r.IdleExpiresAt++
				return then(ctx, r)
			}
		}
		b.Run(fmt.Sprintf("callers %d", number), func(b *testing.B) {
			callers(b, number, touched(func(ctx context.Context, r *lanyard.Record) error { return s.Update(ctx, r) }))
		})
		b.Run(fmt.Sprintf("callers %d, a plain transaction each", number), func(b *testing.B) {
			callers(b, number, touched(func(ctx context.Context, r *lanyard.Record) error { return plainCommit(ctx, pool, r) }))
		})
	}
}

func BenchmarkRevoke(b *testing.B) {
	s, pool := openBench(b)
	for _, number := range []int{1, 64} {
		var sids []lanyard.SID
		ready := func(b *testing.B, n int) {
			for len(sids) < n {
				var all sync.WaitGroup
				made := make([]*lanyard.Record, 500)
				for i := range made {
					made[i] = record(user(i))
					all.Go(func() {
						if _, err := s.Create(b.Context(), made[i], lanyard.Limit{}); err != nil {
							b.Error(err)
						}
						if err := plainCommit(b.Context(), pool, made[i]); err != nil {
							b.Error(err)
						}
					})
				}
				all.Wait()
				for _, r := range made {
					sids = append(sids, r.SID)
				}
			}
		}
		b.Run(fmt.Sprintf("callers %d", number), func(b *testing.B) {
			ready(b, b.N)
			mine := sids[:b.N]
			sids = sids[b.N:]
			callers(b, number, func(ctx context.Context, n int) error {
				_, err := s.Revoke(ctx, lanyard.End{SID: mine[n-1], Reason: lanyard.ReasonLogout, Now: now, Until: until})
				return err
			})
		})
		b.Run(fmt.Sprintf("callers %d, a plain deletion each", number), func(b *testing.B) {
			ready(b, b.N)
			mine := sids[:b.N]
			sids = sids[b.N:]
			callers(b, number, func(ctx context.Context, n int) error {
				_, err := pool.Exec(ctx, `DELETE FROM plain WHERE token = $1`, mine[n-1].String())
				return err
			})
		})
	}
}

func BenchmarkGet(b *testing.B) {
	s, pool := openBench(b)
	sids := make([]lanyard.SID, 2000)
	for i := range sids {
		r := create(b, s, user(i))
		if err := plainCommit(b.Context(), pool, r); err != nil {
			b.Fatal(err)
		}
		sids[i] = r.SID
	}
	for _, number := range []int{1, 64} {
		b.Run(fmt.Sprintf("callers %d", number), func(b *testing.B) {
			callers(b, number, func(ctx context.Context, n int) error {
				_, err := s.Get(ctx, sids[n%len(sids)])
				return err
			})
		})
		b.Run(fmt.Sprintf("callers %d, a plain query each", number), func(b *testing.B) {
			callers(b, number, func(ctx context.Context, n int) error {
				var data []byte
				return pool.QueryRow(ctx, `SELECT data FROM plain WHERE token = $1 AND $2 < expiry`,
					sids[n%len(sids)].String(), now.Time()).Scan(&data)
			})
		})
	}
}
