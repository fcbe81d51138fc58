package csrf

import (
	"net/http"
	"strings"
)

// Values of the Vary field for answers that depend on a decision of this
// package. Without them a shared cache could serve one site the answer meant for
// another.
const (
	VaryCheck     = "Origin, Sec-Fetch-Site"
	VaryIsolation = "Sec-Fetch-Dest, Sec-Fetch-Mode, Sec-Fetch-Site"
)

// AddVary adds the comma-separated field names in fields to the Vary field of h,
// leaving out those it already has. A Vary of "*" is left alone: it covers all.
func AddVary(h http.Header, fields string) {
	for field := range strings.SplitSeq(fields, ",") {
		field = strings.TrimSpace(field)
		if field != "" && !varies(h, field) {
			h.Add("Vary", field)
		}
	}
}

func varies(h http.Header, field string) bool {
	for _, line := range h["Vary"] {
		for f := range strings.SplitSeq(line, ",") {
			f = strings.TrimSpace(f)
			if f == "*" || strings.EqualFold(f, field) {
				return true
			}
		}
	}
	return false
}
