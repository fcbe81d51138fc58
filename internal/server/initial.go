package server

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

	"github.com/lanyard-go/lanyard/audit"
	"github.com/lanyard-go/lanyard/internal/directory"
)

// InitialAdmin is the administrator that the very first start makes.
type InitialAdmin struct {
	Name     string
	Password directory.Secret
}

// FirstStart adds an administrator with a random password if the directory has
// no user at all, and returns nil otherwise. Unless show is true nobody will see
// the answer, so the password is written to a file in the data directory first,
// which that administrator's first login removes.
func (s *Server) FirstStart(ctx context.Context, show bool) (*InitialAdmin, error) {
	// Of processes that start at once on one data directory, the second finds
	// what the first has done.
	lock, err := lockFile(initialPath(s.cfg.Data)+".lock", syscall.LOCK_EX)
	if err != nil {
		return nil, err
	}
	defer func() { os.Remove(lock.Name()); lock.Close() }()
	users, err := s.dir.Users(ctx, "", 1)
	if err != nil || len(users) > 0 {
		return nil, err
	}
	a := &InitialAdmin{Name: "admin", Password: directory.Secret(strings.ToLower(rand.Text()))}
	path := initialPath(s.cfg.Data)
	if !show {
		text := fmt.Sprintf("name: %s\npassword: %s\naddress: %s/login\n", a.Name, a.Password.Reveal(), s.URL())
		if err := writeFile(path, []byte(text)); err != nil {
			return nil, err
		}
	}
	_, err = s.dir.AddUser(ctx, directory.NewUser{Name: a.Name, Password: a.Password, Admin: true, Initial: true})
	if err != nil {
		os.Remove(path)
		if errors.Is(err, directory.ErrNotEmpty) {
			return nil, nil
		}
		return nil, fmt.Errorf("adding the first administrator: %w", err)
	}
	e := audit.Event{Time: s.now().UTC(), Name: audit.UserAdded, Actor: "system", Subject: a.Name, Reason: "first start"}
	if err := s.trail.Record(ctx, e); err != nil {
		s.sinkFailed(ctx, e, err)
	}
	return a, nil
}

// InitialFile is where the first administrator's password was written.
func (s *Server) InitialFile() string { return initialPath(s.cfg.Data) }
