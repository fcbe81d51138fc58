package verifier

import "time"

// elapsed is how much time has passed by the clock that says more: the monotonic
// one stands still while the machine sleeps, the other can be set back.
func elapsed(from, to time.Time) time.Duration {
	return max(to.Sub(from), to.Round(0).Sub(from.Round(0)))
}
