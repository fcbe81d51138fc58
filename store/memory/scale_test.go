package memory_test

import (
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/store/memory"
)

// scaled returns record n, made n tenths of a millisecond after the first. Two
// are of one user.
func scaled(n int, refresh bool) *lanyard.Record {
	at := created + lanyard.Time(n/10)
	r := &lanyard.Record{
		State: lanyard.StateLive, Channel: lanyard.ChannelCookie, Subject: fmt.Sprintf("user%08d", n/2), Generation: 1,
		CreatedAt: at, AuthTime: at, LastActive: at, IdleExpiresAt: created + 1<<40, ExpiresAt: created + 1<<40,
		Methods: []string{"pwd"}, Device: lanyard.Device{Label: "phone", UserAgent: "Mozilla/5.0 (Android 16; Mobile; rv:145.0) Gecko/145.0 Firefox/145.0", IP: "192.0.2.7"},
	}
	binary.BigEndian.PutUint64(r.SID[:8], uint64(at)<<16|uint64(lanyard.SubjectPartition(r.Subject))<<6)
	binary.BigEndian.PutUint64(r.SID[8:], uint64(n))
	binary.BigEndian.PutUint64(r.Handle[:], uint64(n)+1)
	if refresh {
		r.Channel, r.Refresh = lanyard.ChannelToken, &lanyard.Refresh{Digest: r.Handle}
		r.Handle = lanyard.Digest{}
	}
	return r
}

func TestScaleOfTenMillionSessions(t *testing.T) {
	if os.Getenv("LANYARD_SOAK") != "1" {
		t.Skip("holds 10 000 000 sessions in memory; LANYARD_SOAK=1 runs it")
	}
	before := make(map[string]time.Duration)
	s, made := memory.New(), 0
	for _, n := range []int{10_000, 1_000_000, 10_000_000} {
		start := time.Now()
		for ; made < n; made++ {
			if _, err := s.Create(ctx, scaled(made, made%2 == 1), lanyard.Limit{}); err != nil {
				t.Fatal(err)
			}
		}
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		t.Logf("%d sessions: filled in %v, %d bytes each", n, time.Since(start).Round(time.Millisecond), m.HeapAlloc/uint64(n))
		for _, one := range stepsOf(s, n) {
			took := medianOf(t, n, one)
			if n == 10_000 {
				before[one.name] = took
			}
			t.Logf("    %-20s %8v, at 10 000 %8v", one.name, took, before[one.name])
			if one.name == "check" && took > before[one.name]+500*time.Nanosecond {
				t.Errorf("a check takes %v with %d sessions, %v with 10 000", took, n, before[one.name])
			}
		}
	}
}

// step is an operation that is timed, on a record of those there are.
type step struct {
	name string
	do   func(*lanyard.Record) error
}

func stepsOf(s *memory.Store, n int) []step {
	return []step{
		{"check", func(r *lanyard.Record) error {
			_, err := s.Get(ctx, r.SID)
			return err
		}},
		{"create, limit 20", func(r *lanyard.Record) error {
			// A little younger than all there are.
			binary.BigEndian.PutUint64(r.SID[:8], binary.BigEndian.Uint64(r.SID[:8])+uint64(n)<<16)
			_, err := s.Create(ctx, r, lanyard.Limit{Max: 20, Now: created})
			return err
		}},
		{"rotate", func(r *lanyard.Record) error {
			r, err := s.Get(ctx, r.SID)
			if err != nil || r.Refresh == nil {
				return err
			}
			r.Refresh.Counter++
			r.Refresh.Predecessor = r.Refresh.Digest
			return s.Update(ctx, r)
		}},
		{"list of a subject", func(r *lanyard.Record) error {
			_, err := s.List(ctx, lanyard.Query{Subject: r.Subject})
			return err
		}},
		{"revoke", func(r *lanyard.Record) error {
			_, err := s.Revoke(ctx, lanyard.End{SID: r.SID, Reason: lanyard.ReasonLogout, Now: created, Until: created})
			return err
		}},
	}
}

// medianOf times the step on records from all over the store.
func medianOf(t *testing.T, n int, one step) time.Duration {
	t.Helper()
	records := make([]*lanyard.Record, 2000)
	for i := range records {
		records[i] = scaled(i*7919%n, i*7919%n%2 == 1)
	}
	took := make([]time.Duration, len(records))
	for i, r := range records {
		start := time.Now()
		if err := one.do(r); err != nil {
			t.Fatal(err)
		}
		took[i] = time.Since(start)
	}
	slices.Sort(took)
	return took[len(took)/2]
}
