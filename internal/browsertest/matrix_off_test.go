package browsertest

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"

	"github.com/lanyard-go/lanyard"
)

// defenceless puts a stack in front of the server that has none of the defences
// of the matrix, so that it is seen which requests would have worked:
//
//   - every cookie says SameSite=None;
//   - every request says Sec-Fetch-Site: same-origin and has no Origin, and forms
//     before a login have the token they need;
//   - preflights from everywhere are allowed, with credentials;
//   - methods can be overridden by a field or header, also those of a GET;
//   - parameters are taken from the address or from a body of whatever type.
//
// What the browser sends of its own accord is left to it: above all whether there
// is a cookie. Each request that has one gets a session of its own, and things of
// its own to be about, so that one success does not spoil the next.
func (s *stage) defenceless() {
	preflights := func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
			return false
		}
		allowEverybody(w.Header(), r.Header.Get("Origin"))
		w.WriteHeader(http.StatusNoContent)
		return true
	}
	n := 0
	apart := func(v *visit, r *http.Request) *http.Response {
		n++
		x := s.targets[endpointOf(v.tag)]
		resp := &http.Response{StatusCode: http.StatusMethodNotAllowed, Header: http.Header{}, Body: http.NoBody}
		allowEverybody(resp.Header, r.Header.Get("Origin"))
		body, err := io.ReadAll(r.Body)
		if err != nil {
			s.t.Error(err)
			return resp
		}
		if overridden(r, string(body)) != x.method() || !carries(r, string(body), x.fields(s.t, s.values)) {
			return resp
		}
		v.worked, resp.StatusCode = s.carryOut(x, v.session, fmt.Sprintf("client%d", n))
		return resp
	}
	s.front.change(func(r *rules) { r.before, r.after, r.apart = preflights, sameSiteNone, apart })
}

func endpointOf(tag string) int {
	n, _ := strconv.Atoi(tag[strings.LastIndexByte(tag, '-')+1:])
	return n
}

// overridden is the method that a lenient framework takes a request for.
func overridden(r *http.Request, body string) string {
	if m := r.Header.Get("X-Http-Method-Override"); m != "" {
		return m
	}
	for _, text := range []string{r.URL.RawQuery, body} {
		if m := methodField.FindStringSubmatch(text); m != nil {
			return m[1]
		}
	}
	return r.Method
}

var methodField = regexp.MustCompile(`(?:^|&)_method=([A-Z]+)`)

func allowEverybody(h http.Header, origin string) {
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Allow-Credentials", "true")
	h.Set("Access-Control-Allow-Methods", "POST, PUT, PATCH, DELETE")
	h.Set("Access-Control-Allow-Headers", "Content-Type, X-HTTP-Method-Override")
}

func sameSiteNone(h http.Header) {
	for i, text := range h["Set-Cookie"] {
		h["Set-Cookie"][i] = strings.NewReplacer("SameSite=Lax", "SameSite=None", "SameSite=Strict", "SameSite=None").Replace(text)
	}
}

// carryOut sends the request as the site's own page would, with a session if the
// browser sent one, and reports whether the server changed anything.
func (s *stage) carryOut(x target, session bool, client string) (worked bool, status int) {
	if strings.HasSuffix(x.pattern, "/enable") {
		s.local("POST", "/v1/admin/users/bob/disable", nil, nil)
	} else {
		s.local("POST", "/v1/admin/users/bob/enable", nil, nil)
	}
	if strings.Contains(x.json, "bob") || strings.Contains(x.pattern+x.form, "others") { // there is somebody to end
		s.start("bob", lanyard.ChannelToken)
		s.start("ada", lanyard.ChannelToken)
	}
	v := s.fresh(client, x)
	body, kind := x.body(v)
	var g *lanyard.Grant
	cookies := []string{}
	if session && x.pattern != "POST /reset" { // for nobody, with a token of its own
		g = s.start("ada", lanyard.ChannelCookie)
		cookies = append(cookies, cookieName+"="+g.Handle.Reveal())
	}
	if x.pattern == "POST /login" || x.pattern == "POST /reset" {
		pre, token := s.preSession()
		cookies = append(cookies, pre)
		body += "&csrf_token=" + token
	}
	r := httptest.NewRequest(x.method(), x.path(v), strings.NewReader(body))
	r.Host = strings.TrimPrefix(s.url, "https://")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	if len(cookies) > 0 {
		r.Header.Set("Cookie", strings.Join(cookies, "; "))
	}
	_, from := s.journal.since(0)
	resp, err := s.front.forward(r)
	if err != nil {
		s.t.Error(x.pattern, err)
		return false, http.StatusBadGateway
	}
	resp.Body.Close()
	list, _ := s.journal.since(from)
	worked = resp.StatusCode < 400 && len(changes(list)) > 0
	if x.method() == http.MethodPatch && g != nil { // the one change without an event
		data, _, err := s.srv.Manager().Data(s.t.Context(), g.Session)
		worked = err == nil && strings.Contains(string(data), "stolen")
	}
	return worked, resp.StatusCode
}

// preSession is what a login page gives to a browser: a cookie and a token.
func (s *stage) preSession() (cookie, token string) {
	r := httptest.NewRequest("GET", "/login", nil)
	r.Host = strings.TrimPrefix(s.url, "https://")
	resp, err := s.front.forward(r)
	if err != nil {
		s.t.Error("the login page:", err)
		return "", ""
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	m := formToken.FindSubmatch(page)
	if err != nil || m == nil || len(resp.Cookies()) == 0 {
		s.t.Error("the login page has no form token or no cookie:", err)
		return "", ""
	}
	return resp.Cookies()[0].Name + "=" + resp.Cookies()[0].Value, string(m[1])
}

var formToken = regexp.MustCompile(`name="csrf_token" value="([\w-]+)"`)
