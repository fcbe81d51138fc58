package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

// noon is a time with a zone and a fraction that must not survive.
var noon = time.Date(2026, 11, 23, 13, 0, 0, 123_987_654, time.FixedZone("CET", 3600))

// login is an event that uses every field.
func login() Event {
	return Event{
		Time: noon, Name: LoginSucceeded, Actor: "ada", Subject: "ada", SID: "01J9Z0", Source: "192.0.2.7",
		RequestID: "req-1", Methods: []string{"pwd", "otp"}, Reason: "first_login", Attrs: map[string]string{"b": "2", "a": "1"},
	}
}

// req: LOG-2, LOG-3
func TestTheSchemaOfAnEvent(t *testing.T) {
	tests := []struct {
		name  string
		event Event
		want  string
	}{
		{"every field", login(), `{"time":"2026-11-23T12:00:00.123Z","event":"login_succeeded","outcome":"success","severity":"info",` +
			`"actor":"ada","subject":"ada","sid":"01J9Z0","source":"192.0.2.7","request_id":"req-1","methods":["pwd","otp"],` +
			`"reason":"first_login","attrs":{"a":"1","b":"2"}}`},
		{"empty fields keep their members", Event{Name: CSRFRefused, Time: time.Unix(0, 0)}, `{"time":"1970-01-01T00:00:00.000Z","event":"csrf_refused",` +
			`"outcome":"denied","severity":"warning","actor":"","subject":"","sid":"","source":"","request_id":"","methods":[],"reason":"","attrs":{}}`},
		{"outcome and severity can be set", Event{Name: TokenIssued, Time: time.Unix(0, 0), Outcome: Denied, Severity: Critical}, `{"time":"1970-01-01T00:00:00.000Z",` +
			`"event":"token_issued","outcome":"denied","severity":"critical","actor":"","subject":"","sid":"","source":"","request_id":"","methods":[],"reason":"","attrs":{}}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := json.Marshal(tt.event)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func TestAnEventOutsideTheVocabularyIsRefused(t *testing.T) {
	tests := []struct {
		event Event
		want  error
	}{
		{Event{}, ErrUnknownName},
		{Event{Name: "made_up"}, ErrUnknownName},
		{Event{Name: `x","event":"y`}, ErrUnknownName},
		{Event{Name: LoginFailed, Outcome: "maybe"}, ErrBadEvent},
		{Event{Name: LoginFailed, Severity: `info","x":"`}, ErrBadEvent},
	}
	for _, tt := range tests {
		if _, err := tt.event.MarshalJSON(); !errors.Is(err, tt.want) {
			t.Errorf("%+v: %v", tt.event, err)
		}
		if err := (Discard{}).Record(t.Context(), tt.event); !errors.Is(err, tt.want) {
			t.Errorf("discarding %+v: %v", tt.event, err)
		}
	}
}

// forgeries are texts that try to leave their field.
var forgeries = []string{
	"\n", "\r\n", "a\nb", "\r", "\x00", "\x1b[2J\x1b[31mroot", "\x9b31m", "\u009b31m", "\u0085", "\u2028", "\u2029", "\u202eevil", "\u2066x\u2069", "\ufeff", "\u200b", "\x7f",
	`"`, `\`, `\"`, `","event":"login_succeeded","x":"`, `"}` + "\n" + `{"seq":99,"prev":"","event":"login_succeeded"}`,
	`","hash":"` + strings.Repeat("0", 64) + `"}`, `</script>`, "\xff\xfe", "a\xc0\xaf", "\xed\xa0\x80", "\U000e0001tag", "\U0001f600", "é", "日本語", "\t", "\b\f",
}

// req: LOG-6
func TestAttackerTextCannotLeaveItsField(t *testing.T) {
	for _, text := range forgeries {
		e := login()
		e.Actor, e.Subject, e.SID, e.Source, e.RequestID, e.Reason = text, text, text, text, text, text
		e.Methods = []string{text, text}
		e.Attrs = map[string]string{text: text, "user_agent": text}
		line, _ := appendLine(nil, Head{}, e)
		checkLine(t, line, e)
	}
}

// checkLine checks that a line is one line of printable text that means e.
func checkLine(t *testing.T, line []byte, e Event) {
	t.Helper()
	if i := strings.IndexByte(string(line), '\n'); i != len(line)-1 {
		t.Fatalf("line feed at %d of %d: %q", i, len(line), line)
	}
	body := string(line[:len(line)-1])
	if !utf8.ValidString(body) {
		t.Fatalf("not UTF-8: %q", body)
	}
	if i := strings.IndexFunc(body, func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 {
		t.Fatalf("unprintable character at %d: %q", i, body)
	}
	if len(line) > maxLine {
		t.Fatalf("%d bytes", len(line))
	}
	if _, ok := parseLinks(line[:len(line)-1]); !ok {
		t.Fatalf("the line does not match its own hash: %q", body)
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(line, &members); err != nil {
		t.Fatalf("not JSON: %v: %q", err, body)
	}
	if len(members) != 15 {
		t.Fatalf("%d members: %q", len(members), body)
	}
	var rec Record
	if err := json.Unmarshal(line, &rec); err != nil {
		t.Fatal(err)
	}
	for _, f := range []struct {
		got, want string
		limit     int
	}{
		{rec.Event.Actor, e.Actor, maxName}, {rec.Event.Subject, e.Subject, maxName}, {rec.Event.SID, e.SID, maxSID},
		{rec.Event.Source, e.Source, maxSource}, {rec.Event.RequestID, e.RequestID, maxRequest}, {rec.Event.Reason, e.Reason, maxReason},
	} {
		if want := string([]rune(cut(f.want, f.limit))); f.got != want {
			t.Fatalf("read back %q, want %q", f.got, want)
		}
	}
	if rec.Event.Name != e.Name {
		t.Fatalf("event %q became %q", e.Name, rec.Event.Name)
	}
}

// req: LOG-6
func FuzzLine(f *testing.F) {
	for _, text := range forgeries {
		f.Add(text, text)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		e := Event{
			Time: noon, Name: LoginFailed, Outcome: Failure, Severity: Warning, Actor: a, Subject: b, SID: a, Source: b, RequestID: a, Reason: b,
			Methods: []string{a, b}, Attrs: map[string]string{a: b, b: a, "\xff" + a: b, "\xfe" + a: b},
		}
		line, head := appendLine(nil, Head{Seq: 1 << 40}, e)
		checkLine(t, line, e)
		line, _ = appendLine(nil, head, e)
		checkLine(t, line, e)
	})
}

// req: LOG-6
func TestEveryFieldHasALimit(t *testing.T) {
	for _, unit := range []string{"x", "\x00", "é", "\u2028", "\xff", "\U000e0001"} {
		long := strings.Repeat(unit, 100_000)
		e := Event{
			Time: noon, Name: LoginFailed, Outcome: Failure, Severity: Warning,
			Actor: long, Subject: long, SID: long, Source: long, RequestID: long, Reason: long, Attrs: map[string]string{},
		}
		for i := range 50 {
			e.Methods = append(e.Methods, long)
			e.Attrs[fmt.Sprintf("%02d%s", i, long)] = long
		}
		line, _ := appendLine(nil, Head{Seq: 1<<64 - 2}, e)
		checkLine(t, line, e)
		var rec Record
		if err := json.Unmarshal(line, &rec); err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(rec.Event.Actor, ellipsis) {
			t.Errorf("nothing shows that %q was cut", rec.Event.Actor)
		}
		if len(rec.Event.Methods) != maxMethods || len(rec.Event.Attrs) != maxAttrs {
			t.Errorf("%d methods, %d attributes", len(rec.Event.Methods), len(rec.Event.Attrs))
		}
		if got := rec.Event.Attrs[droppedKey]; got != "35" {
			t.Errorf("%q attributes reported as dropped", got)
		}
	}
}

func TestCutKeepsWholeCharacters(t *testing.T) {
	tests := []struct {
		in    string
		limit int
		want  string
	}{
		{"abcdef", 6, "abcdef"},
		{"abcdefg", 6, "abc…"},
		{"éééé", 6, "é…"},
		{"日本語", 8, "日…"},
		{"", 6, ""},
	}
	for _, tt := range tests {
		if got := cut(tt.in, tt.limit); got != tt.want || len(got) > tt.limit {
			t.Errorf("cut(%q, %d) = %q", tt.in, tt.limit, got)
		}
	}
}

func TestAttributesThatBecomeEqualAreWrittenOnce(t *testing.T) {
	list := attrs(map[string]string{"\xff": "1", "\xfe": "2", "\xffa": "3"})
	keys := []string{}
	for _, a := range list {
		keys = append(keys, a.key)
	}
	if want := []string{"\uFFFD", "\uFFFDa", droppedKey}; !slices.Equal(keys, want) {
		t.Errorf("got %q, want %q", keys, want)
	}
}

func TestARecordSurvivesJSON(t *testing.T) {
	want := Record{Seq: 7, Hash: Hash{1, 2, 3}, Event: login()}
	data, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got Record
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(got)
	if err != nil || string(again) != string(data) {
		t.Errorf("got  %s\nwant %s (%v)", again, data, err)
	}
	if !strings.HasPrefix(string(data), `{"seq":7,"hash":"010203`) {
		t.Errorf("got %s", data)
	}
}
