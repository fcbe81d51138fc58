// Package verifier lets a service that is not the issuer accept the issuer's
// access tokens: it mounts one handler and is right.
//
// Start with [New]. [Verifier.Handler] recognises the caller of each request,
// [Verifier.Require] guards routes, and [From] tells a handler who calls. Servers
// that speak something else than HTTP use [Verifier.Check] or [Verifier.Verify];
// the module verifier/grpcverifier does so for gRPC.
//
// Signatures are checked here, with the issuer's published keys, which are
// fetched, kept for minutes and fetched again. The tokens themselves are judged
// by package token, the same code with which the issuer judges its own.
//
// A signed token says nothing about a logout that came after it. So a
// configuration has to say how ended sessions are noticed: by the issuer's feed
// ([Config.Feed]), by asking it about each token ([Config.Introspect]), by a
// source of revocations of your own ([Config.Revocation]), or not
// at all before the token expires ([Config.SkipRevocationCheck]).
//
// The best way is to follow the issuer's revocation feed ([Config.Feed]): a
// session that has ended is refused within milliseconds without asking anybody,
// and past the issuer's revocation bound nothing is accepted while the feed is
// out of reach. Routes say in [Need.Freshness] if they want more or less, and
// [Caller.Watch] ends connections that stay open.
//
// Whatever cannot be found out, because the issuer cannot be reached for too
// long or answers nonsense, leads to 503 and never to a request let through.
//
// The package issues nothing, keeps no sessions and does not know tokens that
// are bound to a key (RFC 9449): it refuses them.
package verifier
