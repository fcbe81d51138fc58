package contender

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"

	gorilla "github.com/gorilla/csrf"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/csrf"
	"github.com/lanyard-go/lanyard/store/memory"
)

// The contenders as a browser meets them: a page with a form, and the form sent.
// All keep sessions in memory, write the same headers and the same page, and
// differ in how they know that a form is the site's own.
const (
	PagesBare         Kind = "net/http alone, with pages"
	PagesLanyard      Kind = "lanyard, by headers"
	PagesLanyardToken Kind = "lanyard, by headers and token"
	PagesSCS          Kind = "scs and net/http's cross-origin check"
	PagesSCSGorilla   Kind = "scs and gorilla/csrf"
)

// PageKinds lists the contenders that serve pages, the floor first.
func PageKinds() []Kind {
	return []Kind{PagesBare, PagesLanyard, PagesLanyardToken, PagesSCS, PagesSCSGorilla}
}

// hasToken reports whether forms of the site carry a token.
func (k Kind) hasToken() bool { return k == PagesLanyardToken || k == PagesSCSGorilla }

func openPages(ctx context.Context, kind Kind, n int) (*Site, error) {
	s := &Site{}
	switch kind {
	case PagesBare:
		s = openBare(n)
		s.Handler = ownPages(func(*http.Request) (string, string, error) { return somebody(0).subject, "", nil })
	case PagesLanyard, PagesLanyardToken:
		m, err := lanyard.New(memory.New(), lanyard.Config{Issuer: issuer, Policy: lanyard.Policy{RequireCSRFToken: kind.hasToken()}})
		if err != nil {
			return nil, err
		}
		s.Handler = m.Handler(m.Require(lanyard.Need{}, ownPages(func(r *http.Request) (subject, token string, err error) {
			who := lanyard.From(r.Context())
			if kind.hasToken() && r.Method == http.MethodGet {
				token, err = m.CSRFToken(who)
			}
			return who.Subject(), token, err
		})))
		s.login = func(ctx context.Context, p person) (Badge, error) {
			g, err := m.Start(ctx, p.login(lanyard.ChannelCookie))
			if err != nil {
				return Badge{}, err
			}
			return cookieBadge(m.CookieName(), g.Handle.Reveal()), nil
		}
	case PagesSCS, PagesSCSGorilla:
		m := newSCS()
		check := http.NewCrossOriginProtection().Handler
		if kind.hasToken() {
			key := make([]byte, 32)
			rand.Read(key)
			check = gorilla.Protect(key, gorilla.FieldName(csrf.FieldName), gorilla.Path("/"))
		}
		s.Handler = m.LoadAndSave(check(ownPages(func(r *http.Request) (string, string, error) {
			return m.GetString(r.Context(), "subject"), gorilla.Token(r), nil
		})))
		s.login = func(ctx context.Context, p person) (Badge, error) {
			token, err := scsLogin(ctx, m, p)
			return cookieBadge(m.Cookie.Name, token), err
		}
	default:
		return nil, errors.New("no such contender")
	}
	if s.login != nil {
		if err := s.fill(ctx, n); err != nil {
			return nil, err
		}
	}
	for i := range s.Badges {
		if err := s.open(i, kind.hasToken()); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// formToken finds the token in the page.
var formToken = regexp.MustCompile(`name="` + csrf.FieldName + `" value="([^"]*)"`)

// open looks at the page as a person does first: it keeps the cookies that come
// with it, and what the form sends.
func (s *Site) open(person int, token bool) error {
	r := httptest.NewRequest("GET", issuer+"/private", nil)
	s.Badges[person].Set(r)
	w := httptest.NewRecorder()
	s.Handler.ServeHTTP(w, r)
	found := formToken.FindStringSubmatch(w.Body.String())
	if w.Code != http.StatusOK || found == nil || (found[1] != "") != token {
		return fmt.Errorf("the first page of a person was answered with status %d and the token %q", w.Code, found)
	}
	for _, line := range w.Header()["Set-Cookie"] {
		pair, _, _ := strings.Cut(line, ";")
		s.Badges[person].Value += "; " + pair
	}
	form := url.Values{"text": {"hello"}}
	if token {
		form.Set(csrf.FieldName, found[1])
	}
	s.Forms = append(s.Forms, form.Encode())
	return nil
}

// ownPages is the application: a page with a form for GET, a word for a form that
// was sent. Who tells the subject of a request, and the token for a form.
func ownPages(who func(*http.Request) (subject, token string, err error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		subject, token, err := who(r)
		switch {
		case err != nil:
			http.Error(w, "no token", http.StatusInternalServerError)
		case r.Method == http.MethodGet && subject != "":
			for _, part := range []string{formBegin, subject, formMiddle, token, formEnd} {
				io.WriteString(w, part)
			}
		case r.Method == http.MethodPost && r.PostFormValue("text") == "":
			http.Error(w, "nothing was sent", http.StatusBadRequest)
		default:
			page(w, subject)
		}
	})
}

// The page is put together without html/template, whose work would be most of
// what is measured. Tokens are base64 and need no escaping.
const (
	formBegin  = `<!doctype html><html lang="en"><title>Notes</title><h1>Notes of `
	formMiddle = `</h1><form method="post"><input type="hidden" name="` + csrf.FieldName + `" value="`
	formEnd    = `"><label>Text <input name="text"></label><button>Keep</button></form></html>`
)
