package password

import (
	"strings"
	"testing"
)

// argonReference was made by the reference implementation's command line tool.
const argonReference = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQxNmJ5dGVzIQ$W2/hNMtQKxyFQI3cOFyMdL9hfH0kK/3DKouGLtcZUyw"

const phrase = "correct horse battery staple"

// The hashes were made by other implementations: the argon2 reference tool,
// libxcrypt, passlib, and CPython's hashlib (OpenSSL).
var imported = []struct {
	name, encoded, pw string
}{
	{"argon2id by the reference tool", argonReference, phrase},
	{"argon2id with four lanes", "$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHRzYWx0$E0QtOrYhmQ+wbhtRc1enpoOYtjT5NorbiVfRqlmqjiM", "пароль с пробелами 🔑"},
	{"bcrypt 2b", "$2b$04$abcdefghijklmnopqrstuu7EJV7kdjBBQxyb0HjTh9KS7.Lah/6CG", phrase},
	{"bcrypt 2a", "$2a$05$abcdefghijklmnopqrstuuFiPhXf1sVd3pCCRO.uVh34H/qI/ZsuS", phrase},
	{"bcrypt 2y with letters outside ASCII", "$2y$04$ZZZZZZZZZZZZZZZZZZZZZO8FRmfZ4sI861SJ9QL8vERHyEx2uZd9C", "ünïcødé pass"},
	{"bcrypt of 72 bytes", "$2b$04$abcdefghijklmnopqrstuubzadhGtS2zEF.gu0yd0opP6cVzb.e0i", strings.Repeat("x", 72)},
	{"scrypt by passlib", "$scrypt$ln=14,r=8,p=1$MDEyMzQ1Njc4OWFiY2RlZg$tjK03tRvEjqCcPwmgtddMkgjlXrk8U/b9rIvfeBMKCc", phrase},
	{"scrypt, RFC 7914 section 12, second", "$scrypt$ln=10,r=8,p=16$TmFDbA$/bq+HJ00cgB4VucZDQHp/nxq18vII3gw53N2Y0s3MWIurzDZLiKjiG/xCSedmDDaxyevuUqD7m2DYMvfoswGQA", "password"},
	{"scrypt, RFC 7914 section 12, third", "$scrypt$ln=14,r=8,p=1$U29kaXVtQ2hsb3JpZGU$cCO9yzr9c0hGHAbNgf046/2o+7qQT44+qbVD9lRdofLVQylVYT8Pz2LUlwUkKpr55h6F3A1lHkDfzwF7RVdYhw", "pleaseletmein"},
	{"PBKDF2, RFC 7914 section 11, second", "$pbkdf2-sha256$80000$TmFDbA$TdzY9guYviGDDO5e8icB+WQaRBjQTAQUrv8Ih2s0q1ah1CWhIlgzVJrbhBtRybMXaicr3ruh0HhHj2Kzl/M8jQ", "Password"},
	{"PBKDF2 in PHC form", "$pbkdf2-sha256$i=30000$MDEyMzQ1Njc4OWFiY2RlZg$FpJgn3choeFxT5c1DujOl5S2Dx9L/a8Fjd1HvwF+ink", phrase},
	{"PBKDF2 with SHA-512 and a length", "$pbkdf2-sha512$i=30000,l=64$MDEyMzQ1Njc4OWFiY2RlZg$/t4HoOrg1oiLcqlNoreijFM8e7WNt/df9k7iTBxrmgi0NHnBF+8mHjOPZ1nSaWbg8lLeJhJQiBmOuBuwyM2KpA", phrase},
	{"PBKDF2 by passlib, all dots and slashes", "$pbkdf2-sha256$29000$././././././././././/g$sdVXhiZFqXKZZZWJBsk/sWLM7.u.aImKX4Ay3uk1APU", phrase},
	{"PBKDF2 with SHA-512 by passlib", "$pbkdf2-sha512$25000$MDEyMzQ1Njc4OWFiY2RlZg$1ghj0T0HZWch00LfnhjXx3er7ZDEEN1BF6pxsBlgz/d07d.Qxz5Kg1Oz9g8VdS6ebiSwisnASzPZrBoVE1c39Q", phrase},
	{"PBKDF2 by Django", "pbkdf2_sha256$20000$seasalt12345$SfSllFuTwYYHC0h1Fa1CXJAGq2bdwFWMt8CSXdxAd+M=", phrase},
}

// req: LOGIN-5
func TestHashesOfOtherSystemsVerifyAndAreStale(t *testing.T) {
	h := newHasher(t)
	for _, tt := range imported {
		t.Run(tt.name, func(t *testing.T) {
			if err := h.Check(tt.encoded); err != nil {
				t.Fatalf("Check: %v", err)
			}
			expect(t, h, tt.encoded, tt.pw, true, true)
			expect(t, h, tt.encoded, tt.pw[1:], false, false)
		})
	}
}

// req: LOGIN-7
func TestBcryptNeverMatchesByTheFirst72BytesAlone(t *testing.T) {
	h := newHasher(t)
	const encoded = "$2b$04$abcdefghijklmnopqrstuubzadhGtS2zEF.gu0yd0opP6cVzb.e0i"
	expect(t, h, encoded, strings.Repeat("x", 72), true, true)
	expect(t, h, encoded, strings.Repeat("x", 71)+"y", false, false)
	expect(t, h, encoded, strings.Repeat("x", 73), false, false)
	expect(t, h, encoded, strings.Repeat("x", 200), false, false)
}
