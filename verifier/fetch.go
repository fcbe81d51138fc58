package verifier

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxAnswer is the longest answer of an issuer that is read, in bytes.
const maxAnswer = 64 << 10

// newClient follows no redirect, keeps no cookie, and has no way to weaken TLS
// but a transport that the caller has built.
func newClient(transport http.RoundTripper) *http.Client {
	if transport == nil {
		transport = &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
			ForceAttemptHTTP2:      true,
			MaxResponseHeaderBytes: maxAnswer,
			MaxIdleConnsPerHost:    maxAsking,
			IdleConnTimeout:        90 * time.Second,
		}
	}
	return &http.Client{
		Transport: transport,
		// A redirect would let whoever controls one address choose another, and a
		// permanent one would never be noticed.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// answer is what an issuer said, bounded and of the right type.
type answer struct {
	body      string
	etag      string
	life      time.Duration // for how long, by Cache-Control; negative if it does not say
	unchanged bool          // 304: there is no body
}

// get reads address, which must answer with one of the media types. With an etag
// the answer may be that nothing has changed.
func get(ctx context.Context, client *http.Client, address, etag string, types ...string) (*answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", strings.Join(types, ", "))
	if etag != "" {
		req.Header.Set("If-None-Match", etag)
	}
	a, err := exchange(client, req, types...)
	if err != nil {
		return nil, fmt.Errorf("fetching %s: %w", address, err)
	}
	return a, nil
}

// exchange sends a request and reads its answer.
func exchange(client *http.Client, req *http.Request, types ...string) (*answer, error) {
	res, err := client.Do(req)
	if err != nil {
		return nil, tidy(req.Context(), err)
	}
	defer res.Body.Close()
	a := &answer{life: lifetime(res.Header)}
	if tag := res.Header.Get("Etag"); isTag(tag) {
		a.etag = tag
	}
	kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	switch {
	case res.StatusCode == http.StatusNotModified && req.Header.Get("If-None-Match") != "":
		a.unchanged = true
		return a, nil
	case res.StatusCode >= 300 && res.StatusCode < 400:
		return nil, fmt.Errorf("it answered with a redirect (%d), which is not followed", res.StatusCode)
	case res.StatusCode != http.StatusOK:
		return nil, &statusError{res.StatusCode}
	case !slices.Contains(types, kind):
		return nil, fmt.Errorf("it answered with %q instead of %s", printable(kind), types[0])
	case res.ContentLength > maxAnswer:
		return nil, errTooLong
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, tidy(req.Context(), err)
	case len(body) > maxAnswer:
		return nil, errTooLong
	}
	a.body = string(body)
	return a, nil
}

// isTag reports whether an entity tag can be sent back (RFC 9110 section 8.8.3).
func isTag(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] == 0x7f {
			return false
		}
	}
	return s != "" && len(s) <= 256
}

var errTooLong = fmt.Errorf("its answer is longer than %d KiB", maxAnswer>>10)

// statusError is an answer other than 200.
type statusError struct{ status int }

func (e *statusError) Error() string { return "it answered with status " + strconv.Itoa(e.status) }

// tidy says that time ran out in words, and leaves out what the address says
// already.
func tidy(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("it did not answer in time: %w", context.DeadlineExceeded)
	}
	for {
		inner, ok := err.(interface{ Timeout() bool })
		if !ok || errors.Unwrap(err) == nil || inner.Timeout() {
			return err
		}
		err = errors.Unwrap(err)
	}
}

// printable keeps the media type that a stranger sent short and harmless.
func printable(s string) string {
	s = quotable(s)
	return s[:min(len(s), 64)]
}

// lifetime reads for how long an answer may be kept (RFC 9111 sections 4.2.1,
// 4.2.3 and 5.2.2), negative if it does not say.
func lifetime(h http.Header) time.Duration {
	life := time.Duration(-1)
	for _, line := range h["Cache-Control"] {
		for directive := range strings.SplitSeq(line, ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
			switch strings.ToLower(name) {
			case "no-store", "no-cache":
				return 0
			case "max-age":
				life = seconds(strings.Trim(value, `"`))
			}
		}
	}
	if age := seconds(h.Get("Age")); life >= 0 {
		life = max(0, life-age)
	}
	return life
}

// seconds reads a delta-seconds; what cannot be read is none at all.
func seconds(text string) time.Duration {
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return 0
	}
	return time.Duration(n) * time.Second
}
