package revocation

import (
	"crypto/rand"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// endpoint is where one node serves its feed.
type endpoint struct{ name, stream, snapshot, ack string }

// parseEndpoint reads the base URL of a feed. Plain http is for this machine
// alone: a feed tells who has signed out, and credentials travel with it.
func parseEndpoint(text string) (endpoint, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return endpoint{}, errors.New("not a URL")
	case u.Hostname() == "" || u.Opaque != "":
		return endpoint{}, errors.New("not an absolute URL")
	case u.User != nil:
		return endpoint{}, errors.New("a URL with a user name or password in it")
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(text, "#"):
		return endpoint{}, errors.New("a URL with a query or fragment")
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		return endpoint{}, errors.New("plain http is for this machine only; it has to be https")
	case u.Scheme != "https" && u.Scheme != "http":
		return endpoint{}, errors.New("not an https URL")
	}
	base := strings.TrimSuffix(u.String(), "/")
	return endpoint{name: base, stream: base, snapshot: base + "/snapshot", ack: base + "/ack"}, nil
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

// newFeedClient follows no redirect, keeps no cookie, and has no time limit of
// its own: streams stay open, and everything else brings a context.
func newFeedClient(transport http.RoundTripper) *http.Client {
	if transport == nil {
		// Not HTTP/2: requests that time out would go on sharing the connection to a
		// node that has stopped, where those of HTTP/1.1 leave it.
		transport = &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
			MaxResponseHeaderBytes: 64 << 10,
			IdleConnTimeout:        90 * time.Second,
		}
	}
	return &http.Client{
		Transport: transport,
		// A redirect would let whoever controls one address choose another.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

const (
	// firstPause is the most that the second retry waits; each further one may
	// wait twice as long.
	firstPause = 50 * time.Millisecond
	// credentialsPause is the most that a retry waits where credentials are
	// refused, which asking again does not change.
	credentialsPause = 30 * time.Second
)

// retries says where and when to connect next. The first retry is at once, since
// a node that stops leaves others that go on; after that each waits a random
// time, so that thousands of followers do not come back together.
type retries struct {
	endpoints int
	longest   time.Duration
	at        int // the endpoint to try
	failures  int // in a row
}

// settled is called when a connection has lasted.
func (r *retries) settled() { r.failures = 0 }

// failed returns how long to wait before the next attempt.
func (r *retries) failed(t Trouble) time.Duration {
	switch t {
	case TroubleResync, TroubleRegress:
		// This node is well: it is the follower's place that it cannot serve.
	default:
		r.at = (r.at + 1) % r.endpoints
	}
	r.failures++
	switch {
	case r.failures == 1:
		return 0
	case t == TroubleCredentials && r.failures > r.endpoints:
		return credentialsPause/2 + jitter(credentialsPause/2)
	}
	return jitter(min(r.longest, firstPause<<min(r.failures-2, 16)))
}

// jitter returns a random time up to d.
func jitter(d time.Duration) time.Duration {
	var b [4]byte
	rand.Read(b[:])
	return time.Duration(float64(d) * float64(binary.LittleEndian.Uint32(b[:])) / (1 << 32))
}
