// Package server is the application around the library: what `lanyard serve`
// runs. It puts the store, the directory, the keys, the audit trail, the HTTP
// interface and the pages together in a data directory.
//
// Start with [Open], serve [Server.Handler], and call [Server.Run] for
// background work. The package imports no database driver: [Drivers] brings
// them.
package server
