package api

import (
	"bytes"
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/lanyard-go/lanyard/dpop"
)

// ClientConfig is what a [Client] is made of. Only Base is required.
type ClientConfig struct {
	// Base is the address of the server, such as https://app.example. It must be
	// https, or http on a loopback name.
	Base string

	// HTTP makes the calls; nil means a client of its own with a time limit of
	// 30 seconds. Its redirects are never followed: a token belongs to Base.
	HTTP *http.Client

	// UserAgent names the program, "lanyard-go-client" if empty. It must stay
	// the same over the life of a session: a refresh that is repeated from
	// another one counts as theft.
	UserAgent string

	// RefreshToken goes on with a session kept from an earlier run.
	RefreshToken string

	// Keep is called with each new refresh token before it is used, so that a
	// program can put it into the platform's keystore. Nil keeps it in memory
	// only. The one before may be forgotten only when Keep has returned nil.
	Keep func(refreshToken string) error

	// Key binds the tokens to a key that the client has (DPoP, RFC 9449): a copy
	// of them is of no use to others. On P-256, for Ed25519 or RSA, best one that
	// the platform does not give out; a session kept from an earlier run needs the
	// key it was begun with. Nil: bearer tokens.
	Key crypto.Signer

	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Client holds a token session with a lanyard server. It refreshes by itself
// shortly before the access token expires, one refresh at a time however many
// goroutines need one, and is safe for concurrent use.
type Client struct {
	base  *url.URL
	http  http.Client
	agent string
	keep  func(string) error
	now   func() time.Time
	proof *prover // nil for bearer tokens

	mu      sync.Mutex // held over a refresh, so that there is one at a time
	access  string
	expires time.Time
	refresh string
}

// ErrSignedOut is returned when the client has no session, or its session has
// ended. Sign in again.
var ErrSignedOut = errors.New("api: not signed in")

// Failed is an answer that is not a success.
type Failed struct {
	Status     int
	Code       string // such as invalid_credentials
	Message    string
	RequestID  string
	RetryAfter time.Duration
}

// Error returns status, code and message.
func (e *Failed) Error() string {
	return fmt.Sprintf("api: server answered %d %s: %s", e.Status, e.Code, e.Message)
}

// early is how long before its expiry an access token is replaced, for clocks
// that differ and calls that take time.
const early = 20 * time.Second

// NewClient returns a client, or an error that names the field.
func NewClient(cfg ClientConfig) (*Client, error) {
	u, err := url.Parse(strings.TrimSuffix(cfg.Base, "/"))
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("api: ClientConfig.Base: %q is not an address such as https://app.example", cfg.Base)
	}
	if h := u.Hostname(); u.Scheme != "https" && !(u.Scheme == "http" && (h == "localhost" || h == "127.0.0.1" || h == "::1")) {
		return nil, fmt.Errorf("api: ClientConfig.Base: %q must be https, or http on a loopback name", cfg.Base)
	}
	c := &Client{base: u, agent: cfg.UserAgent, keep: cfg.Keep, now: cfg.Now, refresh: cfg.RefreshToken}
	if cfg.HTTP != nil {
		c.http = *cfg.HTTP
	} else {
		c.http.Timeout = 30 * time.Second
	}
	c.http.Jar = nil // this channel has no cookies
	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	if c.agent == "" {
		c.agent = "lanyard-go-client"
	}
	if c.keep == nil {
		c.keep = func(string) error { return nil }
	}
	if c.now == nil {
		c.now = time.Now
	}
	if cfg.Key != nil {
		p, err := dpop.NewProver(cfg.Key, c.now)
		if err != nil {
			return nil, fmt.Errorf("api: ClientConfig.Key: %w", err)
		}
		c.proof = &prover{Prover: p}
	}
	return c, nil
}

// SignIn signs in with a password and returns the session. Device is what the
// session is called in lists.
func (c *Client) SignIn(ctx context.Context, username, password, device string) (*Session, error) {
	return c.begin(ctx, "/v1/login", LoginRequest{Username: username, Password: password, Channel: "token", Device: device})
}

// Redeem takes part in a session by a hand-off code made for the token channel.
func (c *Client) Redeem(ctx context.Context, code, device string) (*Session, error) {
	return c.begin(ctx, "/v1/session/redeem", RedeemRequest{Code: code, Device: device})
}

// Elevate confirms who is there and goes on with new tokens.
func (c *Client) Elevate(ctx context.Context, password string) (*Session, error) {
	token, err := c.Token(ctx)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.take(ctx, "/v1/elevate", ElevateRequest{Password: password}, token)
}

func (c *Client) begin(ctx context.Context, path string, in any) (*Session, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.take(ctx, path, in, "")
}

// take asks for tokens and takes them over. The caller holds the lock.
func (c *Client) take(ctx context.Context, path string, in any, token string) (*Session, error) {
	body, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	req, err := c.request(ctx, http.MethodPost, path, "application/json", body, token)
	if err != nil {
		return nil, err
	}
	var out Login
	if err := c.send(req, &out); err != nil {
		return nil, err
	}
	return out.Session, c.adopt(&out)
}

func (c *Client) adopt(l *Login) error {
	if l.TokenType != c.tokenType() || l.AccessToken == "" {
		return fmt.Errorf("api: the server answered with tokens of type %q, want %s", l.TokenType, c.tokenType())
	}
	c.access, c.expires = l.AccessToken, c.now().Add(time.Duration(l.ExpiresIn)*time.Second)
	if l.RefreshToken == "" {
		return nil
	}
	c.refresh = l.RefreshToken
	if err := c.keep(l.RefreshToken); err != nil {
		return fmt.Errorf("api: keeping the refresh token: %w", err)
	}
	return nil
}

// Token returns an access token with some life left, refreshing if need be. When
// the session has ended it returns [ErrSignedOut]; when the server cannot be
// reached the session is kept and the error says so.
func (c *Client) Token(ctx context.Context) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.access != "" && c.now().Before(c.expires.Add(-early)) {
		return c.access, nil
	}
	return c.renew(ctx)
}

// renew exchanges the refresh token. The caller holds the lock.
func (c *Client) renew(ctx context.Context) (string, error) {
	if c.refresh == "" {
		return "", ErrSignedOut
	}
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {c.refresh}}
	req, err := c.request(ctx, http.MethodPost, "/oauth2/token", "application/x-www-form-urlencoded", []byte(form.Encode()), "")
	if err != nil {
		return "", err
	}
	var out Login
	err = c.send(req, &out)
	if f, ok := errors.AsType[*Failed](err); ok && f.Code == "invalid_grant" {
		c.access, c.refresh = "", ""
		return "", ErrSignedOut
	}
	if err == nil {
		err = c.adopt(&out)
	}
	return c.access, err
}

// Session returns the session as the server sees it.
func (c *Client) Session(ctx context.Context) (*Session, error) {
	var out SessionAnswer
	err := c.Call(ctx, http.MethodGet, "/v1/session", nil, &out)
	return &out.Session, err
}

// Sessions returns all live sessions of the person.
func (c *Client) Sessions(ctx context.Context) ([]Session, error) {
	var all []Session
	for cursor := ""; ; {
		var page Sessions
		if err := c.Call(ctx, http.MethodGet, "/v1/sessions?cursor="+url.QueryEscape(cursor), nil, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Sessions...)
		if cursor = page.Next; cursor == "" {
			return all, nil
		}
	}
}

// End ends one of the person's sessions.
func (c *Client) End(ctx context.Context, sid string) error {
	return c.Call(ctx, http.MethodDelete, "/v1/sessions/"+url.PathEscape(sid), nil, nil)
}

// SignOut ends the session. The client forgets its tokens in any case, also when
// the server cannot be reached; the error then says that the session may live on
// there until its limits.
func (c *Client) SignOut(ctx context.Context) error {
	c.mu.Lock()
	refresh := c.refresh
	c.access, c.refresh = "", ""
	c.mu.Unlock()
	if refresh == "" {
		return nil
	}
	form := url.Values{"token": {refresh}}
	req, err := c.request(ctx, http.MethodPost, "/oauth2/revoke", "application/x-www-form-urlencoded", []byte(form.Encode()), "")
	if err != nil {
		return err
	}
	return c.send(req, nil)
}

// Call makes an authenticated call to the server and reads its JSON answer into
// out, which may be nil. An answer 401 to a token that was still good by the
// clock is tried once more with a new one.
func (c *Client) Call(ctx context.Context, method, path string, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	for attempt := 0; ; attempt++ {
		token, err := c.Token(ctx)
		if err != nil {
			return err
		}
		req, err := c.request(ctx, method, path, "application/json", body, token)
		if err != nil {
			return err
		}
		err = c.send(req, out)
		f, ok := errors.AsType[*Failed](err)
		if !ok || f.Status != http.StatusUnauthorized || f.Code != "invalid_token" || attempt > 0 {
			return err
		}
		c.distrust(token)
	}
}

// distrust makes the next call refresh, unless somebody has refreshed already.
func (c *Client) distrust(token string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.access == token {
		c.access = ""
	}
}

func (c *Client) request(ctx context.Context, method, path, kind string, body []byte, token string) (*http.Request, error) {
	if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") {
		return nil, fmt.Errorf("api: %q is not a path on the server", path)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base.String()+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", c.agent)
	req.Header.Set("Accept", "application/json")
	if len(body) > 0 {
		req.Header.Set("Content-Type", kind)
	}
	if token != "" {
		req.Header.Set("Authorization", c.tokenType()+" "+token)
	}
	return req, nil
}

// send makes a call, with a proof of possession if the client has a key, and once
// more if the server wants its nonce in that.
func (c *Client) send(req *http.Request, out any) error {
	for attempt := 0; ; attempt++ {
		if err := c.proof.sign(req); err != nil {
			return err
		}
		res, err := c.http.Do(req)
		if err != nil {
			return fmt.Errorf("api: %w", err)
		}
		c.proof.learn(req, res)
		err = read(res, out)
		f, ok := errors.AsType[*Failed](err)
		if !ok || f.Code != "use_dpop_nonce" || c.proof == nil || attempt > 0 {
			return err
		}
		if req.Body, err = req.GetBody(); err != nil {
			return err
		}
	}
}

func read(res *http.Response, out any) error {
	defer res.Body.Close()
	body := io.LimitReader(res.Body, 4<<20)
	if res.StatusCode >= 300 {
		return failed(res, body)
	}
	if out == nil || res.StatusCode == http.StatusNoContent {
		io.Copy(io.Discard, body)
		return nil
	}
	if err := json.NewDecoder(body).Decode(out); err != nil {
		return fmt.Errorf("api: reading the answer: %w", err)
	}
	return nil
}

func failed(res *http.Response, body io.Reader) error {
	var e struct {
		Error
		Description string `json:"error_description"`
	}
	json.NewDecoder(body).Decode(&e)
	f := &Failed{Status: res.StatusCode, Code: e.Code, Message: e.Message, RequestID: e.RequestID}
	if f.Message == "" {
		f.Message = e.Description
	}
	if d, err := time.ParseDuration(res.Header.Get("Retry-After") + "s"); err == nil {
		f.RetryAfter = d
	}
	return f
}
