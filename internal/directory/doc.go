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
// processes on one database.
package directory
