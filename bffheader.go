package lanyard

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/lanyard-go/lanyard/csrf"
)

// headerLists are the header fields that a [BFF] passes on, in canonical form.
type headerLists struct{ request, response []string }

// What plain APIs need. Not in the lists, and so dropped: cookies, credentials,
// where a request came from, what concerns one connection, what overrides a
// method or a path, and what an answer says for the whole origin.
var (
	passedRequest = []string{
		"Accept", "Accept-Encoding", "Accept-Language", "Content-Encoding", "Content-Language", "Content-Type",
		"If-Match", "If-Modified-Since", "If-None-Match", "If-Range", "If-Unmodified-Since", "Range",
		"Idempotency-Key", "Last-Event-Id", "Prefer", "Traceparent", "X-Request-Id",
	}
	passedResponse = []string{
		"Accept-Ranges", "Allow", "Content-Disposition", "Content-Encoding", "Content-Language", "Content-Length",
		"Content-Range", "Content-Type", "Date", "Etag", "Last-Modified", "Location", "Preference-Applied", "Retry-After", "X-Request-Id",
	}
)

// neverPassed cannot be added to either list.
var neverPassed = []string{
	"Authorization", "Cookie", "Cookie2", "Dpop", "Forwarded", "Host", "Origin", "Via", "X-Csrf-Token", "X-Real-Ip",
	"X-Http-Method", "X-Http-Method-Override", "X-Method-Override", "X-Original-Url", "X-Rewrite-Url",
	"Connection", "Content-Length", "Expect", "Http2-Settings", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
	"Alt-Svc", "Cache-Control", "Clear-Site-Data", "Content-Security-Policy", "Content-Security-Policy-Report-Only", "Cross-Origin-Resource-Policy",
	"Nel", "Origin-Agent-Cluster", "Refresh", "Report-To", "Reporting-Endpoints", "Service-Worker-Allowed", "Set-Cookie", "Set-Cookie2", "Set-Login",
	"Sourcemap", "Strict-Transport-Security", "Www-Authenticate", "X-Content-Type-Options",
}

// neverPrefixes begin families of fields that cannot be added either.
var neverPrefixes = []string{"Access-Control-", "Proxy-", "Sec-", "Secure-Session-", "X-Forwarded-"}

func newHeaderLists(cfg BFFConfig) (l headerLists, err error) {
	if l.request, err = longer(passedRequest, cfg.RequestHeaders, "RequestHeaders"); err != nil {
		return l, err
	}
	l.response, err = longer(passedResponse, cfg.ResponseHeaders, "ResponseHeaders")
	return l, err
}

func longer(list, more []string, field string) ([]string, error) {
	list = slices.Clone(list)
	for _, given := range more {
		name := http.CanonicalHeaderKey(given)
		never := func(prefix string) bool { return strings.HasPrefix(name, prefix) }
		if !fieldName(given) || slices.Contains(neverPassed, name) || slices.ContainsFunc(neverPrefixes, never) {
			return nil, fmt.Errorf("lanyard: BFFConfig.%s: %q cannot be passed on", field, given)
		}
		list = append(list, name)
	}
	return list, nil
}

// fieldName reports whether a name is letters, digits and hyphens. Services that
// turn names into variables take an underscore for a hyphen.
func fieldName(s string) bool {
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return s != ""
}

// only returns the listed fields of h, but for those that its Connection field
// claims for one hop.
func only(list []string, h http.Header) http.Header {
	out := make(http.Header, 8)
	for _, name := range list {
		if values := h[name]; len(values) > 0 {
			out[name] = values
		}
	}
	for _, field := range h["Connection"] {
		for name := range strings.SplitSeq(field, ",") {
			out.Del(strings.TrimSpace(name))
		}
	}
	return out
}

// ownScript checks that a page of this origin has made the request. Browsers
// without Fetch Metadata send the header X-CSRF-Token, which other origins cannot
// send without being allowed to; whether its value is right is asked by
// [Manager.Handler], where it matters.
func ownScript(h http.Header) error {
	site := h["Sec-Fetch-Site"]
	switch {
	case len(site) == 0 && len(h[csrf.HeaderName]) == 0:
		return &csrf.Refused{Why: csrf.NoHeaders, Header: "Sec-Fetch-Site"}
	case len(site) == 0:
		return nil
	case len(site) > 1:
		return &csrf.Refused{Why: csrf.BadHeader, Header: "Sec-Fetch-Site"}
	case site[0] == "same-origin", site[0] == "none": // none is the person, in the browser itself
		return nil
	case site[0] == "same-site":
		return &csrf.Refused{Why: csrf.SameSite, Header: "Sec-Fetch-Site"}
	}
	return &csrf.Refused{Why: csrf.CrossSite, Header: "Sec-Fetch-Site"}
}

// asData reports whether the browser will take the answer for data: a service's
// answer must not become a page of this origin, a script of it, or its service
// worker.
func asData(h http.Header) bool {
	for _, mode := range h["Sec-Fetch-Mode"] {
		if mode != "cors" && mode != "same-origin" && mode != "no-cors" {
			return false
		}
	}
	for _, dest := range h["Sec-Fetch-Dest"] {
		switch dest {
		case "empty", "image", "audio", "video", "track":
		default:
			return false
		}
	}
	return true
}
