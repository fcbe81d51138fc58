package web

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

func TestAssetsAreServedForAYearUnderTheirHash(t *testing.T) {
	p := newPages(t)
	for name, kind := range map[string]string{"app.css": "text/css; charset=utf-8", "app.js": "text/javascript; charset=utf-8", "reset.js": "text/javascript; charset=utf-8", "session.js": "text/javascript; charset=utf-8", "lanyard.js": "text/javascript; charset=utf-8", "mark.svg": "image/svg+xml; charset=utf-8", "strap.svg": "image/svg+xml; charset=utf-8"} {
		t.Run(name, func(t *testing.T) {
			at := p.AssetURL(name)
			if !regexp.MustCompile(`^/assets/[0-9a-f]{16}/` + regexp.QuoteMeta(name) + `$`).MatchString(at) {
				t.Fatalf("address %s has no hash", at)
			}
			w := httptest.NewRecorder()
			p.Assets().ServeHTTP(w, httptest.NewRequest("GET", at, nil))
			if w.Code != 200 || w.Body.Len() == 0 {
				t.Fatalf("status %d, %d bytes", w.Code, w.Body.Len())
			}
			for header, want := range map[string]string{"Content-Type": kind, "Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"} {
				if got := w.Header().Get(header); got != want {
					t.Errorf("%s = %q, want %q", header, got, want)
				}
			}
		})
	}
}

func TestOtherAssetAddressesAreRefused(t *testing.T) {
	p := newPages(t)
	tests := []struct {
		name, method, path string
		status             int
	}{
		{"an older hash", "GET", "/assets/0000000000000000/app.css", 404},
		{"no hash", "GET", "/assets/app.css", 404},
		{"an unknown file", "GET", p.AssetURL("none.css"), 404},
		{"the directory", "GET", p.AssetURL(""), 404},
		{"a way out of the directory", "GET", p.AssetURL("../pages.go"), 404},
		{"another method", "POST", p.AssetURL("app.css"), 405},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			p.Assets().ServeHTTP(w, httptest.NewRequest(tt.method, tt.path, nil))
			if w.Code != tt.status {
				t.Errorf("status %d, want %d", w.Code, tt.status)
			}
			if strings.Contains(w.Header().Get("Cache-Control"), "immutable") {
				t.Error("a refusal would be cached")
			}
			if tt.status == http.StatusMethodNotAllowed && w.Header().Get("Allow") != "GET, HEAD" {
				t.Errorf("Allow = %q", w.Header().Get("Allow"))
			}
		})
	}
}
