package postgres_test

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/internal/engines"
	"github.com/lanyard-go/lanyard/store/postgres"
)

// plans collects what the server's auto_explain says about the statements that
// it really runs, those inside functions included.
type plans struct {
	mu   sync.Mutex
	seen []string
}

func (p *plans) take() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	seen := p.seen
	p.seen = nil
	return seen
}

func (p *plans) note(_ *pgconn.PgConn, n *pgconn.Notice) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen = append(p.seen, n.Message)
}

// explained opens a store on a server of its own whose plans are collected.
func explained(t *testing.T) (*postgres.Store, *plans, *engines.PostgresServer) {
	server := engines.Postgres(t, "session_preload_libraries=auto_explain", "auto_explain.log_min_duration=0",
		"auto_explain.log_nested_statements=on", "auto_explain.log_analyze=on", "auto_explain.log_timing=off", "autovacuum=off", "jit=off")
	cfg, err := pgx.ParseConfig(server.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	p := new(plans)
	cfg.RuntimeParams["client_min_messages"] = "log"
	cfg.RuntimeParams["enable_seqscan"] = "off" // as package pgconn has it
	cfg.OnNotice = p.note
	db := stdlib.OpenDB(*cfg)
	t.Cleanup(func() { db.Close() })
	return openAt(t, db, postgres.Config{}), p, server
}

var (
	scansTable = regexp.MustCompile(`Seq Scan on (sessions|feed|once|epochs|notes|leases|meta)`)
	removed    = regexp.MustCompile(`Rows Removed by Filter: (\d+)`)
)

// With a hundred thousand sessions a statement that reads its whole table makes
// every caller wait, also one whose plan was made when there were three.
func TestEveryStatementUsesAnIndex(t *testing.T) {
	s, seen, server := explained(t)
	steps := func(t *testing.T) {
		t.Helper()
		laptop := create(t, s, "alice")
		phone := record("alice")
		phone.Origin = laptop.SID
		if _, err := s.Create(t.Context(), phone, lanyard.Limit{Max: 2, Now: now, Until: until}); err != nil {
			t.Fatal(err)
		}
		phone.LastActive++
		if err := s.Update(t.Context(), phone, lanyard.Entry{Kind: lanyard.EntryKey, Key: "k", Until: until}); err != nil {
			t.Fatal(err)
		}
		get(t, s, phone.SID)
		for _, q := range []lanyard.Query{{}, {Subject: "alice"}, {Subject: "alice", LiveAt: now}} {
			q.Limit = 20
			// The rows that only fill the table are no records.
			if _, err := s.List(t.Context(), q); err != nil && !errors.Is(err, lanyard.ErrBadRecord) {
				t.Fatal(err)
			}
		}
		revoke(t, s, lanyard.End{SID: laptop.SID})
		create(t, s, "alice")
		revoke(t, s, lanyard.End{Subject: "alice", Except: laptop.SID})
		cursor := revoke(t, s, lanyard.End{Subject: "alice"}).Cursor
		if _, _, err := s.Revocations(t.Context(), cursor, 100); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Once(t.Context(), "k", now, until); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Note(t.Context(), "n", "", "v"); err != nil {
			t.Fatal(err)
		}
		if err := s.SetLease(t.Context(), "node", "v"); err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.Leases(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Prune(t.Context(), lanyard.Prune{Now: now, Forget: now, Limit: 10}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Import(t.Context(), nil, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := s.GlobalEpoch(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	// First on empty tables, so that plans made for them are there when they
	// have grown; nothing has told the planner.
	for range 8 {
		steps(t)
	}
	server.Exec(t, "postgres", "ANALYZE")
	for range 8 {
		steps(t)
	}
	seen.take()
	server.Exec(t, "postgres",
		`INSERT INTO lanyard.sessions SELECT decode(lpad(to_hex(i), 32, '0'), 'hex'), 1, ('user' || i)::bytea, 0, 0,
			i, i, 9000000000000, 9000000000000, 9000000000000, NULL, NULL, NULL, NULL, '\x00' FROM generate_series(1, 30000) i`,
		`INSERT INTO lanyard.sessions SELECT decode('01' || lpad(to_hex(i), 30, '0'), 'hex'), 1, ('user' || i)::bytea, 0, 0,
			i, i, 1, 1, NULL, NULL, 9000000000000, 'idle_timeout', 'system', '\x00' FROM generate_series(1, 30000) i`,
		`INSERT INTO lanyard.feed SELECT 0, 100000 + i, 1, '', 0, '', 0, '', '', 0, 9000000000000 FROM generate_series(1, 30000) i`,
		`INSERT INTO lanyard.once SELECT ('k' || i)::bytea, 9000000000000 FROM generate_series(1, 30000) i`,
		`INSERT INTO lanyard.epochs SELECT ('user' || i)::bytea, 1 FROM generate_series(1, 30000) i`)
	for _, moment := range []string{"grown unnoticed", "analyzed"} {
		t.Run(moment, func(t *testing.T) {
			steps(t)
			all := seen.take()
			if len(all) < 30 {
				t.Fatalf("only %d plans were seen", len(all))
			}
			for _, plan := range all {
				if bad := wrong(plan); bad != "" {
					t.Errorf("%s:\n%s", bad, plan)
				}
			}
		})
		server.Exec(t, "postgres", "ANALYZE lanyard.sessions, lanyard.feed, lanyard.once, lanyard.epochs")
	}
}

// wrong says what is wrong with a plan that was run.
func wrong(plan string) string {
	if !strings.Contains(plan, "lanyard.") && !strings.Contains(plan, " on ") {
		return ""
	}
	if m := scansTable.FindString(plan); m != "" {
		return m
	}
	for _, m := range removed.FindAllStringSubmatch(plan, -1) {
		if len(m[1]) > 2 {
			return fmt.Sprintf("%s rows were read for nothing", m[1])
		}
	}
	for _, line := range strings.Split(plan, "\n") {
		_, rest, ok := strings.Cut(line, "(actual rows=")
		if !ok {
			continue
		}
		n, _, _ := strings.Cut(rest, " ")
		if len(n) > 3 {
			return fmt.Sprintf("%s rows were read", n)
		}
	}
	return ""
}
