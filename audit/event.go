package audit

import (
	"errors"
	"fmt"
	"time"
)

var (
	// ErrUnknownName is returned for an event whose name is not in [Vocabulary].
	ErrUnknownName = errors.New("audit: event name is not in the vocabulary")
	// ErrBadEvent is returned for an outcome or severity this package does not
	// define.
	ErrBadEvent = errors.New("audit: event has an unknown outcome or severity")
)

// An Event is one thing that happened. It names sessions by sid and never holds
// a credential, a key or a password, in any field.
//
// Every text may come from an attacker: sinks escape what could break a line or
// a terminal and cut what is longer than its limit, given in bytes below. A cut
// text ends in "…".
type Event struct {
	Time      time.Time         // when it happened by the server's clock; a File fills in a zero time
	Name      Name              // required, from the vocabulary
	Outcome   Outcome           // empty: the vocabulary's
	Severity  Severity          // empty: the vocabulary's
	Actor     string            // who did it, 256
	Subject   string            // whom it concerns, 256
	SID       string            // public id of the session, 64
	Source    string            // address the request came from, 64
	RequestID string            // correlation id of the request, 128
	Methods   []string          // authentication methods of a login, 8 of 32 each
	Reason    string            // why, as a stable word or a short text, 256
	Attrs     map[string]string // anything else, 16 of 64 (name) and 256 (value)
}

// Limits on the parts of an event, in bytes before escaping. Together they keep
// a line under maxLine even if every byte is escaped.
const (
	maxName    = 256
	maxSID     = 64
	maxSource  = 64
	maxRequest = 128
	maxReason  = 256
	maxMethods = 8
	maxMethod  = 32
	maxAttrs   = 16
	maxKey     = 64
	maxValue   = 256
)

// TimeLayout is how times are written: RFC 3339 in UTC with milliseconds.
const TimeLayout = "2006-01-02T15:04:05.000Z"

// complete checks the event against the vocabulary and fills in what it left
// empty. It changes neither the time nor any text.
func (e Event) complete() (Event, error) {
	entry, ok := lookup(e.Name)
	if !ok {
		// The name comes from code, not from a request, but it may still be
		// the result of a conversion gone wrong.
		return Event{}, fmt.Errorf("%w: %q", ErrUnknownName, cut(string(e.Name), maxKey))
	}
	if e.Outcome == "" {
		e.Outcome = entry.Outcome
	}
	if e.Severity == "" {
		e.Severity = entry.Severity
	}
	switch e.Outcome {
	case Success, Failure, Denied:
	default:
		return Event{}, fmt.Errorf("%w: %s", ErrBadEvent, e.Name)
	}
	switch e.Severity {
	case Info, Warning, Critical:
	default:
		return Event{}, fmt.Errorf("%w: %s", ErrBadEvent, e.Name)
	}
	return e, nil
}

// MarshalJSON returns the event as one object with the members time, event,
// outcome, severity, actor, subject, sid, source, request_id, methods, reason and
// attrs, always all of them and in this order. It completes the event from the
// vocabulary and applies the limits, as a sink does.
func (e Event) MarshalJSON() ([]byte, error) {
	e, err := e.complete()
	if err != nil {
		return nil, err
	}
	return append(appendEvent([]byte{'{'}, e), '}'), nil
}
