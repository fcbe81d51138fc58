package cookie

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
)

const name = "__Host-Http-id"

// req: COOKIE-10, COOKIE-11
// attack: B3, B4, B5
func TestReadTakesOneExactName(t *testing.T) {
	tests := []struct {
		name   string
		fields []string
		value  string
		status Status
	}{
		{"no header", nil, "", Absent},
		{"an empty header", []string{""}, "", Absent},
		{"alone", []string{"__Host-Http-id=abc"}, "abc", One},
		{"between others", []string{"a=1; __Host-Http-id=abc; b=2"}, "abc", One},
		{"without blanks between the pairs", []string{"a=1;__Host-Http-id=abc;b=2"}, "abc", One},
		{"with a trailing semicolon", []string{"__Host-Http-id=abc;"}, "abc", One},
		{"in the second field", []string{"a=1", "__Host-Http-id=abc"}, "abc", One},
		{"a longer name is another cookie", []string{"__Host-Http-idx=abc"}, "", Absent},
		{"a shorter name is another cookie", []string{"__Host-Http-i=abc"}, "", Absent},
		{"a name that ends in ours is another cookie", []string{"x__Host-Http-id=abc"}, "", Absent},
		{"our name inside another value", []string{"a=__Host-Http-id=abc"}, "", Absent},
		{"strange bytes elsewhere do not matter", []string{"a={\"x\": é}; __Host-Http-id=abc; q=\"1\""}, "abc", One},

		{"upper case is another cookie", []string{"__HOST-HTTP-id=abc"}, "", Absent},
		{"lower case is another cookie", []string{"__host-http-id=abc"}, "", Absent},
		{"upper case beside ours is ignored", []string{"__HOST-HTTP-ID=evil; __Host-Http-id=abc"}, "abc", One},

		{"twice", []string{"__Host-Http-id=abc; __Host-Http-id=def"}, "", Ambiguous},
		{"twice with the same value", []string{"__Host-Http-id=abc; __Host-Http-id=abc"}, "", Ambiguous},
		{"twice in two fields", []string{"__Host-Http-id=abc", "__Host-Http-id=def"}, "", Ambiguous},

		{"quoted", []string{`__Host-Http-id="abc"`}, "", Malformed},
		{"an opening quote only", []string{`__Host-Http-id="abc; b=2"`}, "", Malformed},
		{"an empty value", []string{"__Host-Http-id="}, "", Malformed},
		{"padding", []string{"__Host-Http-id=abc="}, "", Malformed},
		{"a blank behind the value", []string{"__Host-Http-id=abc ; a=1"}, "", Malformed},
		{"a blank in front of the value", []string{"__Host-Http-id= abc"}, "", Malformed},
		{"a blank behind the name", []string{"__Host-Http-id =abc"}, "", Malformed},
		{"a tab in front of the name", []string{"a=1;\t__Host-Http-id=abc"}, "", Malformed},
		{"a control character in front of the name", []string{"a=1; \x01__Host-Http-id=abc"}, "", Malformed},
		{"a control character behind the name", []string{"__Host-Http-id\x00=abc"}, "", Malformed},
		{"a no-break space in front of the name", []string{"\u00a0__Host-Http-id=abc"}, "", Malformed},
		{"an em space in front of the name", []string{"\u2003__Host-Http-id=abc"}, "", Malformed},
		{"a byte order mark in front of the name", []string{"\ufeff__Host-Http-id=abc"}, "", Malformed},
		{"an em space behind the name", []string{"__Host-Http-id\u2003=abc"}, "", Malformed},
		{"a Latin-1 blank in front of the name", []string{"\x85__Host-Http-id=abc"}, "", Malformed},
		{"a quote in front of the name", []string{`"__Host-Http-id=abc"`}, "", Malformed},
		{"a disguised copy beside ours", []string{"\u2003__Host-Http-id=evil; __Host-Http-id=abc"}, "", Malformed},
		{"a disguised longer name is another cookie", []string{"\u2003__Host-Http-idx=evil; __Host-Http-id=abc"}, "abc", One},
		{"a nameless cookie that spells ours", []string{"=__Host-Http-id=abc"}, "", Malformed},
		{"a nameless cookie whose value is our name", []string{"__Host-Http-id"}, "", Malformed},
		{"twice, one of them broken", []string{`__Host-Http-id=abc; __Host-Http-id="def"`}, "", Malformed},

		{"the legacy version beside ours", []string{`$Version=1; __Host-Http-id=abc`}, "", Malformed},
		{"the legacy version in another case", []string{`$VERSION="1"; __Host-Http-id=abc`}, "", Malformed},
		{"the legacy version behind ours", []string{"__Host-Http-id=abc", "$Version=1"}, "", Malformed},
		{"a legacy path behind ours", []string{`__Host-Http-id=abc; $Path="/"`}, "", Malformed},
		{"the legacy version without ours", []string{`$Version=1; a="b"`}, "", Absent},
		{"another cookie that starts with a dollar", []string{`$price=1; __Host-Http-id=abc`}, "abc", One},
		{"a quoted sandwich is not unwrapped", []string{`a="x; __Host-Http-id=abc; b=y"`}, "abc", One},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := http.Header{}
			if tt.fields != nil {
				h["Cookie"] = tt.fields
			}
			value, status := Read(h, name, Limits{})
			if value != tt.value || status != tt.status {
				t.Errorf("got %q, %v; want %q, %v", value, status, tt.value, tt.status)
			}
		})
	}
}

// req: COOKIE-21
// attack: B6
func TestReadDoesBoundedWork(t *testing.T) {
	ours := name + "=abc"
	tests := []struct {
		name   string
		header string
		limits Limits
		status Status
	}{
		{"as many pairs as allowed", strings.Repeat("a=1; ", DefaultPairs-1) + ours, Limits{}, One},
		{"one pair too many", strings.Repeat("a=1; ", DefaultPairs) + ours, Limits{}, TooMany},
		{"ours is first, and still too many", ours + strings.Repeat("; a=1", DefaultPairs), Limits{}, TooMany},
		{"as many bytes as allowed", "a=" + strings.Repeat("x", DefaultBytes-len(ours)-4) + "; " + ours, Limits{}, One},
		{"one byte too many", "a=" + strings.Repeat("x", DefaultBytes-len(ours)-3) + "; " + ours, Limits{}, TooMany},
		{"own limit on pairs", "a=1; b=2; " + ours, Limits{Pairs: 2}, TooMany},
		{"own limit on bytes", "a=1; " + ours, Limits{Bytes: 10}, TooMany},
		{"nothing but semicolons", strings.Repeat(";", DefaultPairs), Limits{}, TooMany},
		{"ten thousand cookies", strings.Repeat("a=1; ", 10_000) + ours, Limits{}, TooMany},
		{"ten thousand cookies within the byte limit", strings.Repeat("a=1; ", 10_000) + ours, Limits{Bytes: 1 << 20}, TooMany},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			value, status := Read(http.Header{"Cookie": {tt.header}}, name, tt.limits)
			if status != tt.status || status != One && value != "" {
				t.Errorf("got %q, %v; want %v", value, status, tt.status)
			}
		})
	}
	t.Run("many fields count together", func(t *testing.T) {
		h := http.Header{}
		for i := range 10_000 {
			h.Add("Cookie", "a"+strconv.Itoa(i)+"=1")
		}
		if _, status := Read(h, "a1", Limits{Bytes: 1 << 20}); status != TooMany {
			t.Errorf("got %v", status)
		}
	})
}

func TestReadDoesNotAllocate(t *testing.T) {
	h := http.Header{"Cookie": {typical}}
	if n := testing.AllocsPerRun(100, func() { Read(h, name, Limits{}) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzReadAgreesWithNetHTTP checks two things: on what this package itself could
// have written, Read finds what net/http finds; and whatever the bytes, it never
// reports a value that net/http would see differently or more than once.
func FuzzReadAgreesWithNetHTTP(f *testing.F) {
	f.Add("a=1; id=abc; b=2", "id")
	f.Add("id=abc; id=def", "id")
	f.Add("\u2003id=abc", "id")
	f.Add(`id="abc"`, "id")
	f.Add(`$Version=1; id=abc`, "id")
	f.Add("id", "id")
	f.Fuzz(func(t *testing.T, header, name string) {
		if (Spec{Name: name}).Validate() != nil {
			return
		}
		h := http.Header{"Cookie": {header}}
		value, status := Read(h, name, Limits{})
		if status != One {
			if value != "" {
				t.Fatalf("%v with value %q", status, value)
			}
		}
		theirs := (&http.Request{Header: h}).CookiesNamed(name)
		switch status {
		case One:
			if len(theirs) != 1 || theirs[0].Value != value || theirs[0].Quoted {
				t.Fatalf("Read(%q) = %q, net/http sees %v", header, value, theirs)
			}
		case Absent:
			if len(theirs) != 0 {
				t.Fatalf("Read(%q) is absent, net/http sees %v", header, theirs)
			}
		}
	})
}

const typical = "_ga=GA1.1.1234567890.1700000000; theme=dark; " + name +
	"=AQEBAZI0aFzRcHGmA2m5b2l3c2FtcGxlAAAAAQAAAAGx0Jm9n8s7w1c3bXkq2y5p6Vb0yq0kT1o2c3N0dWZmLWFuZC1tb3JlLWJ5dGVz" +
	"; consent=%7B%22v%22%3A1%7D; _gid=GA1.1.987654321.1700000000; lang=en-GB"

func BenchmarkRead(b *testing.B) {
	h := http.Header{"Cookie": {typical}}
	b.ReportAllocs()
	for b.Loop() {
		if _, status := Read(h, name, Limits{}); status != One {
			b.Fatal(status)
		}
	}
}

func BenchmarkReadOfAFlood(b *testing.B) {
	h := http.Header{"Cookie": {strings.Repeat("a=1; ", 3000)}}
	b.ReportAllocs()
	for b.Loop() {
		if _, status := Read(h, name, Limits{}); status != TooMany {
			b.Fatal(status)
		}
	}
}

func BenchmarkSet(b *testing.B) {
	s := session()
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Set(http.Header{}, "AQEBAZI0aFzRcHGmA2m5b2l3c2FtcGxl"); err != nil {
			b.Fatal(err)
		}
	}
}
