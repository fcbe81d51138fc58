package csrf

import "net/http"

// DecideUpgrade is the check of a handshake that opens a lasting channel with a
// safe method, which [Check.Decide] never looks at. It returns nil if the request
// came over TLS and its single Origin is the site itself or a trusted one
// (RFC 6455, section 10.2), and a [*Refused] otherwise.
//
// A browser sends no Origin when a page opens an EventSource on its own origin.
// So a request without Origin also passes if it asks for no protocol upgrade and
// Sec-Fetch-Site is same-origin. Token and CookieAuth are not asked.
func (c *Check) DecideUpgrade(r *http.Request, f Facts) error {
	host := ownHost(r, f)
	if f.Scheme != "https" && !(c.looseUpgrade && f.Scheme == "http" && loopbackHost(host)) {
		return refuse(NotSecure, "")
	}
	site, origins := r.Header["Sec-Fetch-Site"], r.Header["Origin"]
	if len(site) > 1 {
		return refuse(BadHeader, "Sec-Fetch-Site")
	}
	if len(origins) > 1 {
		return refuse(BadHeader, "Origin")
	}
	if len(origins) == 0 {
		if len(site) == 1 && site[0] == "same-origin" && !switches(r) {
			return nil
		}
		return refuse(NoHeaders, "Origin")
	}
	if c.isTrusted(origins) {
		return nil
	}
	if why := own(origins[0], f.Scheme, host); why != "" {
		return refuse(why, "Origin")
	}
	// The own origin, and yet a redirect through another site on the way.
	if len(site) == 1 && site[0] != "same-origin" && site[0] != "none" {
		return refuse(siteCause(site[0]), "Sec-Fetch-Site")
	}
	return nil
}

// switches reports whether the request asks to leave HTTP: by an Upgrade field,
// or by CONNECT as in RFC 8441.
func switches(r *http.Request) bool {
	return len(r.Header["Upgrade"]) > 0 || r.Method == http.MethodConnect
}

func loopbackHost(hostport string) bool {
	host, _, ok := splitHost(hostport)
	return ok && loopback(host)
}
