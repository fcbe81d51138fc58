package server

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/audit"
)

// bodies are good requests, from which the bad ones are made.
var bodies = map[string]string{
	"login":          `{"username":"ada","password":"wrong","channel":"token","device":"d","resource":""}`,
	"revokeSessions": `{"scope":"others"}`,
	"elevate":        `{"password":"wrong"}`,
	"drawToken":      `{"resource":""}`,
	"handoff":        `{"channel":"token","keep":true}`,
	"redeem":         `{"code":"x","device":"d"}`,
	"changePassword": `{"current":"wrong","new":"another long passphrase","end_others":true}`,
	"adminStart":     `{"subject":"carol","amr":["pwd"],"acr":"aal1","auth_time":"2026-03-01T11:00:00Z","channel":"token","device":"d","user_agent":"u","ip":"192.0.2.1","resource":"","scope":""}`,
	"adminRevoke":    `{"subject":"nobody","all":false,"kid":"","mode":"fast","reason":"r"}`,
	"adminAddUser":   `{"name":"dan","admin":false}`,
	"adminAddClient": `{"id":"reports","name":"n","public":false,"audiences":["a"],"scopes":["s"],"grants":["client_credentials"],"jwks":{"keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","alg":"ES256","kid":"one"}]},"allow_rs256":false,"access_token_ttl":60,"refresh_idle":3600,"dpop_bound_access_tokens":false,"may_introspect":true,"may_follow":true,"may_create_sessions":true,"may_administer":true}`,
}

// wrongValues are values of other types than the one asked for.
func wrongValues(s shape) []string {
	switch {
	case s.Format == "date-time":
		return []string{`"yesterday"`, `12`, `null`, `""`}
	case s.Type == "string":
		return []string{`7`, `true`, `[]`, `{}`, `null`}
	case s.Type == "boolean":
		return []string{`"true"`, `1`, `null`, `[true]`}
	case s.Type == "integer":
		return []string{`"1"`, `true`, `1.5`, `[]`, `null`, `-1`, `1e30`}
	case s.Type == "object":
		return []string{`"x"`, `7`, `[]`, `{}`, `null`, `{"keys":[]}`, `{"keys":[{"kty":"oct","k":"AAAA","kid":"a"}]}`}
	case s.Type == "array":
		return []string{`"x"`, `[1]`, `{"a":"b"}`, `null`, `[["x"]]`}
	}
	panic("no wrong values for " + s.Type)
}

// notForSessions is the operation that looks at no body of somebody signed in:
// only a program with the right to follow is heard. Package revocation has its
// tests.
const notForSessions = "acknowledgeRevocations"

// jsonOperations calls do for each operation with a JSON body, with the members
// of a good one.
func jsonOperations(t *testing.T, do func(id, method, path, body string, s shape)) {
	d := contract()
	n := 0
	for path, ops := range d.Paths {
		for method, op := range ops {
			content, ok := op.RequestBody.Content["application/json"]
			if !ok || op.ID == "patchData" || op.ID == notForSessions {
				continue
			}
			body, ok := bodies[op.ID]
			if !ok {
				t.Fatalf("there is no good body for %s", op.ID)
			}
			s := d.schema(content.Schema)
			var v any
			if err := json.Unmarshal([]byte(body), &v); err != nil {
				t.Fatal(err)
			}
			if p := d.validate("body", s, v); len(p) > 0 || len(v.(map[string]any)) != len(s.Properties) {
				t.Fatalf("the body for %s is not a good and full one: %v", op.ID, p)
			}
			n++
			do(op.ID, strings.ToUpper(method), path, body, s)
		}
	}
	if n != len(bodies) {
		t.Fatalf("%d operations with a body, %d bodies", n, len(bodies))
	}
}

// with returns body with one member set to raw text, or without it if raw is
// empty.
func with(t *testing.T, body, name, raw string) string {
	t.Helper()
	var m map[string]json.RawMessage
	if err := json.Unmarshal([]byte(body), &m); err != nil {
		t.Fatal(err)
	}
	delete(m, name)
	if raw != "" {
		m[name] = json.RawMessage(raw)
	}
	out, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// state is what bad requests must leave alone.
func (x *site) state() string {
	x.t.Helper()
	users, err := x.s.dir.Users(x.t.Context(), "", 1000)
	if err != nil {
		x.t.Fatal(err)
	}
	clients, err := x.s.dir.Clients(x.t.Context())
	if err != nil {
		x.t.Fatal(err)
	}
	list, _, err := x.s.m.List(x.t.Context(), lanyard.Query{Limit: 1000})
	if err != nil {
		x.t.Fatal(err)
	}
	var out strings.Builder
	for _, v := range list {
		fmt.Fprintln(&out, v.SID(), v.Generation(), v.EndReason(), v.ExpiresAt())
	}
	for _, u := range users {
		fmt.Fprintln(&out, u.Name, u.Admin, u.Disabled, u.PasswordChanged)
	}
	fmt.Fprintln(&out, clients, len(x.s.keys.List(x.clock.Now())))
	return out.String()
}

// unharmed fails the test if a handler panicked, or something was lost or made.
func (x *site) unharmed(before string) {
	x.t.Helper()
	if after := x.state(); after != before {
		x.t.Errorf("bad requests changed something:\nbefore\n%s\nafter\n%s", before, after)
	}
	if log := x.known.String(); strings.Contains(log, "panicked") {
		x.t.Errorf("a handler panicked:\n%s", log)
	}
}

func TestEveryWrongMemberIsRefusedByName(t *testing.T) {
	x := newSite(t)
	root := x.as(x.signedIn("root", "cookie"))
	before := x.state()
	asJSON := header("Content-Type", "application/json; charset=UTF-8")
	jsonOperations(t, func(id, method, path, body string, s shape) {
		// The answer names the member, in quotes.
		refused := func(why, name, body string) {
			t.Helper()
			// A wrong password is slowed down; these requests never get so far.
			a := x.call(method, path, body, root, asJSON)
			if a.status != 400 || a.code() != "invalid_request" || name != "" && !strings.Contains(a.field("message"), `"`+name+`"`) {
				t.Errorf("%s, %s of %s: got %d %s", id, why, name, a.status, a.body)
			}
		}
		for name, p := range s.Properties {
			p = contract().schema(p)
			for _, raw := range wrongValues(p) {
				refused("the value "+raw, name, with(t, body, name, raw))
			}
			good := with(t, body, "-", "")
			refused("a repetition", name, strings.TrimSuffix(good, "}")+`,"`+name+`":""}`)
			refused("an escaped repetition", name, strings.TrimSuffix(good, "}")+fmt.Sprintf(`,"\u%04x%s":""}`, name[0], name[1:]))
			refused("another case", strings.ToUpper(name), with(t, with(t, body, name, ""), strings.ToUpper(name), `""`))
			if p.MaxLength > 0 {
				refused("too long a value", name, with(t, body, name, `"`+strings.Repeat("x", p.MaxLength+1)+`"`))
			}
			if len(p.Enum) > 0 && id != "adminRevoke" {
				refused("a word that is not offered", name, with(t, body, name, `"sideways"`))
			}
		}
		for _, name := range s.Required {
			refused("the absence", name, with(t, body, name, ""))
		}
		refused("the unknown member", "surprise", with(t, body, "surprise", `1`))
		refused("the unknown member", "__proto__", with(t, body, "__proto__", `{}`))
		for _, text := range []string{``, `[]`, `null`, `1`, `"x"`, `{`, `{} {}`, body + `x`, "\xef\xbb\xbf" + body, strings.Repeat(`{"a":`, 100), `{"a":` + strings.Repeat("[", 5000), `{"\ud800":1}`} {
			refused("the text "+quoted(text), "", text)
		}
		for _, text := range []string{"\xff", "\xc3\x28", "\xed\xa0\x80", "\x00"} {
			refused("bytes that are not UTF-8", "", strings.Replace(body, `"`, `"`+text, 1))
		}
	})
	x.unharmed(before)
}

// req: CSRF-9, HTTP-17
func TestBodiesOfTheWrongKindOrSizeAreRefused(t *testing.T) {
	x := newSite(t)
	root := x.as(x.signedIn("root", "cookie"))
	before := x.state()
	kinds := []option{
		header("Content-Type", ""), header("Content-Type", "text/plain"), header("Content-Type", "text/plain; application/json"),
		header("Content-Type", "application/x-www-form-urlencoded"), header("Content-Type", "multipart/form-data; boundary=x"),
		header("Content-Type", "application/jsonx"), header("Content-Type", "application/json; charset=latin1"),
		header("Content-Type", "application/csp-report"), header("Content-Type", "application/json;"+strings.Repeat("x", 100)+"="),
		func(r *http.Request) { r.Header["Content-Type"] = []string{"application/json", "text/plain"} },
		func(r *http.Request) {
			header("Content-Type", "application/json")(r)
			header("Content-Encoding", "gzip")(r)
		},
	}
	jsonOperations(t, func(id, method, path, body string, s shape) {
		for i, kind := range kinds {
			if a := x.call(method, path, body, root, kind); a.status != 415 || a.code() != "unsupported_media_type" {
				t.Errorf("%s, content type %d: got %d %s", id, i, a.status, a.body)
			}
		}
		long := with(t, body, "surprise", `"`+strings.Repeat("x", 64<<10)+`"`)
		x.call(method, path, long, root, header("Content-Type", "application/json")).want(413, "too_large")
	})
	x.call("PATCH", "/v1/session/data", `{"a":"`+strings.Repeat("x", lanyard.MaxData+1024)+`"}`, root, header("Content-Type", "application/json")).want(413, "too_large")
	x.call("PATCH", "/v1/session/data", `{"a":"`+strings.Repeat("x", lanyard.MaxData-7)+`"}`, root, header("Content-Type", "application/merge-patch+json")).want(413, "too_large")
	for _, kind := range []string{"", "text/plain", "application/json-patch+json", "application/x-www-form-urlencoded"} {
		x.call("PATCH", "/v1/session/data", `{}`, root, header("Content-Type", kind)).want(415, "unsupported_media_type")
	}
	for _, text := range []string{``, `[]`, `null`, `{"a":1,"a":2}`, `{"a":{"b":1,"b":2}}`, "{\"a\":\"\xff\"}", `{"a":` + strings.Repeat("[", 100)} {
		x.call("PATCH", "/v1/session/data", text, root, header("Content-Type", "application/json")).want(400, "invalid_request")
	}
	x.unharmed(before)
}

// Ten megabytes reach neither memory nor a handler.
//
// req: HTTP-17
func TestAHugeBodyIsCutOff(t *testing.T) {
	x := newSite(t)
	root := x.as(x.signedIn("root", "cookie"))
	before := x.state()
	for path, ops := range contract().Paths {
		for method, op := range ops {
			if op.ID == notForSessions {
				continue
			}
			for kind := range op.RequestBody.Content {
				read := &counter{left: 10 << 20}
				r, err := http.NewRequest(strings.ToUpper(method), x.url+path, nil)
				if err != nil {
					t.Fatal(err)
				}
				r.Body, r.ContentLength = io.NopCloser(read), -1
				root(r)
				header("Content-Type", kind)(r)
				if strings.HasPrefix(path, "/oauth2/") {
					r.Header.Del("Authorization")
				}
				rec := &silent{header: http.Header{}}
				r.RemoteAddr = "127.0.0.1:1"
				x.s.Handler().ServeHTTP(rec, r)
				if rec.code != 413 || read.n > 80<<10 {
					t.Errorf("%s: got %d after %d bytes, want 413 after little more than 64 KiB", op.ID, rec.code, read.n)
				}
			}
		}
	}
	x.unharmed(before)
}

// counter is a body that counts how much of it was taken.
type counter struct{ left, n int }

func (c *counter) Read(p []byte) (int, error) {
	if c.left == 0 {
		return 0, io.EOF
	}
	n := min(len(p), c.left)
	for i := range n {
		p[i] = 'a'
	}
	c.left, c.n = c.left-n, c.n+n
	return n, nil
}

// A client that stops in the middle of its body, or of its headers, is given up.
//
// req: HTTP-17
func TestASlowClientIsGivenUp(t *testing.T) {
	x := newSite(t)
	limits := x.s.httpServer(http.NotFoundHandler())
	for name, d := range map[string]time.Duration{"header": limits.ReadHeaderTimeout, "read": limits.ReadTimeout, "write": limits.WriteTimeout, "idle": limits.IdleTimeout} {
		if d <= 0 || d > 3*time.Minute {
			t.Errorf("the %s timeout is %v", name, d)
		}
	}
	if limits.MaxHeaderBytes <= 0 || limits.MaxHeaderBytes > 1<<20 {
		t.Errorf("headers may have %d bytes", limits.MaxHeaderBytes)
	}
	// The same server with shorter limits, so that the test need not wait.
	srv := x.s.httpServer(x.s.Handler())
	srv.ReadTimeout, srv.ReadHeaderTimeout = 300*time.Millisecond, 300*time.Millisecond
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ts := serveOn(l, srv)
	defer ts.Close()
	for name, c := range map[string]struct{ sent, want string }{
		"half a JSON body": {"POST /v1/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"user", "HTTP/1.1 400"},
		"half a form":      {"POST /oauth2/token HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\ngrant", "HTTP/1.1 400"},
		"half a header":    {"POST /v1/login HTTP/1.1\r\nHost: loc", ""},
	} {
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		conn.SetDeadline(time.Now().Add(20 * time.Second))
		fmt.Fprint(conn, c.sent)
		got, err := io.ReadAll(conn)
		if err != nil {
			t.Errorf("%s: the connection stays open: %v", name, err)
		}
		if !strings.HasPrefix(string(got), c.want) {
			t.Errorf("%s: got %q, want %s", name, got, c.want)
		}
		conn.Close()
	}
}

// operations calls do for each operation that a session can authenticate, or
// that is open, with a target that has values for names.
func operations(do func(id, method, target string)) {
	d := contract()
	for _, path := range slices.Sorted(maps.Keys(d.Paths)) {
		for method, op := range d.Paths[path] {
			if op.ID == "metrics" {
				continue
			}
			target := strings.NewReplacer("{sid}", "06eaih8a03ut4ip61s764ug8a0", "{name}", "nobody", "{kid}", "nokey", "{id}", "noclient").Replace(path)
			do(op.ID, strings.ToUpper(method), target)
		}
	}
}

// public are the operations that a badge is no use for.
var public = []string{"login", "redeem", "logout", "token", "revokeToken", "introspect", "metadata", "resourceMetadata", "jwks", "livez", "readyz", "openapi"}

// req: COOKIE-11
// attack: B5, B6
func TestFloodedAndAmbiguousRequestsAreAnsweredPlainly(t *testing.T) {
	x := newSite(t, func(c *Config) { c.TrustedProxies = []string{"127.0.0.1"} })
	b, other := x.signedIn("root", "cookie"), x.signedIn("bob", "cookie")
	before := x.state()
	name := x.s.m.CookieName()
	var flood strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&flood, "c%d=%d; ", i, i)
	}
	cases := map[string]option{
		"a thousand cookies":              header("Cookie", flood.String()+name+"="+b.cookie),
		"two session cookies":             header("Cookie", name+"="+b.cookie+"; "+name+"="+other.cookie),
		"two equal session cookies":       header("Cookie", name+"="+b.cookie+"; "+name+"="+b.cookie),
		"a session cookie in each header": also("Cookie", name+"="+b.cookie),
		"a cookie cut in the middle":      header("Cookie", name+"="+b.cookie[:30]),
		"a cookie with bytes of its own":  header("Cookie", name+"=\x01\xff;;==\"\\"),
		"a name in another case":          header("Cookie", strings.ToLower(name)+"="+b.cookie),
		"two Authorization headers":       func(r *http.Request) { r.Header["Authorization"] = []string{"Bearer x", "Bearer y"} },
		"an empty Authorization header":   header("Authorization", ""),
		"an unknown scheme":               header("Authorization", "Digest x"),
		"a DPoP scheme":                   header("Authorization", "DPoP x"),
		"a token that is none":            header("Authorization", "Bearer "+strings.Repeat("a.", 3000)),
		"a broken list of hops":           header("X-Forwarded-For", ",,,;%%\x01, 999.1.1.1"),
		"a thousand hops":                 header("X-Forwarded-For", strings.Repeat("127.0.0.1, ", 1000)+"x"),
		"a broken scheme":                 header("X-Forwarded-Proto", "gopher"),
		"a broken host":                   header("X-Forwarded-Host", "a b/\\@<script>"),
		"two forwarded hosts":             func(r *http.Request) { r.Header["X-Forwarded-Host"] = []string{"a", "b"} },
		"a Forwarded header":              header("Forwarded", `for="[::1";proto=http;host=`),
		"a broken original address":       header("X-Forwarded-Uri", "//evil.example/\r"),
		"a broken original method":        header("X-Forwarded-Method", "BREW"),
	}
	for why, change := range cases {
		operations(func(id, method, target string) {
			r := func(r *http.Request) {
				r.Header.Set("Origin", x.url)
				if why == "a session cookie in each header" {
					r.Header.Set("Cookie", name+"="+b.cookie)
				}
				change(r)
			}
			a := x.direct("127.0.0.1:4711", method, target, nil, r)
			if a.status >= 500 {
				t.Errorf("%s at %s: got %d %s", why, id, a.status, a.body)
			}
			if a.status < 300 && !slices.Contains(public, id) {
				t.Errorf("%s at %s: somebody is signed in: %s", why, id, a.body)
			}
		})
	}
	x.unharmed(before)
	records, err := x.s.trail.Query(audit.Filter{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(records, func(r audit.Record) bool { return r.Event.Name == audit.CookieAmbiguous }) {
		t.Error("two session cookies leave no event")
	}
}
