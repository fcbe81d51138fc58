package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// reply is an answer of the server, as it was sent.
type reply struct {
	request string // method and path
	status  int
	header  http.Header
	body    string
}

var plainClient = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// send makes one request. A body that begins like an object is JSON, any other a
// form; headers are "Name: value".
func (p *process) send(t testing.TB, method, path, body string, headers ...string) reply {
	t.Helper()
	r, err := p.try(method, path, body, headers...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// try is send for a server that may be gone.
func (p *process) try(method, path, body string, headers ...string) (reply, error) {
	return request(p.url, method, path, body, headers...)
}

func request(base, method, path, body string, headers ...string) (reply, error) {
	req, err := http.NewRequest(method, base+path, strings.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	switch {
	case strings.HasPrefix(body, "{"):
		req.Header.Set("Content-Type", "application/json")
	case body != "":
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Add(name, value)
	}
	res, err := plainClient.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return reply{}, err
	}
	return reply{method + " " + path, res.StatusCode, res.Header, string(b)}, nil
}

// object reads the body as a JSON object.
func (r reply) object(t testing.TB) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(r.body), &v); err != nil {
		t.Fatalf("%s: %d %q: %v", r.request, r.status, r.body, err)
	}
	return v
}

// text is a string in a JSON answer, such as "session.sid".
func (r reply) text(t testing.TB, path string) string {
	t.Helper()
	var v any = r.object(t)
	for name := range strings.SplitSeq(path, ".") {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	s, _ := v.(string)
	if s == "" {
		t.Fatalf("%s: %d: no %s in %s", r.request, r.status, path, r.body)
	}
	return s
}

// want checks the status and passes the reply on.
func (r reply) want(t testing.TB, status int) reply {
	t.Helper()
	if r.status != status {
		t.Fatalf("%s: %d, want %d: %s", r.request, r.status, status, r.body)
	}
	return r
}

// cookie is a cookie that the answer sets.
func (r reply) cookie(t testing.TB, name string) string {
	t.Helper()
	for _, c := range (&http.Response{Header: r.header}).Cookies() {
		if c.Name == name && c.Value != "" {
			return c.Value
		}
	}
	t.Fatalf("%s: no cookie %s in %q", r.request, name, r.header["Set-Cookie"])
	return ""
}

const (
	sessionCookie = "__Host-Http-session"
	goodPassword  = "an otter under the green boat"
)

func cookieHeader(value string) string { return "Cookie: " + sessionCookie + "=" + value }
func bearer(token string) string       { return "Authorization: Bearer " + token }

// basicAuth is a client's credentials as RFC 6749 section 2.3.1 wants them.
func basicAuth(id, secret string) string {
	r := http.Request{Header: http.Header{}}
	r.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(secret))
	return "Authorization: " + r.Header.Get("Authorization")
}

func loginBody(name, password, channel string) string {
	b, err := json.Marshal(map[string]string{"username": name, "password": password, "channel": channel})
	if err != nil {
		panic(err)
	}
	return string(b)
}

// login signs in over the cookie channel and returns the handle.
func (p *process) login(t testing.TB, name, password string) string {
	t.Helper()
	return p.send(t, "POST", "/v1/login", loginBody(name, password, "cookie")).want(t, 200).cookie(t, sessionCookie)
}

// signedIn tells the status that a handle gets.
func (p *process) signedIn(t testing.TB, handle string) int {
	t.Helper()
	return p.send(t, "GET", "/v1/session?passive=1", "", cookieHeader(handle)).status
}

// addClient adds a program with rights and returns its Authorization header.
func (p *process) addClient(t testing.TB, id string, rights ...string) (header, secret string) {
	t.Helper()
	var out struct{ Secret string }
	text := p.lanyard(t, "", append([]string{"clients", "add", id, "--json"}, rights...)...)
	if err := json.Unmarshal([]byte(text), &out); err != nil || out.Secret == "" {
		t.Fatalf("clients add: %v: %s", err, text)
	}
	return basicAuth(id, out.Secret), out.Secret
}
