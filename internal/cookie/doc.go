// Package cookie writes and reads the cookies of this project, and nothing
// else's.
//
// Start with [Spec]: it describes one cookie and refuses, in [Spec.Validate],
// every combination of name and attributes a browser would ignore or weaken.
// [Spec.Set] and [Spec.Delete] are the only writers; [Read] is the only reader.
//
// Both sides are stricter than net/http on purpose. The writer returns an error
// where http.SetCookie drops or quotes bytes. The reader looks for one exact
// name, says so when a second cookie could be mistaken for it, knows no quoting
// and no legacy syntax, and does bounded work without allocating.
//
// The package knows nothing of sessions: a value is text in the base64url
// alphabet, and what it means is the caller's business.
package cookie
