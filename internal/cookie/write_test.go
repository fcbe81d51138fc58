package cookie

import (
	"errors"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// req: COOKIE-6
func TestTheLineThatIsWritten(t *testing.T) {
	tests := []struct {
		name string
		spec Spec
		want string
	}{
		{"the strictest cookie", session(), "__Host-Http-id=v; Path=/; Secure; HttpOnly; SameSite=Lax"},
		{"the zero value still says SameSite", Spec{Name: "id"}, "id=v; Path=/; SameSite=Lax"},
		{"strict", Spec{Name: "id", SameSite: Strict}, "id=v; Path=/; SameSite=Strict"},
		{"everything at once", Spec{
			Name: "__Secure-id", Path: "/app", Domain: "example.com", Secure: true, HttpOnly: true,
			SameSite: None, MaxAge: 90*time.Minute + time.Millisecond, Partitioned: true,
		}, "__Secure-id=v; Path=/app; Domain=example.com; Max-Age=5400; Secure; HttpOnly; SameSite=None; Partitioned"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := http.Header{}
			if err := tt.spec.Set(h, "v"); err != nil {
				t.Fatal(err)
			}
			if got := h["Set-Cookie"]; !slices.Equal(got, []string{tt.want}) {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
			if _, err := http.ParseSetCookie(tt.want); err != nil {
				t.Errorf("net/http cannot read it: %v", err)
			}
		})
	}
}

// req: COOKIE-7
func TestNameAndValueOf4096BytesAreTheLargest(t *testing.T) {
	s := session()
	h := http.Header{}
	if err := s.Set(h, strings.Repeat("v", MaxPair-len(s.Name))); err != nil {
		t.Fatalf("4096 bytes: %v", err)
	}
	before := slices.Clone(h["Set-Cookie"])
	if err := s.Set(h, strings.Repeat("w", MaxPair-len(s.Name)+1)); !errors.Is(err, ErrTooLarge) {
		t.Fatalf("4097 bytes: %v", err)
	}
	if !slices.Equal(h["Set-Cookie"], before) {
		t.Error("a refused cookie changed the header")
	}
}

// req: COOKIE-8
func TestAValueThatWouldBeDroppedOrQuotedIsRefused(t *testing.T) {
	for _, value := range []string{"", "a b", `a"b`, "a,b", "a;b", `a\b`, "a=b", "a+b", "a/b", "é", "a\x00", "a\r\nSet-Cookie: x=y", "a\x7f"} {
		h := http.Header{}
		err := session().Set(h, value)
		if !errors.Is(err, ErrValue) {
			t.Errorf("%q: %v", value, err)
		}
		if len(h) != 0 {
			t.Errorf("%q: header was written: %v", value, h)
		}
		if value != "" && err != nil && strings.Contains(err.Error(), value) {
			t.Errorf("the error repeats the value: %v", err)
		}
	}
}

// req: COOKIE-8
func FuzzSetWritesTheValueOrNothing(f *testing.F) {
	f.Add("id", "abc-_09")
	f.Add("__Host-id", "a;b")
	f.Add("i d", "a")
	f.Fuzz(func(t *testing.T, name, value string) {
		h := http.Header{}
		spec := Spec{Name: name, Secure: true, HttpOnly: true}
		if err := spec.Set(h, value); err != nil {
			if len(h) != 0 {
				t.Fatalf("error %v and a header %q", err, h)
			}
			return
		}
		if got, want := h["Set-Cookie"][0], name+"="+value+"; Path=/; Secure; HttpOnly; SameSite=Lax"; got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
		parsed, err := http.ParseSetCookie(h["Set-Cookie"][0])
		if err != nil || parsed.Name != name || parsed.Value != value || parsed.Quoted {
			t.Fatalf("net/http reads %+v, %v", parsed, err)
		}
		if got, status := Read(http.Header{"Cookie": {name + "=" + value}}, name, Limits{}); status != One || got != value {
			t.Fatalf("Read = %q, %v", got, status)
		}
	})
}

// req: COOKIE-9
func TestOneResponseNamesACookieOnce(t *testing.T) {
	h := http.Header{"Set-Cookie": {"first=1", "__Host-Http-id=old; Path=/", "__Host-Http-idx=2", " __Host-Http-id =older", "__host-http-id=3"}}
	if err := session().Set(h, "new"); err != nil {
		t.Fatal(err)
	}
	want := []string{"first=1", "__Host-Http-id=new; Path=/; Secure; HttpOnly; SameSite=Lax", "__Host-Http-idx=2", "__host-http-id=3"}
	if got := h["Set-Cookie"]; !slices.Equal(got, want) {
		t.Errorf("after Set:\n%q\nwant\n%q", got, want)
	}
	if err := session().Delete(h); err != nil {
		t.Fatal(err)
	}
	want[1] = "__Host-Http-id=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax"
	if got := h["Set-Cookie"]; !slices.Equal(got, want) {
		t.Errorf("after Delete:\n%q\nwant\n%q", got, want)
	}
	for _, line := range want[1:2] {
		seen := map[string]bool{}
		for a := range strings.SplitSeq(line, "; ") {
			name, _, _ := strings.Cut(a, "=")
			if seen[name] {
				t.Errorf("attribute %s twice in %q", name, line)
			}
			seen[name] = true
		}
	}
}

// req: COOKIE-15
func TestADeletionRepeatsTheAttributes(t *testing.T) {
	specs := []Spec{
		session(),
		{Name: "id", Path: "/app", MaxAge: time.Hour},
		{Name: "__Secure-id", Domain: "example.com", Secure: true, SameSite: None, Partitioned: true},
	}
	for _, s := range specs {
		u, _ := url.Parse("https://example.com/app/")
		jar, err := cookiejar.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		h := http.Header{}
		if err := s.Set(h, "v"); err != nil {
			t.Fatal(err)
		}
		set := h["Set-Cookie"][0]
		jar.SetCookies(u, (&http.Response{Header: h}).Cookies())
		if len(jar.Cookies(u)) != 1 {
			t.Fatalf("the jar did not take %q", set)
		}
		if err := s.Delete(h); err != nil {
			t.Fatal(err)
		}
		jar.SetCookies(u, (&http.Response{Header: h}).Cookies())
		if left := jar.Cookies(u); len(left) != 0 {
			t.Errorf("%q left %v", h["Set-Cookie"], left)
		}
		// Browsers apply the rules of the prefix to deletions too, which the jar
		// does not: so the attributes themselves have to be the same.
		if got, want := attributesOf(h["Set-Cookie"][0]), attributesOf(set); !slices.Equal(got, want) {
			t.Errorf("deletion has %q, cookie has %q", got, want)
		}
	}
}

// attributesOf returns what stands behind the value, except Max-Age.
func attributesOf(line string) []string {
	parts := strings.Split(line, "; ")[1:]
	return slices.DeleteFunc(parts, func(p string) bool { return strings.HasPrefix(p, "Max-Age=") })
}

func TestAnInvalidSpecWritesNothing(t *testing.T) {
	s := Spec{Name: "__Host-id"}
	h := http.Header{}
	if s.Set(h, "v") == nil || s.Delete(h) == nil {
		t.Error("accepted")
	}
	if len(h) != 0 {
		t.Errorf("header was written: %v", h)
	}
}

// req: COOKIE-20
func TestBoundAttributesAreThoseOfTheCookieAndNeverPartitioned(t *testing.T) {
	s := session()
	s.MaxAge = 10 * time.Minute
	got, err := s.BoundAttributes()
	if err != nil || got != "Path=/; Secure; HttpOnly; SameSite=Lax" {
		t.Errorf("got %q, %v", got, err)
	}
	h := http.Header{}
	if err := s.Set(h, "v"); err != nil {
		t.Fatal(err)
	}
	if want := strings.Join(attributesOf(h["Set-Cookie"][0]), "; "); got != want {
		t.Errorf("instructions say %q, the cookie has %q", got, want)
	}
	s.SameSite, s.Partitioned = None, true
	if _, err := s.BoundAttributes(); err == nil {
		t.Error("a partitioned cookie was accepted for a device-bound session")
	}
}
