// Package browser holds the ES module for pages of a site that keeps its sessions
// with lanyard, so that a Go program can serve it from its own origin. What the
// module does is in README.md beside it; npm knows it as @lanyard-go/browser.
package browser

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"net/http"
	"strings"
	"time"
)

//go:embed lanyard.js
var module string

// Module returns the module as it is written, without a build step: it imports
// nothing, so that it can be served as one file, under any name.
func Module() string { return module }

// Handler serves the module, whatever the path, to GET and HEAD. Browsers ask each
// time whether it has changed and get 304 while it has not, so that a new version
// of the program is a new version of the module at once.
func Handler() http.Handler {
	sum := sha256.Sum256([]byte(module))
	tag := `"` + base64.RawURLEncoding.EncodeToString(sum[:18]) + `"`
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			h.Set("Allow", "GET, HEAD")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		h.Set("Content-Type", "text/javascript; charset=utf-8")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-cache")
		h.Set("ETag", tag)
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(module))
	})
}
