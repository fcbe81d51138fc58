// Package revmodel is a model of strict revocation, searched whole.
//
// The model holds a store, two nodes, one or two followers and one session. The
// first node is asked to end the session strictly. Messages are delayed,
// overtaken by those of other connections and lost; processes stop for any time
// and go on; nodes crash and come back; the store fails over and forgets; clocks
// drift and are set. Search walks every state that can come of it and looks for
// one in which the strict end has been reported and somebody still accepts the
// session. Each Rule of the protocol can be removed, to see that it is needed.
//
// Time is counted in ticks. A bound is Config.Bound ticks of the clock of whoever
// counts it. One tick in Bound+1 is one that any process may miss, each process
// anew: what takes Bound ticks of one clock, or of several clocks in turn, takes
// at most Bound+1 of another. That is the drift, blown up, and the one tick more
// is the allowance for it.
//
// Nothing is ever forced: a crashed or a stopped process is
// one that takes no further step, and a follower may read from, and acknowledge
// to, any node at any time, which is more than moving from one to another.
package revmodel
