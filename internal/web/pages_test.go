package web

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestNewNamesTheFieldThatIsWrong(t *testing.T) {
	tests := []struct {
		name  string
		cfg   Config
		field string
	}{
		{"a service name without end", Config{ServiceName: strings.Repeat("x", 41)}, "ServiceName"},
		{"a service name with a line break", Config{ServiceName: "a\nb"}, "ServiceName"},
		{"a tab without a label", Config{Tabs: []Tab{{"", "/x"}}}, "Tabs"},
		{"a tab on another server", Config{Tabs: []Tab{{"x", "//evil.example"}}}, "Tabs"},
		{"a report address that ends the directive", Config{ReportURI: "/r; script-src *"}, "ReportURI"},
		{"a report address that ends the header", Config{ReportURI: "/r\r\nX: y"}, "ReportURI"},
		{"a report address on plain HTTP", Config{ReportURI: "http://r.example/"}, "ReportURI"},
		{"a report address with no host", Config{ReportURI: "https:r"}, "ReportURI"},
		{"a report address without a scheme", Config{ReportURI: "//r.example/"}, "ReportURI"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := New(tt.cfg); err == nil || !strings.Contains(err.Error(), tt.field) {
				t.Errorf("New = %v, want an error about %s", err, tt.field)
			}
		})
	}
}

func TestPagesAreNotReadFromTemporaryFiles(t *testing.T) {
	t.Setenv("TEMPL_DEV_MODE", "true")
	if _, err := New(Config{}); err == nil || !strings.Contains(err.Error(), "TEMPL_DEV_MODE") {
		t.Errorf("New = %v, want an error about TEMPL_DEV_MODE", err)
	}
}

func TestEveryPageIsADocumentOneCanFindOnesWayIn(t *testing.T) {
	each(t, func(t *testing.T, _ state, page []element) {
		for name, want := range map[string]int{"html": 1, "title": 1, "main": 1, "h1": 1, "body": 1} {
			if got := len(find(page, name)); got != want {
				t.Errorf("%d <%s>, want %d", got, name, want)
			}
		}
		if page[0].attrs["lang"] == "" {
			t.Error("the language is not said")
		}
		if len(find(page, "a", "class", "skip", "href", "#main")) != 1 || len(find(page, "main", "id", "main")) != 1 {
			t.Error("no skip link to the content")
		}
		ids := make(map[string]bool)
		for _, e := range page {
			if id := e.attrs["id"]; id != "" {
				if ids[id] {
					t.Errorf("two elements have the id %q", id)
				}
				ids[id] = true
			}
		}
		for _, e := range page {
			for _, a := range []string{"for", "aria-describedby", "aria-labelledby", "aria-controls", "list", "data-reveal", "data-copy"} {
				for _, id := range strings.Fields(e.attrs[a]) {
					if !ids[id] {
						t.Errorf("<%s %s> points to %q, which is not there", e.name, a, id)
					}
				}
			}
			if e.name == "th" && e.attrs["scope"] == "" {
				t.Error("a table heading without a scope")
			}
			if e.name == "time" {
				if _, err := time.Parse(time.RFC3339, e.attrs["datetime"]); err != nil {
					t.Errorf("time element: %v", err)
				}
			}
		}
		if len(find(page, "table")) != len(find(page, "caption")) {
			t.Error("a table without a caption")
		}
		level := 0
		for _, e := range page {
			if len(e.name) == 2 && e.name[0] == 'h' && e.name[1] >= '1' && e.name[1] <= '6' {
				if n := int(e.name[1] - '0'); n > level+1 {
					t.Errorf("<h%d> after <h%d> skips a level", n, level)
				}
				level = int(e.name[1] - '0')
			}
		}
	})
}

func TestEveryInputHasALabel(t *testing.T) {
	each(t, func(t *testing.T, _ state, page []element) {
		for _, e := range find(page, "input") {
			if e.attrs["type"] == "hidden" || e.attrs["aria-hidden"] == "true" || e.attrs["aria-label"] != "" || slices.Contains(e.in, "label") {
				continue
			}
			if id := e.attrs["id"]; id == "" || len(find(page, "label", "for", id)) != 1 {
				t.Errorf("the input %q has no label", e.attrs["name"])
			}
		}
	})
}

// targets are the requests that forms and links of the pages may make.
func targets() *http.ServeMux {
	mux := http.NewServeMux()
	for _, pattern := range []string{
		"POST /login", "GET /login", "POST /logout", "POST /reset",
		"GET /account", "POST /account/sessions/{sid}/end", "POST /account/sessions/end-others", "POST /account/password", "POST /account/confirm",
		"GET /console", "GET /console/sessions/{sid}", "POST /console/sessions/{sid}/end",
		"GET /console/users", "POST /console/users", "POST /console/users/{name}/disable", "POST /console/users/{name}/enable", "POST /console/users/{name}/reset",
		"GET /console/keys", "POST /console/keys/rotate", "POST /console/keys/{kid}/withdraw",
		"GET /console/revocation", "GET /console/audit", "GET /console/lab",
	} {
		mux.HandleFunc(pattern, func(http.ResponseWriter, *http.Request) {})
	}
	return mux
}

func TestFormsAndLinksGoWhereTheContractSays(t *testing.T) {
	mux := targets()
	serves := func(method, path string) bool {
		_, pattern := mux.Handler(httptest.NewRequest(method, path, nil))
		return pattern != ""
	}
	each(t, func(t *testing.T, _ state, page []element) {
		for _, e := range page {
			switch {
			case e.name == "form" && !serves(strings.ToUpper(e.attrs["method"]), e.attrs["action"]):
				t.Errorf("form %s %s goes nowhere", e.attrs["method"], e.attrs["action"])
			case e.name == "a" && e.attrs["href"] != "#main" && !serves("GET", e.attrs["href"]):
				t.Errorf("link %s goes nowhere", e.attrs["href"])
			}
		}
	})
}

func TestEveryPostCarriesTheToken(t *testing.T) {
	each(t, func(t *testing.T, _ state, page []element) {
		for _, form := range find(page, "form") {
			n := 0
			for _, in := range find(page, "input", "name", "csrf_token", "type", "hidden", "value", "token-of-the-form") {
				if in.form == form.form {
					n++
				}
			}
			if want := map[string]int{"post": 1, "get": 0}[form.attrs["method"]]; n != want {
				t.Errorf("form %s %s has %d tokens, want %d", form.attrs["method"], form.attrs["action"], n, want)
			}
		}
	})
}

// req: REVOKE-10
func TestEachPageOfASignedInPersonCanSignThemOut(t *testing.T) {
	each(t, func(t *testing.T, s state, page []element) {
		forms := find(page, "form", "method", "post", "action", "/logout")
		if !s.signed {
			if len(forms) != 0 {
				t.Error("nobody is signed in, but there is a sign-out control")
			}
			return
		}
		if len(forms) != 1 {
			t.Fatalf("%d sign-out controls, want 1", len(forms))
		}
		for _, b := range find(page, "button", "type", "submit") {
			if b.form == forms[0].form && strings.TrimSpace(b.text) == "Sign out" {
				return
			}
		}
		t.Error("the sign-out form has no button")
	})
}

// req: LOGIN-27
func TestPasswordFieldsAreMaskedAndHelpPasswordManagers(t *testing.T) {
	want := map[string]string{"password": "current-password", "current": "current-password", "new": "new-password"}
	seen := 0
	each(t, func(t *testing.T, s state, page []element) {
		for _, e := range find(page, "input") {
			auto, secret := want[e.attrs["name"]]
			if !secret {
				continue
			}
			seen++
			if e.attrs["type"] != "password" || e.attrs["autocomplete"] != auto {
				t.Errorf("input %q has type %q and autocomplete %q", e.attrs["name"], e.attrs["type"], e.attrs["autocomplete"])
			}
			// Length limits and paste handlers are what breaks generated passwords.
			for _, bad := range []string{"maxlength", "pattern", "onpaste", "readonly", "value"} {
				if _, there := e.attrs[bad]; there {
					t.Errorf("input %q has %s", e.attrs["name"], bad)
				}
			}
			reveal := find(page, "button", "type", "button", "data-reveal", e.attrs["id"])
			if len(reveal) != 1 {
				t.Fatalf("input %q offers no reveal", e.attrs["name"])
			}
			if _, hidden := reveal[0].attrs["hidden"]; !hidden {
				t.Error("the reveal button shows even where no script would make it work")
			}
			user := find(page, "input", "autocomplete", "username")
			if s.name != "reset" && s.name != "reset-refused" && (len(user) != 1 || user[0].form != e.form) {
				t.Error("no user name beside the password for the password manager")
			}
		}
	})
	if seen == 0 {
		t.Error("no password field was looked at")
	}
	script := string(newPages(t).assets.files["app.js"])
	if !strings.Contains(script, "data-reveal") || strings.Contains(script, "paste") {
		t.Error("the module does not reveal, or it meddles with paste")
	}
}

func TestOnlyPagesOfASessionWatchItsEnd(t *testing.T) {
	p := newPages(t)
	each(t, func(t *testing.T, s state, page []element) {
		bars := find(page, "div", "id", "session", "role", "status", "data-warn", "300", "data-subject", "ada")
		scripts := find(page, "script", "src", p.AssetURL("session.js"))
		switch {
		case s.signed && (len(bars) != 1 || len(scripts) != 1):
			t.Errorf("%d places for the notice and %d scripts, want one of each", len(bars), len(scripts))
		case !s.signed && (len(bars) != 0 || len(scripts) != 0 && !strings.HasPrefix(s.name, "signedout")):
			t.Errorf("nobody is signed in, but there are %d places for the notice and %d scripts", len(bars), len(scripts))
		}
	})
}

func TestTheAddressOfAFormsAnswerStaysHere(t *testing.T) {
	for address, want := range map[string]string{"/account": "/account", "": "", "//evil.example": "", "https://evil.example/": "", "javascript:alert(1)": ""} {
		v := LoginView{Page: guest()}
		v.Address = address
		page := draw(t, newPages(t), state{render: func(p *Pages, w io.Writer) error { return p.Login(w, v) }})
		if got := find(page, "html")[0].attrs["data-address"]; got != want {
			t.Errorf("the address %q became %q", address, got)
		}
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

var errBroken = errors.New("broken")

func TestAFailedWriteIsReported(t *testing.T) {
	if err := newPages(t).Login(brokenWriter{}, LoginView{}); !errors.Is(err, errBroken) {
		t.Errorf("Login to a broken writer = %v", err)
	}
}
