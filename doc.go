// Package lanyard keeps sessions: one server-side record of who is signed in,
// carried by its client as a cookie or as a token pair, with the same login,
// check, step-up, list, revoke and logout for both.
package lanyard
