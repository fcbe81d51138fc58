package server

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// browser is a visitor with cookies, who sends what browsers send with requests
// of a page's own forms and follows nothing by itself.
type browser struct {
	x       *site
	cookies map[string]string
}

func (x *site) browser() *browser { return &browser{x, map[string]string{}} }

func (b *browser) send(method, path string, body any, options ...option) *answer {
	b.x.t.Helper()
	a := b.x.call(method, path, body, append([]option{func(r *http.Request) {
		var pairs []string
		for name, value := range b.cookies {
			pairs = append(pairs, name+"="+value)
		}
		if len(pairs) > 0 {
			r.Header.Set("Cookie", strings.Join(pairs, "; "))
		}
		r.Header.Set("Accept", "text/html")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		r.Header.Set("Sec-Fetch-Mode", "navigate")
		if method != "GET" {
			r.Header.Set("Origin", b.x.url)
		}
	}}, options...)...)
	for _, c := range (&http.Response{Header: a.header}).Cookies() {
		if c.MaxAge < 0 || c.Value == "" {
			delete(b.cookies, c.Name)
			continue
		}
		b.cookies[c.Name] = c.Value
	}
	return a
}

var hiddenToken = regexp.MustCompile(`name="csrf_token" value="([^"]+)"`)

// token reads the forgery token of the forms on a page.
func (a *answer) token() string {
	a.t.Helper()
	m := hiddenToken.FindStringSubmatch(a.body)
	if m == nil {
		a.t.Fatalf("%s: there is no form on the page: %s", a.asked, a.body)
	}
	return html.UnescapeString(m[1])
}

// signIn goes by way of the login page.
func (b *browser) signIn(name, pw, back string) *answer {
	b.x.t.Helper()
	page := b.send("GET", "/login?return_to="+url.QueryEscape(back), nil).want(200)
	return b.send("POST", "/login", url.Values{"csrf_token": {page.token()}, "username": {name}, "password": {pw}, "return_to": {back}})
}

// post sends a form of a page, with its token.
func (b *browser) post(page, action string, form url.Values) *answer {
	b.x.t.Helper()
	form.Set("csrf_token", b.send("GET", page, nil).want(200).token())
	return b.send("POST", action, form)
}

// wears gives the browser a session that was made without its login page.
func (b *browser) wears(g *badge) *browser {
	b.cookies[b.x.s.m.CookieName()] = g.cookie
	return b
}

// stripped is an answer without what differs for each request.
func stripped(a *answer, words ...string) string {
	h := a.header.Clone()
	for _, name := range []string{"Date", "X-Request-Id", "Content-Length"} {
		h.Del(name)
	}
	body := regexp.MustCompile(`"request_id":"[A-Z0-9]+"`).ReplaceAllString(a.body, "")
	body = hiddenToken.ReplaceAllString(body, "")
	for i, c := range h["Set-Cookie"] {
		h["Set-Cookie"][i] = regexp.MustCompile(`=[^;]{20,};`).ReplaceAllString(c, "=;")
	}
	for _, w := range words {
		body = strings.ReplaceAll(body, w, "WORD")
	}
	var out strings.Builder
	h.Write(&out)
	return http.StatusText(a.status) + "\n" + out.String() + body
}
