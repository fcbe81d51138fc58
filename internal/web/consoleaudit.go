package web

import (
	"io"
	"net/url"
)

// ConsoleAuditView is the page at /console/audit.
type ConsoleAuditView struct {
	Page
	Events []AuditEvent
	After  string // cursor of this page; empty for the first
	Next   string // cursor of the next page; empty for the last
}

// ConsoleAudit writes the audit trail.
func (p *Pages) ConsoleAudit(w io.Writer, v ConsoleAuditView) error {
	return render(w, "console audit", p.consoleAudit(v))
}

// NextURL is the address of the next page.
func (v ConsoleAuditView) NextURL() string {
	return "/console/audit?" + url.Values{"after": {v.Next}}.Encode()
}
