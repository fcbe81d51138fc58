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
// with a 403; [Refused.Message] is fit for the answer, the error itself for the
// log.
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

// Message says in one sentence which header decided, for the developer of the
// page that sent the request. It is one of a fixed set and repeats nothing of
// the request.
func (r *Refused) Message() string {
	switch r.Why {
	case CrossSite:
		return "The header Sec-Fetch-Site says that a page of another site sent this request."
	case SameSite:
		return "The header Sec-Fetch-Site says that a page of a neighbouring host sent this request."
	case BadHeader:
		return "The header " + r.Header + " is repeated or is nothing a browser sends."
	case OriginNull:
		return "The header Origin is null, so it cannot be told which page sent this request."
	case OriginMismatch:
		return "The header Origin names another host than the one that was asked."
	case SchemeMismatch:
		return "The header Origin names this host under another scheme."
	case NoHeaders:
		return "The request lacks a header that names the page it comes from, Sec-Fetch-Site or Origin."
	case TokenRequired:
		return "The request lacks a valid X-CSRF-Token header or csrf_token field."
	case NotSecure:
		return "A lasting connection is opened over HTTPS only."
	case NotNavigation:
		return "The header " + r.Header + " says that another site embeds or loads this."
	}
	return "This request did not come from this site's own pages."
}
