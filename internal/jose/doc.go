// Package jose is the small, closed part of JOSE that lanyard needs: compact
// JWS with ES256, Ed25519 and (where asked for) RS256, public JWKs, JWK sets
// and thumbprints. It reads strictly, because every lenient reading is a second
// spelling of the same token: one base64url text per byte string, one JSON
// object with unique names, one algorithm per key.
//
// Start with [Parse], which checks form and header of a token, and
// [Message.Verify], which is the only way to its payload. [Signer] makes tokens,
// [ParseJWK] and [ParseSet] read keys.
//
// It has no JWE, no symmetric or "none" algorithm, no JSON serialisation, no
// certificate members and never fetches a key. Claims are the business of the
// packages above it.
package jose
