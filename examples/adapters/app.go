// Package adapters is one small application in four routers: [Chi], [Echo], [Gin]
// and [Mux]. It shows that a router needs no adapter: what is an http.Handler or
// wraps one fits each of them, in one line or, for gin, in ten. Start with the
// file of the router at hand.
//
// The application answers programs and scripts. A page with a login form is in
// examples/shop.
package adapters

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/csrf"
)

// App keeps the settings of people, in memory. Its methods are the routes that are
// the same in every router; those that need a router's own way are in its file.
type App struct {
	sessions *lanyard.Manager
	passes   func(name, password string) bool
	sockets  *csrf.Check

	mu       sync.Mutex
	settings map[string]map[string]string
}

// New makes the application. Passes says whether a password is right; it may be
// called concurrently.
func New(m *lanyard.Manager, passes func(name, password string) bool) (*App, error) {
	sockets, err := csrf.New(csrf.Config{})
	if err != nil {
		return nil, err
	}
	return &App{sessions: m, passes: passes, sockets: sockets, settings: map[string]map[string]string{}}, nil
}

// SignedIn lets in whoever is signed in, by either badge.
func (a *App) SignedIn(next http.Handler) http.Handler {
	return a.sessions.Require(lanyard.Need{}, next)
}

// Recent lets in who has given a password lately.
func (a *App) Recent(next http.Handler) http.Handler {
	return a.sessions.Require(lanyard.Need{MaxAge: lanyard.RecentAuth}, next)
}

// profile is the answer of GET /me.
type profile struct {
	Name     string            `json:"name"`
	Via      string            `json:"via"`
	Settings map[string]string `json:"settings"`
}

func (a *App) profile(s *lanyard.Session) profile {
	a.mu.Lock()
	defer a.mu.Unlock()
	p := profile{Name: s.Subject(), Via: s.Via().String(), Settings: map[string]string{}}
	for name, value := range a.settings[s.Subject()] {
		p.Settings[name] = value
	}
	return p
}

// set keeps what the body of PUT /settings/{name} says.
func (a *App) set(s *lanyard.Session, name string, body io.Reader) error {
	value, err := io.ReadAll(io.LimitReader(body, 1<<10))
	if err != nil {
		return fmt.Errorf("reading a setting: %w", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.settings[s.Subject()] == nil {
		a.settings[s.Subject()] = map[string]string{}
	}
	a.settings[s.Subject()][name] = string(value)
	return nil
}

// ask is the body of POST /login and POST /confirm.
type ask struct {
	Name     string `json:"name"`
	Password string `json:"password"`
	Tokens   bool   `json:"tokens"` // for programs: a token pair instead of a cookie
}

// Login signs in: POST /login.
func (a *App) Login(w http.ResponseWriter, r *http.Request) {
	if err := a.sessions.CheckLogin(r, false); err != nil {
		a.sessions.WriteError(w, r, err)
		return
	}
	in, ok := a.credentials(w, r)
	if !ok {
		return
	}
	login := lanyard.Login{Subject: in.Name, Methods: []string{"pwd"}, Request: r}
	if in.Tokens {
		login.Channel = lanyard.ChannelToken
	}
	grant, err := a.sessions.Start(r.Context(), login)
	a.answer(w, r, grant, err)
}

// Confirm takes the password once more: POST /confirm.
func (a *App) Confirm(w http.ResponseWriter, r *http.Request) {
	s := lanyard.From(r.Context())
	if in, ok := a.credentials(w, r); ok && in.Name == s.Subject() {
		grant, err := a.sessions.Elevate(r.Context(), s, lanyard.Elevation{Methods: []string{"pwd"}})
		a.answer(w, r, grant, err)
	} else if ok {
		http.Error(w, "this is somebody else", http.StatusForbidden)
	}
}

// Logout ends the session: POST /logout.
func (a *App) Logout(w http.ResponseWriter, r *http.Request) {
	if err := a.sessions.Logout(w, r); err != nil {
		a.sessions.WriteError(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// credentials reads and checks a body; if it does not hold, that is answered.
func (a *App) credentials(w http.ResponseWriter, r *http.Request) (ask, bool) {
	var in ask
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4<<10)).Decode(&in); err != nil {
		http.Error(w, "want name and password as JSON", http.StatusBadRequest)
		return ask{}, false
	}
	if !a.passes(in.Name, in.Password) {
		http.Error(w, "name and password do not fit", http.StatusUnauthorized)
		return ask{}, false
	}
	return in, true
}

// answer hands a grant out: a cookie in the header, tokens as the body.
func (a *App) answer(w http.ResponseWriter, r *http.Request, grant *lanyard.Grant, err error) {
	if err == nil {
		err = a.sessions.Write(w, r, grant)
	}
	if err != nil {
		a.sessions.WriteError(w, r, err)
	}
}

// Events says hello at once and then nothing until the caller goes: GET /events.
func (a *App) Events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	fmt.Fprintf(w, "data: hello %s\n\n", lanyard.From(r.Context()).Subject())
	if err := http.NewResponseController(w).Flush(); err != nil {
		panic(err) // a writer that cannot flush was put around ours
	}
	<-r.Context().Done()
}

// Socket speaks a protocol of one word, to show the way of every other one:
// GET /socket. A handshake is a GET, which the manager's check passes, so it is
// judged here.
func (a *App) Socket(w http.ResponseWriter, r *http.Request) {
	t := a.sessions.Transport(r)
	if err := a.sockets.DecideUpgrade(r, csrf.Facts{Scheme: t.Scheme, Host: t.Host}); err != nil {
		http.Error(w, "not from this site's own pages", http.StatusForbidden)
		return
	}
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err) // a writer that cannot be hijacked was put around ours
	}
	defer conn.Close()
	fmt.Fprint(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: hello\r\n\r\n")
	greet(rw, lanyard.From(r.Context()).Subject())
}

// greet answers each line with the name of who is signed in.
func greet(rw *bufio.ReadWriter, name string) {
	for rw.Flush() == nil {
		line, err := rw.ReadString('\n')
		if err != nil {
			return
		}
		fmt.Fprintf(rw, "%s, %s", name, line)
	}
}

// broken is what a handler with a bug does: GET /broken.
func broken() { panic("a bug") }

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	json.NewEncoder(w).Encode(v)
}
