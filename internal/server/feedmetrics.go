package server

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lanyard-go/lanyard/revocation"
)

// feedMetrics tell how late news of revocations are, and to whom. They are read
// when they are asked for.
type feedMetrics struct {
	s                                                    *Server
	followers, streams, oldest, age, lease, bound, nodes *prometheus.Desc
	lag                                                  *prometheus.Desc
}

func newFeedMetrics(s *Server) *feedMetrics {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("lanyard_"+name, help, labels, nil)
	}
	return &feedMetrics{
		s:         s,
		followers: desc("feed_followers", "Followers of this node that hold a lease or were heard of lately."),
		streams:   desc("feed_streams", "Streams of the feed that are open."),
		oldest:    desc("feed_oldest_ack_seconds", "Time since the last acknowledgement of the follower with a lease that was silent the longest."),
		age:       desc("feed_age_seconds", "Age of this node's own news of revocations, -1 while it has no lease and asks the store each time."),
		lease:     desc("node_lease_seconds", "How long this node's lease still runs."),
		bound:     desc("revocation_bound_seconds", "How old anybody's news of revocations may be."),
		nodes:     desc("nodes", "Nodes with a running lease, this one included."),
		lag:       desc("revocation_lag_seconds", "Time from a revocation until a verifier had met it, canaries left out.", "client", "verifier"),
	}
}

// Describe implements prometheus.Collector.
func (m *feedMetrics) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.followers, m.streams, m.oldest, m.age, m.lease, m.bound, m.nodes, m.lag} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (m *feedMetrics) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64) { out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v) }
	hub := m.s.feed.Hub()
	load := hub.Load()
	gauge(m.followers, float64(load.Followers))
	gauge(m.streams, float64(load.Streams))
	gauge(m.oldest, load.OldestAck.Seconds())
	gauge(m.bound, m.s.cfg.RevocationBound.Seconds())
	if state, ok := m.s.m.Node(); ok {
		age, nodes := -1.0, 0
		if state.Lease > 0 {
			age = state.Age.Seconds()
			nodes++
		}
		for _, p := range state.Peers {
			if p.Left > 0 {
				nodes++
			}
		}
		gauge(m.age, age)
		gauge(m.lease, state.Lease.Seconds())
		gauge(m.nodes, float64(nodes))
	}
	for who, lags := range hub.Told() {
		count, sum, buckets := histogram(&lags)
		out <- prometheus.MustNewConstHistogram(m.lag, count, sum, buckets, who.Owner, who.Name)
	}
}

// lagEdges are the buckets that lags are exported in. Each is the end of one of
// the finer ones.
var lagEdges = []int64{1, 3, 5, 10, 15, 31, 47, 95, 255, 511, 1023, 2047, 4095, 16383}

// histogram puts lags into the buckets of an export. The sum is one of bucket
// ends, so up to an eighth too high.
func histogram(l *revocation.Lags) (count uint64, sum float64, buckets map[float64]uint64) {
	buckets = make(map[float64]uint64, len(lagEdges))
	for i, n := range l {
		if n == 0 {
			continue
		}
		end := revocation.LagBound(i)
		count += n
		sum += float64(n) * end.Seconds()
	}
	for _, edge := range lagEdges {
		var below uint64
		for i, n := range l {
			if revocation.LagBound(i).Milliseconds() <= edge {
				below += n
			}
		}
		buckets[(time.Duration(edge) * time.Millisecond).Seconds()] = below
	}
	return count, sum, buckets
}
