package server

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/api"
	"github.com/lanyard-go/lanyard/internal/directory"
)

func TestOpenAPIDescribesTheRoutesThatExistAndNoOthers(t *testing.T) {
	x := newSite(t)
	served := map[string]bool{"GET /metrics": true}
	for _, e := range append(x.s.publicEndpoints(), x.s.adminEndpoints()...) {
		if _, path, _ := strings.Cut(e.pattern, " "); apiPath(path) {
			served[e.pattern] = true
		}
	}
	described := map[string]bool{}
	for path, ops := range contract().Paths {
		for method := range ops {
			described[strings.ToUpper(method)+" "+path] = true
		}
	}
	for one := range served {
		if !described[one] {
			t.Errorf("%s is served but not described", one)
		}
	}
	for one := range described {
		if !served[one] {
			t.Errorf("%s is described but not served", one)
		}
	}
}

func TestOpenAPIIsSoundInItself(t *testing.T) {
	d := contract()
	ids := map[string]bool{}
	for path, ops := range d.Paths {
		for method, op := range ops {
			if op.ID == "" || ids[op.ID] {
				t.Errorf("%s %s: operationId %q is missing or taken", method, path, op.ID)
			}
			ids[op.ID] = true
			if !slices.ContainsFunc(slices.Collect(maps.Keys(op.Responses)), func(s string) bool { return s[0] == '2' }) {
				t.Errorf("%s: no success is described", op.ID)
			}
			for status, r := range op.Responses {
				if r.Ref != "" && len(r.Headers) == 0 && len(r.Content) == 0 {
					t.Errorf("%s %s: %s leads nowhere", op.ID, status, r.Ref)
				}
			}
			for kind, c := range op.RequestBody.Content {
				s := d.schema(c.Schema)
				if kind == "application/json" && s.Additional.Value != "false" && op.ID != "patchData" {
					t.Errorf("%s: unknown members of the request are not excluded", op.ID)
				}
			}
		}
	}
	// Every reference leads somewhere.
	var all yaml.Node
	if err := yaml.Unmarshal(openapiText, &all); err != nil {
		t.Fatal(err)
	}
	var plain any
	if err := all.Decode(&plain); err != nil {
		t.Fatal(err)
	}
	for _, ref := range references(plain) {
		at := plain
		for _, name := range strings.Split(strings.TrimPrefix(ref, "#/"), "/") {
			m, _ := at.(map[string]any)
			at = m[name]
		}
		if at == nil {
			t.Errorf("%s leads nowhere", ref)
		}
	}
}

func references(v any) (out []string) {
	switch x := v.(type) {
	case map[string]any:
		if ref, ok := x["$ref"].(string); ok {
			out = append(out, ref)
		}
		for _, inner := range x {
			out = append(out, references(inner)...)
		}
	case []any:
		for _, inner := range x {
			out = append(out, references(inner)...)
		}
	}
	return out
}

// Each operation is called on a running server, and the status, content type,
// headers and body are those that the document promises. Along the way it shows
// which operations make sessions, and that each session says how its person was
// authenticated.
//
// req: LOGIN-14
func TestEveryOperationAnswersAsDescribed(t *testing.T) {
	x := newLiveSite(t, func(c *Config) { c.Audience = []string{"orders"}; c.AdminListen = "127.0.0.1:0" })
	x.http = x.client(x.back.Listener.Addr().String()) // this address serves all of them
	called, makers, known := map[string]bool{}, map[string]bool{}, map[lanyard.SID]bool{}
	note := func(id string) {
		t.Helper()
		list, _, err := x.s.m.List(t.Context(), lanyard.Query{Limit: 1000})
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range list {
			if !known[v.SID()] && id != "" {
				makers[id] = true
			}
			known[v.SID()] = true
			if len(v.Methods()) == 0 || v.AuthTime().IsZero() {
				t.Errorf("after %s there is a session that does not say how, and when, its person was authenticated", id)
			}
		}
	}
	do := func(id, method, target string, body any, options ...option) *answer {
		t.Helper()
		path, _, _ := strings.Cut(target, "?")
		op, ok := contract().operationAt(method, path)
		if !ok || op.ID != id {
			t.Fatalf("%s %s is operation %q, want %q", method, target, op.ID, id)
		}
		note("") // what the test itself made for this call
		a := x.call(method, target, body, options...)
		note(id)
		if a.status/100 != 2 {
			t.Fatalf("%s: got %d %s", a.asked, a.status, a.body)
		}
		called[id] = true
		return a
	}
	secret := x.program(directory.Client{ID: "orders", Audiences: []string{"orders"}, Scopes: []string{"read"}, Grants: []string{"client_credentials", "refresh_token"}, MayIntrospect: true, MayCreateSessions: true})
	orders := basicAuth("orders", secret)

	web := x.badgeOf(do("login", "POST", "/v1/login", api.LoginRequest{Username: "ada", Password: goodPassword, Device: "desk"}))
	app := x.badgeOf(do("login", "POST", "/v1/login", api.LoginRequest{Username: "ada", Password: goodPassword, Channel: "token", Resource: "orders"}))
	for _, b := range []*badge{web, app} {
		do("getSession", "GET", "/v1/session?passive=1", nil, x.as(b))
		do("listSessions", "GET", "/v1/sessions?limit=1", nil, x.as(b))
		do("getData", "GET", "/v1/session/data", nil, x.as(b))
		do("patchData", "PATCH", "/v1/session/data", map[string]any{"cart": []int{1}}, x.as(b))
	}
	do("drawToken", "POST", "/v1/session/token", api.TokenRequest{Resource: "orders"}, x.as(web))
	for _, channel := range []string{"cookie", "token"} {
		code := do("handoff", "POST", "/v1/session/handoff", api.HandoffRequest{Channel: channel}, x.as(web)).field("code")
		b := x.badgeOf(do("redeem", "POST", "/v1/session/redeem", api.RedeemRequest{Code: code}))
		do("endSession", "DELETE", "/v1/sessions/"+b.sid+"?linked=keep", nil, x.as(web))
	}
	lifted := x.badgeOf(do("elevate", "POST", "/v1/elevate", api.ElevateRequest{Password: goodPassword}, x.as(app)))
	a := do("token", "POST", "/oauth2/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {lifted.refresh}})
	do("introspect", "POST", "/oauth2/introspect", url.Values{"token": {a.field("access_token")}}, orders)
	do("introspect", "POST", "/oauth2/introspect", url.Values{"token": {"x"}}, orders)
	do("revokeToken", "POST", "/oauth2/revoke", url.Values{"token": {a.field("refresh_token")}})
	do("token", "POST", "/oauth2/token", url.Values{"grant_type": {"client_credentials"}, "resource": {"orders"}, "scope": {"read"}}, orders)
	do("changePassword", "POST", "/v1/password", api.PasswordRequest{Current: goodPassword, New: "another long passphrase"}, x.as(x.signedIn("ada", "token")))
	do("revokeSessions", "POST", "/v1/sessions/revoke", api.RevokeRequest{Scope: "others"}, x.as(x.signedIn("ada", "cookie")))
	do("logout", "POST", "/v1/logout", nil, x.as(x.signedIn("ada", "cookie")))
	do("metadata", "GET", "/.well-known/oauth-authorization-server", nil)
	do("resourceMetadata", "GET", "/.well-known/oauth-protected-resource", nil)
	do("jwks", "GET", "/.well-known/jwks.json", nil)
	lists := newListSite(t) // without the setting there is none
	lists.status(lists.reference(lists.signedIn("ada", "token").access))
	called["statusList"] = true
	do("livez", "GET", "/livez", nil)
	do("readyz", "GET", "/readyz", nil)
	do("metrics", "GET", "/metrics", nil)
	do("openapi", "GET", "/openapi.yaml", nil)
	do("verify", "GET", "/verify", nil, x.as(x.signedIn("ada", "cookie")))

	root := x.as(x.signedIn("root", "cookie"))
	for _, channel := range []string{"cookie", "token"} {
		do("adminStart", "POST", "/v1/admin/sessions", api.AdminSessionRequest{Subject: "carol", AMR: []string{"pwd", "otp"}, Channel: channel, IP: "192.0.2.1", Scope: "read"}, orders)
	}
	b := x.signedIn("bob", "token")
	do("adminList", "GET", "/v1/admin/sessions?subject=bob&channel=token&ended=1", nil, root)
	do("adminEnd", "DELETE", "/v1/admin/sessions/"+b.sid+"?mode=fast&reason=lost", nil, root)
	do("adminShow", "GET", "/v1/admin/sessions/"+b.sid, nil, root)
	do("adminRevoke", "POST", "/v1/admin/revoke", api.AdminRevokeRequest{Subject: "bob", Reason: "left"}, root)
	do("adminAddUser", "POST", "/v1/admin/users", api.UserRequest{Name: "dan"}, root)
	do("adminUsers", "GET", "/v1/admin/users", nil, root)
	do("adminDisable", "POST", "/v1/admin/users/dan/disable", nil, root)
	do("adminEnable", "POST", "/v1/admin/users/dan/enable", nil, root)
	do("adminReset", "POST", "/v1/admin/users/dan/reset", nil, root)
	kid := do("adminRotate", "POST", "/v1/admin/keys/rotate", nil, root).field("kid")
	do("adminKeys", "GET", "/v1/admin/keys", nil, root)
	do("adminWithdraw", "POST", "/v1/admin/keys/"+kid+"/withdraw", nil, root)
	do("adminAddClient", "POST", "/v1/admin/clients", api.OAuthClient{ID: "reports", Grants: []string{"client_credentials"}}, root)
	do("adminClients", "GET", "/v1/admin/clients", nil, root)
	do("adminRemoveClient", "DELETE", "/v1/admin/clients/reports", nil, root)
	do("adminAudit", "GET", "/v1/admin/audit?limit=1000", nil, root)

	follower := basicAuth("follower", x.program(directory.Client{ID: "follower", MayFollow: true}))
	do("followRevocations", "GET", "/v1/revocations?after=elsewhere", nil, follower)
	do("revocationSnapshot", "GET", "/v1/revocations/snapshot", nil, follower)
	do("acknowledgeRevocations", "POST", "/v1/revocations/ack", map[string]any{"follower": "f", "cursor": x.snapshotCursor(follower)}, follower)
	do("adminVerifiers", "GET", "/v1/admin/verifiers?canary=1", nil, root)

	if want := map[string]bool{"login": true, "redeem": true, "adminStart": true}; !maps.Equal(makers, want) {
		t.Errorf("sessions are made by %v, want %v", makers, want)
	}
	for path, ops := range contract().Paths {
		for method, op := range ops {
			if !called[op.ID] {
				t.Errorf("%s %s (%s) was not called", method, path, op.ID)
			}
		}
	}
}

// A document that promises something else is noticed.
func TestTheContractCheckNoticesWrongAnswers(t *testing.T) {
	good := `{"error":"not_found","message":"m","request_id":"r"}`
	h := http.Header{"Content-Type": {"application/json; charset=utf-8"}, "Cache-Control": {"no-store"}}
	for name, a := range map[string]*answer{
		"a status that is not named": {status: 418, header: h, body: good},
		"another content type":       {status: 404, header: http.Header{"Content-Type": {"text/html; charset=utf-8"}, "Cache-Control": {"no-store"}}, body: good},
		"no charset":                 {status: 404, header: http.Header{"Content-Type": {"application/json"}, "Cache-Control": {"no-store"}}, body: good},
		"a missing header":           {status: 404, header: http.Header{"Content-Type": {"application/json; charset=utf-8"}}, body: good},
		"a missing member":           {status: 404, header: h, body: `{"error":"not_found","message":"m"}`},
		"a member that is not named": {status: 404, header: h, body: `{"error":"not_found","message":"m","request_id":"r","x":1}`},
		"a member of another type":   {status: 404, header: h, body: `{"error":"not_found","message":1,"request_id":"r"}`},
		"a word that is not listed":  {status: 404, header: h, body: `{"error":"whatever","message":"m","request_id":"r"}`},
		"null":                       {status: 404, header: h, body: `{"error":null,"message":"m","request_id":"r"}`},
		"a body that is not JSON":    {status: 404, header: h, body: `<html>`},
		"a body where there is none": {status: 204, header: h, body: good},
	} {
		if len(contract().check("DELETE", "/v1/sessions/x", a)) == 0 {
			t.Errorf("%s passes", name)
		}
	}
	if p := contract().check("DELETE", "/v1/sessions/x", &answer{status: 404, header: h, body: good}); len(p) > 0 {
		t.Errorf("a good answer does not pass: %v", p)
	}
}

// docs/http.md shows an answer for every operation, and none that is not one.
func TestHTTPReferenceCoversEveryOperation(t *testing.T) {
	text, err := os.ReadFile("../../docs/http.md")
	if err != nil {
		t.Fatal(err)
	}
	doc := string(text)
	for path, ops := range contract().Paths {
		for method := range ops {
			if line := strings.ToUpper(method) + " " + path; !strings.Contains(doc, line) {
				t.Errorf("docs/http.md does not mention %s", line)
			}
		}
	}
	for i, block := range strings.Split(doc, "```json\n")[1:] {
		example, _, _ := strings.Cut(block, "```")
		if !json.Valid([]byte(example)) {
			t.Errorf("example %d of docs/http.md is not JSON: %s", i+1, example)
		}
	}
	for _, code := range contract().Components.Schemas["Error"].Properties["error"].Enum {
		if !strings.Contains(doc, fmt.Sprintf("`%s`", code)) {
			t.Errorf("docs/http.md does not explain the error %s", code)
		}
	}
}
