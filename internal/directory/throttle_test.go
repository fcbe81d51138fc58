package directory

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// outcome of an attempt: "in", "wrong", "closed" or how long to wait.
func outcome(t testing.TB, d *Directory, at Attempt) string {
	t.Helper()
	_, err := d.Authenticate(t.Context(), at)
	th, throttled := errors.AsType[*Throttled](err)
	switch {
	case err == nil:
		return "in"
	case errors.Is(err, ErrInvalidCredentials):
		return "wrong"
	case throttled && th.Closed:
		return "closed"
	case throttled:
		return th.RetryAfter.String()
	}
	t.Fatal(err)
	return ""
}

// spread gives each attempt a network of its own, as a botnet has.
func spread(i int) string { return fmt.Sprintf("10.%d.%d.1", i/256, i%256) }

func expect(t *testing.T, d *Directory, at Attempt, want string) {
	t.Helper()
	if got := outcome(t, d, at); got != want {
		t.Fatalf("%s: got %s, want %s", at.Name, got, want)
	}
}

// req: LOGIN-1
func TestFailuresInARowAreDelayedMoreAndMore(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e engine) {
		d, q, clk := newQuick(t, e, ThrottleConfig{})
		addUser(t, d, "ada")
		wrong := Attempt{Name: "ada", Password: "wrong"}
		right := Attempt{Name: "ada", Password: good}
		for range 4 {
			expect(t, d, wrong, "wrong")
		}
		delays := []string{"1s", "2s", "4s", "8s", "16s", "32s", "1m4s", "2m8s", "4m16s", "8m32s", "15m0s", "15m0s"}
		for _, want := range delays {
			expect(t, d, wrong, "wrong")
			looked := q.verifies.Load()
			expect(t, d, right, want) // even the right one: the password is not looked at
			wait, _ := time.ParseDuration(want)
			clk.advance(wait - time.Millisecond)
			expect(t, d, wrong, "1ms") // and asking too soon makes it no longer
			if q.verifies.Load() != looked {
				t.Fatal("a throttled attempt was verified")
			}
			clk.advance(time.Millisecond)
		}
		expect(t, d, right, "in")
		for range 5 {
			expect(t, d, wrong, "wrong") // success started the count over
		}
		expect(t, d, wrong, "1s")
	})
}

// req: LOGIN-1, LOGIN-2
func TestAHundredFailuresCloseAnAccountToStrangersOnly(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e engine) {
		d, q, clk := newQuick(t, e, ThrottleConfig{})
		addUser(t, d, "ada")
		attack := func() (looked int64) {
			before := q.verifies.Load()
			for i := range 150 {
				outcome(t, d, Attempt{Name: "ada", Password: "wrong", Source: spread(i)})
				clk.advance(15 * time.Minute)
			}
			return q.verifies.Load() - before
		}
		right := Attempt{Name: "ada", Password: good, Source: "192.0.2.1"}
		known := right
		known.KnownDevice = true

		if looked := attack(); looked != 100 {
			t.Fatalf("%d passwords were looked at, want 100", looked)
		}
		expect(t, d, right, "closed")
		clk.advance(365 * 24 * time.Hour)
		expect(t, d, right, "closed") // the count has no time limit
		if err := d.Prune(t.Context()); err != nil {
			t.Fatal(err)
		}
		expect(t, d, right, "closed")

		expect(t, d, known, "in") // the known device is open, and opens
		expect(t, d, right, "in")

		if looked := attack(); looked != 100 {
			t.Fatalf("%d passwords were looked at, want 100", looked)
		}
		expect(t, d, right, "closed")
		secret, _, err := d.NewReset(t.Context(), "ada")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Reset(t.Context(), secret, "another sentence to sign in"); err != nil {
			t.Fatal(err)
		}
		right.Password = "another sentence to sign in"
		expect(t, d, right, "in") // so does a reset

		attack()
		expect(t, d, right, "closed")
		if err := d.SetPassword(t.Context(), "ada", good); err != nil {
			t.Fatal(err)
		}
		right.Password = good
		expect(t, d, right, "in") // and the operator
	})
}

// req: LOGIN-2
func TestStrangersDoNotSlowAKnownDeviceDown(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e engine) {
		d, _, _ := newQuick(t, e, ThrottleConfig{})
		addUser(t, d, "ada")
		// From the very network of the user, until both counters are full.
		for i := range 300 {
			outcome(t, d, Attempt{Name: fmt.Sprint("nobody", i), Password: "wrong", Source: "192.0.2.7"})
			outcome(t, d, Attempt{Name: "ada", Password: "wrong", Source: spread(i)})
		}
		at := Attempt{Name: "ada", Password: good, Source: "192.0.2.1"}
		if got := outcome(t, d, at); got == "in" {
			t.Fatal("the attack did not fill the counters")
		}
		at.KnownDevice = true
		expect(t, d, at, "in")
	})
}

// A name that nobody has closes as well and stays so, or else it would show
// what it is after a while.
//
// req: LOGIN-3
func TestUnknownNamesStayClosedToo(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e engine) {
		d, _, clk := newQuick(t, e, ThrottleConfig{})
		for i := range 100 {
			expect(t, d, Attempt{Name: "nobody", Password: "wrong", Source: spread(i)}, "wrong")
			clk.advance(15 * time.Minute)
		}
		clk.advance(365 * 24 * time.Hour)
		if err := d.Prune(t.Context()); err != nil {
			t.Fatal(err)
		}
		expect(t, d, Attempt{Name: "nobody", Password: "wrong"}, "closed")
	})
}

// Somebody else's device, or a stolen one, is no way to guess for free, and
// knows the pace but no closed door.
//
// req: LOGIN-1, LOGIN-2
func TestAKnownDeviceHasAPaceOfItsOwn(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e engine) {
		d, q, clk := newQuick(t, e, ThrottleConfig{MaxFailures: 20})
		addUser(t, d, "ada")
		at := Attempt{Name: "ada", Password: "wrong", KnownDevice: true}
		for range 50 {
			outcome(t, d, at)
		}
		if got := q.verifies.Load(); got != 5 {
			t.Fatalf("%d passwords were looked at, want 5", got)
		}
		for range 50 {
			clk.advance(15 * time.Minute)
			expect(t, d, at, "wrong")
		}
		expect(t, d, at, "15m0s")
		expect(t, d, Attempt{Name: "ada", Password: good}, "closed") // the failures count for all
		clk.advance(15 * time.Minute)
		at.Password = good
		expect(t, d, at, "in")
	})
}

// req: LOGIN-1
func TestASourceHasABudget(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e engine) {
		d, _, clk := newQuick(t, e, ThrottleConfig{})
		addUser(t, d, "ada")
		for i := range 100 {
			expect(t, d, Attempt{Name: fmt.Sprint("user", i), Password: "wrong", Source: fmt.Sprintf("192.0.2.%d", i)}, "wrong")
		}
		right := Attempt{Name: "ada", Password: good, Source: "192.0.2.200"}
		expect(t, d, right, "30s")
		elsewhere := right
		elsewhere.Source = "198.51.100.1"
		expect(t, d, elsewhere, "in")
		clk.advance(30 * time.Second)
		for range 3 {
			expect(t, d, right, "in") // good logins cost nothing
		}
		expect(t, d, Attempt{Name: "user", Password: "wrong", Source: "192.0.2.1"}, "wrong")
		expect(t, d, right, "30s")
		clk.advance(100 * 30 * time.Second)
		for i := range 100 {
			expect(t, d, Attempt{Name: fmt.Sprint("other", i), Password: "wrong", Source: "192.0.2.1"}, "wrong")
		}
		expect(t, d, right, "30s")
	})
}

func TestNetworkOfASource(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"IPv4", "192.0.2.77", "192.0.2.0/24"},
		{"IPv4 in IPv6", "::ffff:192.0.2.77", "192.0.2.0/24"},
		{"IPv6", "2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"},
		{"IPv6 with a zone", "fe80::1%eth0", "fe80::/48"},
		{"with a port", "192.0.2.77:80", ""},
		{"a name", "localhost", ""},
		{"nothing", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := network(tt.in); got != tt.want {
				t.Fatalf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// Two directories on one file, as two processes have, and attempts that are
// all under way at the same moment.
//
// req: LOGIN-1
func TestParallelFailuresStayWithinTheBudget(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e engine) {
		path := filepath.Join(t.TempDir(), "d.db")
		clk, q := newClock(), new(quick)
		var nodes []*Directory
		for range 2 {
			d := open(t, e.openDB(t, path), Config{Now: clk.now})
			d.hasher = q
			d.turns = newTurns(1000) // the database alone must hold
			nodes = append(nodes, d)
		}
		addUser(t, nodes[0], "ada")
		var all sync.WaitGroup
		start := make(chan struct{})
		for i := range 120 {
			all.Go(func() {
				<-start
				_, err := nodes[i%2].Authenticate(context.Background(), Attempt{Name: "ada", Password: "wrong", Source: spread(i)})
				if _, throttled := errors.AsType[*Throttled](err); !throttled && !errors.Is(err, ErrInvalidCredentials) {
					t.Error(err)
				}
			})
		}
		close(start)
		all.Wait()
		if got := q.verifies.Load(); got != 5 {
			t.Fatalf("%d passwords were looked at, want 5", got)
		}
	})
}

// req: LOGIN-1
func TestDelaysSurviveARestart(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e engine) {
		path := filepath.Join(t.TempDir(), "d.db")
		clk := newClock()
		for i, want := range []string{"wrong", "1s"} {
			db := e.openDB(t, path)
			d := open(t, db, Config{Now: clk.now})
			d.hasher = new(quick)
			if i == 0 {
				addUser(t, d, "ada")
				for range 4 {
					expect(t, d, Attempt{Name: "ada", Password: "wrong"}, "wrong")
				}
			}
			expect(t, d, Attempt{Name: "ada", Password: "wrong"}, want)
			db.Close()
		}
	})
}

func TestDelaysStartOverAfterADay(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e engine) {
		d, _, clk := newQuick(t, e, ThrottleConfig{})
		for _, name := range []string{"ada", "nobody"} {
			if name == "ada" {
				addUser(t, d, name)
			}
			wrong := Attempt{Name: name, Password: "wrong"}
			for range 5 {
				expect(t, d, wrong, "wrong")
			}
			expect(t, d, wrong, "1s")
			clk.advance(24*time.Hour - time.Millisecond)
			expect(t, d, wrong, "wrong")
			expect(t, d, wrong, "2s")
			clk.advance(24 * time.Hour)
			for range 5 {
				expect(t, d, wrong, "wrong")
			}
			expect(t, d, wrong, "1s")
		}
	})
}

// A clock that was years ahead once must not keep anybody out for years.
func TestADelayFromAClockThatRanAheadIsIgnored(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e engine) {
		d, _, clk := newQuick(t, e, ThrottleConfig{})
		addUser(t, d, "ada")
		clk.advance(10 * 365 * 24 * time.Hour)
		for i := range 100 {
			outcome(t, d, Attempt{Name: "ada", Password: "wrong", Source: "192.0.2.1"})
			outcome(t, d, Attempt{Name: fmt.Sprint("user", i), Password: "wrong", Source: "192.0.2.1"})
		}
		clk.advance(-10 * 365 * 24 * time.Hour)
		expect(t, d, Attempt{Name: "ada", Password: good, Source: "192.0.2.1"}, "in")
	})
}

// A spray of names cannot grow the table without end, nor wash away the
// counter of the account that is being attacked.
func TestTheTableIsBounded(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e engine) {
		d, _, clk := newQuick(t, e, ThrottleConfig{MaxRows: 1000})
		victim := Attempt{Name: "nobody", Password: "wrong", Source: "192.0.2.1"}
		for range 5 {
			expect(t, d, victim, "wrong")
		}
		rows := func() (n int) {
			if err := d.db.QueryRow(`SELECT count(*) FROM directory_throttle`).Scan(&n); err != nil {
				t.Fatal(err)
			}
			return n
		}
		most := 0
		for i := range 900 {
			outcome(t, d, Attempt{Name: fmt.Sprint("spray", i), Password: "wrong", Source: spread(i)})
			if i%20 == 0 {
				most = max(most, rows())
			}
		}
		if limit := 1000 + 2*pruneEvery; most > limit || most < 1000 {
			t.Fatalf("the table had %d rows, want 1000 to %d", most, limit)
		}
		expect(t, d, victim, "1s")
		clk.advance(24 * time.Hour)
		if err := d.Prune(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := rows(); n != 0 {
			t.Fatalf("%d rows are left after a day", n)
		}
	})
}

// What closes an account is not in the table that can be washed out.
//
// req: LOGIN-1
func TestEvictionDoesNotReopenAnAccount(t *testing.T) {
	onEachEngine(t, func(t *testing.T, e engine) {
		d, q, clk := newQuick(t, e, ThrottleConfig{})
		addUser(t, d, "ada")
		for i := range 200 {
			outcome(t, d, Attempt{Name: "ada", Password: "wrong", Source: spread(i)})
			clk.advance(15 * time.Minute)
			if _, err := d.db.Exec(`DELETE FROM directory_throttle`); err != nil {
				t.Fatal(err)
			}
		}
		if got := q.verifies.Load(); got != 100 {
			t.Fatalf("%d passwords were looked at, want 100", got)
		}
		expect(t, d, Attempt{Name: "ada", Password: good}, "closed")
	})
}
