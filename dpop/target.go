package dpop

import (
	"net/netip"
	"strings"
)

// sameTarget reports whether two addresses are the same without query and
// fragment, after the normalisation of RFC 3986 sections 6.2.2 and 6.2.3: letter
// case of scheme, host and escapes, escapes of unreserved characters, dot
// segments, default port, empty path. What is not an absolute http or https
// address is the same as nothing.
func sameTarget(a, b string) bool {
	a, b = bare(a), bare(b)
	if a == b && plain(a) {
		return true
	}
	na, ok := normalTarget(a)
	if !ok {
		return false
	}
	nb, ok := normalTarget(b)
	return ok && na == nb
}

// bare cuts query and fragment off.
func bare(s string) string {
	if i := strings.IndexAny(s, "?#"); i >= 0 {
		return s[:i]
	}
	return s
}

// plain reports whether s is an address for certain, so that equal texts need no
// closer look. It may say no of good ones.
func plain(s string) bool {
	rest, ok := strings.CutPrefix(s, "https://")
	if !ok {
		if rest, ok = strings.CutPrefix(s, "http://"); !ok {
			return false
		}
	}
	if rest == "" || rest[0] == '/' {
		return false
	}
	for i := range len(rest) {
		switch c := rest[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '/', c == '-', c == '_', c == '.':
		default: // ports too, which have a form of their own
			return false
		}
	}
	return true
}

func normalTarget(s string) (string, bool) {
	scheme, rest, ok := strings.Cut(s, "://")
	scheme = strings.ToLower(scheme)
	if !ok || scheme != "https" && scheme != "http" {
		return "", false
	}
	authority, path := rest, "/"
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		authority, path = rest[:i], rest[i:]
	}
	authority, ok = normalAuthority(scheme, authority)
	if !ok {
		return "", false
	}
	path, ok = normalPath(path)
	return scheme + "://" + authority + path, ok
}

// normalAuthority refuses user names, which no request target has, and what is
// not ASCII: names of other alphabets travel in their ASCII form.
func normalAuthority(scheme, s string) (string, bool) {
	host, port := s, ""
	if strings.HasPrefix(s, "[") {
		end := strings.IndexByte(s, ']')
		if end < 0 {
			return "", false
		}
		addr, err := netip.ParseAddr(s[1:end])
		if err != nil || !addr.Is6() || addr.Zone() != "" {
			return "", false
		}
		host, port = "["+addr.String()+"]", s[end+1:]
	} else {
		if i := strings.IndexByte(s, ':'); i >= 0 {
			host, port = s[:i], s[i:]
		}
		if host == "" {
			return "", false
		}
		for i := range len(host) {
			switch c := host[i]; {
			case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '.', c == '_':
			default:
				return "", false
			}
		}
		host = strings.ToLower(host)
	}
	digits, has := strings.CutPrefix(port, ":")
	if !has && port != "" || len(digits) > 5 || strings.Trim(digits, "0123456789") != "" {
		return "", false
	}
	if digits == "" || scheme == "https" && digits == "443" || scheme == "http" && digits == "80" {
		return host, true
	}
	return host + ":" + digits, true
}

// normalPath resolves escapes of unreserved characters, then dot segments
// (RFC 3986 section 5.2.4). The path starts with a slash.
func normalPath(s string) (string, bool) {
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c <= ' ' || c >= 0x7f || c == '\\':
			return "", false
		case c != '%':
			b.WriteByte(c)
			continue
		case i+2 >= len(s):
			return "", false
		}
		hi, ok1 := unhex(s[i+1])
		lo, ok2 := unhex(s[i+2])
		if !ok1 || !ok2 {
			return "", false
		}
		i += 2
		if v := hi<<4 | lo; unreserved(v) {
			b.WriteByte(v)
		} else {
			const upper = "0123456789ABCDEF"
			b.WriteString("%" + string(upper[hi]) + string(upper[lo]))
		}
	}
	return withoutDots(b.String()), true
}

func withoutDots(path string) string {
	if !strings.Contains(path, "/.") {
		return path
	}
	segments := strings.Split(path[1:], "/")
	kept := segments[:0]
	for i, s := range segments {
		last := i == len(segments)-1
		switch s {
		case ".", "..":
			if s == ".." && len(kept) > 0 {
				kept = kept[:len(kept)-1]
			}
			if last {
				kept = append(kept, "")
			}
		default:
			kept = append(kept, s)
		}
	}
	return "/" + strings.Join(kept, "/")
}

func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}

func unhex(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}
