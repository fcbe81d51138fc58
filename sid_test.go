package lanyard_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard"
)

// req: SID-7
func TestOnlyTheCanonicalSpellingIsASID(t *testing.T) {
	w := newWorld(t)
	sid := w.startCookie().Session.SID()
	text := sid.String()
	if len(text) != 26 {
		t.Fatalf("%q", text)
	}
	if got, err := lanyard.ParseSID(text); err != nil || got != sid {
		t.Errorf("%v, %v", got, err)
	}
	for _, bad := range []string{
		"", text[:25], text + "0", strings.ToUpper(text), " " + text[1:], text[:25] + "w", text[:25] + "=", text[:25] + "\n",
		text[:25] + "1", text[:25] + "v", strings.Repeat("é", 13), strings.Repeat("z", 26),
	} {
		if bad == text {
			continue
		}
		if got, err := lanyard.ParseSID(bad); !errors.Is(err, lanyard.ErrBadSID) || !got.IsZero() {
			t.Errorf("%q: %v, %v", bad, got, err)
		}
	}
	if (lanyard.SID{}).String() != "" {
		t.Error("none has a name")
	}
}

func TestSIDsSortByTimeAndStayWithTheirSubject(t *testing.T) {
	w := newWorld(t)
	var sids []lanyard.SID
	for range 20 {
		sid := w.startCookie().Session.SID()
		if !sid.Time().Equal(w.clock.Now()) {
			t.Errorf("made %v, says %v", w.clock.Now(), sid.Time())
		}
		if sid.Partition() != lanyard.SubjectPartition("ann") {
			t.Errorf("partition %d, the subject's is %d", sid.Partition(), lanyard.SubjectPartition("ann"))
		}
		sids = append(sids, sid)
		w.clock.advance(time.Millisecond)
	}
	if !slices.IsSortedFunc(sids, func(a, b lanyard.SID) int { return bytes.Compare(a[:], b[:]) }) {
		t.Error("bytes do not sort by time")
	}
	if !slices.IsSortedFunc(sids, func(a, b lanyard.SID) int { return strings.Compare(a.String(), b.String()) }) {
		t.Error("texts do not sort by time")
	}
}

func FuzzParseSID(f *testing.F) {
	f.Add("06eaih8a014qfgh9g2ne2tmvb0")
	f.Add(strings.Repeat("v", 26))
	f.Add(strings.Repeat("0", 26))
	f.Fuzz(func(t *testing.T, text string) {
		sid, err := lanyard.ParseSID(text)
		if err != nil {
			if !sid.IsZero() || err != lanyard.ErrBadSID {
				t.Fatalf("%v, %v", sid, err)
			}
			return
		}
		if !sid.IsZero() && sid.String() != text {
			t.Fatalf("%q is %q", text, sid)
		}
	})
}

// FuzzCredential presents text at every door; nothing but what was issued opens
// one, and nothing else reaches the store.
func FuzzCredential(f *testing.F) {
	// Each fuzzing process has keys of its own: the seeds of another are strangers.
	w := newWorld(f, func(c *lanyard.Config) {
		var err error
		if c.Keys, err = lanyard.RandomKeys(); err != nil {
			f.Fatal(err)
		}
	})
	cookie, tokens := w.startCookie(), w.startToken()
	f.Add(cookie.Handle.Reveal())
	f.Add(tokens.Refresh.Reveal())
	f.Add("")
	f.Add(strings.Repeat("A", 100))
	f.Add(cookie.Handle.Reveal()[:99] + "\n")
	f.Fuzz(func(t *testing.T, text string) {
		if text == cookie.Handle.Reveal() || text == tokens.Refresh.Reveal() {
			return
		}
		w.store.arm(nil)
		if _, err := w.FindRefresh(t.Context(), text); err == nil {
			t.Fatal("a refresh token")
		}
		if s, err := w.Check(w.withCookie(get("/"), text)); err == nil && s.SignedIn() {
			t.Fatal("a handle")
		}
		if calls := w.store.made(); len(calls) > 0 {
			t.Fatalf("the store was asked: %v", calls)
		}
	})
}
