package cookie

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// session is the strictest spec: what the default session cookie looks like.
func session() Spec {
	return Spec{Name: "__Host-Http-id", Secure: true, HttpOnly: true}
}

// req: COOKIE-3, COOKIE-20
// attack: B7, B8
func TestValidateNamesTheBrokenField(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Spec)
		field  string // empty: the spec is good
	}{
		{"the default session cookie is good", func(*Spec) {}, ""},
		{"a plain name is good", func(s *Spec) { *s = Spec{Name: "id"} }, ""},
		{"a host prefix without HttpOnly is good", func(s *Spec) { s.Name, s.HttpOnly = "__Host-id", false }, ""},
		{"a secure prefix allows a domain and a path", func(s *Spec) { s.Name, s.Domain, s.Path = "__Secure-id", "app.example.com", "/a" }, ""},
		{"an http prefix allows a domain", func(s *Spec) { s.Name, s.Domain = "__Http-id", "example.com" }, ""},
		{"partitioned with None is good", func(s *Spec) { s.SameSite, s.Partitioned = None, true }, ""},
		{"the longest lifetime is good", func(s *Spec) { s.MaxAge = MaxAge }, ""},

		{"a host prefix forbids a domain", func(s *Spec) { s.Name, s.Domain = "__Host-id", "example.com" }, "Domain"},
		{"a host prefix forbids another path", func(s *Spec) { s.Name, s.Path = "__Host-id", "/app" }, "Path"},
		{"a host prefix needs Secure", func(s *Spec) { s.Name, s.Secure = "__Host-id", false }, "Secure"},
		{"a host-http prefix forbids a domain", func(s *Spec) { s.Domain = "example.com" }, "Domain"},
		{"a host-http prefix forbids another path", func(s *Spec) { s.Path = "/app" }, "Path"},
		{"a host-http prefix needs Secure", func(s *Spec) { s.Secure = false }, "Secure"},
		{"a host-http prefix needs HttpOnly", func(s *Spec) { s.HttpOnly = false }, "HttpOnly"},
		{"an http prefix needs HttpOnly", func(s *Spec) { s.Name, s.HttpOnly = "__Http-id", false }, "HttpOnly"},
		{"an http prefix needs Secure", func(s *Spec) { s.Name, s.Secure = "__Http-id", false }, "Secure"},
		{"a secure prefix needs Secure", func(s *Spec) { s.Name, s.Secure = "__Secure-id", false }, "Secure"},
		{"a prefix in another case has to be respelled", func(s *Spec) { s.Name = "__HOST-id" }, "Name"},
		{"a prefix in mixed case has to be respelled", func(s *Spec) { s.Name = "__host-Http-id" }, "Name"},
		{"a prefix alone is no name", func(s *Spec) { s.Name = "__Host-" }, "Name"},
		{"the longer prefix alone is no name", func(s *Spec) { s.Name = "__Host-Http-" }, "Name"},
		{"a domain needs a prefix", func(s *Spec) { s.Name, s.Domain = "id", "example.com" }, "Domain"},

		{"an empty name", func(s *Spec) { s.Name = "" }, "Name"},
		{"a name with a blank", func(s *Spec) { s.Name = "a b" }, "Name"},
		{"a name with an equals sign", func(s *Spec) { s.Name = "a=b" }, "Name"},
		{"a name with a line break", func(s *Spec) { s.Name = "a\r\nX: y" }, "Name"},
		{"a name beyond ASCII", func(s *Spec) { s.Name = "idé" }, "Name"},
		{"a name for an old parser", func(s *Spec) { s.Name = "$Version" }, "Name"},
		{"a name as long as a whole cookie", func(s *Spec) { s.Name = strings.Repeat("n", MaxPair) }, "Name"},
		{"a relative path", func(s *Spec) { s.Name, s.Path = "id", "app" }, "Path"},
		{"a path that starts another attribute", func(s *Spec) { s.Name, s.Path = "id", "/;Domain=x" }, "Path"},
		{"a path with a line break", func(s *Spec) { s.Name, s.Path = "id", "/\n" }, "Path"},
		{"a domain with a leading dot", func(s *Spec) { s.Name, s.Domain = "__Secure-id", ".example.com" }, "Domain"},
		{"a domain with a trailing dot", func(s *Spec) { s.Name, s.Domain = "__Secure-id", "example.com." }, "Domain"},
		{"a domain of one label", func(s *Spec) { s.Name, s.Domain = "__Secure-id", "com" }, "Domain"},
		{"a domain in upper case", func(s *Spec) { s.Name, s.Domain = "__Secure-id", "Example.com" }, "Domain"},
		{"a domain that is an address", func(s *Spec) { s.Name, s.Domain = "__Secure-id", "192.0.2.1" }, "Domain"},
		{"a domain that starts another attribute", func(s *Spec) { s.Name, s.Domain = "__Secure-id", "a.example;Path=/" }, "Domain"},
		{"a domain longer than a host name", func(s *Spec) { s.Name, s.Domain = "__Secure-id", strings.Repeat("a.", 127)+"example" }, "Domain"},
		{"None without Secure", func(s *Spec) { *s = Spec{Name: "id", SameSite: None} }, "Secure"},
		{"a SameSite value nobody defined", func(s *Spec) { s.SameSite = 3 }, "SameSite"},
		{"partitioned with Lax", func(s *Spec) { s.Partitioned = true }, "Partitioned"},
		{"partitioned with Strict", func(s *Spec) { s.SameSite, s.Partitioned = Strict, true }, "Partitioned"},
		{"a negative lifetime", func(s *Spec) { s.MaxAge = -time.Second }, "MaxAge"},
		{"a lifetime that would be written as zero", func(s *Spec) { s.MaxAge = time.Millisecond }, "MaxAge"},
		{"a lifetime longer than browsers keep", func(s *Spec) { s.MaxAge = MaxAge + 1 }, "MaxAge"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := session()
			tt.change(&s)
			err := s.Validate()
			if tt.field == "" {
				if err != nil {
					t.Fatalf("refused: %v", err)
				}
				return
			}
			broken, ok := errors.AsType[*SpecError](err)
			if !ok || broken.Field != tt.field {
				t.Fatalf("got %v, want an error for %s", err, tt.field)
			}
		})
	}
}

// req: COOKIE-7
func TestAnAttributeValueOf1024BytesIsTheLongest(t *testing.T) {
	s := Spec{Name: "id", Path: "/" + strings.Repeat("p", MaxAttribute-1)}
	if err := s.Validate(); err != nil {
		t.Errorf("1024 bytes: %v", err)
	}
	s.Path += "p"
	if err := s.Validate(); err == nil {
		t.Error("1025 bytes accepted")
	}
}

// req: COOKIE-8
func TestANameIsAToken(t *testing.T) {
	const tchar = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	const base64url = "-_0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	for c := range 256 {
		b := byte(c)
		if got, want := isToken(b), strings.IndexByte(tchar, b) >= 0; got != want {
			t.Errorf("isToken(%#02x) = %v", b, got)
		}
		if got, want := wellFormed("abcd"+string([]byte{b})), strings.IndexByte(base64url, b) >= 0; got != want {
			t.Errorf("wellFormed with %#02x at the end = %v", b, got)
		}
		if got, want := wellFormed("a"+string([]byte{b})+"cd"), strings.IndexByte(base64url, b) >= 0; got != want {
			t.Errorf("wellFormed with %#02x inside = %v", b, got)
		}
		name := "a" + string([]byte{b})
		if got, want := (Spec{Name: name}).Validate() == nil, strings.IndexByte(tchar, b) >= 0; got != want {
			t.Errorf("name %q: accepted = %v", name, got)
		}
	}
}
