package password

import (
	"strings"
	"testing"
)

// req: LOGIN-4
func TestNewRefusesWeakAndRuinousParams(t *testing.T) {
	tests := []struct {
		name string
		in   Params
		want string // part of the error; empty: accepted
	}{
		{"all zero", Params{}, ""},
		{"the three rows of the ASVS table: one pass", Params{47104, 1, 1}, ""},
		{"the three rows of the ASVS table: two passes", Params{19456, 2, 1}, ""},
		{"the three rows of the ASVS table: three passes", Params{12288, 3, 1}, ""},
		{"more passes", Params{12288, 10, 1}, ""},
		{"more threads", Params{19456, 2, 4}, ""},
		{"one KiB under with one pass", Params{47103, 1, 1}, "memory 47103 KiB is too little for time 1: at least 47104"},
		{"one KiB under with two passes", Params{19455, 2, 1}, "too little"},
		{"one KiB under with three passes", Params{12287, 3, 1}, "too little"},
		{"on the OWASP sheet but not in ASVS: four passes", Params{9216, 4, 1}, "too little"},
		{"on the OWASP sheet but not in ASVS: five passes", Params{7168, 5, 1}, "too little"},
		{"threads do not make up for memory", Params{9728, 2, 2}, "too little"},
		{"default memory with one pass", Params{Time: 1}, "too little"},
		{"default passes with little memory", Params{Memory: 12288}, "too little"},
		{"memory at the limit", Params{maxMemory, 4, 1}, ""},
		{"memory over the limit", Params{maxMemory + 1, 1, 1}, "over the limit"},
		{"work over the limit", Params{maxMemory, 5, 1}, "over the limit"},
		{"threads over the limit", Params{19456, 2, 17}, "threads 17 is over the limit of 16"},
		{"memory and time that overflow 32 bits", Params{1 << 20, 1 << 12, 1}, "over the limit"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := New(Config{Params: tt.in})
			switch {
			case tt.want == "" && err != nil:
				t.Fatalf("refused: %v", err)
			case tt.want != "" && err == nil:
				t.Fatal("accepted")
			case err != nil && (!strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "Params")):
				t.Fatalf("error %q does not name Params and %q", err, tt.want)
			}
		})
	}
}

func TestNewNamesTheWrongField(t *testing.T) {
	key := make([]byte, 32)
	tests := []struct {
		field string
		in    Config
	}{
		{"MaxConcurrent", Config{MaxConcurrent: -1}},
		{"MaxWait", Config{MaxWait: -1}},
		{"Peppers", Config{Peppers: []Pepper{{ID: "", Key: key}}}},
		{"Peppers", Config{Peppers: []Pepper{{ID: "a$b", Key: key}}}},
		{"Peppers", Config{Peppers: []Pepper{{ID: strings.Repeat("a", 33), Key: key}}}},
		{"Peppers", Config{Peppers: []Pepper{{ID: "a", Key: key[:15]}}}},
		{"Peppers", Config{Peppers: []Pepper{{ID: "a", Key: key}, {ID: "a", Key: key}}}},
	}
	for _, tt := range tests {
		if _, err := New(tt.in); err == nil || !strings.Contains(err.Error(), tt.field) {
			t.Errorf("New(%+v) = %v, want an error that names %s", tt.in, err, tt.field)
		}
	}
}
