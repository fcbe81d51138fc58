package contender

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/lanyard-go/lanyard"
)

// Kind names a contender that can be asked for its private page.
type Kind string

// The contenders. Bare recognises nobody: it is the floor.
const (
	Bare            Kind = "net/http alone"
	LanyardCookie   Kind = "lanyard, cookie, memory"
	LanyardToken    Kind = "lanyard, token, memory"
	LanyardSQLite   Kind = "lanyard, cookie, SQLite"
	LanyardPostgres Kind = "lanyard, cookie, PostgreSQL"
	LanyardRedis    Kind = "lanyard, cookie, Redis"
	SCSMemory       Kind = "scs, memory"
	SCSMemoryIdle   Kind = "scs, memory, idle limit"
	SCSSQLite       Kind = "scs, SQLite"
	SCSSQLiteIdle   Kind = "scs, SQLite, idle limit"
	SCSPostgres     Kind = "scs, PostgreSQL"
	SCSPostgresIdle Kind = "scs, PostgreSQL, idle limit"
	SCSRedis        Kind = "scs, Redis"
	SCSRedisIdle    Kind = "scs, Redis, idle limit"
	GorillaCookie   Kind = "gorilla/sessions, cookie store"
	JWTES256        Kind = "golang-jwt, ES256"
	JWTEdDSA        Kind = "golang-jwt, EdDSA"
)

// Kinds lists all contenders but those of [PageKinds].
func Kinds() []Kind {
	return []Kind{
		Bare, LanyardCookie, LanyardToken, LanyardSQLite, LanyardPostgres, LanyardRedis,
		SCSMemory, SCSMemoryIdle, SCSSQLite, SCSSQLiteIdle, SCSPostgres, SCSPostgresIdle, SCSRedis, SCSRedisIdle,
		GorillaCookie, JWTES256, JWTEdDSA,
	}
}

// Site is a contender with people signed in.
type Site struct {
	Handler http.Handler     // the private page, whatever the path
	Badges  []Badge          // one for each person, in their order
	Forms   []string         // of a site with pages: what the form of each person sends
	Manager *lanyard.Manager // of this project's sites

	store   lanyard.Store // of this project's sites
	login   func(context.Context, person) (Badge, error)
	people  people
	closers []func() error
}

// Open makes the site of a contender and signs in n people, on a base of its
// own. Close it after use.
func Open(ctx context.Context, kind Kind, n int, base Base) (*Site, error) {
	var s *Site
	var err error
	switch kind {
	case Bare:
		s, err = openBare(n), nil
	case LanyardCookie, LanyardToken, LanyardSQLite, LanyardPostgres, LanyardRedis:
		s, err = openLanyard(ctx, kind, n, base)
	case SCSMemory, SCSMemoryIdle, SCSSQLite, SCSSQLiteIdle, SCSPostgres, SCSPostgresIdle, SCSRedis, SCSRedisIdle:
		s, err = openSCS(ctx, kind, n, base)
	case GorillaCookie:
		s, err = openGorilla(n)
	case JWTES256, JWTEdDSA:
		s, err = openJWT(kind, n)
	case PagesBare, PagesLanyard, PagesLanyardToken, PagesSCS, PagesSCSGorilla:
		s, err = openPages(ctx, kind, n)
	default:
		err = errors.New("no such contender")
	}
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", kind, err)
	}
	return s, nil
}

// fill signs n people in, one after another.
func (s *Site) fill(ctx context.Context, n int) error {
	s.Badges = make([]Badge, n)
	for i := range n {
		var err error
		if s.Badges[i], err = s.login(ctx, s.people.next()); err != nil {
			return fmt.Errorf("signing in: %w", err)
		}
	}
	return nil
}

// Logins signs in n people who have not been seen before, with so many callers.
func (s *Site) Logins(ctx context.Context, callers, n int) error {
	return share(callers, n, func(int) error {
		_, err := s.login(ctx, s.people.next())
		return err
	})
}

// Close gives back what the site holds.
func (s *Site) Close() error {
	var err error
	for i := len(s.closers) - 1; i >= 0; i-- {
		err = errors.Join(err, s.closers[i]())
	}
	return err
}

// openBare serves the page to everybody. The badges are of a usual size, so
// that as many bytes arrive as elsewhere.
func openBare(n int) *Site {
	s := &Site{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { page(w, "user00000000") })}
	for i := range n {
		s.Badges = append(s.Badges, cookieBadge("session", fmt.Sprintf("%0100d", i)))
	}
	return s
}

// page is the private page: it names who asks. Nobody is refused.
func page(w http.ResponseWriter, subject string) {
	if subject == "" {
		http.Error(w, "sign in first", http.StatusUnauthorized)
		return
	}
	io.WriteString(w, subject)
}
