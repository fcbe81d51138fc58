package web

import (
	"io"
	"time"
)

// HealthPath is where the caller serves [Pages.ConsoleHealth]; add it to [Config.Tabs] to link it.
const HealthPath = "/console/health"

// ConsoleHealthView is the page at /console/health: how old anybody's news of a revocation can be.
type ConsoleHealthView struct {
	Page
	Bound time.Duration // the revocation bound in force
	Lag   *Lag          // nil when nothing has been measured yet

	Followers []FollowerRow
	Checks    []HealthCheck
}

// Lag is measured time from revocation to refusal.
type Lag struct {
	P50, P99, P999 time.Duration
	Samples        int
}

// FollowerRow is one node or verifier that follows the revocation feed.
type FollowerRow struct {
	Name  string
	Kind  string // "node" or "verifier"
	State string // "fresh", "stale", "blind"
	Seen  time.Time
}

// HealthCheck is one thing that works or does not.
type HealthCheck struct {
	Name string
	OK   bool
	Text string
}

// ConsoleHealth writes the health page.
func (p *Pages) ConsoleHealth(w io.Writer, v ConsoleHealthView) error {
	return render(w, "console health", p.consoleHealth(v))
}
