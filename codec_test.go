package lanyard_test

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/lanyard-go/lanyard"
)

// fullRecord has every field set.
func fullRecord() *lanyard.Record {
	return &lanyard.Record{
		SID: lanyard.SID{1, 2, 3, 15: 9}, Version: 7, State: lanyard.StateLive, Channel: lanyard.ChannelToken, Binding: lanyard.BindingDPoP,
		Subject: "ann", SubjectEpoch: 3, GlobalEpoch: 1 << 40, ClientID: "lanyard", Generation: 1 << 31,
		CreatedAt: 1, AuthTime: 2, LastActive: 3, IdleExpiresAt: 4, ExpiresAt: 1 << 50,
		Methods: []string{"pwd", "otp"}, Class: "aal2",
		Device:   lanyard.Device{Label: "Ann's phone ☎", UserAgent: phone, IP: homeIP},
		Audience: []string{"orders", "billing"}, Scope: "read write", Origin: lanyard.SID{5}, Key: "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I", Handle: lanyard.Digest{6},
		Refresh: &lanyard.Refresh{Counter: 1 << 31, Digest: lanyard.Digest{7}, Predecessor: lanyard.Digest{8}, Nonce: [16]byte{9},
			RotatedAt: 10, Agent: 1 << 63, Range: someRange, MovedRange: "198.51.100.0/24", Retried: true, RetriedRow: 8},
		Data: []byte(`{"cart":["hat"]}`), EndedAt: 11, EndReason: lanyard.ReasonLogout, EndedBy: "ann",
		Status: lanyard.StatusIndex{List: [16]byte{12, 15: 13}, Index: 1 << 31},
	}
}

func encode(t testing.TB, rec *lanyard.Record) string {
	t.Helper()
	b, err := rec.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Each field, alone and with all others, comes back as it went in.
//
// req: STORE-10
func TestRecordSurvivesStorage(t *testing.T) {
	full := reflect.ValueOf(fullRecord()).Elem()
	records := []*lanyard.Record{{}, fullRecord(), {Refresh: &lanyard.Refresh{}}}
	for i := range full.NumField() {
		alone, without := &lanyard.Record{}, fullRecord()
		reflect.ValueOf(alone).Elem().Field(i).Set(full.Field(i))
		reflect.ValueOf(without).Elem().Field(i).SetZero()
		records = append(records, alone, without)
	}
	for _, rec := range records {
		got, err := lanyard.DecodeRecord(encode(t, rec), rec.Version)
		if err != nil {
			t.Errorf("%+v: %v", rec, err)
			continue
		}
		if !reflect.DeepEqual(got, rec) {
			t.Errorf("got  %+v %+v\nwant %+v %+v", got, got.Refresh, rec, rec.Refresh)
		}
	}
}

func TestAppendBinaryAppends(t *testing.T) {
	b, err := fullRecord().AppendBinary([]byte("before"))
	if err != nil || string(b) != "before"+encode(t, fullRecord()) {
		t.Errorf("%q, %v", b[:6], err)
	}
}

// req: STORE-10
// attack: H3
func TestDamagedOrForeignRecordIsRefused(t *testing.T) {
	good := encode(t, fullRecord())
	for name, stored := range map[string]string{
		"nothing":          "",
		"a future version": "\x02" + good[1:],
		"version 0":        "\x00" + good[1:],
		"version 255":      "\xff" + good[1:],
		"a byte more":      good + "\x00",
		"twice":            good + good,
		"too long":         good + strings.Repeat("x", lanyard.MaxRecordSize),
	} {
		if _, err := lanyard.DecodeRecord(stored, 1); !errors.Is(err, lanyard.ErrBadRecord) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for n := range len(good) {
		if _, err := lanyard.DecodeRecord(good[:n], 1); !errors.Is(err, lanyard.ErrBadRecord) {
			t.Errorf("cut to %d bytes: %v", n, err)
		}
	}
}

// req: STORE-10, STORE-15
func TestRecordThatIsTooLargeIsNotWritten(t *testing.T) {
	rec := fullRecord()
	rec.Data = bytes.Repeat([]byte("x"), lanyard.MaxRecordSize)
	before := []byte("before")
	b, err := rec.AppendBinary(before)
	if err == nil {
		t.Fatal("written")
	}
	if len(b) > len(before) {
		t.Errorf("%d bytes were written", len(b))
	}
	// All fields at their limits together do fit.
	long := func(n int) string { return strings.Repeat("x", n) }
	rec = fullRecord()
	rec.Data = []byte(long(lanyard.MaxData))
	rec.Subject, rec.ClientID, rec.EndedBy = long(255), long(255), long(255)
	rec.Device = lanyard.Device{Label: long(64), UserAgent: long(512), IP: long(64)}
	rec.Scope, rec.Class, rec.Methods = long(1024), long(32), slices.Repeat([]string{long(32)}, 8)
	if got, err := lanyard.DecodeRecord(encode(t, rec), rec.Version); err != nil || !reflect.DeepEqual(got, rec) {
		t.Errorf("at the limits: %v", err)
	}
}

// A clone shares nothing that a caller could change.
func TestCloneSharesNothing(t *testing.T) {
	rec := fullRecord()
	c := rec.Clone()
	c.Methods[0], c.Audience[0], c.Data[0], c.Refresh.Counter = "x", "x", 'x', 0
	if !reflect.DeepEqual(rec, fullRecord()) {
		t.Errorf("%+v", rec)
	}
}

func FuzzDecodeRecord(f *testing.F) {
	f.Add(encode(f, fullRecord()))
	f.Add(encode(f, &lanyard.Record{}))
	f.Add(encode(f, &lanyard.Record{Status: lanyard.StatusIndex{List: [16]byte{1}, Index: 2}}))
	f.Add(encode(f, &lanyard.Record{Status: lanyard.StatusIndex{Index: 2}, Persistent: true}))
	for i := range 20 {
		b := []byte(encode(f, fullRecord()))
		b[i*len(b)/20] ^= 1 << (i % 8)
		f.Add(string(b))
	}
	f.Fuzz(func(t *testing.T, stored string) {
		rec, err := lanyard.DecodeRecord(stored, 3)
		if err != nil {
			if !errors.Is(err, lanyard.ErrBadRecord) || rec != nil {
				t.Fatalf("%v", err)
			}
			return
		}
		b, err := rec.AppendBinary(nil)
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		again, err := lanyard.DecodeRecord(string(b), 3)
		if err != nil || !reflect.DeepEqual(again, rec) {
			t.Fatalf("%v\n%+v\n%+v", err, rec, again)
		}
	})
}
