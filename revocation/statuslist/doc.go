// Package statuslist writes and reads Token Status Lists (draft-ietf-oauth-status-list,
// draft 21): one bit or a few for each of many tokens, compressed, in a signed
// JWT that anybody may fetch and cache. It is for third parties that take tokens
// and cannot follow the feed of package revocation.
//
// A list comes late. Who reads one may go by it until its ttl has passed since it
// was fetched, so an end may be noticed as late as [Token.Delay] says. It is an
// addition and nothing more: whoever has to know at once follows the feed or asks
// the issuer.
//
// An issuer draws indices from a [Deck], puts a [Reference] into the tokens that
// the list is about, and starts with [New], [List.Set] and [Token.Sign]. A reader
// starts with [ParseReference] and [Verify]; fetching is left to it.
package statuslist
