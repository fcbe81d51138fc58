package password

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// code returns the code of a refusal, or nothing when the password was
// accepted.
func code(t *testing.T, p Policy, pw string, about ...string) string {
	t.Helper()
	err := p.Check(t.Context(), pw, about...)
	if err == nil {
		return ""
	}
	problem, ok := errors.AsType[*Problem](err)
	if !ok {
		t.Fatalf("Check(%q) = %v, want a Problem", pw, err)
	}
	if !strings.HasPrefix(problem.Message, "This password ") || !strings.HasSuffix(problem.Message, ".") {
		t.Errorf("not a sentence: %q", problem.Message)
	}
	return problem.Code
}

// req: LOGIN-8
func TestLengthIsCountedInCodePoints(t *testing.T) {
	alone, second := Policy{}, Policy{MinLength: 8}
	tests := []struct {
		name string
		p    Policy
		pw   string
		want string
	}{
		{"15 where it stands alone", alone, "vubar-kelot-min", ""},
		{"14 where it stands alone", alone, "vubar-kelot-mi", CodeTooShort},
		{"8 beside a second factor", second, "vubakelo", ""},
		{"7 beside a second factor", second, "vubakel", CodeTooShort},
		{"empty", second, "", CodeTooShort},
		{"15 letters of two bytes", alone, "жщэюйцукенгшзхъ", ""},
		{"14 letters of two bytes are 28 bytes", alone, "жщэюйцукенгшзх", CodeTooShort},
		{"8 of four bytes", second, "🦊🐢🌵🎈🧲🪁🛶🥁", ""},
		{"7 of four bytes are 28 bytes", second, "🦊🐢🌵🎈🧲🪁🛶", CodeTooShort},
		{"a letter and its accent are two code points", second, "vubake\u0301l", ""},
		{"spaces count", alone, "v u b a k e l o", ""},
		{"64 characters", alone, strings.Repeat("vubakelomintafor", 4)[:63] + "!", ""},
		{"as many bytes as there may be", alone, strings.Repeat("vubakelomintafor", 64)[:MaxBytes-1] + "!", ""},
		{"one byte more", alone, strings.Repeat("vubakelomintafor", 64) + "!", CodeTooLong},
		{"the operator's own limit", Policy{MaxBytes: 256}, strings.Repeat("vubakelomintafor", 16) + "!", CodeTooLong},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := code(t, tt.p, tt.pw); got != tt.want {
				t.Errorf("code %q, want %q", got, tt.want)
			}
		})
	}
}

// req: LOGIN-9
func TestNoKindOfCharacterIsAskedForOrForbidden(t *testing.T) {
	for _, pw := range []string{
		"vubakelomintafor",
		"VUBAKELOMINTAFOR",
		"8301746592048137",
		"!)%^(~#@$&_+=<>?{",
		"     v          k     ",
		"tab\tand\nline\x00ends",
		"пятнадцать букв в ряд",
		"十五個の文字からなる合言葉です。",
		"🦊🐢🌵🎈🧲🪁🛶🥁🧭🪵🍋🧦🐙🚲🔭",
	} {
		if got := code(t, Policy{}, pw); got != "" {
			t.Errorf("%q refused: %s", pw, got)
		}
	}
}

// req: LOGIN-10
func TestRefusals(t *testing.T) {
	leaked := func(_ context.Context, pw string) (bool, error) { return pw == "Vubar Kelot Minta", nil }
	p := Policy{MinLength: 12, Words: []string{"Acme", "Road Runner", "IBM"}, Breached: leaked}
	alice := []string{"alice@example.org", "Alice Liddell", "al"}
	tests := []struct {
		name, pw, want string
	}{
		{"listed", "qwertyuiop12", CodeCommon},
		{"listed, in other case", "QwertyUiop12", CodeCommon},
		{"one letter repeated", "aaaaaaaaaaaaaaaaaaaaaaaa", CodeRepeating},
		{"a short piece repeated, with a rest", "Kelot-kelot-kelot-ke", CodeRepeating},
		{"a listed word twice", "passwordPASSWORD", CodeRepeating},
		{"a long piece twice", "vubakelominvubakelomin", ""},
		{"a piece and something more", "kelot-kelot-kelot-min", ""},
		{"not UTF-8", "vubakelo\xffmintafor", CodeNotText},
		{"breached", "Vubar Kelot Minta", CodeBreached},
		{"breached is asked with the bytes as they came", "vubar kelot minta", ""},

		{"the service's name and little else", "Acme-20263107", CodeContext},
		{"the service's name in a long phrase", "the acme anvil fell on my toe", ""},
		{"a name of two words run together", "roadrunner-27", CodeContext},
		{"a name of two words as given", "Road Runner 27x", CodeContext},
		{"its parts", "runner-road-27", CodeContext},
		{"a short word of the operator", "vubake-IBM-lo", CodeContext},
		{"the person's address", "alice@example.org", CodeContext},
		{"a part of it", "ALICE-alice-27x", CodeContext},
		{"the display name backwards", "liddell, alice", CodeContext},
		{"two characters are not a word", "alvubakelomin", ""},
		{"three-letter parts are not words", "orgvubakelomi", ""},
		{"names around a phrase", "alice vubar kelot min acme", ""},
		{"taking a name out does not make another", "vubar-acalicemex", CodeContext},
		{"too short without the name by one", "alicevubakelomi", CodeContext},
		{"just long enough without it", "alicevubakelomint", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := code(t, p, tt.pw, alice...); got != tt.want {
				t.Errorf("%q: code %q, want %q", tt.pw, got, tt.want)
			}
		})
	}
}

// req: LOGIN-10
func TestAProblemSaysWhy(t *testing.T) {
	p := Policy{Words: []string{"Acme"}}
	tests := []struct {
		pw, want string
	}{
		{"vubakelo", "it has 8 characters, and the least is 15"},
		{"v", "it has 1 character, and the least is 15"},
		{strings.Repeat("v", 1025), "it takes 1025 bytes, and the most is 1024"},
		{"1qaz2wsx3edc4rfv", "most common passwords"},
		{"ACME ACME ACME 1", `contains "acme"`},
	}
	for _, tt := range tests {
		problem, ok := errors.AsType[*Problem](p.Check(t.Context(), tt.pw))
		if !ok || !strings.Contains(problem.Message, tt.want) {
			t.Errorf("Check(%.20q) = %+v, want %q in the message", tt.pw, problem, tt.want)
		}
		if ok && strings.Contains(problem.Error(), "acme") {
			t.Errorf("the error, which may be logged, names a part of the password: %v", problem)
		}
	}
}

func TestABreachListThatFailsDecidesNothing(t *testing.T) {
	down := errors.New("down")
	p := Policy{Breached: func(context.Context, string) (bool, error) { return false, down }}
	err := p.Check(t.Context(), "vubakelomintafor")
	if _, ok := errors.AsType[*Problem](err); ok || !errors.Is(err, down) {
		t.Errorf("Check = %v, want the hook's error", err)
	}
}

func TestTheBreachListIsAskedLast(t *testing.T) {
	p := Policy{Breached: func(_ context.Context, pw string) (bool, error) {
		t.Errorf("asked about %q, which is refused anyway", pw)
		return false, nil
	}}
	code(t, p, "short")
	code(t, p, "1qaz2wsx3edc4rfv")
}

// req: LOGIN-8
func TestAPolicyOutOfRangeAcceptsNothing(t *testing.T) {
	tests := []struct {
		field string
		p     Policy
	}{
		{"MinLength", Policy{MinLength: 7}},
		{"MinLength", Policy{MinLength: -1}},
		{"MinLength", Policy{MinLength: 1025}},
		{"MaxBytes", Policy{MaxBytes: 255}},
		{"MaxBytes", Policy{MaxBytes: -1}},
		{"MaxBytes", Policy{MaxBytes: MaxBytes + 1}},
	}
	for _, tt := range tests {
		err := tt.p.Check(t.Context(), "vubakelomintafor")
		if _, ok := errors.AsType[*Problem](err); ok || err == nil || !strings.Contains(err.Error(), tt.field+":") {
			t.Errorf("%+v: Check = %v, want an error that names %s", tt.p, err, tt.field)
		}
	}
	for _, p := range []Policy{{}, {MinLength: 8}, {MinLength: 64, MaxBytes: 256}, {MaxBytes: MaxBytes}} {
		if err := p.Validate(); err != nil {
			t.Errorf("%+v: %v", p, err)
		}
	}
}
