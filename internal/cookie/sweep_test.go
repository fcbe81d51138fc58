package cookie

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// scopes lists what the lines of a header delete, as NAME Domain Path.
func scopes(t *testing.T, h http.Header) (out []string) {
	t.Helper()
	for _, line := range h["Set-Cookie"] {
		var domain, path string
		pair, attributes, _ := strings.Cut(line, "; ")
		for a := range strings.SplitSeq(attributes, "; ") {
			if d, ok := strings.CutPrefix(a, "Domain="); ok {
				domain = d
			}
			if p, ok := strings.CutPrefix(a, "Path="); ok {
				path = p
			}
		}
		if strings.HasSuffix(line, "; Partitioned") {
			path += " partitioned"
		}
		if !strings.Contains(line, "; Max-Age=0; Secure") {
			t.Errorf("%q is no deletion", line)
		}
		out = append(out, strings.TrimSpace(pair+" "+domain+" "+path))
	}
	return out
}

func TestSweepDeletesEveryOtherScopeAndNoneOfItsOwn(t *testing.T) {
	host := Spec{Name: "__Host-id", Secure: true, HttpOnly: true}
	shared := Spec{Name: "__Secure-id", Domain: "shop.example", Secure: true, HttpOnly: true}
	for _, tt := range []struct {
		name, host, path string
		spec             Spec
		want             []string
	}{
		{"a host of its own", "shop.example", "/", host, []string{"__Host-id= shop.example /", "__Host-id= shop.example / partitioned"}},
		{"with a port and in capitals", "Shop.Example:8443", "/", host, []string{"__Host-id= shop.example /", "__Host-id= shop.example / partitioned"}},
		{"a host below another", "a.shop.example", "/", host, []string{
			"__Host-id= shop.example /", "__Host-id= shop.example / partitioned", "__Host-id= a.shop.example /", "__Host-id= a.shop.example / partitioned",
		}},
		{"a cookie shared with siblings", "a.shop.example", "/", shared, []string{
			"__Secure-id= shop.example / partitioned", "__Secure-id= a.shop.example /", "__Secure-id= a.shop.example / partitioned", "__Secure-id=  /",
		}},
		{"a longer path", "shop.example", "/a/b", host, []string{
			"__Host-id= shop.example /", "__Host-id= shop.example / partitioned",
			"__Host-id= shop.example /a", "__Host-id= shop.example /a partitioned", "__Host-id=  /a",
			"__Host-id= shop.example /a/", "__Host-id= shop.example /a/ partitioned", "__Host-id=  /a/",
			"__Host-id= shop.example /a/b", "__Host-id= shop.example /a/b partitioned", "__Host-id=  /a/b",
		}},
		{"a path that ends in a slash", "localhost", "/a/", host, []string{"__Host-id=  /a", "__Host-id=  /a/"}},
		{"a path that would end its attribute", "localhost", "/a;Domain=x/b", host, nil},
		{"a name of one label", "localhost:8080", "/", host, nil},
		{"an address", "192.0.2.1:8080", "/", host, nil},
		{"an IPv6 address", "[2001:db8::1]:8080", "/", host, nil},
		{"a host that is none", "a b;Domain=x", "/", host, nil},
		{"no host", "", "/", host, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := http.Header{}
			tt.spec.Sweep(h, http.Header{}, tt.host, tt.path)
			if got := scopes(t, h); !slices.Equal(got, tt.want) {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
			before := len(h["Set-Cookie"])
			tt.spec.Sweep(h, http.Header{}, tt.host, tt.path)
			if len(h["Set-Cookie"]) != before {
				t.Errorf("swept twice: %q", h["Set-Cookie"])
			}
		})
	}
}

func TestSweepIsBounded(t *testing.T) {
	h := http.Header{}
	spec := Spec{Name: "id", Secure: true, HttpOnly: true}
	sent := http.Header{"Cookie": {strings.Repeat("\u2003id=x; id\u2003=x; \u3000id=x; \u00a0id=x; ", 100)}}
	spec.Sweep(h, sent, "a.b.c.d.e.f.shop.example", strings.Repeat("/a", 500))
	lines := h["Set-Cookie"]
	size := 0
	for _, line := range lines {
		size += len(line)
	}
	if len(lines) != maxSweep || size > 3<<10 {
		t.Errorf("%d lines, %d bytes", len(lines), size)
	}
}

// A login may follow in the same answer, and a logout.
//
// req: COOKIE-9
func TestWhatWasSweptStaysSweptWhenTheCookieIsSet(t *testing.T) {
	for _, spec := range []Spec{session(), {Name: "__Secure-id", Domain: "shop.example", Secure: true, HttpOnly: true}} {
		h := http.Header{}
		spec.Sweep(h, http.Header{}, "a.shop.example", "/")
		swept := len(h["Set-Cookie"])
		if err := spec.Set(h, "first"); err != nil {
			t.Fatal(err)
		}
		if err := spec.Set(h, "second"); err != nil {
			t.Fatal(err)
		}
		if got := h["Set-Cookie"]; len(got) != swept+1 || !strings.HasPrefix(got[swept], spec.Name+"=second") {
			t.Errorf("set: %q", got)
		}
		if err := spec.Delete(h); err != nil {
			t.Fatal(err)
		}
		if got := h["Set-Cookie"]; len(got) != swept+1 || !strings.HasPrefix(got[swept], spec.Name+"=; Path=/; ") {
			t.Errorf("deleted: %q", got)
		}
	}
}
