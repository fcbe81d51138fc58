package verifier

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// ResourceMetadata serves this service's own metadata (RFC 9728 section 3.2):
// clients learn from it which issuer's tokens to bring. Mount it at
// [ResourceMetadataPath], followed by the path of Config.Resource if that has
// one, and outside of any [Verifier.Require]. It needs Config.Resource, without
// which it answers 404.
func (v *Verifier) ResourceMetadata() http.Handler {
	body, err := json.Marshal(struct {
		Resource string   `json:"resource"`
		Issuers  []string `json:"authorization_servers"`
		Scopes   []string `json:"scopes_supported,omitempty"`
		Methods  []string `json:"bearer_methods_supported"`
	}{v.cfg.Resource, []string{v.cfg.Issuer}, v.cfg.Scopes, []string{"header"}})
	if err != nil {
		panic(fmt.Sprintf("encoding strings: %v", err)) // cannot be
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		switch {
		case v.metadata == "":
			writeProblem(w, http.StatusNotFound, "not_found", "There is nothing here.")
			return
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			h.Set("Allow", "GET, HEAD")
			writeProblem(w, http.StatusMethodNotAllowed, "method_not_allowed", "Use GET.")
			return
		}
		h.Set("Content-Type", "application/json; charset=utf-8")
		h.Set("Cache-Control", "public, max-age=300")
		h.Set("X-Content-Type-Options", "nosniff")
		// Public, and read by pages of other origins before they ask for a token.
		h.Set("Access-Control-Allow-Origin", "*")
		w.Write(body)
	})
}
