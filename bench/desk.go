package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lanyard-go/lanyard/api"
)

// desk is `lanyard serve` with programs that hold sessions of people and call its
// OAuth endpoints, each caller as a program of its own: the server limits how fast
// one program, and one session, may go.
type desk struct {
	process *process
	http    *http.Client
	callers []*program
}

// program is a client with the sessions it holds, used in turn.
type program struct {
	id, secret string
	held       []api.Login
	next       int
}

// sessionsEach is how many sessions a program holds. The server takes 60 calls at
// once for each, and one a second.
const sessionsEach = 96

// openDesk starts the server on a store and signs people in.
func openDesk(ctx context.Context, binary, dir, store string, callers int) (_ *desk, err error) {
	data := filepath.Join(dir, "data")
	d := &desk{http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: callers}, Timeout: 30 * time.Second}}
	if d.process, err = startProcess(ctx, binary, "serve", "--data", data, "--store", store, "--listen", "127.0.0.1:0", "--log-level", "error"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.Close())
		}
	}()
	owner := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(data, "lanyard.sock"))
	}}}
	defer owner.CloseIdleConnections()
	for i := range callers {
		p := &program{id: fmt.Sprintf("bench-%d", i)}
		body, err := json.Marshal(api.OAuthClient{ID: p.id, Grants: []string{"refresh_token"}, MayIntrospect: true, MayCreateSessions: true})
		if err != nil {
			return nil, err
		}
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://localhost/v1/admin/clients", bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		r.Header.Set("Content-Type", "application/json")
		var added api.ClientAdded
		if err := exchange(owner, r, &added); err != nil {
			return nil, fmt.Errorf("adding a client: %w", err)
		}
		p.secret = added.Secret
		d.callers = append(d.callers, p)
	}
	return d, d.each(func(p *program) error { return d.signIn(ctx, p) })
}

// signIn gives a program its sessions.
func (d *desk) signIn(ctx context.Context, p *program) error {
	for i := range sessionsEach {
		body, err := json.Marshal(api.AdminSessionRequest{Subject: fmt.Sprintf("%s-person-%d", p.id, i), AMR: []string{"pwd"}, Channel: "token", UserAgent: p.id, IP: "127.0.0.1"})
		if err != nil {
			return err
		}
		var held api.Login
		if err := d.call(ctx, p, "/v1/admin/sessions", "application/json", body, &held); err != nil {
			return fmt.Errorf("signing in: %w", err)
		}
		p.held = append(p.held, held)
	}
	return nil
}

// refresh takes the program's next session one token on.
func (d *desk) refresh(ctx context.Context, p *program) error {
	held := p.turn()
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {held.RefreshToken}}
	var got api.Login
	if err := d.call(ctx, p, "/oauth2/token", formType, []byte(form.Encode()), &got); err != nil {
		return fmt.Errorf("refreshing: %w", err)
	}
	*held = got
	return nil
}

// introspect asks about the access token of the program's next session.
func (d *desk) introspect(ctx context.Context, p *program) error {
	form := url.Values{"token": {p.turn().AccessToken}}
	var got api.Introspection
	if err := d.call(ctx, p, "/oauth2/introspect", formType, []byte(form.Encode()), &got); err != nil {
		return fmt.Errorf("introspecting: %w", err)
	}
	if !got.Active {
		return errors.New("introspecting: a good token is not active")
	}
	return nil
}

func (p *program) turn() *api.Login {
	p.next = (p.next + 1) % len(p.held)
	return &p.held[p.next]
}

const formType = "application/x-www-form-urlencoded"

func (d *desk) call(ctx context.Context, p *program, path, mediaType string, body []byte, answer any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, d.process.url+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.SetBasicAuth(p.id, p.secret)
	r.Header.Set("Content-Type", mediaType)
	r.Header.Set("User-Agent", p.id)
	return exchange(d.http, r, answer)
}

func exchange(client *http.Client, r *http.Request, answer any) error {
	resp, err := client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d: %s", resp.StatusCode, strings.TrimSpace(string(body)))
	}
	return json.Unmarshal(body, answer)
}

// each lets all programs do something at once.
func (d *desk) each(do func(*program) error) error {
	errs := make([]error, len(d.callers))
	var all sync.WaitGroup
	for i, p := range d.callers {
		all.Go(func() { errs[i] = do(p) })
	}
	all.Wait()
	return errors.Join(errs...)
}

// load lets all programs call for a while and returns how many calls were
// answered, and the server's processor time.
func (d *desk) load(span time.Duration, call func(*program) error) (calls int, used time.Duration, err error) {
	before, err := processorTime(d.process.cmd.Process.Pid)
	if err != nil {
		return 0, 0, err
	}
	var n atomic.Int64
	end := time.Now().Add(span)
	if err := d.each(func(p *program) error {
		for time.Now().Before(end) {
			if err := call(p); err != nil {
				return err
			}
			n.Add(1)
		}
		return nil
	}); err != nil {
		return 0, 0, err
	}
	after, err := processorTime(d.process.cmd.Process.Pid)
	return int(n.Load()), after - before, err
}

// Close ends the server.
func (d *desk) Close() error {
	d.http.CloseIdleConnections()
	return d.process.stop()
}
