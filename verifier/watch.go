package verifier

import (
	"context"
	"errors"
	"time"

	"github.com/lanyard-go/lanyard/token"
)

// Watch is for connections that stay open, such as WebSockets and server-sent
// events. It returns a context that ends with ctx, and as soon as the caller's
// session has ended, the token has expired, or the feed has been out of reach for
// so long that nobody can tell. [context.Cause] is a *[Refused] then. Whoever is
// done with the context calls the function returned.
//
// Without [Config.Feed] only the token's expiry is noticed. For nobody the
// context ends with ctx alone. A client that wants to go on connects again with a
// new token.
func (c *Caller) Watch(ctx context.Context) (context.Context, context.CancelFunc) {
	return c.WatchWith(ctx, Bounded)
}

// WatchWith is [Caller.Watch] for routes with another freshness. With Local, as
// far as that is allowed, and with Live a feed out of reach is no reason to end:
// the context ends when the news has come, however late. A connection that wants
// Live has to ask [Caller.Meets] with each message as well, since nobody tells
// what the issuer would say.
func (c *Caller) WatchWith(ctx context.Context, f Freshness) (context.Context, context.CancelFunc) {
	if c.undecided != nil {
		return c.undecided.WatchWith(ctx, f)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	stop := func() { cancel(context.Canceled) }
	if c.claims == nil {
		return ctx, stop
	}
	c.expire(ctx, cancel)
	v := c.verifier
	if v.feed == nil {
		return ctx, stop
	}
	if err := v.heard(c.claims, f); err != nil {
		cancel(err)
		return ctx, stop
	}
	watch := v.feed.follower.Watch
	if f == Live || f == Local && v.cfg.AllowLocal {
		watch = v.feed.follower.WatchLocal
	}
	b, _ := badge(c.claims) // heard would have refused a bad one
	heard, _ := watch(ctx, &b)
	context.AfterFunc(heard, func() {
		if err := inOwnWords(context.Cause(heard)); errors.Is(err, ErrRevoked) || isBlind(err) {
			cancel(revocationRefusal(err))
		}
	})
	return ctx, stop
}

// lookAgain is how long a machine that slept may take to notice that a token has
// expired meanwhile: timers sleep with it.
const lookAgain = time.Minute

// expire ends ctx when the token is dead.
func (c *Caller) expire(ctx context.Context, cancel context.CancelCauseFunc) {
	v := c.verifier
	left := func() time.Duration { return c.claims.Expiry.Add(v.cfg.Leeway).Sub(v.cfg.Now()) }
	var timer *time.Timer
	set := make(chan struct{})
	timer = time.AfterFunc(min(max(left(), 0), lookAgain), func() {
		<-set
		switch left := left(); {
		case ctx.Err() != nil:
		case left > 0:
			timer.Reset(min(left, lookAgain))
		default:
			cancel(badToken(&token.Error{Cause: token.CauseExpired}))
		}
	})
	close(set)
	context.AfterFunc(ctx, func() { timer.Stop() })
}
