package contender

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// sendForm sends the form of a page; header alternates names and values.
func sendForm(s *Site, badge Badge, form string, header ...string) (int, string) {
	r := httptest.NewRequest("POST", issuer+"/private", strings.NewReader(form))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", issuer)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	badge.Set(r)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.Handler.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

func TestPagesTakeTheirOwnFormsAndNoOthers(t *testing.T) {
	for _, kind := range PageKinds()[1:] {
		t.Run(string(kind), func(t *testing.T) {
			s, err := Open(t.Context(), kind, 3, Base{})
			if err != nil {
				t.Fatal(err)
			}
			for i, badge := range s.Badges {
				if code, body := ask(s, &badge); code != http.StatusOK || !strings.Contains(body, "Notes of "+somebody(i).subject) {
					t.Errorf("the page of person %d is %d %q", i, code, body)
				}
				if code, body := sendForm(s, badge, s.Forms[i]); code != http.StatusOK || body != somebody(i).subject {
					t.Errorf("the form of person %d was answered %d %q", i, code, body)
				}
			}
			if code, _ := ask(s, nil); code != http.StatusUnauthorized {
				t.Errorf("the page of nobody is answered %d", code)
			}
			foreign := []string{"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"}
			if code, _ := sendForm(s, s.Badges[0], s.Forms[0], foreign...); code != http.StatusForbidden {
				t.Errorf("another site's form was answered %d", code)
			}
			for name, form := range map[string]string{"no token": "text=hello", "the token of another person": s.Forms[1]} {
				code, _ := sendForm(s, s.Badges[0], form)
				if want := map[bool]int{true: http.StatusForbidden, false: http.StatusOK}[kind.hasToken()]; code != want {
					t.Errorf("a form with %s was answered %d, want %d", name, code, want)
				}
			}
		})
	}
}

func TestPageVisitorsSeeTheWholePageAndItsHeadersEachTime(t *testing.T) {
	for _, kind := range PageKinds() {
		s, err := Open(t.Context(), kind, 2, Base{})
		if err != nil {
			t.Fatal(err)
		}
		for _, sends := range []bool{false, true} {
			v := NewPageVisitor(s, sends)
			if err := v.Visit(5); err != nil {
				t.Errorf("%s, form sent %v: %v", kind, sends, err)
			}
			for _, name := range []string{"Cache-Control", "Content-Security-Policy", "Referrer-Policy", "X-Content-Type-Options", "Cross-Origin-Opener-Policy"} {
				if v.answer.header.Get(name) == "" {
					t.Errorf("%s, form sent %v: no %s", kind, sends, name)
				}
			}
			if len(v.answer.header["Set-Cookie"]) > 0 {
				t.Errorf("%s, form sent %v: the page sets a cookie each time", kind, sends)
			}
		}
		s.Badges = []Badge{{"X-Nothing", "1"}}
		if err := NewPageVisitor(s, true).Visit(1); (err == nil) != (kind == PagesBare) {
			t.Errorf("%s: a form without a badge gives %v", kind, err)
		}
	}
}

func TestDeciderSaysNoToOtherSites(t *testing.T) {
	for _, d := range Deciders() {
		if err := d.Pass(3); err != nil {
			t.Errorf("%s: %v", d.Name, err)
		}
		d.request.Header.Set("Sec-Fetch-Site", "cross-site")
		d.request.Header.Set("Origin", "https://evil.example")
		if d.Pass(1) == nil {
			t.Errorf("%s: another site's form passes", d.Name)
		}
	}
}
