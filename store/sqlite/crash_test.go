package sqlite_test

import (
	"bufio"
	"crypto/rand"
	"math/big"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/store/sqlite"
)

// A helper signs in and out, telling what was acknowledged, until it is killed
// at a moment nobody chose. The file is then opened again, time after time.
func TestAKilledProcessLosesNothingItAcknowledged(t *testing.T) {
	rounds := 20
	if soak() {
		rounds = 100
	}
	path := filepath.Join(t.TempDir(), "sessions.db")
	told := make(map[string]string) // what was last said about a SID
	for range rounds {
		heard := killAfter(t, path, told)
		s := openAt(t, path, sqlite.Config{})
		if err := s.Check(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantAsTold(t, s, told)
		s.Close()
		if t.Failed() {
			t.Fatalf("after a kill that followed line %d", heard)
		}
	}
	t.Logf("%d sessions over %d kills", len(told), rounds)
}

// killAfter runs the helper, kills it after a random number of lines, and notes
// all it has said.
func killAfter(t *testing.T, path string, told map[string]string) int {
	t.Helper()
	cmd := helperCommand(t, "stream", path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	n, err := rand.Int(rand.Reader, big.NewInt(400))
	if err != nil {
		t.Fatal(err)
	}
	heard := 0
	for lines := bufio.NewScanner(out); lines.Scan(); {
		word, sid, _ := strings.Cut(lines.Text(), " ")
		told[sid] = word
		if heard++; heard == int(n.Int64())+1 {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			// What it had said before it died is still in the pipe.
		}
	}
	_ = cmd.Wait()
	if heard <= int(n.Int64()) {
		t.Fatalf("the helper stopped by itself after %d lines", heard)
	}
	return heard
}

func wantAsTold(t *testing.T, s *sqlite.Store, told map[string]string) {
	t.Helper()
	announced := feed(t, s)
	for text, word := range told {
		sid, err := lanyard.ParseSID(text)
		if err != nil {
			t.Fatal(err)
		}
		rec, err := s.Get(t.Context(), sid)
		switch {
		case err != nil:
			t.Errorf("acknowledged login %s: %v", text, err)
		case word == "in" && rec.Ended():
			t.Errorf("login %s ended, and nobody asked for it", text)
		case word == "out" && !rec.Ended():
			t.Errorf("acknowledged end of %s is undone", text)
		case rec.Ended() && announced[sid] != 1, !rec.Ended() && announced[sid] != 0:
			t.Errorf("session %s, ended %t, has %d entries in the feed", text, rec.Ended(), announced[sid])
		}
	}
}

// feed walks the whole feed and returns how many entries each SID has.
func feed(t *testing.T, s *sqlite.Store) map[lanyard.SID]int {
	t.Helper()
	entries := make(map[lanyard.SID]int)
	for cursor := ""; ; {
		page, next, err := s.Revocations(t.Context(), cursor, 100)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			return entries
		}
		for _, e := range page {
			entries[e.SID]++
		}
		cursor = next
	}
}
