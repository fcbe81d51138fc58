// Package pgconn opens PostgreSQL databases through pgx: the one place besides
// tests that names the driver. It turns a postgres:// URL into a pool with
// limits and timeouts, listens for notifications, and says whether a URL keeps
// the connection private.
package pgconn
