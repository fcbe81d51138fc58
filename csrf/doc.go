// Package csrf decides whether a browser request comes from the site itself.
//
// Start with [New] and [Check.Decide]: a pure decision over the method and the
// headers Sec-Fetch-Site and Origin, to be asked before the handler of every
// request that a cookie authenticates. It follows net/http's
// CrossOriginProtection and closes its gaps: the own scheme counts when it is
// known, repeated headers are refused, and a request that has a cookie but
// neither header needs a session-bound token.
//
// [Check.DecideUpgrade] is for handshakes that open a channel with a GET
// (WebSocket, EventSource), which the check above lets through by design.
// [Tokens] makes and verifies the session-bound token. [IsolationGuard] keeps
// other sites from loading authenticated resources.
//
// The package answers no request, writes no log and reads no session: the
// caller supplies [Facts] and turns a [*Refused] into a 403. It protects nothing
// where a GET changes state, and nothing against script that runs in the site's
// own pages.
package csrf
