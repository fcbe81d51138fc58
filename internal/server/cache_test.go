package server

import (
	"net/http"
	"strings"
	"testing"
)

// storable reports whether a shared cache may keep an answer (RFC 9111, section
// 3), as a careless one does that keeps whatever is not forbidden.
func storable(a *answer) bool {
	for directive := range strings.SplitSeq(a.header.Get("Cache-Control"), ",") {
		if d := strings.TrimSpace(directive); d == "no-store" || d == "private" {
			return false
		}
	}
	return true
}

// A cache that two people share gives neither what the other was answered: of
// all routes, what a badge changes, or what sets a cookie, may not be kept.
//
// req: HTTP-1
// attack: A14
func TestASharedCacheKeepsNothingOfAnybody(t *testing.T) {
	x := newSite(t)
	victim := x.signedIn("bob", "token")
	kept := map[string]string{} // of everybody, by method and path
	badges := map[string]*badge{"nobody": nil, "ada": x.signedIn("ada", "cookie"), "root": x.signedIn("root", "cookie"), "root's program": x.signedIn("root", "token")}
	secrets := []string{"ada", "bob", "root", victim.sid}
	n := 0
	for who, b := range badges {
		if b != nil {
			secrets = append(secrets, b.sid)
		}
		for _, target := range x.targets(victim.sid) {
			method, path, _ := strings.Cut(target, " ")
			if method != "GET" {
				continue
			}
			for _, accept := range []string{"text/html", "application/json"} {
				a := x.call(method, path, nil, header("Accept", accept), func(r *http.Request) {
					if b != nil {
						x.as(b)(r)
					}
				})
				n++
				if !storable(a) {
					continue
				}
				if len(a.header["Set-Cookie"]) > 0 || a.status == 401 || a.status == 403 || a.status/100 == 3 {
					t.Errorf("%s by %s, %d: a cache may keep it: %v", target, who, a.status, a.header)
				}
				for _, secret := range secrets {
					if strings.Contains(a.body, secret) && !strings.Contains(path, "openapi") && !strings.HasPrefix(path, "/assets/") {
						t.Errorf("%s by %s: %q is in an answer that a cache may keep", target, who, secret)
					}
				}
				key := path + " " + accept
				if before, ok := kept[key]; ok && before != a.body {
					t.Errorf("%s: a cache may keep answers that differ by who asks", target)
				}
				kept[key] = a.body
			}
		}
	}
	if n < 50 || len(kept) == 0 {
		t.Errorf("%d answers, of which %d may be kept", n, len(kept))
	}
}
