package csrf

import "net/http"

// An IsolationGuard keeps other sites from loading resources with the user's
// cookies, as images, scripts, frames or by fetch (a resource isolation policy
// built on Fetch Metadata). The zero value admits the own origin only. It is
// immutable and safe for concurrent use.
//
// It applies to every method and replaces nothing: [Check] still decides about
// unsafe ones. Browsers too old for Fetch Metadata pass.
type IsolationGuard struct {
	// AllowSameSite admits sibling hosts of the same site.
	AllowSameSite bool
}

// Decide returns nil if the request may load its resource, and a [*Refused]
// otherwise. From another site only a top-level navigation by GET or HEAD
// passes: following a link must work, being embedded must not.
func (g IsolationGuard) Decide(r *http.Request) error {
	site, mode, dest := r.Header["Sec-Fetch-Site"], r.Header["Sec-Fetch-Mode"], r.Header["Sec-Fetch-Dest"]
	switch {
	case len(site) == 0:
		return nil
	case len(site) > 1:
		return refuse(BadHeader, "Sec-Fetch-Site")
	case site[0] == "same-origin", site[0] == "none", site[0] == "same-site" && g.AllowSameSite:
		return nil
	case len(mode) > 1:
		return refuse(BadHeader, "Sec-Fetch-Mode")
	case len(dest) > 1:
		return refuse(BadHeader, "Sec-Fetch-Dest")
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		return refuse(siteCause(site[0]), "Sec-Fetch-Site")
	case len(mode) == 0 || mode[0] != "navigate":
		return refuse(NotNavigation, "Sec-Fetch-Mode")
	case len(dest) == 1 && dest[0] != "document":
		return refuse(NotNavigation, "Sec-Fetch-Dest")
	}
	return nil
}

// SetHeader writes what an answer under this guard says about itself:
// Cross-Origin-Resource-Policy, and [VaryIsolation] in Vary. Call it for refused
// requests too.
func (g IsolationGuard) SetHeader(h http.Header) {
	policy := "same-origin"
	if g.AllowSameSite {
		policy = "same-site"
	}
	h.Set("Cross-Origin-Resource-Policy", policy)
	AddVary(h, VaryIsolation)
}
