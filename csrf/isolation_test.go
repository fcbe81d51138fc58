package csrf

import (
	"net/http"
	"slices"
	"testing"
)

// req: CSRF-19
func TestOtherSitesMayNavigateButNotLoad(t *testing.T) {
	const mode, dest = "Sec-Fetch-Mode", "Sec-Fetch-Dest"
	siblings := IsolationGuard{AllowSameSite: true}
	tests := []struct {
		name    string
		guard   IsolationGuard
		method  string
		headers []string
		want    Cause
	}{
		{"own origin", IsolationGuard{}, "GET", []string{site, "same-origin", mode, "no-cors", dest, "image"}, ""},
		{"typed address", IsolationGuard{}, "GET", []string{site, "none", mode, "navigate", dest, "document"}, ""},
		{"a browser without Fetch Metadata", IsolationGuard{}, "GET", nil, ""},
		{"a link from another site", IsolationGuard{}, "GET", []string{site, "cross-site", mode, "navigate", dest, "document"}, ""},
		{"a link, from a browser without Sec-Fetch-Dest", IsolationGuard{}, "GET", []string{site, "cross-site", mode, "navigate"}, ""},
		{"a link from a sibling", IsolationGuard{}, "GET", []string{site, "same-site", mode, "navigate", dest, "document"}, ""},

		{"an image on another site", IsolationGuard{}, "GET", []string{site, "cross-site", mode, "no-cors", dest, "image"}, NotNavigation},
		{"an image on a sibling", IsolationGuard{}, "GET", []string{site, "same-site", mode, "no-cors", dest, "image"}, NotNavigation},
		{"an image on a sibling, allowed", siblings, "GET", []string{site, "same-site", mode, "no-cors", dest, "image"}, ""},
		{"an image on another site where siblings are allowed", siblings, "GET", []string{site, "cross-site", mode, "no-cors", dest, "image"}, NotNavigation},
		{"a script", IsolationGuard{}, "GET", []string{site, "cross-site", mode, "no-cors", dest, "script"}, NotNavigation},
		{"a fetch", IsolationGuard{}, "GET", []string{site, "cross-site", mode, "cors", dest, "empty"}, NotNavigation},
		{"a frame", IsolationGuard{}, "GET", []string{site, "cross-site", mode, "navigate", dest, "iframe"}, NotNavigation},
		{"an object", IsolationGuard{}, "GET", []string{site, "cross-site", mode, "navigate", dest, "object"}, NotNavigation},
		{"an embed", IsolationGuard{}, "GET", []string{site, "cross-site", mode, "navigate", dest, "embed"}, NotNavigation},
		{"a form of another site", IsolationGuard{}, "POST", []string{site, "cross-site", mode, "navigate", dest, "document"}, CrossSite},
		{"a form of a sibling", IsolationGuard{}, "POST", []string{site, "same-site", mode, "navigate", dest, "document"}, SameSite},
		{"no mode", IsolationGuard{}, "GET", []string{site, "cross-site"}, NotNavigation},
		{"an unknown site is another site", IsolationGuard{}, "GET", []string{site, "sideways", mode, "no-cors"}, NotNavigation},
		{"two sites", IsolationGuard{}, "GET", []string{site, "same-origin", site, "cross-site"}, BadHeader},
		{"two modes", IsolationGuard{}, "GET", []string{site, "cross-site", mode, "navigate", mode, "no-cors"}, BadHeader},
		{"two destinations", IsolationGuard{}, "GET", []string{site, "cross-site", mode, "navigate", dest, "document", dest, "image"}, BadHeader},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := causeOf(t, tt.guard.Decide(request(tt.method, "/", tt.headers...))); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// req: CSRF-19, CSRF-20
func TestTheGuardSaysWhatTheAnswerDependsOn(t *testing.T) {
	h := http.Header{"Vary": {"Accept-Encoding, sec-fetch-site"}}
	IsolationGuard{}.SetHeader(h)
	IsolationGuard{}.SetHeader(h)
	if got, want := h["Vary"], []string{"Accept-Encoding, sec-fetch-site", "Sec-Fetch-Dest", "Sec-Fetch-Mode"}; !slices.Equal(got, want) {
		t.Errorf("Vary %q, want %q", got, want)
	}
	if got := h["Cross-Origin-Resource-Policy"]; !slices.Equal(got, []string{"same-origin"}) {
		t.Errorf("policy %q", got)
	}
	IsolationGuard{AllowSameSite: true}.SetHeader(h)
	if got := h["Cross-Origin-Resource-Policy"]; !slices.Equal(got, []string{"same-site"}) {
		t.Errorf("policy %q", got)
	}
}

// req: CSRF-20
func TestAddVaryNamesEachFieldOnce(t *testing.T) {
	h := http.Header{}
	AddVary(h, VaryCheck)
	AddVary(h, VaryIsolation)
	if got, want := h["Vary"], []string{"Origin", "Sec-Fetch-Site", "Sec-Fetch-Dest", "Sec-Fetch-Mode"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	all := http.Header{"Vary": {"*"}}
	AddVary(all, VaryCheck)
	if got := all["Vary"]; !slices.Equal(got, []string{"*"}) {
		t.Errorf("got %q", got)
	}
}
