package web

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestBrowserWordsAHeaderForPeople(t *testing.T) {
	tests := []struct{ name, header, want string }{
		{"a browser on a desktop", "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0", "Firefox on Linux"},
		{"a browser that names others too", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36 Edg/131.0.0.0", "Edge on Windows"},
		{"a phone by its make", "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1", "Safari on iPhone"},
		{"a phone that hides its model", "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile Safari/537.36", "Chrome on Android"},
		{"a program", "curl/8.14.1", "curl"},
		{"our own client", "lanyard-go/1.0 (go1.26)", "lanyard Go client"},
		{"a program that was not given a name", "Go-http-client/1.1", "Go program"},
		{"nothing", "", ""},
		{"only blanks", "   ", ""},
		{"only a dash", "-", ""},
		{"only what every browser says", "Mozilla/5.0", ""},
		{"control characters", "\x00\x01", ""},
		{"markup", "<script>alert(1)</script>", ""},
		{"a product name without end", strings.Repeat("a", 10_000), strings.Repeat("a", 60)},
		{"a browser name past the cap", strings.Repeat(" ", 600) + "curl/8", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Browser(tt.header); got != tt.want {
				t.Errorf("Browser(%.60q) = %q, want %q", tt.header, got, tt.want)
			}
		})
	}
}

func FuzzBrowser(f *testing.F) {
	f.Add("Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile Safari/537.36")
	f.Add("Mozilla/5.0 (Linux; Android 15; \xff\xfe\u202e) x/1")
	f.Add("((((;;;;/////")
	f.Fuzz(func(t *testing.T, header string) {
		got := Browser(header)
		if utf8.RuneCountInString(got) > 60 || !utf8.ValidString(got) {
			t.Errorf("Browser(%q) = %q: too long or not text", header, got)
		}
		if strings.ContainsFunc(got, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("Browser(%q) = %q: not printable", header, got)
		}
	})
}
