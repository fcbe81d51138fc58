package lanyardtest

import (
	"sync"
	"time"
)

// Clock is a time source that stands still until the test moves it. Make one
// with [NewClock]; it is safe for concurrent use.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock returns a clock at noon UTC of a fixed day, the same in every test, so
// that times in golden files stay what they are.
func NewClock() *Clock {
	return &Clock{now: time.Date(2030, time.January, 2, 12, 0, 0, 0, time.UTC)}
}

// Now returns the clock's time in UTC. Its method value fits lanyard's Config.Now
// and those of the other packages.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock, backwards if d is negative.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}
