// Package revocation carries the ends of sessions from the nodes of an issuer to
// whoever verifies its tokens, within milliseconds, and knows how old its news is.
//
// A service that verifies tokens starts with [NewFollower] and asks
// [Follower.Check]. A node serves its followers with a [Hub]. Between the two run
// server-sent events, read by a [Reader], and snapshots for those who come late
// ([Set.WriteSnapshot], [ReadSnapshot]).
//
// What was revoked is kept in a [Set] of [Entry] values: a session, all older
// generations of a session, all older epochs of a subject or of everybody, or what
// a key signed. A [Badge] is what a token says of itself. An entry is dropped when
// the last token it could cover has expired.
//
// The package decides nothing about who may end what and stores nothing on disk.
// It does not check tokens either: it is asked about those whose signature and
// times are good.
package revocation
