package postgres_test

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"os"
	"sync/atomic"
	"testing"

	"github.com/lanyard-go/lanyard"
)

// The times of the tests. Nothing in the store reads a clock.
const (
	now   lanyard.Time = 1_790_000_000_000
	hour  lanyard.Time = 3_600_000
	until              = now + hour
)

var made atomic.Uint64

// record returns a live record of an ordinary size for the subject.
func record(subject string) *lanyard.Record {
	n := made.Add(1)
	created := now + lanyard.Time(n/8)
	r := &lanyard.Record{
		State: lanyard.StateLive, Channel: lanyard.ChannelCookie,
		Subject: subject, Generation: 1,
		CreatedAt: created, AuthTime: created, LastActive: created,
		IdleExpiresAt: created + hour, ExpiresAt: created + 12*hour,
		Methods: []string{"pwd"}, Class: "urn:lanyard:1",
		Device: lanyard.Device{
			Label:     "kitchen laptop",
			UserAgent: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
			IP:        "192.0.2.7",
		},
	}
	r.SID = sid(subject, created)
	_, _ = rand.Read(r.Handle[:])
	return r
}

// sid draws a SID as the documentation of [lanyard.SID] lays it out.
func sid(subject string, created lanyard.Time) (s lanyard.SID) {
	_, _ = rand.Read(s[6:])
	binary.BigEndian.PutUint32(s[0:4], uint32(created>>16))
	binary.BigEndian.PutUint16(s[4:6], uint16(created))
	if subject != "" {
		sum := sha256.Sum256([]byte(subject))
		s[6], s[7] = sum[0], sum[1]&0xc0|s[7]&0x3f
	}
	return s
}

func create(t testing.TB, s lanyard.Store, subject string) *lanyard.Record {
	t.Helper()
	r := record(subject)
	if _, err := s.Create(t.Context(), r, lanyard.Limit{}); err != nil {
		t.Fatal(err)
	}
	return r
}

func revoke(t testing.TB, s lanyard.Store, e lanyard.End) lanyard.Ended {
	t.Helper()
	if e.Reason == "" {
		e.Reason = lanyard.ReasonAdmin
	}
	e.By, e.Now, e.Until = "operator", now, until
	ended, err := s.Revoke(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	return ended
}

func get(t testing.TB, s lanyard.Store, sid lanyard.SID) *lanyard.Record {
	t.Helper()
	r, err := s.Get(t.Context(), sid)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// soak reports whether the long forms of the tests are wanted.
func soak() bool { return os.Getenv("LANYARD_SOAK") == "1" }
