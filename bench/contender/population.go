package contender

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/token"
)

const (
	perSubject = 4      // sessions of each subject of a population
	perToken   = 50     // cookie sessions for each token session
	stride     = 618029 // a prime that leads from one session to a far one
)

// Population is a store of this project with so many live sessions, and what
// happens to them all over it: successive operations are about sessions that
// were made far from each other. Those that end are replaced.
type Population struct {
	manager *lanyard.Manager
	keys    *lanyard.Keys
	store   lanyard.Store
	close   func() error

	sessions []member    // with cookies
	refresh  chan string // the current refresh tokens of the others
	made     chan member
	turn     atomic.Int64
	person   atomic.Int64
}

// member is a session and its cookie.
type member struct {
	sid    lanyard.SID
	cookie string
}

// fillers is how many sign in at once while a store is filled.
const fillers = 64

// NewPopulation signs people in until there are n sessions with cookies, four of
// each subject, and some with tokens between them. Without keys it draws some.
func NewPopulation(ctx context.Context, kind Kind, n int, base Base, keys *lanyard.Keys) (*Population, error) {
	store, shut, err := openStore(ctx, kind, base)
	if err != nil {
		return nil, err
	}
	p := &Population{
		keys: keys, store: store, close: shut,
		sessions: make([]member, n), refresh: make(chan string, (n+perToken-1)/perToken), made: make(chan member, 100_000),
	}
	p.person.Store(int64(n))
	if p.manager, err = Manager(store, keys, token.ES256); err == nil {
		err = together(fillers, func(caller int) error { return p.fill(ctx, caller) })
	}
	if err != nil {
		shut()
		return nil, fmt.Errorf("filling %s: %w", kind, err)
	}
	return p, nil
}

func (p *Population) fill(ctx context.Context, caller int) (err error) {
	for i := caller; i < len(p.sessions); i += fillers {
		if p.sessions[i], err = p.signIn(ctx, p.manager, i/perSubject); err != nil {
			return err
		}
		if i%perToken == 0 {
			g, err := p.manager.Start(ctx, somebody(i/perSubject).login(lanyard.ChannelToken))
			if err != nil {
				return err
			}
			p.refresh <- g.Refresh.Reveal()
		}
	}
	return nil
}

func (p *Population) signIn(ctx context.Context, m *lanyard.Manager, person int) (member, error) {
	g, err := m.Start(ctx, somebody(person).login(lanyard.ChannelCookie))
	if err != nil {
		return member{}, err
	}
	return member{g.Session.SID(), m.CookieName() + "=" + g.Handle.Reveal()}, nil
}

// Size is how many sessions there are, those with tokens included.
func (p *Population) Size() int { return len(p.sessions) + cap(p.refresh) }

// Badges are the cookies of the sessions.
func (p *Population) Badges() []Badge {
	badges := make([]Badge, len(p.sessions))
	for i, s := range p.sessions {
		badges[i] = Badge{"Cookie", s.cookie}
	}
	return badges
}

// CheckTogether judges the cookies given.
func (p *Population) CheckTogether(callers int, cookies []string) error {
	var next atomic.Int64
	requests := make([]*http.Request, callers)
	for i := range requests {
		requests[i] = emptyRequest()
	}
	return share(callers, len(cookies), func(caller int) error {
		return p.check(requests[caller], cookies[next.Add(1)-1])
	})
}

// Arrive fills the list with cookies in memory of their own, as they come from
// a network.
func (p *Population) Arrive(cookies []string) {
	for i := range cookies {
		cookies[i] = strings.Clone(p.sessions[p.next(len(p.sessions))].cookie)
	}
}

// CheckThese judges the cookies given.
func (p *Population) CheckThese(cookies []string) error {
	r := emptyRequest()
	for _, c := range cookies {
		if err := p.check(r, c); err != nil {
			return err
		}
	}
	return nil
}

func emptyRequest() *http.Request {
	r := httptest.NewRequest("GET", issuer+"/private", nil)
	r.Header["Cookie"] = []string{""}
	return r
}

func (p *Population) check(r *http.Request, cookie string) error {
	r.Header["Cookie"][0] = cookie
	_, err := p.manager.Check(r)
	return err
}

// Create signs in n people who are new. At most 100 000 are made before as many
// have been revoked.
func (p *Population) Create(ctx context.Context, callers, n int) error {
	return share(callers, n, func(int) error {
		m, err := p.signIn(ctx, p.manager, int(p.person.Add(1)))
		if err == nil {
			p.made <- m
		}
		return err
	})
}

// Rotate exchanges n refresh tokens, of all sessions that have one in turn.
func (p *Population) Rotate(ctx context.Context, callers, n int) error {
	return share(callers, n, func(int) error {
		text := <-p.refresh
		g, err := p.manager.Renew(ctx, text, lanyard.Renewal{})
		if err == nil {
			text = g.Refresh.Reveal()
		}
		p.refresh <- text
		return err
	})
}

// List lists the sessions of n subjects.
func (p *Population) List(ctx context.Context, callers, n int) error {
	return share(callers, n, func(int) error {
		subject := somebody(p.next(len(p.sessions)) / perSubject).subject
		_, _, err := p.manager.List(ctx, lanyard.Query{Subject: subject})
		return err
	})
}

// Revoke ends n sessions; those made by Create before take their places.
func (p *Population) Revoke(ctx context.Context, callers, n int) error {
	return share(callers, n, func(int) error {
		i := p.next(len(p.sessions))
		old := p.sessions[i]
		select {
		case p.sessions[i] = <-p.made:
		default:
			return errors.New("nobody was signed in to take the place of a session")
		}
		return p.manager.End(ctx, old.sid, lanyard.EndOptions{Reason: lanyard.ReasonLogout, By: "benchmark"})
	})
}

// next chooses one of n far from the one before.
func (p *Population) next(n int) int { return int(p.turn.Add(1) * stride % int64(n)) }

// Expiring adds n sessions of people who have none, whose idle limits all pass at
// the same time.
func (p *Population) Expiring(ctx context.Context, n int, at time.Time) error {
	m, err := managerAt(p.store, p.keys, token.ES256, func() time.Time { return at.Add(-p.manager.Policy().IdleTimeout) })
	if err != nil {
		return err
	}
	return together(fillers, func(caller int) error {
		for i := caller; i < n; i += fillers {
			if _, err := p.signIn(ctx, m, int(p.person.Add(1))); err != nil {
				return err
			}
		}
		return nil
	})
}

// Due counts the sessions in a store whose deadlines have passed and that nobody
// has ended yet, at most 1000. It ends them.
func Due(ctx context.Context, kind Kind, base Base) (int, error) {
	store, shut, err := openStore(ctx, kind, base)
	if err != nil {
		return 0, err
	}
	defer shut()
	done, err := store.Prune(ctx, lanyard.Prune{Now: lanyard.TimeOf(time.Now()), Limit: 1000})
	return len(done.Records), err
}

// Close closes the store.
func (p *Population) Close() error { return p.close() }
