package lanyard

import (
	"context"
	"errors"
	"sync"
	"time"
)

// drawnTokens are the access tokens that a [BFF] has drawn, in memory alone: one
// for each session and audience, used until shortly before it expires. Where the
// manager runs, a token goes when its session ends or its key is withdrawn;
// elsewhere it stays until it expires, and nobody comes who could use it.
type drawnTokens struct {
	m    *Manager
	size int

	mu    sync.Mutex
	kept  map[tokenKey]*drawnToken
	draws map[tokenKey]*tokenDraw
	swept Time
}

// tokenKey names a token. A new authentication makes another one.
type tokenKey struct {
	sid        SID
	generation uint32
	audience   string
}

type drawnToken struct {
	text  Secret
	until Time // it is used no longer from then on
	watch *watch
}

// tokenDraw is a drawing under way.
type tokenDraw struct {
	done  chan struct{}
	token *drawnToken
	err   error
}

const (
	sweepEvery  = time.Minute      // how often tokens that are used no longer are looked for
	drawTimeout = 10 * time.Second // of a drawing, with what the application is asked
)

// errNoToken is what the others hear if whoever draws for them does not come back.
var errNoToken = unavailable("drawing an access token", errors.New("the one who drew it did not come back"))

func newDrawnTokens(m *Manager, size int) *drawnTokens {
	return &drawnTokens{m: m, size: size, kept: map[tokenKey]*drawnToken{}, draws: map[tokenKey]*tokenDraw{}}
}

func keyOf(s *Session, audience string) tokenKey {
	return tokenKey{s.rec.SID, s.rec.Generation, audience}
}

// get returns a token of a live session for an audience. Of those who need a new
// one at once, one draws it for all.
func (d *drawnTokens) get(ctx context.Context, s *Session, audience string) (*drawnToken, error) {
	key := keyOf(s, audience)
	d.mu.Lock()
	if t := d.kept[key]; t != nil && d.m.now() < t.until {
		d.mu.Unlock()
		return t, nil
	}
	draw := d.draws[key]
	first := draw == nil
	if first {
		draw = &tokenDraw{done: make(chan struct{}), err: errNoToken}
		d.draws[key] = draw
	}
	d.mu.Unlock()
	if first {
		d.draw(ctx, s, key, draw)
	}
	select {
	case <-draw.done:
		return draw.token, draw.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// draw draws for everybody who waits. The caller's client may go away meanwhile;
// the others' have not.
func (d *drawnTokens) draw(ctx context.Context, s *Session, key tokenKey, draw *tokenDraw) {
	defer func() { // also if a function of the application panics
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.draws, key)
		close(draw.done)
	}()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), drawTimeout)
	defer cancel()
	g, err := d.m.AccessToken(ctx, s, key.audience)
	if err != nil {
		draw.err = err
		return
	}
	draw.token, draw.err = d.keep(key, g), nil
}

func (d *drawnTokens) keep(key tokenKey, g *Grant) *drawnToken {
	now := d.m.now()
	// Clocks go apart, and the service must still take it when it arrives.
	t := &drawnToken{text: g.Access, until: now.Add(g.ExpiresIn - min(g.ExpiresIn/5, 30*time.Second))}
	t.watch = &watch{rec: g.Session.rec, cancel: func(error) {
		d.remove(key, t)
		d.m.count("bff_token", "forgotten")
	}}
	if claims, err := d.m.examiner.Verify(g.Access.Reveal()); err == nil {
		t.watch.key = claims.KeyID
	}
	if d.m.node != nil {
		d.m.node.watches.add(t.watch)
	}
	d.mu.Lock()
	gone := d.makeRoom(now)
	if old := d.kept[key]; old != nil {
		gone = append(gone, old)
	}
	d.kept[key] = t
	d.mu.Unlock()
	d.unwatch(gone...)
	return t
}

// makeRoom takes out what is used no longer, from time to time, and somebody's if
// that is not enough. D.mu is held.
func (d *drawnTokens) makeRoom(now Time) (gone []*drawnToken) {
	if now-d.swept >= Time(sweepEvery.Milliseconds()) || now < d.swept {
		d.swept = now
		for key, t := range d.kept {
			if t.until <= now {
				gone = append(gone, t)
				delete(d.kept, key)
			}
		}
	}
	for key, t := range d.kept { // any: a map's order is as good as a draw
		if len(d.kept) < d.size {
			break
		}
		gone = append(gone, t)
		delete(d.kept, key)
		d.m.count("bff_token", "evicted")
	}
	return gone
}

// drop forgets a token that its service has refused.
func (d *drawnTokens) drop(key tokenKey, t *drawnToken) {
	d.remove(key, t)
	d.unwatch(t)
}

// remove forgets one token, if it is still there. It is called under the lock of
// the watches.
func (d *drawnTokens) remove(key tokenKey, t *drawnToken) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.kept[key] == t {
		delete(d.kept, key)
	}
}

// unwatch must be called without d.mu, see remove.
func (d *drawnTokens) unwatch(gone ...*drawnToken) {
	if d.m.node == nil {
		return
	}
	for _, t := range gone {
		d.m.node.watches.remove(t.watch)
	}
}
