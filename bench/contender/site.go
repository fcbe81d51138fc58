package contender

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// Kind names a contender that can be asked for its private page.
type Kind string

// The contenders. Bare recognises nobody: it is the floor.
const (
	Bare          Kind = "net/http alone"
	LanyardCookie Kind = "lanyard, cookie, memory"
	LanyardSQLite Kind = "lanyard, cookie, SQLite"
	LanyardToken  Kind = "lanyard, token, memory"
	SCSMemory     Kind = "scs, memory"
	SCSIdle       Kind = "scs, memory, idle limit"
	SCSSQLite     Kind = "scs, SQLite"
	GorillaCookie Kind = "gorilla/sessions, cookie store"
	JWTES256      Kind = "golang-jwt, ES256"
	JWTEdDSA      Kind = "golang-jwt, EdDSA"
)

// Kinds lists all contenders.
func Kinds() []Kind {
	return []Kind{Bare, LanyardCookie, LanyardSQLite, LanyardToken, SCSMemory, SCSIdle, SCSSQLite, GorillaCookie, JWTES256, JWTEdDSA}
}

// Site is a contender with people signed in.
type Site struct {
	Handler http.Handler // the private page, whatever the path
	Badges  []Badge      // one for each person, in their order
	closers []func() error
}

// Open makes the site of a contender and signs in n people. Databases are made
// in dir, which must be empty. Close it after use.
func Open(ctx context.Context, kind Kind, n int, dir string) (*Site, error) {
	var s *Site
	var err error
	switch kind {
	case Bare:
		s, err = openBare(n), nil
	case LanyardCookie, LanyardSQLite, LanyardToken:
		s, err = openLanyard(ctx, kind, n, dir)
	case SCSMemory, SCSIdle, SCSSQLite:
		s, err = openSCS(ctx, kind, n, dir)
	case GorillaCookie:
		s, err = openGorilla(n)
	case JWTES256, JWTEdDSA:
		s, err = openJWT(kind, n)
	default:
		err = errors.New("no such contender")
	}
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", kind, err)
	}
	return s, nil
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
