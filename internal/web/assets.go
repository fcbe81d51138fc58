package web

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"net/http"
	"path"
	"strings"

	"github.com/lanyard-go/lanyard/client/browser"
)

// AssetPath is the prefix under which [Pages.Assets] is to be mounted.
const AssetPath = "/assets/"

//go:embed assets
var assetFiles embed.FS

// assetSet is the embedded files, and the module that other pages use as well, with one digest over all of them: style sheets and modules name their
// neighbours relatively, so a change to any file has to change the address of each.
type assetSet struct {
	digest string
	files  map[string][]byte
}

// contentType is a closed list: a kind of file that is not on it is not served.
func contentType(name string) string {
	switch path.Ext(name) {
	case ".css":
		return "text/css; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".svg":
		return "image/svg+xml; charset=utf-8"
	default:
		return ""
	}
}

func loadAssets() (*assetSet, error) {
	entries, err := assetFiles.ReadDir("assets")
	if err != nil {
		return nil, fmt.Errorf("reading assets: %w", err)
	}
	set := &assetSet{files: make(map[string][]byte)}
	sum := sha256.New()
	add := func(name string, body []byte) {
		set.files[name] = body
		one := sha256.Sum256(body)
		sum.Write([]byte(name + "\x00"))
		sum.Write(one[:])
	}
	for _, e := range entries { // sorted by name
		if contentType(e.Name()) == "" {
			continue
		}
		body, err := assetFiles.ReadFile("assets/" + e.Name())
		if err != nil {
			return nil, fmt.Errorf("reading asset: %w", err)
		}
		add(e.Name(), body)
	}
	add("lanyard.js", []byte(browser.Module()))
	set.digest = hex.EncodeToString(sum.Sum(nil))[:16]
	return set, nil
}

// AssetURL is the address of an embedded file such as "app.css". It changes whenever any embedded file does. For a name
// that does not exist it is an address that answers 404.
func (p *Pages) AssetURL(name string) string {
	return AssetPath + p.assets.digest + "/" + name
}

// Assets serves the embedded files under their content hash with a year of caching. Any other path, an
// older hash included, is a 404 that is not cached; methods other than GET and HEAD get 405.
func (p *Pages) Assets() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		// An SVG opened as a document of its own could run script; ours has none and gets to load nothing.
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			h.Set("Allow", "GET, HEAD")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		name, ok := strings.CutPrefix(r.URL.Path, AssetPath+p.assets.digest+"/")
		body, known := p.assets.files[name]
		if !ok || !known {
			h.Set("Cache-Control", "no-store")
			http.Error(w, "not found", http.StatusNotFound)
			return
		}
		h.Set("Content-Type", contentType(name))
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
		_, _ = w.Write(body) // the client is gone; there is nobody to tell
	})
}
