package directory

import (
	"errors"
	"fmt"
	"time"
)

// ThrottleConfig sets how guessing is slowed down. Every zero field takes its
// default.
//
// Attempts are counted before the password is looked at, so that any number of
// parallel ones is held to the same budget, and they are counted alike for
// names that exist and names that do not.
type ThrottleConfig struct {
	// Free is how many failures in a row an account has without a delay; zero
	// means 5. The last of them is followed by Base, each further one by twice
	// the delay before, up to Cap.
	Free int
	Base time.Duration // zero means one second
	Cap  time.Duration // zero means 15 minutes; at most 24 hours

	// MaxFailures is how many failures in a row, from anywhere, close an
	// account; zero means 100, and more is an error (NIST SP 800-63B-4 section
	// 3.2.2). A closed account opens for a known device, which goes on at the
	// pace of Cap, and by a new password from a reset or from the operator.
	// Strangers get in again after any of these.
	MaxFailures int

	// SourceBurst is how many failures at once the network of a source has,
	// which is its IPv4 /24 or IPv6 /48, and SourceEvery how long it takes to
	// get one of them back. Zeros mean 100 and 30 seconds. Good logins and
	// logins from known devices cost nothing.
	SourceBurst int
	SourceEvery time.Duration

	// Forget is how long after its last failure the delays of an account start
	// over; zero means 24 hours, and less than Cap is an error. The count
	// against MaxFailures is not forgotten.
	Forget time.Duration

	// MaxRows bounds the table of delays; zero means 100000 rows, and less
	// than 1000 is an error. Under an attack that needs more, those with the
	// fewest failures give way first. The table can be over the bound by the
	// few hundred attempts between two cleanings.
	MaxRows int
}

func (c ThrottleConfig) withDefaults() ThrottleConfig {
	if c.Free == 0 {
		c.Free = 5
	}
	if c.Base == 0 {
		c.Base = time.Second
	}
	if c.Cap == 0 {
		c.Cap = 15 * time.Minute
	}
	if c.MaxFailures == 0 {
		c.MaxFailures = 100
	}
	if c.SourceBurst == 0 {
		c.SourceBurst = 100
	}
	if c.SourceEvery == 0 {
		c.SourceEvery = 30 * time.Second
	}
	if c.Forget == 0 {
		c.Forget = 24 * time.Hour
	}
	if c.MaxRows == 0 {
		c.MaxRows = 100_000
	}
	return c
}

func (c ThrottleConfig) validate() error {
	switch {
	case c.MaxFailures < 1 || c.MaxFailures > 100:
		return errors.New("directory: Throttle.MaxFailures: outside 1 to 100")
	case c.Free < 1 || c.Free > c.MaxFailures:
		return fmt.Errorf("directory: Throttle.Free: outside 1 to MaxFailures, which is %d", c.MaxFailures)
	case c.Base < time.Millisecond:
		return errors.New("directory: Throttle.Base: less than a millisecond")
	case c.Cap < c.Base || c.Cap > 24*time.Hour:
		return errors.New("directory: Throttle.Cap: less than Base or more than 24 hours")
	case c.SourceBurst < c.Free:
		return fmt.Errorf("directory: Throttle.SourceBurst: less than Free, which is %d", c.Free)
	case c.SourceEvery < time.Millisecond:
		return errors.New("directory: Throttle.SourceEvery: less than a millisecond")
	case c.Forget < c.Cap:
		return errors.New("directory: Throttle.Forget: less than Cap")
	case c.MaxRows < 1000:
		return errors.New("directory: Throttle.MaxRows: less than 1000")
	}
	return nil
}

// wait returns how long an account waits after that many failures in a row.
func (c ThrottleConfig) wait(failures int) time.Duration {
	if failures < c.Free {
		return 0
	}
	d := c.Base
	for range failures - c.Free {
		if d >= c.Cap {
			break
		}
		d *= 2
	}
	return min(d, c.Cap)
}

// Throttled is the error of an attempt that came too soon. The password was
// not looked at.
type Throttled struct {
	// RetryAfter is how long to wait. More than zero.
	RetryAfter time.Duration

	// Closed says that the account has had MaxFailures, so that waiting is no
	// use: only a known device or a reset opens it. Names that nobody has
	// close in the same way.
	Closed bool
}

// Error returns the same text for every name and source.
func (t *Throttled) Error() string {
	if t.Closed {
		return "directory: too many failed attempts, account closed until a reset"
	}
	return fmt.Sprintf("directory: too many failed attempts, retry after %v", t.RetryAfter)
}
