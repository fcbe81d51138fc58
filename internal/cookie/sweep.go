package cookie

import (
	"net/http"
	"slices"
	"strings"
)

const (
	// maxSweep bounds the lines of one answer: some proxies give the whole header
	// of an answer 4 KiB.
	maxSweep = 24
	// maxDisguise bounds the foreign bytes around a name that are repeated in
	// order to delete it, and maxDisguises the names.
	maxDisguise, maxDisguises = 16, 3
)

// Sweep tells the browser to forget what stands in the way of this cookie when
// [Read] found it [Ambiguous] or [Malformed] in the Cookie fields of sent: copies
// of the name in every other scope that a request for path at host can be sent
// from, and in all of them names that blanks or letters beyond ASCII disguise. A
// cookie in the spec's own scope stays: whatever else there is was not written by
// [Spec.Set]. A host with its port and an escaped path are meant.
//
// Several lines then have one name, and each is for another cookie, since a
// browser tells cookies apart by name, Domain, Path and partition. Their number is
// bounded, the widest scopes come first, and deep paths may not have their turn.
func (s Spec) Sweep(h, sent http.Header, host, path string) {
	left := maxSweep
	for _, name := range s.strays(sent) {
		for _, p := range pathsOf(path) {
			for _, d := range domainsOf(host) {
				for _, partitioned := range [...]bool{false, true} {
					own := name == s.Name && d == s.Domain && p == s.path() && partitioned == s.Partitioned
					// Neighbours share a cookie by its domain, in a partition too. Nameless
					// ones are rare: browsers are giving them up.
					if own || partitioned && d == "" || name == "" && p != "/" {
						continue
					}
					stray := s
					stray.Name, stray.Domain, stray.Path, stray.SameSite, stray.Partitioned = name, d, p, Lax, partitioned
					line := stray.line("", true, 0)
					if name == "" {
						line = "x" + strings.TrimPrefix(line, "=") // a line that is all attributes is none
					}
					if slices.Contains(h["Set-Cookie"], line) {
						continue
					}
					if left--; left < 0 {
						return
					}
					h["Set-Cookie"] = append(h["Set-Cookie"], line)
				}
			}
		}
	}
}

// strays are the names to look for.
func (s Spec) strays(sent http.Header) []string {
	names, count := disguises(sent, s.Name)
	if count < 2 && len(names) > 0 {
		return names
	}
	names = append(names, s.Name)
	if _, ok := promiseOf(s.Name); !ok {
		// Some browsers send a cookie without a name as its value alone, which
		// then spells our name. Those of a prefix they do not store in that way.
		names = append(names, "")
	}
	return names
}

// domainsOf are the values of Domain that a cookie sent to a host can have, and
// "" for none. Of those that are not there, or are no one's to set, a browser
// takes no notice.
func domainsOf(host string) (out []string) {
	name := strings.ToLower(host)
	if i := strings.LastIndexByte(name, ':'); i > strings.LastIndexByte(name, ']') {
		name = name[:i]
	}
	for name != "" && (Spec{Domain: name}).validateDomain() == nil {
		out = append(out, name)
		_, name, _ = strings.Cut(name, ".")
	}
	slices.Reverse(out) // the widest first, which the most neighbours can set
	return append(out, "")
}

// pathsOf are the values of Path that a cookie sent with a request can have
// (RFC 6265bis, section 5.1.4), the shortest first.
func pathsOf(path string) []string {
	out := []string{"/"}
	for i := 1; i <= len(path); i++ {
		if i < len(path) && path[i] != '/' {
			continue
		}
		if p := path[:i]; p != out[len(out)-1] && validatePath(p) == nil {
			out = append(out, p)
		}
		if i < len(path) && validatePath(path[:i+1]) == nil {
			out = append(out, path[:i+1])
		}
	}
	return out
}

// disguises returns the names in a request that keep name from being read, those
// that are name with bytes beyond ASCII around it and the reserved ones of RFC
// 2965, and how often name itself is there. No other byte of a request is worth
// repeating in an answer.
func disguises(sent http.Header, name string) (out []string, count int) {
	for _, field := range sent["Cookie"] {
		for pair := range strings.SplitSeq(field, ";") {
			n, _, ok := strings.Cut(strings.TrimLeft(pair, " "), "=")
			switch {
			case !ok:
			case n == name:
				count++
			case (disguised(n, name) || reserved(n) && isToken(n[len(n)-1])) && !slices.Contains(out, n) && len(out) < maxDisguises:
				out = append(out, n)
			}
		}
	}
	return out, count
}

func disguised(n, name string) bool {
	if len(n) == len(name) || len(n) > len(name)+maxDisguise || !strings.Contains(n, name) {
		return false
	}
	rest := strings.Replace(n, name, "", 1)
	return !strings.ContainsFunc(rest, func(c rune) bool { return c < 0x80 })
}
