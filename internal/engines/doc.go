// Package engines starts real store servers for tests: PostgreSQL, Redis and
// Valkey, each a process of the test's own on a free port of 127.0.0.1, with its
// files in a temporary directory. They can be killed, paused and started again.
//
// The programs have to be installed. A test that misses one is skipped with a
// line that says so, or fails when the environment says CI=true.
package engines
