package revocation

import (
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// stream returns the events as one connection sends them.
func stream(t testing.TB, events ...Event) string {
	t.Helper()
	var b []byte
	for n, e := range events {
		f, err := e.Frame()
		if err != nil {
			t.Fatal(err)
		}
		b = f.Append(b, uint64(n))
	}
	return string(b)
}

func helloEvent() Event {
	return Event{Name: EventHello, Issuer: "https://app.example", Instance: "i-1", Bound: 2 * time.Second}
}

func someEvents() []Event {
	return []Event{
		helloEvent(),
		{Name: EventRevoked, Cursor: "c1", Entries: everyKind()},
		{Name: EventHeartbeat, Cursor: "c1", Issuer: "https://app.example", Instance: "i-1"},
		{Name: EventRevoked, Cursor: "~!c2==", Entries: everyKind()[:1]},
		{Name: EventResync, Reason: "the place is gone\r\n\r\nevent: revoked"},
	}
}

// readAll returns the events of a stream and the error at its end.
func readAll(r io.Reader, maxEvent int) (events []Event, err error) {
	for in := NewReader(r, maxEvent); ; {
		e, err := in.Next()
		if err != nil {
			if _, again := in.Next(); again != err {
				return events, errors.New("the error did not stay")
			}
			return events, err
		}
		events = append(events, e)
	}
}

func TestEventsAreReadAsTheyWereWritten(t *testing.T) {
	want := someEvents()
	for n := range want {
		want[n].N = uint64(n)
	}
	text := stream(t, someEvents()...)
	for name, r := range map[string]io.Reader{
		"at once":             strings.NewReader(text),
		"byte by byte":        iotest.OneByteReader(strings.NewReader(text)),
		"with CR":             strings.NewReader(strings.ReplaceAll(text, "\n", "\r")),
		"with CR and LF":      iotest.OneByteReader(strings.NewReader(strings.ReplaceAll(text, "\n", "\r\n"))),
		"with a mark":         strings.NewReader("\ufeff" + text),
		"with comments":       strings.NewReader(": hi\n\n" + strings.ReplaceAll(text, "\nevent: ", "\n:\n: x\nretry: 5\nother\nevent: ")),
		"without blanks":      strings.NewReader(strings.NewReplacer("\nevent: ", "\nevent:", "\nid: ", "\nid:").Replace(text)),
		"with foreign events": strings.NewReader(foreign(text)),
	} {
		got, err := readAll(r, 0)
		if err != io.EOF {
			t.Errorf("%s: %v", name, err)
		}
		expect := want
		if name == "with foreign events" { // they count
			expect = append([]Event{}, want...)
			for n := 1; n < len(expect); n++ {
				expect[n].N += 2
			}
		}
		if !reflect.DeepEqual(got, expect) {
			t.Errorf("%s:\n got %+v\nwant %+v", name, got, expect)
		}
	}
}

// foreign puts two events of a later version behind the first of a stream.
func foreign(text string) string {
	for n := 4; n > 0; n-- {
		text = strings.Replace(text, `{"n":`+string(rune('0'+n)), `{"n":`+string(rune('2'+n)), 1)
	}
	return strings.Replace(text, "\n\n", "\n\nevent: later\ndata: {\"n\":1,\"entries\":5}\n\ndata: {\"n\":2}\n\n", 1)
}

// A reader that is not ours joins the data lines by a line break and gets JSON.
func TestEventIsJSONForAnyReader(t *testing.T) {
	f, err := (&Event{Name: EventRevoked, Cursor: "c", Entries: everyKind()}).Frame()
	if err != nil {
		t.Fatal(err)
	}
	var data []string
	for line := range strings.Lines(string(f.Append(nil, 17))) {
		if rest, ok := strings.CutPrefix(line, "data: "); ok {
			data = append(data, rest)
		}
	}
	var got struct {
		N       uint64
		Entries []map[string]any
	}
	if err := json.Unmarshal([]byte(strings.Join(data, "")), &got); err != nil || got.N != 17 || len(got.Entries) != 5 || got.Entries[2]["subject"] != everyKind()[2].Subject {
		t.Errorf("%q is read as %+v, %v", data, got, err)
	}
}

// The largest event that can be sent is one that is taken.
func TestLargestEventIsTaken(t *testing.T) {
	batch := make([]Entry, MaxBatch)
	for i := range batch {
		batch[i] = Entry{Kind: KindSubject, Subject: strings.Repeat("\x01", MaxText), Reason: strings.Repeat("\x02", MaxText), Epoch: 1<<64 - 1, At: 1<<63 - 1, Keep: MaxKeep}
	}
	e := Event{Name: EventRevoked, Cursor: strings.Repeat("c", MaxCursor), Entries: batch}
	got, err := readAll(strings.NewReader(stream(t, helloEvent(), e)), 0)
	if err != io.EOF || len(got) != 2 || !reflect.DeepEqual(got[1].Entries, batch) {
		t.Errorf("%d events, %v", len(got), err)
	}
}

func TestEventThatMustNotBeSentIsRefused(t *testing.T) {
	long := strings.Repeat("a", 5000)
	for name, e := range map[string]Event{
		"no name":                  {},
		"an unknown name":          {Name: "bye"},
		"hello without issuer":     {Name: EventHello, Instance: "i", Bound: time.Second},
		"hello without instance":   {Name: EventHello, Issuer: "i", Bound: time.Second},
		"hello without bound":      {Name: EventHello, Issuer: "i", Instance: "i"},
		"a long issuer":            {Name: EventHeartbeat, Cursor: "c", Issuer: long, Instance: "i"},
		"heartbeat without cursor": {Name: EventHeartbeat, Issuer: "i", Instance: "i"},
		"revoked without cursor":   {Name: EventRevoked, Entries: everyKind()},
		"revoked without entries":  {Name: EventRevoked, Cursor: "c"},
		"too many entries":         {Name: EventRevoked, Cursor: "c", Entries: make([]Entry, MaxBatch+1)},
		"a bad entry":              {Name: EventRevoked, Cursor: "c", Entries: []Entry{{Kind: KindSession}}},
		"a line break in a cursor": {Name: EventRevoked, Cursor: "c\ndata: x", Entries: everyKind()},
		"a blank in a cursor":      {Name: EventRevoked, Cursor: "c ", Entries: everyKind()},
		"a long cursor":            {Name: EventRevoked, Cursor: long, Entries: everyKind()},
		"a long reason":            {Name: EventResync, Reason: long},
	} {
		if f, err := e.Frame(); err == nil || !errors.Is(err, ErrEvent) && !errors.Is(err, ErrEntry) {
			t.Errorf("%s: %q, %v", name, f, err)
		}
	}
}

const helloText = "data: {\"n\":0,\"issuer\":\"i\",\"instance\":\"x\",\"bound_ms\":2000}\nevent: hello\n\n"

func TestBrokenStreamIsRefusedByName(t *testing.T) {
	sid := sidA.String()
	entry := func(members string) string {
		return helloText + "id: c\nevent: revoked\ndata: {\"n\":1,\"entries\":[{" + members + "}]}\n\n"
	}
	good := `"kind":"session","sid":"` + sid + `","at":1,"keep_ms":5`
	if got, err := readAll(strings.NewReader(entry(good+`,"new":{"a":[1]}`)), 0); err != io.EOF || len(got) != 2 {
		t.Fatalf("a good stream: %v, %v", got, err)
	}
	for _, c := range []struct {
		name, text string
		want       error
		words      string
	}{
		{"cut inside a line", helloText[:20], io.ErrUnexpectedEOF, ""},
		{"cut before the empty line", helloText[:len(helloText)-1], io.ErrUnexpectedEOF, ""},
		{"no hello", "data: {\"n\":0}\nevent: heartbeat\n\n", ErrOrder, "hello"},
		{"hello twice", helloText + strings.Replace(helloText, ":0", ":1", 1), ErrOrder, "hello"},
		{"it begins in the middle", strings.Replace(helloText, ":0", ":1", 1), ErrOrder, "n: 1, want 0"},
		{"an event is missing", helloText + "data: {\"n\":2}\nevent: x\n\n", ErrOrder, "n: 2, want 1"},
		{"an event is repeated", helloText + helloText, ErrOrder, "n: 0, want 1"},
		{"a foreign event without number", helloText + "data: {}\nevent: x\n\n", ErrEvent, "n: no number"},
		{"a number as text", "data: {\"n\":\"0\"}\nevent: hello\n\n", ErrEvent, "n: no number"},
		{"no JSON", helloText + "data: hi\nevent: x\n\n", ErrEvent, "data"},
		{"a member twice", "data: {\"n\":0,\"n\":0}\nevent: hello\n\n", ErrEvent, "twice"},
		{"data behind the object", helloText + "data: {\"n\":1}{}\nevent: x\n\n", ErrEvent, "behind"},
		{"two names", "event: hello\n" + helloText, ErrEvent, "event occurs twice"},
		{"two cursors", helloText + "id: a\nid: b\ndata: {\"n\":1}\nevent: x\n\n", ErrEvent, "id occurs twice"},
		{"a long line", helloText + ": " + strings.Repeat("x", 1000), ErrEvent, "longer than 600"},
		{"many lines", helloText + strings.Repeat("data: "+strings.Repeat(" ", 90)+"\n", 10), ErrEvent, "longer than 600"},
		{"an issuer of the wrong type", strings.Replace(helloText, `"i"`, `5`, 1), ErrEvent, "issuer"},
		{"an instance of the wrong type", strings.Replace(helloText, `"x"`, `null`, 1), ErrEvent, "instance"},
		{"a bound of the wrong type", strings.Replace(helloText, `2000`, `2e3`, 1), ErrEvent, "bound_ms"},
		{"a bound of nothing", strings.Replace(helloText, `2000`, `0`, 1), ErrEvent, "bound_ms"},
		{"an endless bound", strings.Replace(helloText, `2000`, `9007199254740991`, 1), ErrEvent, "bound_ms"},
		{"a member in another letter case", strings.Replace(helloText, `"issuer"`, `"issuer":"i","Issuer"`, 1), ErrEvent, "Issuer"},
		{"entries in a heartbeat", helloText + "id: c\ndata: {\"n\":1,\"issuer\":\"i\",\"instance\":\"x\",\"entries\":[]}\nevent: heartbeat\n\n", ErrEvent, "entries"},
		{"a cursor that is not ASCII", strings.Replace(entry(good), "id: c", "id: ü", 1), ErrEvent, "id"},
		{"no cursor", strings.Replace(entry(good), "id: c\n", "", 1), ErrEvent, "id"},
		{"no entries", strings.Replace(entry(good), "entries", "others", 1), ErrEvent, "entries"},
		{"entries of the wrong type", helloText + "id: c\nevent: revoked\ndata: {\"n\":1,\"entries\":{}}\n\n", ErrEvent, "entries"},
		{"an entry of the wrong type", helloText + "id: c\nevent: revoked\ndata: {\"n\":1,\"entries\":[5]}\n\n", ErrEntry, "object"},
		{"an entry of an unknown kind", entry(`"kind":"user","sid":"` + sid + `","at":1,"keep_ms":5`), ErrEntry, "kind"},
		{"an entry without kind", entry(`"sid":"` + sid + `","at":1,"keep_ms":5`), ErrEntry, "kind"},
		{"an entry without sid", entry(`"kind":"session","at":1,"keep_ms":5`), ErrEntry, "sid"},
		{"an entry without time", entry(`"kind":"session","sid":"` + sid + `","at":1`), ErrEntry, "keep_ms: missing"},
		{"an entry without moment", entry(`"kind":"session","sid":"` + sid + `","keep_ms":1`), ErrEntry, "at: missing"},
		{"a sid in upper case", entry(strings.Replace(good, sid, strings.ToUpper(sid), 1)), ErrEntry, "sid"},
		{"a sid of the wrong type", entry(`"kind":"session","sid":1,"at":1,"keep_ms":5`), ErrEntry, "sid"},
		{"the zero sid", entry(strings.Replace(good, sid, strings.Repeat("0", 26), 1)), ErrEntry, "sid"},
		{"a negative time", entry(strings.Replace(good, ":5", ":-5", 1)), ErrEntry, "keep_ms"},
		{"a fraction of time", entry(strings.Replace(good, ":5", ":5.0", 1)), ErrEntry, "keep_ms"},
		{"a huge time", entry(strings.Replace(good, ":5", ":99999999999999", 1)), ErrEntry, "keep_ms"},
		{"a time that overflows", entry(strings.Replace(good, ":5", ":9223372036855", 1)), ErrEntry, "keep_ms"},
		{"generation 0", entry(`"kind":"generation","generation":0,` + good[len(`"kind":"session",`):]), ErrEntry, "generation"},
		{"generation 2^32", entry(`"kind":"generation","generation":4294967296,` + good[len(`"kind":"session",`):]), ErrEntry, "generation"},
		{"a generation in an entry of a session", entry(good + `,"generation":5`), ErrEntry, "generation: has no place"},
		{"a subject in an entry of a session", entry(good + `,"subject":"ann"`), ErrEntry, "subject: has no place"},
		{"an empty subject", entry(`"kind":"subject","subject":"","epoch":1,"at":1,"keep_ms":5`), ErrEntry, "subject"},
		{"epoch 0", entry(`"kind":"subject","subject":"ann","epoch":0,"at":1,"keep_ms":5`), ErrEntry, "epoch"},
		{"an empty key", entry(`"kind":"key","kid":"","at":1,"keep_ms":5`), ErrEntry, "kid"},
		{"a reason of the wrong type", entry(good + `,"reason":5`), ErrEntry, "reason"},
		{"a sid twice", entry(good + `,"sid":"` + sid + `"`), ErrEvent, "twice"},
		{"a sid in another letter case", entry(good + `,"SID":"` + sid + `"`), ErrEntry, "SID"},
	} {
		_, err := readAll(strings.NewReader(c.text), 600)
		if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// An error of the connection is passed on, for the follower to tell it from a
// faulty stream.
func TestErrorOfTheConnectionIsPassedOn(t *testing.T) {
	broken := errors.New("line is down")
	if _, err := readAll(io.MultiReader(strings.NewReader(helloText), iotest.ErrReader(broken)), 0); !errors.Is(err, broken) || errors.Is(err, ErrEvent) {
		t.Error(err)
	}
}

// FuzzReader reads streams. Every event that is taken can be sent again and is
// then the same, and nothing of a stream is taken behind an error.
func FuzzReader(f *testing.F) {
	f.Add([]byte(stream(f, someEvents()...)))
	f.Add([]byte("\ufeff" + strings.ReplaceAll(stream(f, someEvents()...), "\n", "\r\n")))
	f.Add([]byte(foreign(stream(f, someEvents()...))))
	f.Add([]byte(helloText + ": hi\r\rdata\nid\nevent\n\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		events, err := readAll(strings.NewReader(string(text)), 4096)
		if err == nil || err.Error() == "the error did not stay" {
			t.Fatal(err)
		}
		for i, e := range events {
			frame, err := e.Frame()
			if err != nil {
				t.Fatalf("%+v was taken and cannot be sent: %v", e, err)
			}
			first := helloEvent()
			at := e.N
			head, n := "", uint64(0)
			if at > 0 {
				head, n = stream(t, first), 1
			}
			again, err := readAll(strings.NewReader(head+string(frame.Append(nil, n))), 1<<20)
			if err != io.EOF || len(again) == 0 {
				t.Fatalf("event %d, %+v, is not read back: %v", i, e, err)
			}
			got := again[len(again)-1]
			if got.N = at; !reflect.DeepEqual(got, e) {
				t.Fatalf("%+v is read back as %+v", e, got)
			}
		}
	})
}
