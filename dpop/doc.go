// Package dpop makes and checks proofs of possession for tokens (DPoP, RFC 9449):
// a short signed statement, sent beside a token with each request, that its
// sender has the private key the token is bound to. A copied token is of no use
// without that key.
//
// A server makes a [Checker] and asks it about each request; what it returns is
// compared with the binding of the token. A client makes a [Prover]. [Nonces]
// are the server's proof that a statement was not made ahead of time.
//
// A proof covers method, address and token, not headers or body. It says nothing
// about who is there: a proof alone never authenticates.
package dpop
