package api

import (
	"context"
	"net/http"
	"strings"
	"sync"

	"github.com/lanyard-go/lanyard/dpop"
)

// prover makes proofs and keeps the last nonce of each server, apart for asking
// tokens and for using them. A nil one makes none.
type prover struct {
	*dpop.Prover
	nonces sync.Map // of string, by place
}

// place is who hands out the nonce for a request.
func place(r *http.Request) string {
	if r.Header.Get("Authorization") == "" {
		return "tokens " + r.URL.Host
	}
	return r.URL.Scheme + "://" + r.URL.Host
}

// sign puts a proof into a request that is otherwise complete.
func (p *prover) sign(r *http.Request) error {
	if p == nil {
		return nil
	}
	_, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	nonce, _ := p.nonces.Load(place(r))
	text, _ := nonce.(string)
	proof, err := p.Proof(r.Method, r.URL.String(), token, text)
	if err != nil {
		return err
	}
	r.Header.Set("DPoP", proof)
	return nil
}

// learn notes the nonce of an answer.
func (p *prover) learn(r *http.Request, a *http.Response) {
	if p == nil {
		return
	}
	if n := a.Header.Get("DPoP-Nonce"); n != "" {
		p.nonces.Store(place(r), n)
	}
}

func (c *Client) tokenType() string {
	if c.proof != nil {
		return "DPoP"
	}
	return "Bearer"
}

// Authorize puts the access token into a request to a service that takes this
// server's tokens, with a proof of possession if the client has a key. A proof
// is for this one request: call it anew for each, also for one that is repeated.
// Where the answer is 401 with a DPoP-Nonce header, give it to [Client.Learn] and
// repeat the request.
func (c *Client) Authorize(ctx context.Context, r *http.Request) error {
	token, err := c.Token(ctx)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", c.tokenType()+" "+token)
	return c.proof.sign(r)
}

// Learn notes the nonce that a service's answer carries, for the next
// [Client.Authorize] of a request to it. It reports whether there was one.
func (c *Client) Learn(a *http.Response) bool {
	if c.proof == nil || a.Request == nil || a.Header.Get("DPoP-Nonce") == "" {
		return false
	}
	c.proof.learn(a.Request, a)
	return true
}
