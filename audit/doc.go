// Package audit is the record of security events: one vocabulary, sinks to send
// events to, and a file whose lines are chained by hash.
//
// Start with [Event] and [Vocabulary]: every event has a name from that table,
// which also supplies its severity and usual outcome. A [Sink] takes events;
// [Slog], [Multi], [Discard], [Required] and [BestEffort] are small ones.
// [OpenFile] returns the durable one. [Verify] and [VerifyFile] check its chain,
// [Query] reads events back.
//
// # What the chain shows
//
// Each line of the file carries its number, the hash of the line before it and
// its own hash. A line that was edited, removed or moved shows. That the newest
// lines were cut off shows from the file beside it, PATH.head, which names the
// last line known to be on disk. Someone who can write both files can write a
// new history: to show that too, copy [File.Head] to another machine now and
// then.
//
// # What the package does not do
//
// It keeps no secret out of an event that a caller put into one. Texts are made
// harmless and cut to a length, so that they cannot forge a line or fill a disk,
// but they are not searched. It does not rotate files: close, move PATH and
// PATH.head together, and open anew; a file that shrinks or is replaced while
// open is reported as tampering.
package audit
