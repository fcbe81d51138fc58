package web

import "time"

// AuditEvent is one line of the audit trail as pages show it.
type AuditEvent struct {
	Time      time.Time
	Name      string // "session.ended"
	Text      string // the same in words; empty shows the name alone
	Outcome   string // "success", "failure", "denied"; empty when it does not apply
	Critical  bool   // of the highest severity: reuse, use after end, impossible binding
	Actor     string
	Subject   string
	SID       string
	IP        string
	RequestID string
}

// Bad reports whether the event wants to be seen among others.
func (e AuditEvent) Bad() bool {
	return e.Critical || (e.Outcome != "" && e.Outcome != "success" && e.Outcome != "ok")
}
