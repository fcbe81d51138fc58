package password

import (
	"errors"
	"regexp"
	"strings"
	"testing"
)

// newHasher returns a hasher with the cheapest parameters there are.
func newHasher(t testing.TB, peppers ...Pepper) *Hasher {
	t.Helper()
	h, err := New(Config{Params: Params{Memory: 12288, Time: 3}, Peppers: peppers})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func mustHash(t testing.TB, h *Hasher, pw string) string {
	t.Helper()
	encoded, err := h.Hash(t.Context(), pw)
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}

// expect verifies pw and compares the answer.
func expect(t *testing.T, h *Hasher, encoded, pw string, match, stale bool) {
	t.Helper()
	m, s, err := h.Verify(t.Context(), encoded, pw)
	if err != nil || m != match || s != stale {
		t.Errorf("Verify = match %v, stale %v, %v; want %v, %v", m, s, err, match, stale)
	}
}

// req: LOGIN-4, LOGIN-5
func TestStoredFormNamesAlgorithmVersionAndParameters(t *testing.T) {
	h, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	const pw = "correct horse battery staple"
	first := mustHash(t, h, pw)
	if !regexp.MustCompile(`^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$`).MatchString(first) {
		t.Errorf("stored form is %q", first)
	}
	a, err := parseArgon2id(first)
	if err != nil {
		t.Fatal(err)
	}
	if len(a.salt) != 16 || len(a.tag) != 32 {
		t.Errorf("salt has %d bytes and tag %d, want 16 and 32", len(a.salt), len(a.tag))
	}
	if a.String() != first {
		t.Errorf("parsed and written again: %q, want %q", a, first)
	}
	if second := mustHash(t, h, pw); first == second {
		t.Error("two hashes of one password are equal: the salt is not random")
	}
	expect(t, h, first, pw, true, false)
	expect(t, h, first, "correct horse battery stapler", false, false)
	expect(t, h, first, "", false, false)
}

// req: LOGIN-7
func TestEveryByteOfAPasswordCounts(t *testing.T) {
	h := newHasher(t)
	for _, n := range []int{64, 72, 73, 200, MaxBytes} {
		pw := strings.Repeat("x", n-1)
		expect(t, h, mustHash(t, h, pw+"a"), pw+"b", false, false)
	}
	encoded := mustHash(t, h, "Pass phrase with a Space")
	for _, other := range []string{
		" Pass phrase with a Space",
		"Pass phrase with a Space ",
		"Pass phrase with a Space\n",
		"Pass phrase with a Space\x00",
		"pass phrase with a space",
		"Pass  phrase with a Space",
	} {
		expect(t, h, encoded, other, false, false)
	}
	// The same letter precomposed and as two code points.
	expect(t, h, mustHash(t, h, "caf\u00e9"), "cafe\u0301", false, false)
}

// req: LOGIN-7
func TestTooLongIsRefusedNotCut(t *testing.T) {
	h := newHasher(t)
	longest := strings.Repeat("x", MaxBytes)
	encoded := mustHash(t, h, longest)
	if _, err := h.Hash(t.Context(), longest+"x"); !errors.Is(err, ErrTooLong) {
		t.Errorf("Hash of %d bytes: %v, want ErrTooLong", MaxBytes+1, err)
	}
	expect(t, h, encoded, longest, true, false)
	expect(t, h, encoded, longest+"x", false, false)
	if err := h.Equalize(t.Context(), longest+"x"); err != nil {
		t.Errorf("Equalize differs from Verify: %v", err)
	}
}

// req: LOGIN-5
func TestOldHashIsReplacedOnce(t *testing.T) {
	const pw = "correct horse battery staple"
	h := newHasher(t)
	for name, old := range map[string]string{
		"argon2id with other parameters": argonReference,
		"bcrypt":                         "$2b$04$abcdefghijklmnopqrstuu7EJV7kdjBBQxyb0HjTh9KS7.Lah/6CG",
	} {
		t.Run(name, func(t *testing.T) {
			expect(t, h, old, pw, true, true)
			expect(t, h, mustHash(t, h, pw), pw, true, false)
		})
	}
}

func TestStaleIsWhatDiffersFromANewHash(t *testing.T) {
	key := []byte("0123456789abcdef0123456789abcdef")
	plain := &Hasher{params: Params{12288, 3, 1}}
	plain.peppers, _ = newPeppers(nil)
	keyed := &Hasher{params: plain.params}
	keyed.peppers, _ = newPeppers([]Pepper{{"b", key}, {"a", key}})
	same := Params{12288, 3, 1}
	salt, tag := make([]byte, 16), make([]byte, 32)
	tests := []struct {
		name string
		h    *Hasher
		s    stored
		want bool
	}{
		{"as new", plain, &argon2id{params: same, salt: salt, tag: tag}, false},
		{"less memory", plain, &argon2id{params: Params{12287, 3, 1}, salt: salt, tag: tag}, true},
		{"more memory", plain, &argon2id{params: Params{19456, 3, 1}, salt: salt, tag: tag}, true},
		{"fewer passes", plain, &argon2id{params: Params{12288, 2, 1}, salt: salt, tag: tag}, true},
		{"other threads", plain, &argon2id{params: Params{12288, 3, 2}, salt: salt, tag: tag}, true},
		{"shorter salt", plain, &argon2id{params: same, salt: salt[:15], tag: tag}, true},
		{"shorter tag", plain, &argon2id{params: same, salt: salt, tag: tag[:31]}, true},
		{"longer salt and tag", plain, &argon2id{params: same, salt: make([]byte, 32), tag: make([]byte, 64)}, false},
		{"the current pepper", keyed, &argon2id{params: same, keyID: "b", salt: salt, tag: tag}, false},
		{"an older pepper", keyed, &argon2id{params: same, keyID: "a", salt: salt, tag: tag}, true},
		{"no pepper where there is one now", keyed, &argon2id{params: same, salt: salt, tag: tag}, true},
		{"bcrypt", plain, bcryptHash{}, true},
		{"scrypt", plain, &scryptHash{}, true},
		{"PBKDF2", plain, &pbkdf2Hash{}, true},
	}
	for _, tt := range tests {
		if got := tt.h.stale(tt.s); got != tt.want {
			t.Errorf("%s: stale is %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestAWrongPasswordIsNeverStale(t *testing.T) {
	expect(t, newHasher(t), argonReference, "wrong", false, false)
}
