package server

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/store/sqlite"
)

// failing takes some records over and then no more.
type failing struct {
	*sqlite.Store
	left int
}

var errFull = errors.New("the disk is full")

func (f *failing) Import(ctx context.Context, records []*lanyard.Record, entries []lanyard.Entry) (int, error) {
	f.left -= len(records)
	if f.left < 0 {
		return 0, errFull
	}
	return f.Store.Import(ctx, records, entries)
}

func sqliteStore(t *testing.T, name string) *sqlite.Store {
	t.Helper()
	db, err := openSQL(testDrivers, filepath.Join(t.TempDir(), name), "store")
	if err != nil {
		t.Fatal(err)
	}
	s, err := sqlite.New(t.Context(), db, sqlite.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(); db.Close() })
	return s
}

// fill makes n sessions, ends every third and then everything before the last
// ten.
func fill(t *testing.T, s lanyard.Store, n int) (all []*lanyard.Record) {
	t.Helper()
	now := lanyard.TimeOf(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	for i := range n {
		if i == n-10 {
			if _, err := s.Revoke(t.Context(), lanyard.End{All: true, Reason: lanyard.ReasonAdmin, Now: now, Until: now.Add(time.Hour)}); err != nil {
				t.Fatal(err)
			}
		}
		subject := fmt.Sprintf("user%d", i%7)
		r := &lanyard.Record{
			State: lanyard.StateLive, Channel: lanyard.ChannelCookie, Subject: subject, Generation: 1,
			CreatedAt: now, AuthTime: now, LastActive: now, IdleExpiresAt: now.Add(time.Hour), ExpiresAt: now.Add(2 * time.Hour),
		}
		r.SID[5], r.SID[15], r.SID[14] = 1, byte(i), byte(i>>8)
		part := lanyard.SubjectPartition(subject)
		r.SID[6], r.SID[7] = byte(part>>2), byte(part<<6)
		if _, err := s.Create(t.Context(), r, lanyard.Limit{}); err != nil {
			t.Fatal(err)
		}
		if i%3 == 0 {
			if _, err := s.Revoke(t.Context(), lanyard.End{SID: r.SID, Reason: lanyard.ReasonLogout, Now: now, Until: now.Add(time.Hour)}); err != nil {
				t.Fatal(err)
			}
		}
		all = append(all, r)
	}
	for i, r := range all {
		got, err := s.Get(t.Context(), r.SID)
		if err != nil {
			t.Fatal(err)
		}
		all[i] = got
	}
	return all
}

func TestAMoveThatWasInterruptedIsFinishedByTheNext(t *testing.T) {
	a, b := sqliteStore(t, "a.db"), sqliteStore(t, "b.db")
	all := fill(t, a, 520)
	if _, err := move(t.Context(), a, &failing{b, 510}, "A", "B"); !errors.Is(err, errFull) {
		t.Fatalf("%v, want the store's own failure", err)
	}
	for name, s := range map[string]*Server{"B": {store: b, cfg: &resolved{}}} {
		if err := s.checkMoved(t.Context()); err == nil || !strings.Contains(err.Error(), "not finished") {
			t.Errorf("a server starts on %s, which is incomplete: %v", name, err)
		}
	}
	if _, err := move(t.Context(), sqliteStore(t, "c.db"), b, "C", "B"); err == nil || !strings.Contains(err.Error(), "being filled from A") {
		t.Errorf("a move from elsewhere into an incomplete store: %v", err)
	}
	m, err := move(t.Context(), a, b, "A", "B")
	if err != nil || m.Records != 520 {
		t.Fatalf("%+v, %v", m, err)
	}
	for _, want := range all {
		got, err := b.Get(t.Context(), want.SID)
		if err != nil {
			t.Fatal(err)
		}
		if got.Ended() != want.Ended() || want.EndReason != "" && got.EndReason != want.EndReason || got.Version != want.Version ||
			got.SubjectEpoch != want.SubjectEpoch || got.GlobalEpoch != want.GlobalEpoch || got.Live(want.CreatedAt) != want.Live(want.CreatedAt) {
			t.Fatalf("moved:\n got %+v\nwant %+v", got, want)
		}
	}
	if err := (&Server{store: b, cfg: &resolved{}}).checkMoved(t.Context()); err != nil {
		t.Errorf("the complete store: %v", err)
	}
	if err := (&Server{store: a, cfg: &resolved{}}).checkMoved(t.Context()); err == nil || !strings.Contains(err.Error(), "were moved to B") {
		t.Errorf("a server starts on the store that was left: %v", err)
	}
	if _, err := move(t.Context(), a, sqliteStore(t, "d.db"), "A", "D"); err == nil || !strings.Contains(err.Error(), "moved already") {
		t.Errorf("moved a second time, elsewhere: %v", err)
	}
}

// clocked is a store whose engine has a clock.
type clocked struct {
	lanyard.Store
	at time.Time
}

func (c clocked) Clock(context.Context) (time.Time, error) { return c.at, nil }

func TestAMachineWithAWrongClockStaysOut(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for off, want := range map[time.Duration]string{
		0: "", 50 * time.Second: "", -50 * time.Second: "",
		time.Hour: "1h0m0s behind", -time.Hour: "1h0m0s ahead", 61 * time.Second: "1m1s behind",
	} {
		s := &Server{store: clocked{at: now.Add(off)}, now: func() time.Time { return now }, cfg: &resolved{}}
		err := s.checkClock(t.Context())
		switch {
		case want == "" && err != nil:
			t.Errorf("%v off: %v", off, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "NTP")):
			t.Errorf("%v off: %v, want it to say %q", off, err, want)
		}
	}
}

func TestProcessesOnOneDataDirectoryHaveATrailEach(t *testing.T) {
	dir := t.TempDir()
	open := func() *Server {
		s := &Server{cfg: &resolved{Config: Config{Data: dir}, store: engine{onRedis, "redis://h"}}, now: time.Now}
		if err := s.openAudit(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.trail.Close() })
		return s
	}
	a, b := open(), open()
	if filepath.Base(a.trailPath) != "audit.log" || filepath.Base(b.trailPath) != "audit-2.log" {
		t.Fatalf("trails %s and %s", a.trailPath, b.trailPath)
	}
	if err := a.trail.Close(); err != nil {
		t.Fatal(err)
	}
	if c := open(); filepath.Base(c.trailPath) != "audit.log" {
		t.Errorf("the trail of a process that is gone is not taken up: %s", c.trailPath)
	}
	alone := &Server{cfg: &resolved{Config: Config{Data: dir}, store: engine{kind: onSQLite}}, now: time.Now}
	if err := alone.openAudit(); err == nil {
		t.Error("a second process began a trail beside a store that has one owner")
	}
}
