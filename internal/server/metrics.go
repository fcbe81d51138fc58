package server

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/lanyard-go/lanyard"
)

// metrics counts outcomes for Prometheus. Its labels come from fixed sets in the
// code, never from a request; but for the names of verifiers, which come with
// credentials and are a hundred at most.
type metrics struct {
	registry *prometheus.Registry
	outcomes *prometheus.CounterVec
	requests *prometheus.HistogramVec
	waits    *prometheus.HistogramVec
}

func newMetrics(s *Server) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "lanyard_outcomes_total", Help: "Decisions by kind and outcome, such as kind=refresh outcome=rotated.",
		}, []string{"kind", "outcome"}),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "lanyard_http_request_duration_seconds", Help: "Time to answer by route and status class.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5},
		}, []string{"route", "status"}),
		waits: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "lanyard_revocation_wait_seconds", Help: "How long a revocation by an administrator waited for nodes, and with mode=strict for verifiers.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2, 2.5, 5, 10, 30, 60},
		}, []string{"mode"}),
	}
	live := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "lanyard_sessions_live", Help: "Live sessions, -1 while the store cannot tell."}, func() float64 {
		c, ok := s.store.(lanyard.Counter)
		if !ok {
			return -1
		}
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		n, err := c.Count(ctx, lanyard.TimeOf(s.now()))
		if err != nil {
			return -1
		}
		return float64(n)
	})
	m.registry.MustRegister(m.outcomes, m.requests, m.waits, live, newFeedMetrics(s), collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Count implements lanyard.Metrics.
func (m *metrics) Count(kind, outcome string) { m.outcomes.WithLabelValues(kind, outcome).Inc() }

func (m *metrics) observe(route string, status int, took time.Duration) {
	m.requests.WithLabelValues(route, string(rune('0'+status/100))+"xx").Observe(took.Seconds())
}

// waited counts how long a revocation waited after it had been written down.
func (m *metrics) waited(strict bool, took time.Duration) {
	mode := "fast"
	if strict {
		mode = "strict"
	}
	m.waits.WithLabelValues(mode).Observe(took.Seconds())
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}
