package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestChooseKeepsTheMostCommonOfEachLength(t *testing.T) {
	short, long := choose("123456\npassword\r\nPASSWORD\nPasswordPassword\nжжжжжжж\nжжжжжжжж\nфифтин-символов\n")
	if want := []string{"password", "жжжжжжжж"}; !slices.Equal(short, want) {
		t.Errorf("short: %q, want %q", short, want)
	}
	if want := []string{"passwordpassword", "фифтин-символов"}; !slices.Equal(long, want) {
		t.Errorf("long: %q, want %q", long, want)
	}

	var many strings.Builder
	for i := range shortCount + 10 {
		fmt.Fprintf(&many, "%08d\n", i)
	}
	short, _ = choose(many.String())
	if len(short) != shortCount || short[shortCount-1] != fmt.Sprintf("%08d", shortCount-1) {
		t.Errorf("%d entries up to %q", len(short), short[len(short)-1])
	}
}

func TestEncodeSorts(t *testing.T) {
	list := encode([]string{"b", "a", "c"})
	if len(list) != 3*digestBytes {
		t.Fatalf("%d bytes", len(list))
	}
	for i := digestBytes; i < len(list); i += digestBytes {
		if bytes.Compare(list[i-digestBytes:i], list[i:i+digestBytes]) >= 0 {
			t.Error("out of order")
		}
	}
	// The digest of "a" begins with ca978112ca1b.
	if !bytes.Contains(list, []byte{0xca, 0x97, 0x81, 0x12, 0xca, 0x1b}) {
		t.Errorf("no digest of a in %x", list)
	}
}

func TestExtractRefusesAnotherSource(t *testing.T) {
	archive := func(name, text string) *bytes.Buffer {
		var out bytes.Buffer
		zw := gzip.NewWriter(&out)
		tw := tar.NewWriter(zw)
		if err := tw.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(text))}); err != nil {
			t.Fatal(err)
		}
		if _, err := tw.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if err := tw.Close(); err != nil {
			t.Fatal(err)
		}
		if err := zw.Close(); err != nil {
			t.Fatal(err)
		}
		return &out
	}
	if _, err := extract(archive(sourceName, "password\n")); err == nil || !strings.Contains(err.Error(), "SHA-256") {
		t.Errorf("another text: %v", err)
	}
	if _, err := extract(archive("package/other", "password\n")); err == nil || !strings.Contains(err.Error(), sourceName) {
		t.Errorf("no such file: %v", err)
	}
	if _, err := extract(strings.NewReader("no archive")); err == nil {
		t.Error("no archive: accepted")
	}
}
