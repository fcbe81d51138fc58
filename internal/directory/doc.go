// Package directory is the built-in list of who may sign in: users with
// passwords, and clients with secrets. It keeps both in an SQL database that
// the caller opened, with everything a login has to get right around them:
// throttling, equal answers for known and unknown names, reset secrets.
//
// Start with [Open]. People sign in through [Directory.Authenticate] and
// through nothing else; programs through [Directory.AuthenticateClient].
//
// The package knows nothing of sessions, of HTTP or of who may call it: it
// does not end sessions when a password changes, and it does not decide
// whether a device is a known one.
//
// All methods of [Directory] are safe for concurrent use, also by several
// processes on one database, which is SQLite or PostgreSQL. Everything that
// writes does so in a transaction that holds one lock of the database from its
// first statement to its commit (on PostgreSQL an advisory lock, at the level
// READ COMMITTED). What such a transaction has read is therefore still true when
// it writes, whichever process comes next: a count that is checked, a secret
// that is spent. The lock is never held while a password is hashed.
package directory
