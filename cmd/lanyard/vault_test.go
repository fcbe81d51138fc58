package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// vault remembers every secret that was handed out or typed, and every answer.
type vault struct {
	t       *testing.T
	p       *process
	secrets map[string]string // value: what it is
	cookies map[string]string // those that scripts must not see: value: name
	replies []reply
}

func newVault(t *testing.T, p *process) *vault {
	return &vault{t: t, p: p, secrets: map[string]string{}, cookies: map[string]string{}}
}

// keep remembers a secret and returns it.
func (v *vault) keep(what, value string) string {
	v.t.Helper()
	if len(value) < 8 {
		v.t.Fatalf("%s %q is too short to be searched for", what, value)
	}
	v.secrets[value] = what
	return value
}

var formToken = regexp.MustCompile(`name="csrf_token" value="([^"]+)"`)

// send makes a request from this machine's loopback address and remembers what
// comes back.
func (v *vault) send(method, path, body string, headers ...string) reply {
	v.t.Helper()
	r := v.p.send(v.t, method, path, body, headers...)
	v.replies = append(v.replies, r)
	for _, c := range (&http.Response{Header: r.header}).Cookies() {
		if len(c.Value) > 8 {
			v.keep("cookie "+c.Name, c.Value)
			if c.HttpOnly {
				v.cookies[c.Value] = c.Name
			}
		}
	}
	for _, m := range formToken.FindAllStringSubmatch(r.body, -1) {
		v.keep("form token", m[1])
	}
	var members map[string]any
	if json.Unmarshal([]byte(r.body), &members) == nil {
		v.collect(members)
	}
	return r
}

func (v *vault) collect(members map[string]any) {
	for name, value := range members {
		switch value := value.(type) {
		case map[string]any:
			v.collect(value)
		case string:
			switch name {
			case "access_token", "refresh_token", "csrf_token", "code", "secret":
				v.keep(name, value)
			case "set_cookie":
				_, handle, _ := strings.Cut(value, "=")
				handle, _, _ = strings.Cut(handle, ";")
				v.keep(name, handle)
			}
		}
	}
}

// needles are the forms in which a secret could lie somewhere: as it was sent,
// the bytes that it stands for, the parts of them that are secret on their own,
// and all of these in hexadecimal and base64.
func needles(value string) [][]byte {
	forms := [][]byte{[]byte(value)}
	if raw, err := base64.RawURLEncoding.DecodeString(value); err == nil && len(raw) >= 32 {
		forms = append(forms, raw)
		if len(raw) == 75 { // a credential: the secret and the MAC behind its header
			forms = append(forms, raw[27:59], raw[59:])
		}
	}
	if parts := strings.Split(value, "."); len(parts) == 3 { // a signature proves what is signed
		if raw, err := base64.RawURLEncoding.DecodeString(parts[2]); err == nil && len(raw) >= 32 {
			forms = append(forms, []byte(parts[2]), raw)
		}
	}
	out := forms
	for _, f := range forms {
		low := hex.EncodeToString(f)
		out = append(out, []byte(low), []byte(strings.ToUpper(low)),
			[]byte(base64.RawURLEncoding.EncodeToString(f)), []byte(base64.RawStdEncoding.EncodeToString(f)))
	}
	return out
}

// leak finds the first place in content that has a secret, in any form.
func leak(content []byte, secret string) (at int, found bool) {
	for _, n := range needles(secret) {
		if i := bytes.Index(content, n); i >= 0 {
			return i, true
		}
	}
	return 0, false
}

// search reports every secret that is in a place where none may be.
func (v *vault) search(place string, content []byte) {
	v.t.Helper()
	for value, what := range v.secrets {
		if i, found := leak(content, value); found {
			v.t.Errorf("%s: a %s is in it: %.300q", place, what, content[max(0, i-80):min(len(content), i+80)])
		}
	}
}

func TestTheSearchFindsASecretInEachForm(t *testing.T) {
	raw := make([]byte, 75)
	for i := range raw {
		raw[i] = byte(i * 7)
	}
	handle := base64.RawURLEncoding.EncodeToString(raw)
	token := "eyJhbGciOiJFUzI1NiJ9.e30." + base64.RawURLEncoding.EncodeToString(raw[:64])
	for _, test := range []struct{ name, secret, content string }{
		{"a password as it is", "otter boat", "typed otter boat twice"},
		{"a password in hexadecimal", "otter boat", "x" + hex.EncodeToString([]byte("otter boat"))},
		{"a password in base64", "otter boat", base64.StdEncoding.EncodeToString([]byte("otter boat"))},
		{"a handle as it is", handle, "cookie=" + handle + ";"},
		{"a handle in bytes", handle, "\x00" + string(raw) + "\x00"},
		{"the secret in a handle", handle, "\x00" + string(raw[27:59])},
		{"the secret in a handle, in hexadecimal", handle, strings.ToUpper(hex.EncodeToString(raw[27:59]))},
		{"the secret in a handle, in base64", handle, base64.RawURLEncoding.EncodeToString(raw[27:59])},
		{"the MAC of a handle", handle, string(raw[59:])},
		{"a token as it is", token, "Bearer " + token},
		{"the signature of a token", token, token[len("eyJhbGciOiJFUzI1NiJ9.e30."):]},
		{"the signature of a token in bytes", token, string(raw[:64])},
	} {
		if _, found := leak([]byte("before "+test.content+" after"), test.secret); !found {
			t.Errorf("%s: not found", test.name)
		}
		if _, found := leak([]byte("before "+test.content[:len(test.content)/3]+" after"), test.secret); found {
			t.Errorf("%s: found where it is not", test.name)
		}
	}
}
