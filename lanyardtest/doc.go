// Package lanyardtest is for tests of programs that use lanyard: a manager on a
// memory store whose clock the test moves, sessions without a login form, and an
// HTTP client that behaves like a browser without opening a port.
//
// Start with [NewManager], put the program's routes into its Handler, make a
// [Badge] with [SignIn], and call the routes with [Client] or [Badge.Request]:
//
//	func TestSettingsNeedARecentLogin(t *testing.T) {
//		m, clock := lanyardtest.NewManager(t, lanyard.Config{})
//		c := lanyardtest.Client(t, m.Handler(routes(m)), lanyardtest.SignIn(t, m, "ann"))
//		clock.Advance(time.Hour)
//		res, err := c.Get(lanyardtest.Issuer + "/settings")
//		...
//	}
//
// A test that moves the clock needs no sleep: every deadline of a session is
// computed from it. The package replaces nothing: the manager, the store and the
// credentials are the real ones. Import it from tests only.
package lanyardtest
