// Package headers sets the headers that keep an application's own pages from
// running foreign script, from being framed, stored or guessed at: a content
// security policy with a nonce for each answer, Referrer-Policy, nosniff,
// isolation from other origins' windows, and no storing.
//
// Start with [New] and put [Policy.Handler] around the handlers of pages; inside
// them [Nonce] is what a template writes into its script and style elements. A
// handler that wants something else for one page sets that header itself. Files
// that anybody may keep, such as style sheets, belong outside of it.
//
// The package knows nothing of sessions and works with or without them.
package headers
