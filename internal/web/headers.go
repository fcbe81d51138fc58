package web

import (
	"net/http"
	"strings"
)

// Headers sets what every page of this package is sent with: the content security policy, no storing, no referrer,
// isolation from other origins' windows, no sniffing, and the content type. Call it before the status is written.
// It replaces other values of the same headers, except Vary, which it adds to.
func (p *Pages) Headers(h http.Header) {
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", p.policy())
	if p.reportURI != "" {
		h.Set("Reporting-Endpoints", `csp="`+p.reportURI+`"`)
	}
	// A page of one person must not come back from a cache or the back button for the next.
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	vary := strings.ToLower(strings.Join(h.Values("Vary"), ","))
	for _, name := range []string{"Cookie", "Authorization"} {
		if !strings.Contains(vary, strings.ToLower(name)) {
			h.Add("Vary", name)
		}
	}
}

// policy allows files of this origin and nothing inline. Trusted types close the script sinks our modules never use,
// so that a later mistake there is an error instead of a hole.
func (p *Pages) policy() string {
	directives := []string{
		"default-src 'none'",
		"style-src 'self'",
		"script-src 'self'",
		"img-src 'self'",
		"connect-src 'self'",
		"form-action 'self'",
		"base-uri 'none'",
		"frame-ancestors 'none'",
		"object-src 'none'",
		"require-trusted-types-for 'script'",
		"trusted-types 'none'",
	}
	if p.reportURI != "" {
		directives = append(directives, "report-uri "+p.reportURI, "report-to csp")
	}
	return strings.Join(directives, "; ")
}
