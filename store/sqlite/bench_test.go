package sqlite_test

import (
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/store/sqlite"
)

// BenchmarkCreate measures durable creations, each synced before its caller is
// answered. The plain transaction is what a lone caller could have at best: one
// prepared insert of the same row, with nothing around it.
func BenchmarkCreate(b *testing.B) {
	for _, callers := range []int{1, 64, 512} {
		b.Run(fmt.Sprintf("callers %d", callers), func(b *testing.B) {
			s := open(b, sqlite.Config{Exclusive: true})
			createAll(b, callers, func(r *lanyard.Record) error {
				_, err := s.Create(b.Context(), r, lanyard.Limit{})
				return err
			})
		})
	}
	for _, callers := range []int{1, 64} {
		b.Run(fmt.Sprintf("callers %d, a plain transaction each", callers), func(b *testing.B) {
			path := filepath.Join(b.TempDir(), "sessions.db")
			openAt(b, path, sqlite.Config{}).Close()
			createAll(b, callers, plainCreate(b, openDB(b, sqlite.DSN(path))))
		})
	}
}

func plainCreate(b *testing.B, db *sql.DB) func(*lanyard.Record) error {
	b.Helper()
	var mu sync.Mutex // waiting in line is cheaper than trying for the lock
	db.SetMaxOpenConns(1)
	insert, err := db.Prepare(`INSERT INTO sessions (sid, version, subject, epoch, deadline, body) VALUES (?, 1, ?, 0, ?, ?)`)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { insert.Close() })
	return func(r *lanyard.Record) error {
		mu.Lock()
		defer mu.Unlock()
		body, err := r.AppendBinary(nil)
		if err != nil {
			return err
		}
		tx, err := db.Begin()
		if err != nil {
			return err
		}
		if _, err := tx.Stmt(insert).Exec(r.SID[:], r.Subject, int64(r.IdleExpiresAt), body); err != nil {
			return errors.Join(err, tx.Rollback())
		}
		return tx.Commit()
	}
}

// createAll creates b.N records from so many goroutines.
func createAll(b *testing.B, callers int, create func(*lanyard.Record) error) {
	var next atomic.Int64
	var wg sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	for range callers {
		wg.Go(func() {
			for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
				if err := create(record(fmt.Sprintf("user%08d", n*7919%100_000))); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "creations/s")
}

func BenchmarkGet(b *testing.B) {
	for _, cfg := range configs {
		b.Run(fmt.Sprintf("exclusive %t", cfg.Exclusive), func(b *testing.B) {
			s := open(b, cfg)
			var sids []lanyard.SID
			for n := range 100 {
				sids = append(sids, create(b, s, fmt.Sprintf("user%d", n)).SID)
			}
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				if _, err := s.Get(b.Context(), sids[n%len(sids)]); err != nil {
					b.Fatal(err)
				}
				n++
			}
		})
	}
}

func BenchmarkUpdate(b *testing.B) {
	s := open(b, sqlite.Config{Exclusive: true})
	r := create(b, s, "alice")
	b.ReportAllocs()
	for b.Loop() {
		r.LastActive++
		r.IdleExpiresAt++
		if err := s.Update(b.Context(), r); err != nil {
			b.Fatal(err)
		}
	}
}
