package statuslist

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"
)

// vectors are those of appendix C of the draft.
type vector struct {
	Bits, Size int
	Lst        string
	Values     map[string]byte
}

func vectors(t *testing.T) (all []vector) {
	t.Helper()
	b, err := os.ReadFile("testdata/vectors.json")
	if err == nil {
		err = json.Unmarshal(b, &all)
	}
	if err != nil || len(all) != 4 {
		t.Fatalf("%d vectors, %v", len(all), err)
	}
	return all
}

// req: REVOKE-21
func TestDraftVectors(t *testing.T) {
	for _, v := range vectors(t) {
		t.Run(strconv.Itoa(v.Bits)+" bits", func(t *testing.T) {
			l, err := Decode(v.Bits, v.Lst)
			if err != nil || l.Len() != v.Size {
				t.Fatalf("%d tokens, %v", l.Len(), err)
			}
			own, err := New(v.Bits, v.Size)
			if err != nil {
				t.Fatal(err)
			}
			for i, want := range v.Values {
				index, err := strconv.Atoi(i)
				if err != nil {
					t.Fatal(err)
				}
				if got, err := l.Get(index); err != nil || got != want {
					t.Errorf("the status of %d is %d, %v, want %d", index, got, err, want)
				}
				if err := own.Set(index, want); err != nil {
					t.Fatal(err)
				}
			}
			if !bytes.Equal(own.b, l.b) {
				t.Error("the list has more than the vector says, or less")
			}
			// Compressors differ; what they stand for does not.
			again, err := Decode(v.Bits, own.Encode())
			if err != nil || !bytes.Equal(again.b, l.b) {
				t.Errorf("written and read again it is another list, %v", err)
			}
		})
	}
}

// The two examples of section 4.1, byte for byte.
//
// req: REVOKE-21
func TestDraftExamples(t *testing.T) {
	for _, c := range []struct {
		bits   int
		values []byte
		bytes  string
		lst    string
	}{
		{1, []byte{1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1}, "\xb9\xa3", "eNrbuRgAAhcBXQ"},
		{2, []byte{1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3}, "\xc9\x44\xf9", "eNo76fITAAPfAgc"},
	} {
		l, err := New(c.bits, len(c.values))
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range c.values {
			if err := l.Set(i, 1<<c.bits-1); err != nil { // written over
				t.Fatal(err)
			}
			if err := l.Set(i, v); err != nil {
				t.Fatal(err)
			}
		}
		if string(l.b) != c.bytes {
			t.Errorf("%d bits: %x, want %x", c.bits, l.b, c.bytes)
		}
		read, err := Decode(c.bits, c.lst)
		if err != nil || string(read.b) != c.bytes {
			t.Errorf("%d bits: read as %x, %v", c.bits, read.b, err)
		}
	}
}

// req: REVOKE-21
func TestAListSaysNothingAboutIndicesThatItDoesNotHave(t *testing.T) {
	l, err := New(2, 9) // rounded up to 12
	if err != nil || l.Len() != 12 {
		t.Fatal(l.Len(), err)
	}
	for _, i := range []int{-1, 12, 1 << 40} {
		if _, err := l.Get(i); !errors.Is(err, ErrIndex) {
			t.Errorf("%d: %v", i, err)
		}
		if err := l.Set(i, Invalid); !errors.Is(err, ErrIndex) {
			t.Errorf("setting %d: %v", i, err)
		}
	}
	if err := l.Set(0, 4); !errors.Is(err, ErrList) {
		t.Errorf("a status of three bits: %v", err)
	}
	if got, err := l.Get(11); err != nil || got != Valid {
		t.Errorf("the last one: %d, %v", got, err)
	}
}

func TestNewRefusesSizesThatNobodyReads(t *testing.T) {
	for _, c := range []struct{ bits, size int }{{0, 8}, {3, 8}, {16, 8}, {1, 0}, {1, -1}, {1, MaxBytes*8 + 1}, {8, MaxBytes + 1}} {
		if _, err := New(c.bits, c.size); !errors.Is(err, ErrList) {
			t.Errorf("%d bits, %d tokens: %v", c.bits, c.size, err)
		}
	}
	if l, err := New(8, MaxBytes); err != nil || l.Len() != MaxBytes {
		t.Errorf("the longest: %v", err)
	}
}

// pack compresses and encodes.
func pack(b []byte) string {
	var out bytes.Buffer
	w := zlib.NewWriter(&out)
	w.Write(b)
	w.Close()
	return base64.RawURLEncoding.EncodeToString(out.Bytes())
}

func TestDecodeRefusesWhatIsNotOneWholeList(t *testing.T) {
	whole := pack([]byte("some bytes that are a list"))
	packed, _ := base64.RawURLEncoding.DecodeString(whole)
	bad := bytes.Clone(packed)
	bad[len(bad)-1] ^= 1 // the sum
	for name, lst := range map[string]string{
		"nothing":                   "",
		"no base64url":              "****",
		"base64 with padding":       whole + "=",
		"no zlib":                   base64.RawURLEncoding.EncodeToString([]byte("plain")),
		"cut off":                   base64.RawURLEncoding.EncodeToString(packed[:len(packed)-5]),
		"a wrong sum":               base64.RawURLEncoding.EncodeToString(bad),
		"data behind the end":       base64.RawURLEncoding.EncodeToString(append(packed, 0)),
		"no tokens":                 pack(nil),
		"a bomb":                    pack(make([]byte, 4<<20)),
		"one byte over the limit":   pack(make([]byte, MaxBytes+1)),
		"two streams, one by other": base64.RawURLEncoding.EncodeToString(append(packed, packed...)),
	} {
		if _, err := Decode(1, lst); !errors.Is(err, ErrList) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Decode(5, whole); !errors.Is(err, ErrList) || !strings.Contains(err.Error(), "bits") {
		t.Errorf("5 bits: %v", err)
	}
	if l, err := Decode(1, pack(make([]byte, MaxBytes))); err != nil || l.Len() != 8*MaxBytes {
		t.Errorf("the longest: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(1, "eNrbuRgAAhcBXQ")
	f.Add(8, pack(make([]byte, 100)))
	f.Fuzz(func(t *testing.T, bits int, lst string) {
		l, err := Decode(bits, lst)
		if err != nil {
			if !errors.Is(err, ErrList) {
				t.Errorf("%v", err)
			}
			return
		}
		if _, err := l.Get(l.Len() - 1); err != nil || l.Len() > MaxBytes*8 {
			t.Errorf("%d tokens, %v", l.Len(), err)
		}
		again, err := Decode(bits, l.Encode())
		if err != nil || !bytes.Equal(again.b, l.b) {
			t.Errorf("read again: %v", err)
		}
	})
}
