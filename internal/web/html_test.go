package web

import (
	"bytes"
	"html"
	"slices"
	"strings"
	"testing"
)

// element is one start tag, with the text directly inside it.
type element struct {
	name  string
	attrs map[string]string
	text  string
	in    []string // names of the open elements around it
	form  int      // which form of the page it is in, 0 for none
}

var voids = []string{"meta", "link", "input", "br"}

// parse reads a page strictly: each tag closed in order, attributes quoted or bare, nothing else. Our own
// templates need no more, and whatever a stranger's text could smuggle in would break it.
func parse(t *testing.T, page string) []element {
	t.Helper()
	rest, ok := strings.CutPrefix(page, "<!doctype html>")
	if !ok {
		t.Fatal("page does not begin with a doctype")
	}
	var all []element
	var open []int
	forms, form := 0, 0
	for rest != "" {
		text, after, found := strings.Cut(rest, "<")
		if len(open) > 0 {
			all[open[len(open)-1]].text += html.UnescapeString(text)
		} else if strings.TrimSpace(text) != "" {
			t.Fatalf("text outside of the document: %q", text)
		}
		if !found {
			break
		}
		if closing, ok := strings.CutPrefix(after, "/"); ok {
			name, r, _ := strings.Cut(closing, ">")
			if len(open) == 0 || all[open[len(open)-1]].name != name {
				t.Fatalf("</%s> closes nothing, near %.80q", name, r)
			}
			open = open[:len(open)-1]
			if name == "form" {
				form = 0
			}
			rest = r
			continue
		}
		e, r, selfClosed := startTag(t, after)
		for _, i := range open {
			e.in = append(e.in, all[i].name)
		}
		if e.name == "form" {
			if form != 0 {
				t.Fatal("a form inside a form")
			}
			forms++
			form = forms
		}
		e.form = form
		all = append(all, e)
		if !selfClosed && !slices.Contains(voids, e.name) {
			open = append(open, len(all)-1)
		}
		rest = r
	}
	if len(open) != 0 {
		t.Fatalf("<%s> is never closed", all[open[len(open)-1]].name)
	}
	return all
}

// startTag reads a tag after its "<".
func startTag(t *testing.T, s string) (e element, rest string, selfClosed bool) {
	t.Helper()
	end := strings.IndexAny(s, " />")
	if end <= 0 {
		t.Fatalf("not a tag: %.40q", s)
	}
	e = element{name: s[:end], attrs: make(map[string]string)}
	s = s[end:]
	for {
		s = strings.TrimLeft(s, " ")
		if r, ok := strings.CutPrefix(s, "/>"); ok {
			return e, r, true
		}
		if r, ok := strings.CutPrefix(s, ">"); ok {
			return e, r, false
		}
		end := strings.IndexAny(s, " =/>\"'<")
		if end <= 0 {
			t.Fatalf("<%s> has a broken attribute: %.40q", e.name, s)
		}
		name := s[:end]
		if _, twice := e.attrs[name]; twice {
			t.Errorf("<%s> has two attributes %s", e.name, name)
		}
		s = s[end:]
		value := ""
		if r, ok := strings.CutPrefix(s, `="`); ok {
			value, s, ok = strings.Cut(r, `"`)
			if !ok || strings.ContainsAny(value, "<>") {
				t.Fatalf("<%s> has a broken value of %s", e.name, name)
			}
		} else if strings.HasPrefix(s, "=") {
			t.Fatalf("<%s> has an unquoted value of %s", e.name, name)
		}
		e.attrs[name] = html.UnescapeString(value)
	}
}

// draw renders one state and parses it.
func draw(t *testing.T, p *Pages, s state) []element {
	t.Helper()
	var buf bytes.Buffer
	if err := s.render(p, &buf); err != nil {
		t.Fatal(err)
	}
	return parse(t, buf.String())
}

// each runs f on every page in every state.
func each(t *testing.T, f func(t *testing.T, s state, page []element)) {
	t.Helper()
	p := newPages(t)
	for _, s := range states() {
		t.Run(s.name, func(t *testing.T) { f(t, s, draw(t, p, s)) })
	}
}

func newPages(t *testing.T) *Pages {
	t.Helper()
	p, err := New(Config{Tabs: []Tab{{"Lab", "/console/lab"}}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// find returns the elements of a name whose attributes have the given values, in order.
func find(page []element, name string, attrs ...string) []element {
	var out []element
next:
	for _, e := range page {
		if e.name != name {
			continue
		}
		for i := 0; i < len(attrs); i += 2 {
			if v, ok := e.attrs[attrs[i]]; !ok || v != attrs[i+1] {
				continue next
			}
		}
		out = append(out, e)
	}
	return out
}
