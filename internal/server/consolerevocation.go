package server

import (
	"bytes"
	"net/http"
	"strings"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/internal/web"
	"github.com/lanyard-go/lanyard/revocation"
)

// consoleRevocation serves GET /console/revocation.
func (s *Server) consoleRevocation(w http.ResponseWriter, r *http.Request) {
	state, _ := s.m.Node()
	view := web.ConsoleRevocationView{Page: s.base(w, r), Bound: s.cfg.RevocationBound, Lease: state.Lease, Age: state.Age}
	view.Hour, view.Plot = lastHour(s.feed.Hub().LastHour(), s.now())
	if n := len(view.Plot); n > 0 {
		view.Now = view.Plot[n-1].Lag
	}
	for _, f := range s.feed.Hub().Followers() {
		view.Followers = append(view.Followers, web.FollowerRow{
			Name: f.Name, Client: f.Owner, Fresh: f.Lease > 0, Local: f.Local, Behind: int(f.Behind), Seen: f.Seen, Lag: webLag(&f.Lags),
		})
	}
	for _, p := range state.Peers {
		view.Nodes = append(view.Nodes, web.NodeRow{Name: p.Name, Running: p.Left > 0, InStep: p.Applied, Followers: p.Followers})
	}
	for _, one := range s.waits.newest() {
		view.Waits = append(view.Waits, web.WaitRow{
			At: one.at, What: one.what, Took: one.took, WaitedFor: one.who, NotCovered: one.local, Settled: one.settled,
		})
	}
	s.show(w, r, http.StatusOK, func(b *bytes.Buffer) error { return s.pages.ConsoleRevocation(b, view) })
}

// lastHour sums the minutes up, and says how long ago each was.
func lastHour(minutes []revocation.LagMinute, now time.Time) (all web.Lag, out []web.LagMinute) {
	var sum revocation.Lags
	for _, m := range minutes {
		for i, n := range m.Lags {
			sum[i] += n
		}
		ago := int(now.Truncate(time.Minute).Sub(m.Start) / time.Minute)
		out = append(out, web.LagMinute{Ago: ago, Lag: webLag(&m.Lags)})
	}
	return webLag(&sum), out
}

func webLag(l *revocation.Lags) web.Lag {
	return web.Lag{P50: l.Quantile(.5), P99: l.Quantile(.99), Max: l.Quantile(1), Count: int(l.Count())}
}

// waitedNotice says what a strict revocation of a session has waited for, as far
// as this server knows.
func (s *Server) waitedNotice(sid lanyard.SID) *web.Notice {
	for _, one := range s.waits.newest() {
		if one.what != "session "+sid.String() || !one.settled {
			continue
		}
		text := "The session has been ended, and no service accepts it any more. That took " + one.took.Round(time.Millisecond).String()
		if len(one.who) > 0 {
			text += ", waiting for " + strings.Join(one.who, ", ")
		}
		text += "."
		if len(one.local) > 0 {
			text += " On some of their routes these may accept it until a token expires: " + strings.Join(one.local, ", ") + "."
		}
		return &web.Notice{Text: text}
	}
	return &web.Notice{Text: notices["ended"]}
}
