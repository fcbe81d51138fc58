// Package password stores and judges passwords.
//
// Start with [New]: a [Hasher] turns a password into a string for the
// database, checks a login against such a string, and says when the string
// should be replaced by a newer one. A [Policy] judges a password that someone
// wants to start using.
//
// New hashes are argon2id in the PHC string format. Hashes brought from another
// system (argon2id, bcrypt, scrypt, PBKDF2) are verified as they are, so people
// keep their passwords, and are reported as stale so that the next login
// replaces them.
//
// A password is a string of bytes here. It is never trimmed, cut, normalised or
// changed in case on its way to the hash: two passwords that differ in one byte
// are two passwords. Longer than [MaxBytes] is refused.
//
// The package keeps no users, counts no failed logins and writes no log. There
// is nothing here for hints, security questions, expiry after a number of days
// or required kinds of characters, on purpose: NIST SP 800-63B-4 section
// 3.1.1.2 forbids them.
package password
