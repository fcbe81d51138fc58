package contender

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
)

// Visitor asks a site's handler for the private page over and over, one badge
// after another, without a network. It is for one goroutine.
type Visitor struct {
	site     *Site
	template *http.Request
	badge    []string // the header of the template that each visit sets anew
	request  http.Request
	answer   answer
	next     int
	size     int  // of the page
	sends    bool // the form of the page
	body     formBody
}

// formBody is a body that can be sent again.
type formBody struct{ strings.Reader }

func (*formBody) Close() error { return nil }

// NewVisitor prepares a request as a browser sends it. All badges of a site are
// in one header.
func NewVisitor(s *Site) *Visitor {
	r := httptest.NewRequest("GET", issuer+"/private", nil)
	for name, value := range map[string]string{
		"User-Agent": somebody(0).agent, "Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8",
		"Accept-Language": "en-GB,en;q=0.7", "Accept-Encoding": "gzip, deflate, br", "Sec-Fetch-Site": "same-origin",
		"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document",
	} {
		r.Header.Set(name, value)
	}
	s.Badges[0].Set(r)
	return &Visitor{site: s, template: r, badge: r.Header[s.Badges[0].Name], answer: answer{header: http.Header{}}, size: len("user00000000")}
}

// NewPageVisitor is NewVisitor for a site with pages: it looks at the page with
// the form over and over, or sends the form.
func NewPageVisitor(s *Site, sends bool) *Visitor {
	v := NewVisitor(s)
	if v.sends = sends; sends {
		v.template.Method = "POST"
		v.template.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		v.template.Header.Set("Origin", issuer)
		return v
	}
	v.prepare()
	s.Handler.ServeHTTP(&v.answer, &v.request)
	v.size, v.next = v.answer.size, 0 // the same for everybody
	return v
}

// Visit makes n requests and fails unless each gets the page.
func (v *Visitor) Visit(n int) error {
	for range n {
		v.prepare()
		v.site.Handler.ServeHTTP(&v.answer, &v.request)
		if v.answer.code != 0 && v.answer.code != http.StatusOK || v.answer.size != v.size {
			return fmt.Errorf("the page was answered with status %d and %d bytes", v.answer.code, v.answer.size)
		}
	}
	return nil
}

// Check lets the manager of one of this project's sites judge n requests and
// fails unless each names somebody.
func (v *Visitor) Check(n int) error {
	for range n {
		v.prepare()
		s, err := v.site.Manager.Check(&v.request)
		if err != nil {
			return err
		}
		if s.Subject() == "" {
			return errors.New("the check names nobody")
		}
	}
	return nil
}

// prepare makes the next person's request. Some middleware writes into the
// request it is given, so each visit gets a fresh one; the copy allocates
// nothing.
func (v *Visitor) prepare() {
	v.request = *v.template
	v.badge[0] = v.site.Badges[v.next].Value
	if v.sends {
		v.body.Reset(v.site.Forms[v.next])
		v.request.Body, v.request.ContentLength = &v.body, v.body.Size()
	}
	v.next++
	if v.next == len(v.site.Badges) {
		v.next = 0
	}
	clear(v.answer.header)
	v.answer.code, v.answer.size = 0, 0
}

// Crowd is so many visitors at once, spread over the badges of a site.
type Crowd []*Visitor

// NewCrowd makes the visitors.
func NewCrowd(s *Site, callers int) Crowd {
	c := make(Crowd, callers)
	for i := range c {
		c[i] = NewVisitor(s)
		c[i].next = i * len(s.Badges) / callers
	}
	return c
}

// Visit makes n visits in all, as [Visitor.Visit].
func (c Crowd) Visit(n int) error {
	return share(len(c), n, func(caller int) error { return c[caller].Visit(1) })
}

// Check makes n checks in all, as [Visitor.Check].
func (c Crowd) Check(n int) error {
	return share(len(c), n, func(caller int) error { return c[caller].Check(1) })
}

// answer takes what a handler writes and keeps its size.
type answer struct {
	header     http.Header
	code, size int
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(code int) { a.code = code }

func (a *answer) Write(b []byte) (int, error) {
	a.size += len(b)
	return len(b), nil
}

// WriteString spares io.WriteString a copy, as net/http's own writer does.
func (a *answer) WriteString(s string) (int, error) {
	a.size += len(s)
	return len(s), nil
}
