package main

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard/bench/contender"
	"github.com/lanyard-go/lanyard/token"
)

// tokens compares checks of access tokens alone, without HTTP or records, and
// measures the endpoints that hand them out and answer questions about them.
func (b *bench) tokens(ctx context.Context, dir string) (section, error) {
	s := section{Title: "Checking an access token", Notes: []string{
		"The same tokens for all. The bare check is the digest and the standard library's signature check with everything parsed beforehand: nobody can do less. A first sight includes remembering the token.",
		"The libraries are set up strictly: algorithm, key id, issuer, audience, times, a required expiry. They remember nothing.",
	}}
	for _, alg := range []token.Algorithm{token.ES256, token.EdDSA} {
		rows, err := b.firstSight(alg)
		if err != nil {
			return s, err
		}
		s.Rows = append(s.Rows, rows...)
	}
	rows, note, err := b.repeatedSight(100_000)
	s.Rows = append(s.Rows, rows...)
	s.Notes = append(s.Notes, note)
	if err != nil {
		return s, err
	}
	rows, err = b.renewals(ctx, dir)
	s.Rows, s.Notes = append(s.Rows, rows...), append(s.Notes, refreshNotes...)
	return s, err
}

var errNotHeld = errors.New("a good signature does not hold")

func (b *bench) firstSight(alg token.Algorithm) ([]row, error) {
	const batch = 256
	tokens, err := contender.NewTokens(alg, batch)
	if err != nil {
		return nil, err
	}
	var bare [batch]func() bool
	for i := range bare {
		if bare[i], err = tokens.BareCheck(i); err != nil {
			return nil, err
		}
	}
	laps := []lap{
		{"lanyard", func(n int) error {
			var v *token.Verifier
			for i := range n {
				if i%batch == 0 { // one that has seen nothing
					if v, err = tokens.Verifier(4 * batch); err != nil {
						return err
					}
				}
				if _, err := v.Verify(tokens.Texts[i%batch]); err != nil {
					return err
				}
			}
			return nil
		}},
		{"the bare check", func(n int) error {
			for i := range n {
				if !bare[i%batch]() {
					return errNotHeld
				}
			}
			return nil
		}},
	}
	libraries, err := checks(tokens)
	if err != nil {
		return nil, err
	}
	laps = append(laps, libraries...)
	r, err := takeTurns(processor, b.span(6*time.Second), 20*time.Millisecond, laps...)
	if err != nil {
		return nil, err
	}
	var rows []row
	for i, l := range laps[1:] {
		goal := atMost(1.10)
		if i > 0 {
			goal = nil
		}
		rows = append(rows, compared(fmt.Sprintf("%s, first sight; %s", alg, l.name), duration(r.ns(0)), duration(r.ns(i+1)), r.ratio(0, i+1), goal))
	}
	return rows, nil
}

// checks returns the libraries' checks as laps over all tokens.
func checks(tokens *contender.Tokens) ([]lap, error) {
	var laps []lap
	for _, library := range []struct {
		name string
		make func() (contender.Check, error)
	}{{"golang-jwt", tokens.GolangJWT}, {"go-jose", tokens.GoJose}, {"jwx", tokens.JWX}} {
		check, err := library.make()
		if err != nil {
			return nil, err
		}
		laps = append(laps, lap{library.name, func(n int) error {
			for i := range n {
				if _, err := check(tokens.Texts[i%len(tokens.Texts)]); err != nil {
					return err
				}
			}
			return nil
		}})
	}
	return laps, nil
}

// repeatedSight checks n live tokens again and again, in an order that defeats
// the processor's caches. The note tells how many of them were remembered.
func (b *bench) repeatedSight(n int) (rows []row, note string, err error) {
	tokens, err := contender.NewTokens(token.ES256, n)
	if err != nil {
		return nil, "", err
	}
	v, err := tokens.Verifier(n)
	if err != nil {
		return nil, "", err
	}
	hits, err := hitRatio(v, tokens.Texts)
	if err != nil {
		return nil, "", err
	}
	at := 0
	again := func(times int) error {
		for range times {
			at = (at + 61_803) % n
			if _, err := v.Verify(tokens.Texts[at]); err != nil {
				return err
			}
		}
		return nil
	}
	libraries, err := checks(tokens)
	if err != nil {
		return nil, "", err
	}
	r, err := takeTurns(processor, b.span(4*time.Second), 20*time.Millisecond, lap{"lanyard", again}, libraries[0])
	if err != nil {
		return nil, "", err
	}
	allocs := testing.AllocsPerRun(n/10, func() {
		if e := again(1); e != nil {
			err = e
		}
	})
	what := fmt.Sprintf("seen before, %d live tokens", n)
	return []row{
		compared(what+"; golang-jwt ES256", duration(r.ns(0)), duration(r.ns(1)), r.ratio(0, 1), atMost(1./60)),
		absolute(what+", allocations", allocs, "", atMost(0), count),
	}, fmt.Sprintf("Of the %d live tokens %.2f %% were remembered when they came again; the verifier was told to remember %d.", n, 100*hits, n), err
}

// hitRatio is the share of tokens that a verifier still remembers when they come
// again: the claims of a remembered token are the same object each time.
func hitRatio(v *token.Verifier, tokens []string) (float64, error) {
	seen := make([]*token.Claims, len(tokens))
	hits := 0
	for range 3 { // the last pass counts, when everything has settled
		hits = 0
		for i, raw := range tokens {
			c, err := v.Verify(raw)
			if err != nil {
				return 0, err
			}
			if c == seen[i] {
				hits++
			}
			seen[i] = c
		}
	}
	return float64(hits) / float64(len(tokens)), nil
}
