package lanyard

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// bffRoute is a [BFFRoute] that has been checked.
type bffRoute struct {
	path     string
	upstream *url.URL
	audience string
	methods  []string
	need     Need
	insecure bool
}

// newBFFRoute checks the route that the configuration has at a place.
func newBFFRoute(m *Manager, at string, given BFFRoute, insecure bool) (r bffRoute, err error) {
	r = bffRoute{path: given.Path, audience: given.Audience, methods: slices.Clone(given.Methods), need: given.Need}
	own := &url.URL{Path: given.Path}
	if !plainPath(own) || own.EscapedPath() != given.Path {
		return r, fmt.Errorf("%s.Path: %q is not a plain path that starts with a slash", at, given.Path)
	}
	if r.upstream, r.insecure, err = parseUpstream(at, given.Upstream, insecure); err != nil {
		return r, err
	}
	if strings.HasSuffix(given.Path, "/") != strings.HasSuffix(r.upstream.Path, "/") {
		return r, fmt.Errorf("%s.Upstream: Path and Upstream must both end with a slash, or neither", at)
	}
	if audience, err := m.audience(given.Audience); err != nil || len(audience) == 0 {
		// A token for the issuer would be a second badge of the session here, in the
		// hands of the service.
		return r, fmt.Errorf("%s.Audience: %q is not one of Config.Audiences", at, given.Audience)
	}
	if len(r.methods) == 0 {
		r.methods = []string{http.MethodGet, http.MethodHead}
	}
	for _, method := range r.methods {
		if !plainMethod(method) {
			return r, fmt.Errorf("%s.Methods: %q cannot be passed on", at, method)
		}
	}
	switch {
	case r.need.Programs || r.need.Scope != "":
		return r, fmt.Errorf("%s.Need: Programs and Scope are about tokens, and this takes cookies", at)
	case r.need.Channel != 0 && r.need.Channel != ChannelCookie:
		return r, fmt.Errorf("%s.Need.Channel: this takes cookies", at)
	}
	r.need.Channel = ChannelCookie
	return r, nil
}

func parseUpstream(at, text string, insecure bool) (u *url.URL, inClear bool, err error) {
	u, err = url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || strings.Contains(text, "#") || !plainPath(u) || u.EscapedPath() != u.Path {
		return nil, false, fmt.Errorf("%s.Upstream: %q is not an absolute URL with a plain path, without user, query and fragment", at, text)
	}
	switch {
	case u.Scheme == "https":
	case u.Scheme == "http" && loopbackHost(u.Hostname()):
	case u.Scheme == "http" && insecure:
		inClear = true
	default:
		return nil, false, fmt.Errorf("%s.Upstream: %q must be https, or http on a loopback name; see InsecureUpstream", at, text)
	}
	return u, inClear, nil
}

// plainMethod reports whether a method may be in a list. CONNECT and TRACE are
// none of a page's.
func plainMethod(method string) bool {
	for i := range len(method) {
		if c := method[i]; c < 'A' || c > 'Z' {
			return false
		}
	}
	return method != "" && method != http.MethodConnect && method != http.MethodTrace
}

// plainPath reports whether everybody reads a path in the same way, however often
// they decode it: no dot segments, no empty ones, and none of the characters that
// separate segments, or escape them, for some servers (section 3.3 of RFC 3986
// leaves their meaning open).
func plainPath(u *url.URL) bool {
	path := u.Path
	if !strings.HasPrefix(path, "/") || !utf8.ValidString(path) || strings.ContainsAny(path, `\%;`) {
		return false
	}
	// An encoded slash is a slash in Path.
	if strings.Count(u.EscapedPath(), "/") != strings.Count(path, "/") {
		return false
	}
	for i := range len(path) {
		if path[i] < ' ' || path[i] == 0x7f {
			return false
		}
	}
	segments := strings.Split(path[1:], "/")
	for i, s := range segments {
		if s == "." || s == ".." || s == "" && i < len(segments)-1 {
			return false
		}
	}
	return true
}

// match returns what follows the route's path. Path has been found plain.
func (r *bffRoute) match(path string) (rest string, ok bool) {
	if strings.HasSuffix(r.path, "/") {
		return strings.CutPrefix(path, r.path)
	}
	return "", path == r.path
}

// target is the service's address for the rest of a path. It is encoded anew, so
// that the service reads what was matched.
func (r *bffRoute) target(rest, query string) *url.URL {
	u := *r.upstream
	u.Path += rest
	u.RawQuery = query
	return &u
}

// back translates an address that the service named, relative to the one that was
// asked, into one of this origin. False: it leads elsewhere, or past the route.
func (r *bffRoute) back(location string, asked *url.URL) (string, bool) {
	u, err := asked.Parse(location)
	if err != nil || u.User != nil || u.Scheme != r.upstream.Scheme || !strings.EqualFold(u.Host, r.upstream.Host) || !plainPath(u) {
		return "", false
	}
	rest, ok := strings.CutPrefix(u.Path, r.upstream.Path)
	if !ok || rest != "" && !strings.HasSuffix(r.path, "/") {
		return "", false
	}
	return (&url.URL{Path: r.path + rest, RawQuery: u.RawQuery, Fragment: u.Fragment}).String(), true
}
