package browsertest

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// target is an endpoint that changes something, with a request that would work
// if it came from the site itself. Words that start with a dollar sign stand for
// what only a running server has, such as the sid of a session.
type target struct {
	pattern string // as in the table of routes
	json    string // body of an endpoint that takes JSON
	form    string // body of one that takes a form, encoded
	own     bool   // judged by a credential of its own, never by a cookie
	hashes  bool   // costs a password hash, when it gets that far
}

func (x target) method() string {
	method, _, _ := strings.Cut(x.pattern, " ")
	return method
}

// path is the address, with the server's own things in the place of wildcards.
func (x target) path(v values) string {
	_, path, _ := strings.Cut(x.pattern, " ")
	return v.fill(wildcard.ReplaceAllString(path, "$$$1"))
}

var wildcard = regexp.MustCompile(`\{(\w+)\}`)

// values are what the words in a target stand for.
type values map[string]string

func (v values) fill(text string) string {
	names := slices.Sorted(maps.Keys(v))
	slices.Reverse(names) // the longer of two that begin alike first
	for _, name := range names {
		text = strings.ReplaceAll(text, "$"+name, v[name])
	}
	return text
}

// targets are sent as if the attacker knew everything but the session: names,
// ids, even the password of the one who is attacked.
var targets = []target{
	{pattern: "POST /v1/login", json: `{"username":"mallory","password":"` + word + `"}`, hashes: true},
	{pattern: "DELETE /v1/sessions/{sid}"},
	{pattern: "POST /v1/sessions/revoke", json: `{"scope":"all"}`},
	{pattern: "POST /v1/logout"},
	{pattern: "POST /v1/elevate", json: `{"password":"` + word + `"}`, hashes: true},
	{pattern: "POST /v1/session/token", json: `{}`},
	{pattern: "POST /v1/session/handoff", json: `{"channel":"token"}`},
	{pattern: "POST /v1/session/redeem", json: `{"code":"$code"}`},
	{pattern: "POST /v1/password", json: `{"current":"` + word + `","new":"` + word + `"}`, hashes: true},
	{pattern: "PATCH /v1/session/data", json: `{"theme":"stolen"}`},

	{pattern: "POST /oauth2/token", form: "grant_type=refresh_token&client_id=lanyard&refresh_token=unknown", own: true},
	{pattern: "POST /oauth2/revoke", form: "client_id=lanyard&token=unknown", own: true},
	{pattern: "POST /oauth2/introspect", form: "token=unknown", own: true},

	{pattern: "POST /login", form: "username=mallory&password=" + word, hashes: true},
	{pattern: "POST /logout"},
	{pattern: "POST /reset", form: "code=$reset&new=" + word, hashes: true},
	{pattern: "POST /account/sessions/{sid}/end", form: "x=1"},
	{pattern: "POST /account/sessions/end-others", form: "x=1"},
	{pattern: "POST /account/password", form: "current=" + word + "&new=" + word, hashes: true},
	{pattern: "POST /account/confirm", form: "password=" + word + "&pending_path=%2Faccount%2Fsessions%2Fend-others&pending_action=end", hashes: true},

	{pattern: "POST /v1/admin/sessions", json: `{"subject":"mallory","amr":["pwd"],"channel":"token"}`},
	{pattern: "DELETE /v1/admin/sessions/{sid}"},
	{pattern: "POST /v1/admin/revoke", json: `{"subject":"bob"}`},
	{pattern: "POST /v1/admin/users", json: `{"name":"$new"}`},
	{pattern: "POST /v1/admin/users/{name}/disable"},
	{pattern: "POST /v1/admin/users/{name}/enable"},
	{pattern: "POST /v1/admin/users/{name}/reset"},
	{pattern: "POST /v1/admin/keys/rotate"},
	{pattern: "POST /v1/admin/keys/{kid}/withdraw"},
	{pattern: "POST /v1/admin/clients", json: `{"id":"$new"}`},
	{pattern: "DELETE /v1/admin/clients/{id}"},

	{pattern: "POST /v1/revocations/ack", json: `{}`, own: true},

	{pattern: "POST /console/sessions/{sid}/end", form: "reason=prank"},
	{pattern: "POST /console/users", form: "name=$new"},
	{pattern: "POST /console/users/{name}/disable", form: "x=1"},
	{pattern: "POST /console/users/{name}/enable", form: "x=1"},
	{pattern: "POST /console/users/{name}/reset", form: "x=1"},
	{pattern: "POST /console/keys/rotate", form: "x=1"},
	{pattern: "POST /console/keys/{kid}/withdraw", form: "confirm=$kid"},
}

// word is everybody's password here, the same in every encoding.
const word = "five-quiet-herons-above-Lisbon"

// body is what a request to the endpoint carries, and its media type.
func (x target) body(v values) (string, string) {
	switch {
	case x.json != "" && x.method() == http.MethodPatch:
		return v.fill(x.json), "application/merge-patch+json"
	case x.json != "":
		return v.fill(x.json), "application/json"
	case x.form != "":
		// The words stand in an encoded text, but nothing they stand for needs it.
		return v.fill(x.form), "application/x-www-form-urlencoded"
	}
	return "", ""
}

// fields are the same for ways of sending that know only names and values.
func (x target) fields(t testing.TB, v values) [][2]string {
	t.Helper()
	out := [][2]string{}
	body, _ := x.body(v)
	switch {
	case x.json != "":
		var members map[string]any
		if err := json.Unmarshal([]byte(body), &members); err != nil {
			t.Fatal(x.pattern, err)
		}
		for _, name := range slices.Sorted(maps.Keys(members)) {
			switch value := members[name].(type) {
			case string:
				out = append(out, [2]string{name, value})
			case []any:
				for _, one := range value {
					out = append(out, [2]string{name, one.(string)})
				}
			}
		}
	case x.form != "":
		values, err := url.ParseQuery(body)
		if err != nil {
			t.Fatal(x.pattern, err)
		}
		for _, name := range slices.Sorted(maps.Keys(values)) {
			out = append(out, [2]string{name, values.Get(name)})
		}
	}
	return out
}

// servedPatterns reads the table of routes from the server's source: what
// another package cannot ask the server for, it can still not overlook.
func servedPatterns(t *testing.T) map[string]bool {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../server/route.go", nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	served := map[string]bool{}
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || f.Name.Name == "localEndpoints" { // on a socket that no browser reaches
			continue
		}
		ast.Inspect(f, func(n ast.Node) bool {
			lit, ok := n.(*ast.BasicLit)
			if !ok || lit.Kind != token.STRING {
				return true
			}
			text, err := strconv.Unquote(lit.Value)
			method, path, ok := strings.Cut(text, " ")
			if err == nil && ok && strings.HasPrefix(path, "/") && !slices.Contains([]string{"GET", "HEAD", "OPTIONS"}, method) {
				served[text] = true
			}
			return true
		})
	}
	return served
}

// A new endpoint that changes something needs a line in the list above: without
// one the matrix would not try it.
func TestMatrixTriesEveryEndpointThatChangesSomething(t *testing.T) {
	served, tried := servedPatterns(t), map[string]bool{}
	for _, x := range targets {
		if tried[x.pattern] = true; !served[x.pattern] {
			t.Errorf("%s is tried but not in the server's table of routes", x.pattern)
		}
	}
	for pattern := range served {
		if !tried[pattern] {
			t.Errorf("%s is served, but the matrix of forgeries does not try it: add a line for it to targets", pattern)
		}
	}
	// The document that the server publishes is held against its routes by a test
	// there; here it guards against a table that moved out of the file read.
	s := newSite(t)
	_, text := s.call("GET", "/openapi.yaml", nil, nil)
	var doc struct {
		Paths map[string]map[string]any `yaml:"paths"`
	}
	if err := yaml.Unmarshal(text, &doc); err != nil || len(doc.Paths) < 10 {
		t.Fatal("reading the description of the interface:", len(doc.Paths), err)
	}
	for path, methods := range doc.Paths {
		for method := range methods {
			if pattern := strings.ToUpper(method) + " " + path; method != "get" && method != "parameters" && !tried[pattern] {
				t.Errorf("%s is described, but the matrix of forgeries does not try it", pattern)
			}
		}
	}
}
