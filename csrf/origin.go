package csrf

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// origin is a parsed scheme://host[:port]. Its parts are substrings of the
// header, so that parsing does not allocate.
type origin struct {
	scheme, host, port string // port empty when it is the scheme's own
}

// parseOrigin reads the serialisation that browsers send (RFC 6454, section
// 6.2): scheme and host in lower case, IDNs in ASCII, no path. Anything else,
// "null" included, is not an origin.
func parseOrigin(s string) (origin, bool) {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok || scheme != "http" && scheme != "https" {
		return origin{}, false
	}
	host, port, ok := splitHost(rest)
	if !ok || !plainHost(host) {
		return origin{}, false
	}
	if port == defaultPort(scheme) {
		port = ""
	}
	return origin{scheme, host, port}, true
}

// splitHost separates a port from a host, which keeps the brackets of IPv6.
func splitHost(s string) (host, port string, ok bool) {
	host = s
	end := strings.LastIndexByte(s, ']')
	if i := strings.IndexByte(s[end+1:], ':'); i >= 0 {
		host, port = s[:end+1+i], s[end+2+i:]
		if !isPort(port) {
			return "", "", false
		}
	}
	return host, port, host != ""
}

func isPort(s string) bool {
	if s == "" || len(s) > 5 || s[0] == '0' {
		return false
	}
	n := 0
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n <= 65535
}

// plainHost reports whether s has only bytes a serialised host can have: a
// lower-case name, an IPv4 address, or an IPv6 address in brackets. User
// information, a path, a blank or a letter beyond ASCII is none of these.
func plainHost(s string) bool {
	if s[0] == '[' {
		if len(s) < 4 || s[len(s)-1] != ']' {
			return false
		}
		for _, c := range []byte(s[1 : len(s)-1]) {
			if (c < '0' || c > '9') && (c < 'a' || c > 'f') && c != ':' && c != '.' {
				return false
			}
		}
		return true
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '.' && c != '_' {
			return false
		}
	}
	return true
}

func defaultPort(scheme string) string {
	if scheme == "https" {
		return "443"
	}
	return "80"
}

// sameHost reports whether own, the value of a Host field, is the host and port
// of o. A Host field without a port means the default port of the scheme.
func (o origin) sameHost(own string) bool {
	host, port, ok := splitHost(own)
	if !ok {
		return false
	}
	if port == defaultPort(o.scheme) {
		port = ""
	}
	return port == o.port && equalFold(host, o.host)
}

// equalFold compares ASCII without case. strings.EqualFold would also equate
// letters beyond ASCII, such as the Kelvin sign with k.
func equalFold(a, lower string) bool {
	if len(a) != len(lower) {
		return false
	}
	for i := range len(a) {
		c := a[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// loopback reports whether host, with or without brackets, can only be this
// machine.
func loopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	a, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && a.IsLoopback()
}

// trustable returns nil if s may stand on an allowlist: exactly the text a
// browser sends, and not open to whoever sits on the network path.
func trustable(s string) error {
	o, ok := parseOrigin(s)
	if !ok {
		return errors.New("not scheme://host[:port] with http or https, in lower case ASCII and without a path")
	}
	canonical := o.scheme + "://" + o.host
	if o.port != "" {
		canonical += ":" + o.port
	}
	if strings.HasPrefix(o.host, "[") {
		a, err := netip.ParseAddr(strings.Trim(o.host, "[]"))
		if err != nil {
			return errors.New("not an IPv6 address between the brackets")
		}
		canonical = strings.Replace(canonical, o.host, "["+a.String()+"]", 1)
	}
	if s != canonical {
		return fmt.Errorf("browsers send it as %s", canonical)
	}
	if o.scheme == "http" && !loopback(o.host) {
		return errors.New("plain http is trusted on a loopback host only")
	}
	return nil
}
