// Package lanyard keeps sessions: one server-side record of who is signed in,
// carried by its client as a cookie or as a token pair, with the same login,
// check, step-up, list, revoke and logout for both.
//
// Start with [New], which makes a [Manager] over a [Store]. Wrap the application
// in [Manager.Handler], guard what needs somebody with [Manager.Require], and
// read who it is with [From]:
//
//	m, err := lanyard.New(memory.New(), lanyard.Config{Issuer: "https://app.example"})
//	...
//	grant, err := m.Start(ctx, lanyard.Login{Subject: user.ID, Methods: []string{"pwd"}, Request: r})
//	err = m.Write(w, r, grant)
//
// Checking credentials is the application's business: by calling [Manager.Start]
// it vouches for somebody. Package password helps with passwords, and the server
// in cmd/lanyard is an application around this library with a login of its own.
//
// Stores are in the folders below store; one of your own is tested with
// store/storetest. Run [Manager.Run] once per process for background work.
//
// What the package promises, and the test that fails when a promise is broken,
// is listed in docs/architecture.md. It does not bind sessions to a key yet, and
// it is no OAuth authorization server: it speaks the dialect of the token
// endpoint where that has words for what a session does.
package lanyard
