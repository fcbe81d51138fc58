package revocation

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"
)

var testHead = SnapshotHead{Issuer: "https://app.example", Instance: "i-1", Cursor: "c1"}

func snapshotOf(t testing.TB, now time.Duration, entries ...Entry) []byte {
	t.Helper()
	s := NewSet()
	s.Apply(0, entries...)
	var b bytes.Buffer
	if err := s.WriteSnapshot(&b, now, testHead); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// sealed puts head, records, end and sum together.
func sealed(count uint64, records string) []byte {
	b := []byte(snapshotMagic)
	for _, text := range []string{testHead.Issuer, testHead.Instance, testHead.Cursor} {
		b = append(binary.BigEndian.AppendUint16(b, uint16(len(text))), text...)
	}
	b = binary.BigEndian.AppendUint64(append(append(b, records...), endOfRecords), count)
	sum := sha256.Sum256(b)
	return append(b, sum[:]...)
}

func TestSnapshotHasEverythingWithWhatIsLeftOfItsTime(t *testing.T) {
	want := map[Kind]Entry{}
	for _, e := range everyKind() {
		e.Keep = min(e.Keep+20*time.Second, MaxKeep)
		want[e.Kind] = e
	}
	var entries []Entry
	for _, e := range want {
		entries = append(entries, e)
	}
	entries = append(entries, Entry{Kind: KindSession, SID: SID{9}, Keep: 5 * time.Second}, Entry{Kind: KindKey, Key: "old", Keep: 5 * time.Second},
		Entry{Kind: KindSubject, Subject: "old", Epoch: 1, Keep: 5 * time.Second})
	snap, err := ReadSnapshot(iotest.OneByteReader(bytes.NewReader(snapshotOf(t, 10*time.Second, entries...))), 0)
	if err != nil || snap.SnapshotHead != testHead || snap.Len() != len(want) {
		t.Fatalf("%+v, %v", snap, err)
	}
	for e := range snap.All() {
		w := want[e.Kind]
		w.Keep = (w.Keep - 10*time.Second + time.Second - 1).Truncate(time.Second) // whole seconds, rounded up
		if w.Reason, w.At = "", 0; e.Kind == KindAll {
			w.Keep = 0
		}
		if !reflect.DeepEqual(e, w) {
			t.Errorf("got %+v\nwant %+v", e, w)
		}
		delete(want, e.Kind)
	}
	if len(want) > 0 {
		t.Errorf("missing: %v", want)
	}
}

func TestSnapshotOfNothing(t *testing.T) {
	snap, err := ReadSnapshot(bytes.NewReader(snapshotOf(t, 0)), 0)
	if err != nil || snap.Len() != 0 {
		t.Fatal(snap, err)
	}
	for e := range snap.All() {
		t.Errorf("%+v", e)
	}
}

// Whatever is applied before a snapshot is taken is in it, while others apply,
// sweep and make the tables grow.
func TestSnapshotIsTakenFromASetThatChanges(t *testing.T) {
	s := NewSet()
	const before, after = 5000, 10_000
	for i := range before {
		s.Apply(0, Entry{Kind: KindSession, SID: numbered(i), Keep: time.Hour})
	}
	started := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range after {
			s.Apply(0, Entry{Kind: KindSession, SID: numbered(before + i), Keep: time.Second}, Entry{Kind: KindSubject, Subject: string(rune(i + 1)), Epoch: 1, Keep: time.Second})
			if i == after/4 {
				close(started)
			}
			if i%2500 == 0 {
				s.Sweep(time.Second)
			}
		}
	})
	<-started
	r, w := io.Pipe()
	wg.Go(func() { w.CloseWithError(s.WriteSnapshot(w, 0, testHead)) })
	snap, err := ReadSnapshot(r, 0)
	if err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	into := NewSet()
	for e := range snap.All() {
		into.Apply(0, e)
	}
	if into.Len() != snap.Len() {
		t.Errorf("%d entries are %d", snap.Len(), into.Len())
	}
	for i := range before {
		if _, dead := into.Dead(&Badge{SID: numbered(i)}); !dead {
			t.Fatalf("session %d is missing", i)
		}
	}
}

// Many times the size in which records are kept, and to the last byte.
func TestLargeSnapshotIsReadWhole(t *testing.T) {
	s := NewSet()
	const n = 25_000
	for i := range n {
		s.Apply(0, Entry{Kind: KindGeneration, SID: numbered(i), Generation: uint32(i + 1), Keep: time.Hour})
	}
	var b bytes.Buffer
	if err := s.WriteSnapshot(&b, 0, testHead); err != nil {
		t.Fatal(err)
	}
	snap, err := ReadSnapshot(&b, n)
	if err != nil || len(snap.chunks) < 2 {
		t.Fatalf("%v", err)
	}
	seen := map[SID]uint32{}
	for e := range snap.All() {
		seen[e.SID] = e.Generation
	}
	for i := range n {
		if seen[numbered(i)] != uint32(i+1) {
			t.Fatalf("generation %d of session %d", seen[numbered(i)], i)
		}
	}
	for range snap.All() {
		break // stops without a panic
	}
}

func TestAnyCutOrChangedSnapshotIsRefused(t *testing.T) {
	b := snapshotOf(t, 0, everyKind()...)
	for n := range b {
		if _, err := ReadSnapshot(bytes.NewReader(b[:n]), 0); !errors.Is(err, ErrSnapshot) {
			t.Fatalf("cut to %d of %d bytes: %v", n, len(b), err)
		}
		for bit := range 8 {
			bad := bytes.Clone(b)
			bad[n] ^= 1 << bit
			if _, err := ReadSnapshot(bytes.NewReader(bad), 0); !errors.Is(err, ErrSnapshot) {
				t.Fatalf("bit %d of byte %d flipped: %v", bit, n, err)
			}
		}
	}
	if _, err := ReadSnapshot(bytes.NewReader(append(bytes.Clone(b), 0)), 0); !errors.Is(err, ErrSnapshot) {
		t.Errorf("with a byte behind it: %v", err)
	}
}

// A sum that fits does not make a snapshot good.
func TestMalformedSnapshotIsRefusedByName(t *testing.T) {
	sid := string(sidA[:])
	session := "\x01" + sid + "\x00\x00\x00\x05"
	if _, err := ReadSnapshot(bytes.NewReader(sealed(2, session+session)), 2); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		bytes []byte
		words string
	}{
		{"another format", []byte(strings.Repeat("hello ", 20)), "begin"},
		{"a later version", []byte(strings.Replace(string(sealed(0, "")), " 1\n", " 2\n", 1)), "begin"},
		{"a wrong count", sealed(2, session), "speaks of 2"},
		{"an unknown kind", sealed(1, "\x06"+session[1:]), "kind"},
		{"the zero sid", sealed(1, "\x01"+strings.Repeat("\x00", 16)+"\x00\x00\x00\x05"), "sid"},
		{"generation 0", sealed(1, "\x02"+sid+"\x00\x00\x00\x00\x00\x00\x00\x05"), "generation"},
		{"an empty subject", sealed(1, "\x03\x00\x00\x00\x00\x00\x00\x00\x00\x05\x00\x00\x00\x05"), "subject"},
		{"a subject's epoch 0", sealed(1, "\x03\x01a\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x05"), "epoch"},
		{"a global epoch 0", sealed(1, "\x04\x00\x00\x00\x00\x00\x00\x00\x00"), "epoch"},
		{"an empty key", sealed(1, "\x05\x00\x00\x00\x00\x05"), "kid"},
		{"a huge time", sealed(1, "\x01"+sid+"\x7f\x00\x00\x00"), "keep_ms"},
		{"too many entries", sealed(3, session+session+session), "more than 2"},
		{"entries that are too long together", sealed(2000, strings.Repeat("\x05\xff"+strings.Repeat("k", 255)+"\x00\x00\x00\x05", 2000)), "longer"},
	} {
		limit := 2
		if c.words == "longer" {
			limit = 2000
		}
		if _, err := ReadSnapshot(bytes.NewReader(c.bytes), limit); !errors.Is(err, ErrSnapshot) || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestSnapshotPassesOnErrorsOfItsStream(t *testing.T) {
	broken := errors.New("line is down")
	whole := snapshotOf(t, 0, everyKind()...)
	for n := range whole {
		r := io.MultiReader(bytes.NewReader(whole[:n]), iotest.ErrReader(broken))
		if _, err := ReadSnapshot(r, 0); !errors.Is(err, broken) {
			t.Fatalf("after %d bytes: %v", n, err)
		}
	}
	s := NewSet()
	s.Apply(0, Entry{Kind: KindKey, Key: "k", Keep: time.Minute})
	for n := range 2 {
		if err := s.WriteSnapshot(&failing{after: n, err: broken}, 0, testHead); !errors.Is(err, broken) {
			t.Errorf("at write %d: %v", n, err)
		}
	}
	for name, head := range map[string]SnapshotHead{
		"no issuer":    {Instance: "i", Cursor: "c"},
		"no instance":  {Issuer: "i", Cursor: "c"},
		"a bad cursor": {Issuer: "i", Instance: "i", Cursor: "c\n"},
	} {
		if err := s.WriteSnapshot(io.Discard, 0, head); !errors.Is(err, ErrSnapshot) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// failing is a writer that takes so many writes.
type failing struct {
	after int
	err   error
}

func (f *failing) Write(b []byte) (int, error) {
	if f.after--; f.after < 0 {
		return 0, f.err
	}
	return len(b), nil
}

// FuzzSnapshot reads snapshots whose sum fits, so that what is behind it is
// reached. One that is taken fills a set, whose own snapshot has as many entries.
func FuzzSnapshot(f *testing.F) {
	whole := snapshotOf(f, 0, everyKind()...)
	f.Add(whole[:len(whole)-sha256.Size])
	f.Add(sealed(0, ""))
	f.Add([]byte(snapshotMagic))
	f.Fuzz(func(t *testing.T, b []byte) {
		sum := sha256.Sum256(b)
		snap, err := ReadSnapshot(bytes.NewReader(append(bytes.Clone(b), sum[:]...)), 100)
		if err != nil {
			if !errors.Is(err, ErrSnapshot) {
				t.Fatal(err)
			}
			return
		}
		s, n := NewSet(), 0
		for e := range snap.All() {
			if err := e.Check(); err != nil {
				t.Fatal(err)
			}
			s.Apply(0, e)
			n++
		}
		if n != snap.Len() || n > 100 || s.Len() > n {
			t.Fatalf("%d entries, Len %d, in the set %d", n, snap.Len(), s.Len())
		}
		var again bytes.Buffer
		if err := s.WriteSnapshot(&again, 0, snap.SnapshotHead); err != nil {
			t.Fatal(err)
		}
		if second, err := ReadSnapshot(&again, 100); err != nil || second.SnapshotHead != snap.SnapshotHead || second.Len() < s.Len()-n || second.Len() > n {
			t.Fatalf("%+v, %v", second, err)
		}
	})
}

// Rounding up to seconds must not make an entry one that no reader believes.
func TestSnapshotOfTheLongestTimeIsRead(t *testing.T) {
	s := NewSet()
	s.Apply(1, Entry{Kind: KindSession, SID: sidA, Keep: MaxKeep})
	var b bytes.Buffer
	if err := s.WriteSnapshot(&b, 1, testHead); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadSnapshot(&b, 0); err != nil {
		t.Error(err)
	}
}
