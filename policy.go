package lanyard

import (
	"errors"
	"fmt"
	"time"
)

// Policy holds the limits of sessions. The zero value of a field takes the
// value of the profile named in Profile, so a zero Policy is the profile
// "standard"; no field can express "unlimited".
type Policy struct {
	// Profile names the base: standard, strict, aal1, aal2 or aal3. Empty means
	// standard.
	Profile string

	IdleTimeout      time.Duration // cookie channel: without activity for this long
	TokenIdleTimeout time.Duration // token channel: without a refresh or call for this long
	AbsoluteTimeout  time.Duration // since authentication, whatever happens
	AccessTokenTTL   time.Duration // at most 15 minutes; jittered downwards by up to 5 %
	RecentAuth       time.Duration // what counts as recent for sensitive actions

	// RefreshRetryWindow is how long the predecessor of a refresh token yields
	// its successor again, at most 60 s. Negative means no window.
	RefreshRetryWindow time.Duration

	// RequireCSRFToken demands a session-bound token from cookie-authenticated
	// unsafe requests, besides the header check. Profiles that demand it cannot
	// be talked out of it.
	RequireCSRFToken bool

	// Binding says whether clients prove possession of a key.
	Binding BindingMode

	// MaxSessions is the number of live sessions a subject may have, 0 for no
	// limit; OnLimit says what happens at it.
	MaxSessions int
	OnLimit     LimitAction

	// LimitsJustification is the written reason for limits longer than an aal
	// profile allows (NIST SP 800-63B-4). Without it they are refused.
	LimitsJustification string
}

// BindingMode says how much a policy wants sessions bound to a key.
type BindingMode string

// Binding modes. Empty means what the profile says.
const (
	BindingOff     BindingMode = "off"
	BindingPrefer  BindingMode = "prefer"
	BindingRequire BindingMode = "require"
)

const (
	minute = time.Minute
	hour   = time.Hour
	day    = 24 * time.Hour

	maxAccessTTL   = 15 * time.Minute
	maxRetryWindow = 60 * time.Second
	maxTimeout     = 400 * day // beyond this no browser keeps a cookie
)

// profiles is the table of the HTTP contract; a test holds docs and this
// together.
var profiles = map[string]Policy{
	"standard": {IdleTimeout: 24 * hour, TokenIdleTimeout: 14 * day, AbsoluteTimeout: 30 * day, AccessTokenTTL: 5 * minute, RefreshRetryWindow: 30 * time.Second, Binding: BindingPrefer, RecentAuth: 10 * minute},
	"strict":   {IdleTimeout: 30 * minute, TokenIdleTimeout: 12 * hour, AbsoluteTimeout: 24 * hour, AccessTokenTTL: 2 * minute, RefreshRetryWindow: -1, RequireCSRFToken: true, Binding: BindingPrefer, RecentAuth: 5 * minute},
	"aal1":     {IdleTimeout: 7 * day, TokenIdleTimeout: 30 * day, AbsoluteTimeout: 30 * day, AccessTokenTTL: 5 * minute, RefreshRetryWindow: 30 * time.Second, Binding: BindingOff, RecentAuth: 10 * minute},
	"aal2":     {IdleTimeout: 30 * minute, TokenIdleTimeout: 1 * hour, AbsoluteTimeout: 24 * hour, AccessTokenTTL: 5 * minute, RefreshRetryWindow: -1, RequireCSRFToken: true, Binding: BindingPrefer, RecentAuth: 10 * minute},
	"aal3":     {IdleTimeout: 15 * minute, TokenIdleTimeout: 15 * minute, AbsoluteTimeout: 12 * hour, AccessTokenTTL: 2 * minute, RefreshRetryWindow: -1, RequireCSRFToken: true, Binding: BindingRequire, RecentAuth: 5 * minute},
}

// ceilings are the longest limits of NIST SP 800-63B-4 sections 2.1.3, 2.2.3
// and 2.3.3; zero where the text sets none.
var ceilings = map[string]struct{ idle, absolute time.Duration }{
	"aal1": {0, 30 * day},
	"aal2": {1 * hour, 24 * hour},
	"aal3": {15 * minute, 12 * hour},
}

// Profiles returns the names of the ready profiles, in the order of the docs.
func Profiles() []string { return []string{"standard", "strict", "aal1", "aal2", "aal3"} }

// Resolve fills in the profile's values and checks the limits. Errors name the
// field.
func (p Policy) Resolve() (Policy, error) {
	if p.Profile == "" {
		p.Profile = "standard"
	}
	base, ok := profiles[p.Profile]
	if !ok {
		return Policy{}, fmt.Errorf("lanyard: Policy.Profile: no profile %q; there are standard, strict, aal1, aal2, aal3", p.Profile)
	}
	fill := func(v *time.Duration, from time.Duration) {
		if *v == 0 {
			*v = from
		}
	}
	fill(&p.IdleTimeout, base.IdleTimeout)
	fill(&p.TokenIdleTimeout, base.TokenIdleTimeout)
	fill(&p.AbsoluteTimeout, base.AbsoluteTimeout)
	fill(&p.AccessTokenTTL, base.AccessTokenTTL)
	fill(&p.RefreshRetryWindow, base.RefreshRetryWindow)
	fill(&p.RecentAuth, base.RecentAuth)
	p.RequireCSRFToken = p.RequireCSRFToken || base.RequireCSRFToken
	if p.Binding == "" {
		p.Binding = base.Binding
	}
	if p.RefreshRetryWindow < 0 {
		p.RefreshRetryWindow = -1
	}
	return p, p.check()
}

func (p Policy) check() error {
	bounds := []struct {
		field    string
		value    time.Duration
		min, max time.Duration
	}{
		{"IdleTimeout", p.IdleTimeout, time.Second, maxTimeout},
		{"TokenIdleTimeout", p.TokenIdleTimeout, time.Second, maxTimeout},
		{"AbsoluteTimeout", p.AbsoluteTimeout, time.Second, maxTimeout},
		{"AccessTokenTTL", p.AccessTokenTTL, time.Second, maxAccessTTL},
		{"RecentAuth", p.RecentAuth, time.Second, maxTimeout},
	}
	for _, b := range bounds {
		if b.value < b.min || b.value > b.max {
			return fmt.Errorf("lanyard: Policy.%s: %v is out of range, want %v to %v", b.field, b.value, b.min, b.max)
		}
	}
	if p.RefreshRetryWindow > maxRetryWindow {
		return fmt.Errorf("lanyard: Policy.RefreshRetryWindow: %v is too long, at most %v", p.RefreshRetryWindow, maxRetryWindow)
	}
	if p.RefreshRetryWindow > 0 && profiles[p.Profile].RefreshRetryWindow < 0 {
		return fmt.Errorf("lanyard: Policy.RefreshRetryWindow: profile %s has no retry window; use standard or aal1 for one", p.Profile)
	}
	switch p.Binding {
	case BindingOff, BindingPrefer, BindingRequire:
	default:
		return fmt.Errorf("lanyard: Policy.Binding: %q is not off, prefer or require", p.Binding)
	}
	if p.Profile == "aal3" && p.Binding != BindingRequire {
		return fmt.Errorf("lanyard: Policy.Binding: profile aal3 requires binding, not %q", p.Binding)
	}
	if p.MaxSessions < 0 {
		return errors.New("lanyard: Policy.MaxSessions: must not be negative; 0 means no limit")
	}
	if p.OnLimit > LimitRefuse {
		return errors.New("lanyard: Policy.OnLimit: unknown action")
	}
	return p.checkCeiling()
}

func (p Policy) checkCeiling() error {
	c, ok := ceilings[p.Profile]
	if !ok {
		return nil
	}
	over := ""
	switch {
	case p.AbsoluteTimeout > c.absolute:
		over = "AbsoluteTimeout"
	case c.idle > 0 && p.IdleTimeout > c.idle:
		over = "IdleTimeout"
	case c.idle > 0 && p.TokenIdleTimeout > c.idle:
		over = "TokenIdleTimeout"
	default:
		return nil
	}
	if p.Profile == "aal3" && p.AbsoluteTimeout > c.absolute {
		return fmt.Errorf("lanyard: Policy.AbsoluteTimeout: aal3 allows at most %v, with no exception", c.absolute)
	}
	if p.LimitsJustification == "" {
		return fmt.Errorf("lanyard: Policy.%s: longer than profile %s allows (idle %v, absolute %v); give LimitsJustification, the reason on record, or shorten it",
			over, p.Profile, c.idle, c.absolute)
	}
	return nil
}

// idle returns the idle limit of a channel.
func (p *Policy) idle(c Channel) time.Duration {
	if c == ChannelToken {
		return p.TokenIdleTimeout
	}
	return p.IdleTimeout
}

// ActivityLag bounds how far the stored time of last activity may lag behind:
// the smaller of 60 s and a tenth of the idle limit. Within it activity is not
// written, so a session may idle out that much earlier, never later.
func (p *Policy) ActivityLag(c Channel) time.Duration {
	return min(time.Minute, p.idle(c)/10)
}

// idleDeadline returns when a record of the channel that is active at now is
// over for want of activity, never later than its absolute limit.
func (p *Policy) idleDeadline(c Channel, now, expires Time) Time {
	return min(now.Add(p.idle(c)), expires)
}
