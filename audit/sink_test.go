package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// memory keeps events, or fails if it has an error.
type memory struct {
	events []Event
	err    error
}

func (m *memory) Record(_ context.Context, e Event) error {
	if m.err != nil {
		return m.err
	}
	m.events = append(m.events, e)
	return nil
}

func TestMultiGivesEachEventToEverySink(t *testing.T) {
	first, broken, last := &memory{}, &memory{err: errors.New("disk on fire")}, &memory{}
	sink := Multi(first, nil, broken, last)
	if err := sink.Record(t.Context(), login()); !errors.Is(err, broken.err) {
		t.Errorf("error %v", err)
	}
	if len(first.events) != 1 || len(last.events) != 1 {
		t.Errorf("a broken sink kept the event from the others: %d, %d", len(first.events), len(last.events))
	}
	if err := Multi().Record(t.Context(), login()); err != nil {
		t.Error(err)
	}
}

// req: LOG-9
func TestABrokenSinkIsReportedAndPolicyDecides(t *testing.T) {
	broken := &memory{err: errors.New("disk on fire")}
	tests := []struct {
		name    string
		wrap    func(Sink, func(context.Context, Event, error)) Sink
		refuses bool
	}{
		{"required", Required, true},
		{"best effort", BestEffort, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The report goes to a sink of its own, as a server wires it.
			reports := &memory{}
			sink := tt.wrap(broken, func(ctx context.Context, e Event, err error) {
				report := Event{Name: SinkFailed, RequestID: e.RequestID, Reason: err.Error(), Attrs: map[string]string{"event": string(e.Name)}}
				if err := reports.Record(ctx, report); err != nil {
					t.Error(err)
				}
			})
			err := sink.Record(t.Context(), login())
			if got := err != nil; got != tt.refuses {
				t.Errorf("error %v", err)
			}
			if tt.refuses && !errors.Is(err, broken.err) {
				t.Errorf("error %v hides its cause", err)
			}
			if len(reports.events) != 1 || reports.events[0].Reason != "disk on fire" || reports.events[0].RequestID != "req-1" {
				t.Errorf("reported %+v", reports.events)
			}
			whole := &memory{}
			if err := tt.wrap(whole, nil).Record(t.Context(), login()); err != nil || len(whole.events) != 1 {
				t.Errorf("a working sink: %v, %d events", err, len(whole.events))
			}
			if err := tt.wrap(broken, nil).Record(t.Context(), login()); !errors.Is(err, broken.err) {
				t.Errorf("with nobody to report to the error was lost: %v", err)
			}
		})
	}
}

// req: LOG-3, LOG-5
func TestSlogWritesTheEventAsAttributes(t *testing.T) {
	var out bytes.Buffer
	sink := Slog(slog.New(slog.NewJSONHandler(&out, nil)))
	if err := sink.Record(t.Context(), login()); err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	at, err := time.Parse(time.RFC3339Nano, got["time"].(string))
	if err != nil || !at.Equal(noon) || at.Location() != time.UTC {
		t.Errorf("time %v: %v", got["time"], err)
	}
	for key, want := range map[string]string{
		"msg": "login_succeeded", "event": "login_succeeded", "level": "INFO", "outcome": "success", "severity": "info", "actor": "ada", "subject": "ada",
		"sid": "01J9Z0", "source": "192.0.2.7", "request_id": "req-1", "reason": "first_login",
	} {
		if got[key] != want {
			t.Errorf("%s is %v, want %s", key, got[key], want)
		}
	}
	for severity, level := range map[Severity]string{Info: "INFO", Warning: "WARN", Critical: "ERROR"} {
		out.Reset()
		if err := sink.Record(t.Context(), Event{Name: LoginFailed, Severity: severity}); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out.String(), `"level":"`+level+`"`) {
			t.Errorf("%s gave %s", severity, out.String())
		}
	}
}

// rawHandler prints text as it is, like some console handlers do.
type rawHandler struct {
	slog.Handler
	out *bytes.Buffer
	err error
}

func (h rawHandler) Enabled(context.Context, slog.Level) bool { return true }

func (h rawHandler) Handle(_ context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool {
		h.out.WriteString(" " + a.Key + "=" + a.Value.String())
		return true
	})
	return h.err
}

// req: LOG-6
func TestSlogEscapesForHandlersThatDoNot(t *testing.T) {
	for _, text := range forgeries {
		var out bytes.Buffer
		e := login()
		e.Actor, e.Subject, e.Reason, e.Methods, e.Attrs = text, text, text, []string{text}, map[string]string{text: text}
		if err := Slog(slog.New(rawHandler{out: &out})).Record(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		if got := visible(out.String()); got != out.String() {
			t.Errorf("%q reached the terminal as %q", text, out.String())
		}
	}
}

func TestSlogReportsABrokenHandlerAndSkipsADisabledLevel(t *testing.T) {
	var out bytes.Buffer
	broken := errors.New("pipe is gone")
	if err := Slog(slog.New(rawHandler{out: &out, err: broken})).Record(t.Context(), login()); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	quiet := Slog(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelError})))
	out.Reset()
	if err := quiet.Record(t.Context(), login()); err != nil || out.Len() > 0 {
		t.Errorf("%v, %q", err, out.String())
	}
	if err := Slog(nil).Record(t.Context(), login()); err != nil {
		t.Error(err)
	}
	if err := Slog(nil).Record(t.Context(), Event{Name: "made_up"}); !errors.Is(err, ErrUnknownName) {
		t.Errorf("error %v", err)
	}
}
