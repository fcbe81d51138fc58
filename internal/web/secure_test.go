package web

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"
)

// req: HTTP-12
func TestPolicyAllowsNothingInlineAndNothingForeign(t *testing.T) {
	p, err := New(Config{ReportURI: "/reports"})
	if err != nil {
		t.Fatal(err)
	}
	h := make(http.Header)
	p.Headers(h)
	got := make(map[string]string)
	for d := range strings.SplitSeq(h.Get("Content-Security-Policy"), ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(d), " ")
		if _, twice := got[name]; twice {
			t.Errorf("directive %s is there twice; browsers keep the first", name)
		}
		got[name] = value
	}
	want := map[string]string{
		"default-src": "'none'", "script-src": "'self'", "style-src": "'self'", "img-src": "'self'", "connect-src": "'self'",
		"form-action": "'self'", "base-uri": "'none'", "frame-ancestors": "'none'", "object-src": "'none'",
		"require-trusted-types-for": "'script'", "trusted-types": "'none'", "report-uri": "/reports", "report-to": "csp",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("policy = %v\nwant %v", got, want)
	}
	if got := h.Get("Reporting-Endpoints"); got != `csp="/reports"` {
		t.Errorf("Reporting-Endpoints = %q", got)
	}

	quiet := make(http.Header)
	newPages(t).Headers(quiet)
	if strings.Contains(quiet.Get("Content-Security-Policy"), "report") || quiet.Get("Reporting-Endpoints") != "" {
		t.Error("reports are asked for though no address is configured")
	}
}

// req: HTTP-13
func TestPageHeaders(t *testing.T) {
	h := http.Header{"Vary": {"Origin, cookie"}, "Referrer-Policy": {"unsafe-url"}}
	newPages(t).Headers(h)
	for name, want := range map[string]string{
		"Referrer-Policy":              "no-referrer",
		"Cross-Origin-Opener-Policy":   "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin",
		"Cache-Control":                "no-store",
		"X-Content-Type-Options":       "nosniff",
		"Content-Type":                 "text/html; charset=utf-8",
	} {
		if got := h.Values(name); len(got) != 1 || got[0] != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	if got := strings.Join(h.Values("Vary"), ", "); got != "Origin, cookie, Authorization" {
		t.Errorf("Vary = %q", got)
	}
}

// req: HTTP-12, CLIENT-9, CLIENT-10
func TestPagesHaveNoInlineCodeAndLoadNothingForeign(t *testing.T) {
	p := newPages(t)
	each(t, func(t *testing.T, _ state, page []element) {
		for _, e := range page {
			if e.name == "style" || e.name == "base" || e.name == "iframe" || e.name == "object" || e.name == "embed" {
				t.Errorf("<%s> has no place here", e.name)
			}
			for name, value := range e.attrs {
				if strings.HasPrefix(name, "on") || name == "style" || name == "srcdoc" {
					t.Errorf("<%s> has inline code in %s", e.name, name)
				}
				switch name {
				case "if", "else": // the generator knows no "else if" among attributes and says nothing
					t.Errorf("<%s> has the keyword %s for an attribute", e.name, name)
				case "href", "src", "action", "formaction":
					own := strings.HasPrefix(value, "/") && !strings.HasPrefix(value, "//") && !strings.HasPrefix(value, `/\`)
					if !own && value != "#main" {
						t.Errorf("<%s %s=%q> leaves this origin", e.name, name, value)
					}
				}
			}
			if e.name == "script" && (strings.TrimSpace(e.text) != "" || e.attrs["type"] != "module") {
				t.Error("a script that is not a module of its own file")
			}
			if e.name == "script" || e.name == "link" || e.name == "img" {
				at := e.attrs["src"] + e.attrs["href"]
				name, ok := strings.CutPrefix(at, p.AssetURL(""))
				if _, known := p.assets.files[name]; !ok || !known {
					t.Errorf("<%s> loads %s, which is not an asset", e.name, at)
				}
			}
		}
	})
}

// req: CLIENT-9, CLIENT-10
func TestAssetsLoadNothingForeignAndUseNoDangerousSink(t *testing.T) {
	// The module for all pages compares schemes, talks to tabs of its own origin, and names a type in a comment.
	module := strings.NewReplacer(`"http:"`, "", `"https:"`, "", "channel?.postMessage(", "", "@param {import(", "")
	for name, body := range newPages(t).assets.files {
		text := strings.ReplaceAll(string(body), `xmlns="http://www.w3.org/2000/svg"`, "")
		if name == "lanyard.js" {
			text = module.Replace(text)
		}
		for _, bad := range []string{"http:", "https:", "url(//", "@import", "import(", "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "localStorage", "sessionStorage", "document.cookie", "postMessage", "javascript:", "<script", "window.name"} {
			if strings.Contains(text, bad) {
				t.Errorf("%s contains %q", name, bad)
			}
		}
	}
}

// fill sets every string it can reach to text, every slice to one element, every pointer to a value, and the
// rest to something that is not zero, so that each branch that shows text is drawn.
func fill(v reflect.Value, text string) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(90 * time.Second))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), text)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), text)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(at))
			return
		}
		for i := range v.NumField() {
			fill(v.Field(i), text)
		}
	default:
		panic(fmt.Sprintf("cannot fill a %v", v.Type()))
	}
}

func drawFilled[V any](t *testing.T, draw func(io.Writer, V) error, text string, change func(*V)) []element {
	t.Helper()
	var v V
	fill(reflect.ValueOf(&v).Elem(), text)
	change(&v)
	var buf bytes.Buffer
	if err := draw(&buf, v); err != nil {
		t.Fatal(err)
	}
	return parse(t, buf.String())
}

// sameShape draws a view full of hostile text and the same view full of harmless text: text that stays text
// leaves the same elements with the same attributes.
func sameShape[V any](t *testing.T, name string, draw func(io.Writer, V) error, changes ...func(*V)) {
	t.Helper()
	changes = append(changes, func(*V) {})
	for _, hostile := range []string{
		`"><script>alert(1)</script><img src=x onerror=alert(1)>`,
		`' onfocus=alert(1) autofocus x='`,
		`javascript:alert(1)`,
		`</title></textarea></script><svg/onload=alert(1)>`,
		"{{.}}\u202e\u0000<!--",
		`../../evil?x=1#y`,
		`/"><script>alert(1)</script>`,
		`//evil.example`,
	} {
		for i, change := range changes {
			t.Run(fmt.Sprintf("%s %d %.12q", name, i, hostile), func(t *testing.T) {
				harmless := "harmless"
				if local(hostile, "") != "" { // drawn as a link where one is wanted
					harmless = "/harmless"
				}
				want := drawFilled(t, draw, harmless, change)
				got := drawFilled(t, draw, hostile, change)
				if len(got) != len(want) {
					t.Fatalf("%d elements, want %d", len(got), len(want))
				}
				for i := range got {
					if got[i].name != want[i].name {
						t.Fatalf("element %d is <%s>, want <%s>", i, got[i].name, want[i].name)
					}
					for a, value := range got[i].attrs {
						if _, ok := want[i].attrs[a]; !ok {
							t.Errorf("<%s> has grown an attribute %s", got[i].name, a)
						}
						if (a == "href" || a == "src" || a == "action") && value != "#main" && local(value, "") == "" {
							t.Errorf("<%s %s=%q> leaves this origin", got[i].name, a, value)
						}
					}
				}
			})
		}
	}
}

func TestHostileTextStaysText(t *testing.T) {
	p := newPages(t)
	sameShape(t, "login", p.Login, func(v *LoginView) { v.RetryAfter = 0 })
	sameShape(t, "confirm", p.ConfirmIdentity, func(v *ConfirmView) { v.RetryAfter = 0 })
	sameShape(t, "reset", p.Reset, func(v *ResetView) { v.Done = false })
	sameShape(t, "signed out", p.SignedOut)
	sameShape(t, "error", p.Error)
	sameShape(t, "account", p.Account, func(v *AccountView) { v.Sessions[0].Current = false })
	sameShape(t, "sessions", p.ConsoleSessions, func(v *ConsoleSessionsView) { v.Rows = nil })
	sameShape(t, "session", p.ConsoleSession, func(v *ConsoleSessionView) { v.Ended = nil })
	sameShape(t, "users", p.ConsoleUsers, func(v *ConsoleUsersView) { v.Users[0].Self = false }, func(v *ConsoleUsersView) { v.Users[0] = UserRow{Name: v.NextURL() + v.NewName} })
	sameShape(t, "keys", p.ConsoleKeys, func(v *ConsoleKeysView) { v.Problem = "" })
	sameShape(t, "audit", p.ConsoleAudit)
	sameShape(t, "revocation", p.ConsoleRevocation)
}
