package directory

import (
	"errors"
	"strings"
	"testing"
)

// req: JWT-13
func TestNames(t *testing.T) {
	tests := []struct {
		name, in string
		ok       bool
	}{
		{"letters", "ada", true},
		{"capitals", "Ada", true},
		{"an address", "ada+work@example.org", true},
		{"every punctuation", "0._-@+", true},
		{"64 characters", strings.Repeat("a", 64), true},
		{"65 characters", strings.Repeat("a", 65), false},
		{"nothing", "", false},
		{"the subject of a client", Client{ID: "reports"}.Subject(), false},
		{"the subject of the built-in client", Client{ID: BuiltInClient}.Subject(), false},
		{"a colon at the end", "client:", false},
		{"a path of dots", "..", false},
		{"a flag", "-rf", false},
		{"a slash", "a/b", false},
		{"a space", "a b", false},
		{"a newline", "a\n", false},
		{"a zero byte", "a\x00", false},
		{"a letter beyond ASCII", "adä", false},
		{"a Cyrillic a", "\u0430da", false},
		{"a Kelvin sign", "\u212aim", false},
		{"broken UTF-8", "a\xff", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := CheckName(tt.in)
			if tt.ok && err != nil {
				t.Fatalf("refused: %v", err)
			}
			if !tt.ok && !errors.Is(err, ErrInvalid) {
				t.Fatalf("got %v, want ErrInvalid", err)
			}
		})
	}
}

func TestFoldLeavesForeignLettersAlone(t *testing.T) {
	if got := fold("AdaZ-\u212a\u0130"); got != "adaz-\u212a\u0130" {
		t.Fatalf("got %q", got)
	}
}
