package revocation

import (
	"errors"
	"strings"
	"testing"
	"time"
)

var (
	sidA = SID{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}
	sidB = SID{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 17}
)

func TestSIDHasOneSpelling(t *testing.T) {
	text := sidA.String()
	if got, err := ParseSID(text); err != nil || got != sidA {
		t.Fatalf("%q is read back as %v, %v", text, got, err)
	}
	if (SID{}).String() != "" {
		t.Error("no session has a name")
	}
	for name, bad := range map[string]string{
		"empty":               "",
		"upper case":          strings.ToUpper(text),
		"cut":                 text[:25],
		"longer":              text + "0",
		"a foreign character": "w" + text[1:],
		"a line break inside": text[:25] + "\n",
		"bits behind the end": text[:25] + "3",
	} {
		if sid, err := ParseSID(bad); !errors.Is(err, ErrBadSID) {
			t.Errorf("%s: %q is read as %v, %v", name, bad, sid, err)
		}
	}
}

func TestEntryThatCannotBeMeantIsRefusedByName(t *testing.T) {
	for _, c := range []struct {
		name   string
		entry  Entry
		member string
	}{
		{"no kind", Entry{}, "kind"},
		{"a kind of a later version", Entry{Kind: 6, SID: sidA}, "kind"},
		{"a session without sid", Entry{Kind: KindSession}, "sid"},
		{"a generation without sid", Entry{Kind: KindGeneration, Generation: 1}, "sid"},
		{"generation 0", Entry{Kind: KindGeneration, SID: sidA}, "generation"},
		{"a subject without name", Entry{Kind: KindSubject, Epoch: 1}, "subject"},
		{"a subject that is too long", Entry{Kind: KindSubject, Epoch: 1, Subject: strings.Repeat("a", 256)}, "subject"},
		{"a subject that is not UTF-8", Entry{Kind: KindSubject, Epoch: 1, Subject: "\xff"}, "subject"},
		{"a subject's epoch 0", Entry{Kind: KindSubject, Subject: "ann"}, "epoch"},
		{"the global epoch 0", Entry{Kind: KindAll}, "epoch"},
		{"a key without id", Entry{Kind: KindKey}, "kid"},
		{"a key id that is too long", Entry{Kind: KindKey, Key: strings.Repeat("a", 256)}, "kid"},
		{"a negative time to keep", Entry{Kind: KindKey, Key: "k", Keep: -1}, "keep_ms"},
		{"a huge time to keep", Entry{Kind: KindKey, Key: "k", Keep: MaxKeep + 1}, "keep_ms"},
		{"a time before 1970", Entry{Kind: KindKey, Key: "k", At: -1}, "at"},
		{"a reason that is too long", Entry{Kind: KindKey, Key: "k", Reason: strings.Repeat("a", 256)}, "reason"},
	} {
		if err := c.entry.Check(); !errors.Is(err, ErrEntry) || !strings.Contains(err.Error(), ": "+c.member+": ") {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	for _, e := range everyKind() {
		if err := e.Check(); err != nil {
			t.Errorf("%v: %v", e.Kind, err)
		}
	}
}

// everyKind returns an entry of each kind, with awkward but good values.
func everyKind() []Entry {
	return []Entry{
		{Kind: KindSession, SID: sidA, Reason: "logout", At: 1_790_000_000_123, Keep: 6 * time.Minute},
		{Kind: KindGeneration, SID: sidB, Generation: 7, Reason: "elevated \" \\ \n", At: 1, Keep: MaxKeep},
		{Kind: KindSubject, Subject: "ann \"ü\"\r\ndata: {", Epoch: 1<<64 - 1, Keep: time.Millisecond},
		{Kind: KindAll, Epoch: 3, At: 2},
		{Kind: KindKey, Key: "2026-11", Reason: "admin"},
	}
}
