package password

import (
	"context"
	"time"
)

// gate lets a fixed number of hashes run at a time. Without it a burst of
// logins multiplies the memory of one hash until the machine has none left.
type gate struct {
	slots chan struct{}
	wait  time.Duration
}

func newGate(slots int, wait time.Duration) gate {
	return gate{slots: make(chan struct{}, slots), wait: wait}
}

// do runs f when there is room. It returns ErrBusy when none came up in time
// and the context's error when the caller gave up first; f did not run then.
func (g gate) do(ctx context.Context, f func()) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case g.slots <- struct{}{}:
	default:
		timer := time.NewTimer(g.wait)
		defer timer.Stop()
		select {
		case g.slots <- struct{}{}:
		case <-timer.C:
			return ErrBusy
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	defer func() { <-g.slots }()
	f()
	return nil
}
