package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// TestOneCallEndsEverythingOfSomebody ends a subject by an administrator's
// program: the cookie, the token and the refresh token are dead when the call
// returns, and open streams are closed.
//
// req: REVOKE-2, REVOKE-8
func TestOneCallEndsEverythingOfSomebody(t *testing.T) {
	onBothEngines(t, func(t *testing.T, store, directory string) {
		f := startFleet(t, 3, 3, store, directory)
		defer f.finish(t)
		h, err := f.signIn(f.node(0), "ada", withToken|withCookie)
		if err != nil {
			t.Fatal(err)
		}
		other := f.somebody(t, "bob")
		renew := func(token string) reply {
			return f.send(t, "POST", "/oauth2/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}.Encode(), f.backend)
		}
		r := renew(h.refresh).want(t, 200)
		h.refresh = r.text(t, "refresh_token")
		f.until(t, h, http.StatusOK)
		var closing, spared []io.Reader
		for _, s := range f.services {
			closing = append(closing, s.open(t, h))
			spared = append(spared, s.open(t, other))
		}

		begun := time.Now()
		if _, _, _, err := f.surelyEnd(f.node(1), h, "strict"); err != nil {
			t.Fatal(err)
		}
		took := time.Since(begun)
		if got := f.everywhere(t.Context(), h); len(got) != 1 || got[http.StatusUnauthorized] == 0 {
			t.Errorf("the cookie and the token get %v", got)
		}
		if got := renew(h.refresh).want(t, 400).text(t, "error"); got != "invalid_grant" {
			t.Errorf("the refresh token gets %s", got)
		}
		for i, s := range f.services {
			// On a machine that is slow enough nobody can tell, and the streams of all
			// are closed.
			if why := readAll(t, closing[i]); why != "data: revoked\n\n" && !s.wasBlind() {
				t.Errorf("%s closed the stream with %q", s.name, why)
			}
		}
		t.Logf("the call took %v, and the streams were closed after %v", took, time.Since(begun))
		// Others go on.
		f.until(t, other, http.StatusOK)
		for i, s := range f.services {
			got := make(chan error, 1)
			go func() {
				_, err := spared[i].Read(make([]byte, 1))
				got <- err
			}()
			select {
			case err := <-got:
				if !s.wasBlind() {
					t.Errorf("%s closed somebody else's stream: %v", s.name, err)
				}
			case <-time.After(100 * time.Millisecond):
			}
		}
	})
}

// open opens a stream of events and returns what comes after its first one.
func (s *service) open(t *testing.T, h *holder) io.Reader {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience) // before the token expires
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, "GET", s.url+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+h.token)
	res, err := plainClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	first := make([]byte, len("data: open\n\n"))
	if _, err := io.ReadFull(res.Body, first); err != nil || res.StatusCode != http.StatusOK || !strings.HasPrefix(string(first), "data: open") {
		t.Fatalf("%s: %d %q %v", s.name, res.StatusCode, first, err)
	}
	return res.Body
}

// TestAWithdrawnKeyIsRefusedEverywhere withdraws a signing key while its tokens
// are used at every node and service. Nodes refuse them when the call has
// returned, services when the bound is over; tokens signed with the next key are
// accepted.
//
// req: REVOKE-3, KEY-11
func TestAWithdrawnKeyIsRefusedEverywhere(t *testing.T) {
	onBothEngines(t, func(t *testing.T, store, directory string) {
		f := startFleet(t, 3, 3, store, directory)
		defer f.finish(t)
		const people = 12
		for i := range people {
			f.until(t, f.somebody(t, fmt.Sprintf("user%d", i)), http.StatusOK)
		}
		kid := part(t, f.holders[0].token, 0)["kid"].(string)
		f.send(t, "POST", "/v1/admin/keys/rotate", "", f.backend).want(t, 200)
		stop := f.hammer(300, 1)
		for _, h := range f.holders {
			if part(t, h.token, 0)["kid"] != kid {
				t.Fatal("there was another key before")
			}
			h.asking.Store(true)
		}
		f.send(t, "POST", "/v1/admin/revoke", `{"kid":"`+kid+`"}`, f.backend).want(t, 200)
		returned := f.clock()
		old := f.holders[:people:people]
		for _, h := range old {
			h.atNodes.Store(int64(returned))
			h.atServices.Store(int64(returned + f.bound))
		}
		for _, h := range old {
			f.until(t, h, http.StatusUnauthorized)
		}
		stop()
		t.Logf("refused everywhere after %v", f.clock()-returned)
		// Nodes read the keys by themselves once a minute only.
		for i := range f.each {
			for {
				h, err := f.signIn(f.node(i), "somebody new", withToken)
				if err != nil {
					t.Fatal(err)
				}
				if part(t, h.token, 0)["kid"] != kid {
					f.until(t, h, http.StatusOK)
					break
				}
				if f.clock()-returned > patience/2 {
					t.Fatalf("node %d goes on signing with the key that was withdrawn", i)
				}
			}
			t.Logf("node %d signs with another key after %v", i, f.clock()-returned)
		}
	})
}
