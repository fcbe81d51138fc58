package verifier

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/lanyard-go/lanyard/internal/jose"
	"github.com/lanyard-go/lanyard/token"
)

// Introspection is how to ask the issuer whether a token still holds (RFC 7662).
// It is asked about tokens only whose signature and claims are right, so that
// garbage costs the issuer nothing. An answer that cannot be had or understood
// leads to 503.
type Introspection struct {
	// URL is the endpoint. Empty means what the issuer's metadata say; it is
	// required together with Config.Keys or Config.JWKSURL.
	URL string
	// Credentials prove this service to the issuer, by HTTP Basic. Zero means
	// Config.Credentials.
	Credentials Credentials
	// CacheFor is how long an answer is used again, and so how late the end of a
	// session can be noticed; zero means 2 seconds, a negative value that every
	// request asks, the most is 30 seconds.
	CacheFor time.Duration
	// Timeout bounds each question; zero means 2 seconds, the most is a minute.
	Timeout time.Duration
}

const (
	defaultCacheFor             = 2 * time.Second
	maxCacheFor                 = 30 * time.Second
	defaultIntrospectionTimeout = 2 * time.Second

	// maxAsking bounds the questions under way.
	maxAsking = 64
)

// introspector asks, once for all who have the same question at once.
type introspector struct {
	issuer  string
	url     string // empty: keys knows
	keys    *source
	client  *http.Client
	user    string
	secret  string
	timeout time.Duration
	now     func() time.Time
	answers *answers
	slots   chan struct{}
}

func newIntrospector(cfg Config, in Introspection, client *http.Client, keys *source) (*introspector, error) {
	switch {
	case in.URL == "" && (keys == nil || keys.metadata == ""):
		return nil, errors.New("verifier: Config.Introspect.URL is required with Keys or JWKSURL")
	case in.Credentials.ClientID == "" || in.Credentials.Secret == "":
		return nil, errors.New("verifier: Config.Introspect.Credentials are required")
	case in.CacheFor > maxCacheFor:
		return nil, fmt.Errorf("verifier: Config.Introspect.CacheFor must be at most %v", maxCacheFor)
	case in.Timeout < 0 || in.Timeout > timeoutLimit:
		return nil, fmt.Errorf("verifier: Config.Introspect.Timeout must be 0 to %v", timeoutLimit)
	}
	if in.URL != "" {
		if _, err := parseAddress(in.URL); err != nil {
			return nil, fmt.Errorf("verifier: Config.Introspect.URL: %w", err)
		}
	}
	if in.CacheFor == 0 {
		in.CacheFor = defaultCacheFor
	}
	if in.Timeout == 0 {
		in.Timeout = defaultIntrospectionTimeout
	}
	i := &introspector{
		issuer: cfg.Issuer, url: in.URL, keys: keys, client: client, timeout: in.Timeout, now: cfg.Now,
		answers: newAnswers(in.CacheFor), slots: make(chan struct{}, maxAsking),
	}
	i.user, i.secret = in.Credentials.basic()
	return i, nil
}

// check returns nil if the issuer says that the token holds, ErrRevoked if it
// says that it does not, and another error if it cannot be asked.
func (i *introspector) check(ctx context.Context, raw string, c *token.Claims) error {
	verdict, mine := i.answers.find(sha256.Sum256([]byte(raw)), i.now())
	if mine {
		// On its own: others may wait for the answer when this request is gone.
		raw = strings.Clone(raw)
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), i.timeout)
			defer cancel()
			err := i.ask(ctx, raw, c)
			verdict.settle(err)
		}()
	}
	select {
	case <-verdict.done:
		return verdict.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// anew is check by an answer to a question of its own, asked after the call.
func (i *introspector) anew(ctx context.Context, raw string, c *token.Claims) error {
	ctx, cancel := context.WithTimeout(ctx, i.timeout)
	defer cancel()
	return i.ask(ctx, raw, c)
}

func (i *introspector) ask(ctx context.Context, raw string, c *token.Claims) error {
	select {
	case i.slots <- struct{}{}:
		defer func() { <-i.slots }()
	case <-ctx.Done():
		return errors.New("introspecting: too many questions are under way")
	}
	address := i.url
	if address == "" {
		if set := i.keys.set.Load(); set != nil {
			address = set.places.introspect
		}
		if address == "" {
			return errors.New("introspecting: the issuer's metadata name no introspection_endpoint")
		}
	}
	form := url.Values{"token": {raw}, "token_type_hint": {"access_token"}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return fmt.Errorf("introspecting: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	req.SetBasicAuth(i.user, i.secret)
	a, err := exchange(i.client, req, "application/json")
	if status, ok := errors.AsType[*statusError](err); ok && status.status == http.StatusUnauthorized {
		return fmt.Errorf("introspecting at %s: the issuer does not accept the credentials: %w", address, err)
	}
	if err != nil {
		return fmt.Errorf("introspecting at %s: %w", address, err)
	}
	err = parseIntrospection(a.body, c)
	if err != nil && !errors.Is(err, ErrRevoked) {
		return fmt.Errorf("introspecting at %s: %w", address, err)
	}
	return err
}

var introspectionLimits = jose.Limits{Bytes: maxAnswer, Depth: 8, Members: 256}

// confirmation reads the thumbprint of a key (RFC 9449 section 6.2).
func confirmation(v jose.Value) (string, bool) {
	members, ok := v.Members()
	if !ok || len(members) != 1 || members[0].Name != "jkt" {
		return "", false
	}
	return members[0].Value.Str()
}

// parseIntrospection reads an answer about the token with claims c. Whatever it
// says of the token must be what the token says: otherwise it is the answer to
// another question.
func parseIntrospection(text string, c *token.Claims) error {
	members, err := jose.ParseObject(nil, text, introspectionLimits)
	if err != nil {
		return err
	}
	says := map[string]string{"iss": c.Issuer, "sub": c.Subject, "client_id": c.ClientID, "jti": c.ID, "sid": c.SID}
	active := ""
	for _, m := range members {
		switch want, compared := says[m.Name]; {
		case m.Name == "active":
			active = m.Value.Raw()
		case m.Name == "cnf":
			// The issuer must not know of another key than the token names.
			if jkt, ok := confirmation(m.Value); !ok || jkt == "" || jkt != c.JKT {
				return &Refused{Cause: CauseBound}
			}
		case compared:
			if got, ok := m.Value.Str(); !ok || got != want {
				return fmt.Errorf("the answer is about another token: its %s differs", m.Name)
			}
		}
	}
	switch active {
	case "true":
		return nil
	case "false":
		return ErrRevoked
	}
	return errors.New("the answer does not say whether the token is active")
}
