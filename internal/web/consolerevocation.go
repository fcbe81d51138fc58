package web

import (
	"io"
	"strings"
	"time"
)

// ConsoleRevocationView is the page at /console/revocation: how late anybody hears of a revocation, now and over the last hour.
type ConsoleRevocationView struct {
	Page
	Bound time.Duration // how old anybody's news of revocations may be
	Lease time.Duration // for how long this server's own news count; zero: it asks the store each time
	Age   time.Duration // of those

	Now  Lag         // the last minute in which anything was measured
	Hour Lag         // the last 60 minutes
	Plot []LagMinute // the same, minute by minute; those without a measurement may be left out

	Followers []FollowerRow
	Nodes     []NodeRow
	Waits     []WaitRow // strict revocations of this server, newest first
}

// Lag is measured time from a revocation until verifiers had met it.
type Lag struct {
	P50, P99, Max time.Duration
	Count         int
}

// LagMinute is one minute of the plot.
type LagMinute struct {
	Ago int // in whole minutes, 0 to 59
	Lag
}

// FollowerRow is one verifier that follows the feed of this server.
type FollowerRow struct {
	Name   string
	Client string // whose credentials it comes with
	Fresh  bool   // it holds a lease; without one it refuses on routes with a bound
	Local  bool   // it has routes without a bound
	Behind int    // batches it has not acknowledged
	Seen   time.Time
	Lag    Lag
}

// NodeRow is one server beside this one.
type NodeRow struct {
	Name      string
	Running   bool // its lease runs
	InStep    bool // it goes by everything that this one does
	Followers int
}

// WaitRow is one strict revocation.
type WaitRow struct {
	At         time.Time
	What       string
	Took       time.Duration
	WaitedFor  []string
	NotCovered []string
	Settled    bool // false: the promise was not given
}

func (w *WaitRow) whom() string {
	if len(w.WaitedFor) == 0 {
		return "nobody"
	}
	return strings.Join(w.WaitedFor, ", ")
}

// ConsoleRevocation writes the page.
func (p *Pages) ConsoleRevocation(w io.Writer, v ConsoleRevocationView) error {
	return render(w, "console revocation", p.consoleRevocation(v))
}
