package server

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/lanyard-go/lanyard/internal/directory"
	"github.com/lanyard-go/lanyard/internal/forge"
)

// stolenKey reads the key that signs the tokens of a server from its directory.
func stolenKey(t *testing.T, data string) *ecdsa.PrivateKey {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(data, "keys", "*.pem"))
	if err != nil || len(names) != 1 {
		t.Fatalf("key files %q, %v", names, err)
	}
	text, err := os.ReadFile(names[0])
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	ec, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		t.Fatalf("the server signs with a %T", key)
	}
	return ec
}

var (
	forgedAnswerID = regexp.MustCompile(`"request_id": ?"[^"]*"`)
	forgedCause    = regexp.MustCompile(`msg="request refused" cause=bad_token error=(\w+) `)
)

// uniform is an answer without what differs from request to request.
func uniform(a *answer) string {
	h := a.header.Clone()
	for _, name := range []string{"Date", "X-Request-Id"} {
		h.Del(name)
	}
	var b strings.Builder
	h.Write(&b)
	return http.StatusText(a.status) + "\n" + b.String() + forgedAnswerID.ReplaceAllString(a.body, "")
}

// Against a server that runs: each forged token has its own cause in the log,
// and each place it is shown to has one answer to all of them.
//
// req: JWT-1, JWT-2, JWT-3, JWT-4, JWT-5, JWT-7, JWT-17, JWT-31
func TestForgedTokensGetOneAnswerFromTheServer(t *testing.T) {
	fetched := 0
	lure := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { fetched++ }))
	defer lure.Close()
	x := newSite(t)
	gate := x.program(directory.Client{ID: "gate", MayIntrospect: true})
	ada := x.signedIn("ada", "token")
	attacker, err := forge.New(ada.access, stolenKey(t, x.s.cfg.Data), x.clock.Now(), lure.URL)
	if err != nil {
		t.Fatal(err)
	}
	x.call("GET", "/v1/session", nil, x.as(ada)).want(200)

	same := map[string]string{}
	alike := func(where, name, got string) {
		t.Helper()
		if _, known := same[where]; !known {
			same[where] = got
		}
		if got != same[where] {
			t.Errorf("%s: %s is answered\n%s\n\nand others\n%s", where, name, got, same[where])
		}
	}
	for _, row := range attacker.Rows() {
		name := row.ID + ", " + row.Name
		before := len(x.known.String())
		a := x.call("GET", "/v1/session", nil, x.as(&badge{access: row.Token}))
		if a.status != 401 || a.code() != "invalid_token" {
			t.Errorf("%s: answered %d %s", name, a.status, a.body)
		}
		alike("/v1/session", name, uniform(a))
		var cause string
		if m := forgedCause.FindStringSubmatch(x.known.String()[before:]); m != nil {
			cause = m[1]
		}
		if cause != row.Cause {
			t.Errorf("%s: the log says %q, want %q", name, cause, row.Cause)
		}
		alike("/v1/sessions", name, uniform(x.call("GET", "/v1/sessions", nil, x.as(&badge{access: row.Token}))))
		alike("/oauth2/introspect", name, uniform(x.call("POST", "/oauth2/introspect", url.Values{"token": {row.Token}}, basicAuth("gate", gate))))
	}
	if fetched > 0 {
		t.Errorf("an address in a token was fetched %d times", fetched)
	}
	x.call("GET", "/v1/session", nil, x.as(ada)).want(200)

	// A key that was withdrawn (D17): its token was good a moment ago.
	if err := x.s.keys.Withdraw(x.s.keys.List(x.clock.Now())[0].ID); err != nil {
		t.Fatal(err)
	}
	alike("/v1/session", "D17, a withdrawn key", uniform(x.call("GET", "/v1/session", nil, x.as(ada))))
}
