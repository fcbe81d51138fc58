package csrf

// Cause names why a request was refused. The texts are stable: logs and metrics
// may use them as labels.
type Cause string

// The causes of [Refused].
const (
	CrossSite      Cause = "cross_site"      // Sec-Fetch-Site: cross-site
	SameSite       Cause = "same_site"       // Sec-Fetch-Site: same-site, a sibling host
	BadHeader      Cause = "bad_header"      // a repeated or unparsable header
	OriginNull     Cause = "origin_null"     // Origin: null
	OriginMismatch Cause = "origin_mismatch" // Origin names another host
	SchemeMismatch Cause = "scheme_mismatch" // Origin names the own host under another scheme
	NoHeaders      Cause = "no_headers"      // a cookie, neither header, no valid token
	TokenRequired  Cause = "token_required"  // a cookie without a valid token where one is demanded
	NotSecure      Cause = "not_secure"      // a handshake outside TLS
	NotNavigation  Cause = "not_navigation"  // another site loads a resource
)

// Refused is the error of a request that must not reach its handler. Answer it
// with a 403 that does not repeat it; it is meant for the log.
type Refused struct {
	Why    Cause
	Header string // canonical name of the header that decided, empty if none did
}

// Error describes the refusal without any text from the request.
func (r *Refused) Error() string {
	if r.Header == "" {
		return "csrf: refused: " + string(r.Why)
	}
	return "csrf: refused: " + string(r.Why) + " (" + r.Header + ")"
}

func refuse(why Cause, header string) error {
	return &Refused{Why: why, Header: header}
}
