// Package token issues and verifies access tokens: signed JWTs of RFC 9068 that
// live for minutes and name the session they belong to.
//
// A service that checks tokens starts with [NewVerifier] and calls
// [Verifier.Verify]. The server that issues them starts with [OpenKeys], which
// keeps signing keys in a directory and rotates them, or with [OpenKeyStore] for
// keys that several machines share, and [NewIssuer].
// [Inspect] explains to a person what is wrong with a token.
//
// Nothing in a token can be had before its signature has been checked. The
// algorithms are a closed list: ES256, Ed25519 and, only where asked for,
// RS256. There is no symmetric algorithm, no "none", no encryption, and no key
// that a token brings along.
//
// The package does not know whether a session has ended. A verified token says
// which session, generation and epochs it belongs to; whoever verifies it must
// compare those with the revocation feed on every call, also when the same token
// was seen before.
package token
