package lanyard_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/internal/forge"
	"github.com/lanyard-go/lanyard/token"
)

// attacked is a world whose signing key is the attacker's to misuse.
type attacked struct {
	*world
	keys     *token.KeySet
	attacker *forge.Attacker
	fetched  *int // how often somebody followed an address in a token
}

func newAttacked(t *testing.T) *attacked {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := newClock()
	key, err := token.NewKey(private, token.ES256, c.Now())
	if err != nil {
		t.Fatal(err)
	}
	keys, err := token.NewKeySet(token.KeysConfig{Now: c.Now}, key)
	if err != nil {
		t.Fatal(err)
	}
	a := &attacked{keys: keys, fetched: new(int)}
	lure := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { *a.fetched++ }))
	t.Cleanup(lure.Close)
	a.world = newWorld(t, func(cfg *lanyard.Config) { cfg.Now, cfg.TokenKeys = c.Now, keys })
	a.clock = c
	if a.attacker, err = forge.New(a.startToken().Access.Reveal(), private, c.Now(), lure.URL); err != nil {
		t.Fatal(err)
	}
	return a
}

// present sends a token and returns all of the answer but the request's id, and
// the cause that was logged.
func (a *attacked) present(text string) (answer, cause string) {
	a.t.Helper()
	before := len(a.logs.String())
	s := a.sendNeed(bearer(get("/"), text), lanyard.Need{})
	if s.ran {
		a.t.Errorf("the handler ran for %s", text)
	}
	var b strings.Builder
	h := s.answer.Result().Header
	h.Del("X-Request-Id")
	h.Write(&b)
	answer = s.answer.Result().Status + "\n" + b.String() + requestID.ReplaceAllString(s.answer.Body.String(), "ID")
	if m := loggedCause.FindStringSubmatch(a.logs.String()[before:]); m != nil {
		cause = m[1]
	}
	return answer, cause
}

var (
	requestID   = regexp.MustCompile(`[0-9a-f]{32}|[0-9A-Za-z_-]{22,}`)
	loggedCause = regexp.MustCompile(`msg="request refused" cause=bad_token error=(\w+) `)
)

// Every row of the list of attacks: its own cause in the log, and outside the
// same bytes whatever was wrong.
//
// req: JWT-1, JWT-2, JWT-3, JWT-4, JWT-5, JWT-7, JWT-17, JWT-31
func TestForgedTokensAreRefusedAlikeOutsideAndByTheirCauseInTheLog(t *testing.T) {
	a := newAttacked(t)
	if !a.works(a.attacker.Good) {
		t.Fatal("the good token does not work")
	}
	var same string
	causes := map[string]bool{}
	for _, row := range a.attacker.Rows() {
		answer, cause := a.present(row.Token)
		if cause != row.Cause {
			t.Errorf("%s, %s: the log says %q, want %q", row.ID, row.Name, cause, row.Cause)
		}
		if same == "" {
			same = answer
		}
		if answer != same {
			t.Errorf("%s, %s: the answer differs:\n%s\n\nfrom\n\n%s", row.ID, row.Name, answer, same)
		}
		causes[cause] = true
	}
	if !strings.HasPrefix(same, "401") || !strings.Contains(same, `error="invalid_token"`) {
		t.Errorf("the answer is\n%s", same)
	}
	if len(causes) != 17 {
		t.Errorf("%d causes: %v", len(causes), causes)
	}
	if *a.fetched > 0 {
		t.Errorf("an address in a token was fetched %d times", *a.fetched)
	}
	if !a.works(a.attacker.Good) {
		t.Error("the good token works no longer")
	}
}

func (a *attacked) works(text string) bool {
	return a.accepted(bearer(get("/"), text))
}

// A token that was verified and remembered dies with its key (D17).
func TestWithdrawnKeyIsRefusedThoughItsTokenWasRemembered(t *testing.T) {
	a := newAttacked(t)
	good := a.attacker.Good
	if !a.works(good) {
		t.Fatal("the good token does not work")
	}
	if err := a.keys.Withdraw(a.keys.List(a.clock.Now())[0].ID); err != nil {
		t.Fatal(err)
	}
	forged, _ := a.present(a.attacker.Rows()[0].Token)
	answer, cause := a.present(good)
	if cause != "unknown_key" || answer != forged {
		t.Errorf("the log says %q, and outside\n%s\n\nwhere a forged one gets\n%s", cause, answer, forged)
	}
}

// What a token says can be read by whoever holds it (D18).
//
// req: JWT-16
func TestAccessTokenCarriesNoPersonalData(t *testing.T) {
	w := newWorld(t)
	g := w.start(lanyard.Login{Channel: lanyard.ChannelToken, Subject: "u-4711", UserAgent: "Agent of Ann", IP: homeIP, Device: "Ann's phone"})
	part := strings.Split(g.Access.Reveal(), ".")[1]
	payload, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	allowed := []string{"iss", "sub", "aud", "client_id", "jti", "sid", "gen", "sep", "gep", "iat", "exp", "auth_time", "amr", "acr", "scope"}
	for name := range claims {
		if !slices.Contains(allowed, name) {
			t.Errorf("it says %s", name)
		}
	}
	for _, word := range []string{"Ann", homeIP, "203.0.113"} {
		if strings.Contains(string(payload), word) {
			t.Errorf("it says %q: %s", word, payload)
		}
	}
}
