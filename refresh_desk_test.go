package lanyard_test

import (
	"bytes"
	"crypto/tls"
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/api"
	"github.com/lanyard-go/lanyard/internal/server"
	"github.com/lanyard-go/lanyard/token"
)

// desk is a server's token endpoint, with two clients that prove themselves by
// assertions they sign, and the user ann.
type desk struct {
	*server.Server
	t      *testing.T
	clock  *clock
	keys   map[string]*token.Key // by client
	serial int
	before map[string]int // counted so far

	disabled bool // ann is
}

// Shop is whose families these are; rival is as good a client.
const (
	shop  = "shop"
	rival = "rival"
)

func newDesk(t *testing.T, profileName string) *desk {
	t.Helper()
	d := &desk{t: t, clock: newClock(), keys: map[string]*token.Key{}, before: map[string]int{}}
	var err error
	d.Server, err = server.Open(t.Context(), server.Config{
		Listen: "127.0.0.1:8443", AdminListen: "127.0.0.1:8444", Data: t.TempDir(), Store: "memory:", Issuer: site, Profile: profileName,
		RevocationBound: 2 * time.Second, PasswordMinLength: 15, LogLevel: "info", LogFormat: "text", ShutdownTimeout: time.Second,
	}, server.Options{
		Drivers: server.Drivers{SQLite: func(dsn string) (*sql.DB, error) { return sql.Open("sqlite", dsn) }}, Now: d.clock.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	d.own("/local/users", map[string]any{"name": "ann", "password": "correct horse battery staple"})
	for _, id := range []string{shop, rival, "nobody"} {
		key, err := token.GenerateKey(token.ES256, d.clock.Now())
		if err != nil {
			t.Fatal(err)
		}
		d.keys[id] = key
		if id != "nobody" {
			jwks := json.RawMessage(`{"keys":[` + string(key.Public().JWK()) + `]}`)
			d.own("/v1/admin/clients", api.OAuthClient{ID: id, Grants: []string{"refresh_token"}, JWKS: jwks})
		}
	}
	return d
}

// own calls the server as the owner of its directory.
func (d *desk) own(path string, body any) {
	d.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		d.t.Fatal(err)
	}
	r := httptest.NewRequest("POST", path, bytes.NewReader(text))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	d.LocalHandler().ServeHTTP(w, r)
	if w.Code/100 != 2 {
		d.t.Fatalf("%s: %d %s", path, w.Code, w.Body)
	}
}

// assertion is a client's proof of itself, with some claims changed.
func (d *desk) assertion(id string, change map[string]any) string {
	d.t.Helper()
	d.serial++
	now := d.clock.Now()
	claims := map[string]any{"iss": id, "sub": id, "aud": site, "jti": fmt.Sprint("j", d.serial), "iat": now.Unix(), "exp": now.Add(time.Minute).Unix()}
	maps.Copy(claims, change)
	text, err := json.Marshal(claims)
	if err != nil {
		d.t.Fatal(err)
	}
	signed, err := d.keys[id].Sign("JWT", text)
	if err != nil {
		d.t.Fatal(err)
	}
	return signed
}

// used is an assertion that was good once.
func (d *desk) used() string {
	d.t.Helper()
	text := d.assertion(shop, nil)
	if w := d.post("/oauth2/revoke", presented{ip: homeIP, agent: phone}, url.Values{"token": {"x"}}, text); w.Code != 200 {
		d.t.Fatalf("a good assertion is answered with %d %s", w.Code, w.Body)
	}
	return text
}

// post sends a form with an assertion from the presenter's place.
func (d *desk) post(path string, p presented, form url.Values, assertion string) *httptest.ResponseRecorder {
	form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
	form.Set("client_assertion", assertion)
	r := httptest.NewRequest("POST", site+path, strings.NewReader(form.Encode()))
	r.TLS = &tls.ConnectionState{Version: tls.VersionTLS13}
	r.RemoteAddr = p.ip + ":1"
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("User-Agent", p.agent)
	w := httptest.NewRecorder()
	d.Handler().ServeHTTP(w, r)
	return w
}

// renew presents a refresh token.
func (d *desk) renew(p presented, assertion string) *httptest.ResponseRecorder {
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {p.text}}
	if p.unproven {
		form.Set("client_id", shop)
	}
	if p.scope != "" {
		form.Set("scope", p.scope)
	}
	return d.post("/oauth2/token", p, form, assertion)
}

// works reports whether an access token is accepted.
func (d *desk) works(access string) bool {
	r := httptest.NewRequest("GET", site+"/v1/session", nil)
	r.TLS, r.RemoteAddr = &tls.ConnectionState{Version: tls.VersionTLS13}, homeIP+":1"
	w := httptest.NewRecorder()
	d.Handler().ServeHTTP(w, bearer(r, access))
	return w.Code == http.StatusOK
}

var outcomeLine = regexp.MustCompile(`(?m)^lanyard_outcomes_total\{kind="(refresh|client)",outcome="([^"]+)"\} ([0-9]+)$`)

// counted returns what the metrics have counted since it was last asked.
func (d *desk) counted() map[string]int {
	d.t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", site+"/metrics", nil)
	r.TLS = &tls.ConnectionState{Version: tls.VersionTLS13}
	d.AdminHandler().ServeHTTP(w, r)
	if w.Code != 200 {
		d.t.Fatalf("the metrics are answered with %d %s", w.Code, w.Body)
	}
	news := map[string]int{}
	for _, m := range outcomeLine.FindAllStringSubmatch(w.Body.String(), -1) {
		name := m[2]
		if m[1] == "client" {
			name = noClient
		}
		n, _ := strconv.Atoi(m[3])
		if n > d.before[name] {
			news[name] = n - d.before[name]
		}
		d.before[name] = n
	}
	return news
}

// start makes a family of the shop's for ann.
func (d *desk) start() *lanyard.Grant {
	d.t.Helper()
	g, err := d.Manager().Start(d.t.Context(), lanyard.Login{
		Subject: "ann", Channel: lanyard.ChannelToken, Client: shop, Methods: []string{"pwd"}, UserAgent: phone, IP: homeIP,
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return g
}
