package verifier_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lanyard-go/lanyard/token"
	"github.com/lanyard-go/lanyard/verifier"
)

// asking is a configuration that introspects.
func (i *issuer) asking(change func(*verifier.Introspection)) verifier.Config {
	cfg := i.config()
	cfg.SkipRevocationCheck = false
	cfg.Introspect = &verifier.Introspection{Credentials: verifier.Credentials{ClientID: "orders", Secret: "s&cret"}}
	if change != nil {
		change(cfg.Introspect)
	}
	return cfg
}

func TestAnswersAreUsedAgainForAShortTime(t *testing.T) {
	for _, test := range []struct {
		name string
		keep time.Duration // CacheFor
		late time.Duration // how long an end goes unnoticed
	}{
		{"two seconds by default", 0, 2 * time.Second},
		{"as long as was said", 10 * time.Second, 10 * time.Second},
		{"not at all", -1, 0},
	} {
		bubble(test.name, t, func(t *testing.T) {
			i := newIssuer(t, token.KeysConfig{})
			v := open(t, i.asking(func(in *verifier.Introspection) { in.CacheFor = test.keep }))
			raw := i.token(i.claims(time.Now()))
			if _, err := v.Verify(t.Context(), raw); err != nil {
				t.Fatal(err)
			}
			i.ended.Store(true)
			if test.late > 0 {
				time.Sleep(test.late - time.Nanosecond)
				if _, err := v.Verify(t.Context(), raw); err != nil || i.inquiry.Load() != 1 {
					t.Errorf("within %v: %v, %d questions", test.late, err, i.inquiry.Load())
				}
				time.Sleep(time.Nanosecond)
			}
			if _, err := v.Verify(t.Context(), raw); cause(err) != verifier.CauseRevoked {
				t.Errorf("after %v: %v", test.late, err)
			}
		})
	}
}

func TestOneQuestionForAllWhoAskAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := newIssuer(t, token.KeysConfig{})
		i.instead[askAddress] = func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(time.Second)
			i.answer(w, r, askAddress)
		}
		v := open(t, i.asking(nil))
		raw := i.token(i.claims(time.Now()))
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				if _, err := v.Verify(t.Context(), raw); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if n := i.inquiry.Load(); n != 1 {
			t.Errorf("%d questions", n)
		}
	})
}

// Garbage is refused here and costs the issuer nothing.
func TestGarbageIsNotAskedAbout(t *testing.T) {
	i := newIssuer(t, token.KeysConfig{})
	v := open(t, i.asking(nil))
	forger := stranger(t)
	for _, raw := range []string{"x", forger.token(forger.claims(time.Now()))} {
		if _, err := v.Verify(t.Context(), raw); cause(err) != verifier.CauseBadToken {
			t.Errorf("%s: %v", raw, err)
		}
	}
	if n := i.inquiry.Load(); n != 0 {
		t.Errorf("%d questions", n)
	}
}

func TestOnlyAPlainYesLetsThrough(t *testing.T) {
	for _, test := range []struct {
		name   string
		answer http.HandlerFunc
		want   verifier.Cause // empty: let through
		says   string         // in the error
	}{
		{"active", say(`{"active":true}`), "", ""},
		{"active, and about this token", say(`{"active":true,"iss":"` + testIssuer + `","sub":"ann","client_id":"web","sid":"0199f0a2b3c4d5e6f708192a3b","username":"ann"}`), "", ""},
		{"inactive", say(`{"active":false}`), verifier.CauseRevoked, ""},
		{"yes as text", say(`{"active":"true"}`), verifier.CauseRevocation, "does not say"},
		{"yes as a number", say(`{"active":1}`), verifier.CauseRevocation, "does not say"},
		{"yes in capitals", say(`{"Active":true}`), verifier.CauseRevocation, "does not say"},
		{"yes and no", say(`{"active":false,"active":true}`), verifier.CauseRevocation, ""},
		{"nothing", say(``), verifier.CauseRevocation, ""},
		{"a list", say(`[true]`), verifier.CauseRevocation, ""},
		{"more behind it", say(`{"active":true} {}`), verifier.CauseRevocation, ""},
		{"about another subject", say(`{"active":true,"sub":"bob"}`), verifier.CauseRevocation, "its sub differs"},
		{"about another token", say(`{"active":true,"jti":"other"}`), verifier.CauseRevocation, "its jti differs"},
		{"about another session", say(`{"active":true,"sid":7}`), verifier.CauseRevocation, "its sid differs"},
		{"bound to a key", say(`{"active":true,"cnf":{"jkt":"x"}}`), verifier.CauseBound, ""},
		{"a page", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			io.WriteString(w, `{"active":true}`)
		}, verifier.CauseRevocation, `"text/html"`},
		{"a redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, askAddress, http.StatusTemporaryRedirect)
		}, verifier.CauseRevocation, "redirect (307)"},
		{"wrong credentials", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(401) }, verifier.CauseRevocation, "does not accept the credentials"},
		{"too many questions", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(429) }, verifier.CauseRevocation, "status 429"},
		{"never", func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, verifier.CauseRevocation, "did not answer in time"},
		{"a huge answer", say(`{"active":true,"x":"` + strings.Repeat("x", 70_000) + `"}`), verifier.CauseRevocation, "longer than 64 KiB"},
	} {
		bubble(test.name, t, func(t *testing.T) {
			i := newIssuer(t, token.KeysConfig{})
			i.instead[askAddress] = test.answer
			err := i.good(open(t, i.asking(nil)))
			if cause(err) != test.want || err != nil && !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want %q %q", err, test.want, test.says)
			}
		})
	}
}

// An outage is no answer: it is not remembered, and ends when it ends.
func TestOutageOfIntrospectionPasses(t *testing.T) {
	i := newIssuer(t, token.KeysConfig{})
	i.instead[askAddress] = func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(500) }
	v := open(t, i.asking(nil))
	raw := i.token(i.claims(time.Now()))
	if _, err := v.Verify(t.Context(), raw); cause(err) != verifier.CauseRevocation {
		t.Fatal(err)
	}
	delete(i.instead, askAddress)
	if _, err := v.Verify(t.Context(), raw); err != nil {
		t.Error(err)
	}
}

func TestIntrospectionNeedsAnEndpoint(t *testing.T) {
	i := newIssuer(t, token.KeysConfig{})
	i.instead[metadataAddress] = say(fmt.Sprintf(`{"issuer":%q,"jwks_uri":%q}`, testIssuer, keysAddress))
	err := i.good(open(t, i.asking(nil)))
	if cause(err) != verifier.CauseRevocation || !strings.Contains(err.Error(), "name no introspection_endpoint") {
		t.Errorf("got %v", err)
	}
	cfg := i.asking(func(in *verifier.Introspection) { in.URL = askAddress })
	if err := i.good(open(t, cfg)); err != nil {
		t.Errorf("with the address configured: %v", err)
	}
}

// The issuer is never asked more than 64 questions at a time.
func TestQuestionsUnderWayAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := newIssuer(t, token.KeysConfig{})
		var mu sync.Mutex
		now, most := 0, 0
		i.instead[askAddress] = func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			now++
			most = max(most, now)
			mu.Unlock()
			time.Sleep(100 * time.Millisecond)
			mu.Lock()
			now--
			mu.Unlock()
			i.answer(w, r, askAddress)
		}
		v := open(t, i.asking(nil))
		var all sync.WaitGroup
		for range 500 {
			all.Go(func() {
				if err := i.good(v); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if most != 64 {
			t.Errorf("%d at a time", most)
		}
	})
}
