package audit

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"unicode"
)

type slogSink struct {
	log *slog.Logger
}

// Slog returns a [Sink] that writes each event to l, with the event's name as
// the message and the members of its JSON form as attributes; empty ones are
// left out. Severities become the levels INFO, WARN and ERROR, and an event
// below the level of l is not an error. What is not printable is written as an
// escape, so that a handler that prints text raw cannot be tricked either. A nil
// l discards.
func Slog(l *slog.Logger) Sink {
	if l == nil {
		l = slog.New(slog.DiscardHandler)
	}
	return slogSink{l}
}

func (s slogSink) Record(ctx context.Context, e Event) error {
	e, err := e.complete()
	if err != nil {
		return err
	}
	level := slog.LevelInfo
	switch e.Severity {
	case Warning:
		level = slog.LevelWarn
	case Critical:
		level = slog.LevelError
	}
	h := s.log.Handler()
	if !h.Enabled(ctx, level) {
		return nil
	}
	// The record is built by hand so that it carries the event's time and not
	// the moment it reached the log. A zero time is left out by handlers.
	at := e.Time
	if !at.IsZero() {
		at = at.UTC()
	}
	r := slog.NewRecord(at, level, string(e.Name), 0)
	r.AddAttrs(
		slog.String("event", string(e.Name)),
		slog.String("outcome", string(e.Outcome)),
		slog.String("severity", string(e.Severity)),
	)
	text := func(key, value string, limit int) {
		if value != "" {
			r.AddAttrs(slog.String(key, visible(cut(value, limit))))
		}
	}
	text("actor", e.Actor, maxName)
	text("subject", e.Subject, maxName)
	text("sid", e.SID, maxSID)
	text("source", e.Source, maxSource)
	text("request_id", e.RequestID, maxRequest)
	if len(e.Methods) > 0 {
		methods := make([]string, 0, maxMethods)
		for _, m := range e.Methods[:min(len(e.Methods), maxMethods)] {
			methods = append(methods, visible(cut(m, maxMethod)))
		}
		r.AddAttrs(slog.Any("methods", methods))
	}
	text("reason", e.Reason, maxReason)
	if len(e.Attrs) > 0 {
		var group []any
		for _, a := range attrs(e.Attrs) {
			group = append(group, slog.String(visible(a.key), visible(a.value)))
		}
		r.AddAttrs(slog.Group("attrs", group...))
	}
	if err := h.Handle(ctx, r); err != nil {
		return fmt.Errorf("writing event to log: %w", err)
	}
	return nil
}

// visible returns s with everything that is not printable as the text of an
// escape.
func visible(s string) string {
	hidden := func(r rune) bool { return !unicode.IsPrint(r) }
	if strings.IndexFunc(s, hidden) < 0 {
		return strings.ToValidUTF8(s, "\uFFFD")
	}
	var b strings.Builder
	for _, r := range s {
		if hidden(r) {
			fmt.Fprintf(&b, `\u{%x}`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}
