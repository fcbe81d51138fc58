package cookie

import "strings"

// A promise is what a browser demands of a cookie whose name has a prefix
// (RFC 6265bis, section 4.1.3; the Http ones from the layered cookies draft).
type promise struct {
	prefix   string
	host     bool // Path=/ and no Domain
	httpOnly bool
}

// promiseOf returns the rules for a name, compared without case as browsers do.
// The longest prefix wins: __Host-Http-x is more than a __Host- cookie.
func promiseOf(name string) (promise, bool) {
	for _, p := range [...]promise{
		{"__Host-Http-", true, true},
		{"__Host-", true, false},
		{"__Http-", false, true},
		{"__Secure-", false, false},
	} {
		if len(name) >= len(p.prefix) && strings.EqualFold(name[:len(p.prefix)], p.prefix) {
			return p, true
		}
	}
	return promise{}, false
}

func (s Spec) validatePrefix() error {
	p, ok := promiseOf(s.Name)
	if !ok {
		if s.Domain != "" {
			return bad("Domain", "a cookie shared with subdomains needs a name that starts with __Secure- or __Http-")
		}
		return nil
	}
	switch {
	case s.Name[:len(p.prefix)] != p.prefix:
		// Browsers that compare the prefix with its case would not protect it.
		return bad("Name", "the prefix is spelled %s", p.prefix)
	case len(s.Name) == len(p.prefix):
		return bad("Name", "nothing after %s", p.prefix)
	case !s.Secure:
		return bad("Secure", "%s needs it", p.prefix)
	case p.httpOnly && !s.HttpOnly:
		return bad("HttpOnly", "%s needs it", p.prefix)
	case p.host && s.Domain != "":
		return bad("Domain", "%s forbids it", p.prefix)
	case p.host && s.path() != "/":
		return bad("Path", "%s needs /", p.prefix)
	}
	return nil
}
