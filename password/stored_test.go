package password

import (
	"errors"
	"strings"
	"testing"
)

// Pieces of well-formed hashes.
const (
	salt22 = "MDEyMzQ1Njc4OWFiY2RlZg"
	tag43  = "FpJgn3choeFxT5c1DujOl5S2Dx9L/a8Fjd1HvwF+ink"
)

func TestUnusableHashesAreNamedWithoutBeingShown(t *testing.T) {
	const bcryptRest = "$abcdefghijklmnopqrstuu7EJV7kdjBBQxyb0HjTh9KS7.Lah/6CG"
	end := "$" + salt22 + "$" + tag43
	tests := []struct {
		name, encoded, algorithm, problem string
	}{
		{"empty", "", "", "unknown form"},
		{"a password in clear", "hunter2hunter2", "", "unknown form"},
		{"a bare digest", "5f4dcc3b5aa765d61d8327deb882cf99", "", "unknown form"},
		{"very long", "$argon2id$" + strings.Repeat("a", 600), "", "longer than 512 bytes"},
		{"line end", "$argon2id$v=19$m=19456,t=2,p=1" + end + "\n", "", "a space or"},
		{"crypt with MD5", "$1$saltsalt$qjXMvbEw8oaL.CzflDtaK/", "", "unknown algorithm"},
		{"crypt with SHA-512", "$6$saltsalt$abcdefgh", "", "unknown algorithm"},
		{"the bcrypt with the sign bug", "$2x$10" + bcryptRest, "", "unknown algorithm"},
		{"argon2i", "$argon2i$v=19$m=19456,t=2,p=1" + end, "", "unknown algorithm"},
		{"PBKDF2 with SHA-1", "$pbkdf2$131000" + end, "", "unknown algorithm"},

		{"argon2id without version", "$argon2id$m=19456,t=2,p=1" + end, "argon2id", "4 parts where there should be 5"},
		{"argon2id of the first version", "$argon2id$v=16$m=19456,t=2,p=1" + end, "argon2id", "version is not 19"},
		{"argon2id, other order", "$argon2id$v=19$t=2,m=19456,p=1" + end, "argon2id", "settings should be m, t, p"},
		{"argon2id, missing setting", "$argon2id$v=19$m=19456,t=2" + end, "argon2id", "settings should be m, t, p"},
		{"argon2id, unknown setting", "$argon2id$v=19$m=19456,t=2,p=1,data=AA" + end, "argon2id", "settings should be m, t, p"},
		{"argon2id, leading zero", "$argon2id$v=19$m=019456,t=2,p=1" + end, "argon2id", "setting m is not a whole number"},
		{"argon2id, sign", "$argon2id$v=19$m=+19456,t=2,p=1" + end, "argon2id", "setting m is not a whole number"},
		{"argon2id, 33 bits", "$argon2id$v=19$m=4294967296,t=2,p=1" + end, "argon2id", "setting m is not a whole number"},
		{"argon2id, no passes", "$argon2id$v=19$m=19456,t=0,p=1" + end, "argon2id", "time is zero"},
		{"argon2id, no threads", "$argon2id$v=19$m=19456,t=2,p=0" + end, "argon2id", "threads is zero"},
		{"argon2id, threads that wrap a byte", "$argon2id$v=19$m=19456,t=2,p=257" + end, "argon2id", "threads 257 is over the limit"},
		{"argon2id, too little memory for its threads", "$argon2id$v=19$m=15,t=2,p=2" + end, "argon2id", "under 8 KiB for each thread"},
		{"argon2id, four GiB", "$argon2id$v=19$m=4194304,t=1,p=1" + end, "argon2id", "memory 4194304 KiB is over the limit"},
		{"argon2id, endless", "$argon2id$v=19$m=19456,t=4294967295,p=1" + end, "argon2id", "times time 4294967295 is over the limit"},
		{"argon2id, no salt", "$argon2id$v=19$m=19456,t=2,p=1$$" + tag43, "argon2id", "salt has 0 bytes"},
		{"argon2id, short tag", "$argon2id$v=19$m=19456,t=2,p=1$" + salt22 + "$AAAA", "argon2id", "tag has 3 bytes"},
		{"argon2id, padded", "$argon2id$v=19$m=19456,t=2,p=1$" + salt22 + "==$" + tag43, "argon2id", "salt is not base64"},
		{"argon2id, loose last bits", "$argon2id$v=19$m=19456,t=2,p=1$" + salt22 + "$" + tag43[:42] + "l", "argon2id", "tag is not base64"},
		{"argon2id, unknown pepper", "$argon2id$v=19$m=19456,t=2,p=1,keyid=gone" + end, "argon2id", "its pepper is not configured"},
		{"argon2id, empty key id", "$argon2id$v=19$m=19456,t=2,p=1,keyid=" + end, "argon2id", "key id is malformed"},

		{"bcrypt, cut off", "$2b$10$abcdefghijklmnopqrstuu", "bcrypt", "malformed"},
		{"bcrypt, cost in letters", "$2b$1x" + bcryptRest, "bcrypt", "cost is not two digits"},
		{"bcrypt, cost 3", "$2b$03" + bcryptRest, "bcrypt", "cost 3 is under 4"},
		{"bcrypt, cost 16", "$2b$16" + bcryptRest, "bcrypt", "cost 16 is over the limit of 15"},
		{"bcrypt, cost 31", "$2b$31" + bcryptRest, "bcrypt", "cost 31 is over the limit of 15"},
		{"bcrypt, foreign character", "$2b$10" + bcryptRest[:53] + "+", "bcrypt", "outside its alphabet"},

		{"scrypt, N of 1", "$scrypt$ln=0,r=8,p=1" + end, "scrypt", "a setting is zero"},
		{"scrypt, 512 MiB", "$scrypt$ln=19,r=8,p=1" + end, "scrypt", "memory 524288 KiB is over the limit"},
		{"scrypt, a shift that wraps", "$scrypt$ln=64,r=8,p=1" + end, "scrypt", "over the limits of ln=24"},
		{"scrypt, many lanes", "$scrypt$ln=17,r=8,p=9" + end, "scrypt", "times p=9 is over the limit"},

		{"PBKDF2, no rounds", "$pbkdf2-sha256$i=0" + end, "pbkdf2", "iteration count is zero"},
		{"PBKDF2, too many rounds", "$pbkdf2-sha512$i=5000001" + end, "pbkdf2", "iteration count 5000001 is over the limit of 5000000"},
		{"PBKDF2, too many rounds for two blocks", "$pbkdf2-sha256$i=2500001$" + salt22 + "$" + strings.Repeat("A", 86), "pbkdf2", "iteration count 2500001 for a tag of 64 bytes is over the limit of 2500000"},
		{"PBKDF2, wrong length", "$pbkdf2-sha256$i=1000,l=64" + end, "pbkdf2", "tag has 32 bytes where its settings say 64"},
		{"PBKDF2, length of nothing", "$pbkdf2-sha256$i=1000,l=0" + end, "pbkdf2", "settings say 0"},
		{"PBKDF2, length in letters", "$pbkdf2-sha256$i=1000,l=x" + end, "pbkdf2", "setting l is not a whole number"},
		{"Django, too many rounds", "pbkdf2_sha256$4294967295$seasalt12345$" + tag43 + "=", "pbkdf2", "over the limit"},
		{"Django, tag without padding", "pbkdf2_sha256$20000$seasalt12345$" + tag43, "pbkdf2", "tag is not base64"},
		{"Django, a part too many", "pbkdf2_sha256$20000$seasalt12345$" + tag43 + "=$x", "pbkdf2", "5 parts where there should be 4"},
	}
	h := newHasher(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := h.Check(tt.encoded)
			problem, ok := errors.AsType[*HashError](err)
			if !ok {
				t.Fatalf("Check = %v, want a HashError", err)
			}
			if problem.Algorithm != tt.algorithm || !strings.Contains(problem.Problem, tt.problem) {
				t.Errorf("Check = %+v, want %s: %s", problem, tt.algorithm, tt.problem)
			}
			for _, secret := range []string{salt22, tag43, bcryptRest[30:], "hunter2", "5f4dcc3b"} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the error shows a piece of the hash: %v", err)
				}
			}
			match, stale, verr := h.Verify(t.Context(), tt.encoded, "anything")
			if match || stale || verr == nil || verr.Error() != err.Error() {
				t.Errorf("Verify = %v, %v, %v; want the error of Check", match, stale, verr)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	for _, tt := range imported {
		f.Add(tt.encoded)
	}
	f.Add("$argon2id$v=19$m=19456,t=2,p=1,keyid=2026.a-1$" + salt22 + "$" + tag43)
	f.Fuzz(func(t *testing.T, encoded string) {
		s, err := parse(encoded)
		if err != nil {
			if _, ok := errors.AsType[*HashError](err); !ok || s != nil {
				t.Fatalf("parse = %v, %v; want nil and a HashError", s, err)
			}
			return
		}
		switch s := s.(type) {
		case *argon2id:
			if s.String() != encoded {
				t.Errorf("a second spelling of %q: %q", s, encoded)
			}
			if err := s.params.affordable(); err != nil {
				t.Error(err)
			}
		case *scryptHash:
			if bytes := 128 * s.n * s.r; bytes > maxMemory<<10 || bytes/1024*s.p > maxPasses {
				t.Errorf("scrypt of n=%d r=%d p=%d accepted", s.n, s.r, s.p)
			}
		case *pbkdf2Hash:
			if s.iterations < 1 || s.iterations*len(s.tag) > maxIterations*s.digest().Size() {
				t.Errorf("%d iterations accepted", s.iterations)
			}
		}
	})
}
