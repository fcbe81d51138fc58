package verifier_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lanyard-go/lanyard/internal/forge"
	"github.com/lanyard-go/lanyard/token"
	"github.com/lanyard-go/lanyard/verifier"
)

// besieged is a service that is shown forged tokens.
type besieged struct {
	*issuer
	t        *testing.T
	attacker *forge.Attacker
	service  http.Handler
	log      bytes.Buffer
	strange  []string // addresses asked that are not the issuer's
}

// RoundTrip implements [http.RoundTripper].
func (b *besieged) RoundTrip(r *http.Request) (*http.Response, error) {
	switch address := "https://" + r.URL.Host + r.URL.Path; address {
	case metadataAddress, keysAddress, askAddress:
	default:
		b.strange = append(b.strange, address)
	}
	return b.issuer.RoundTrip(r)
}

func besiege(t *testing.T, lure string, change func(*verifier.Config, *issuer)) *besieged {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := token.NewKey(private, token.ES256, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	b := &besieged{t: t, issuer: newIssuer(t, token.KeysConfig{}, key)}
	cfg := b.config()
	cfg.Transport, cfg.Leeway = b, -1
	cfg.Logger = slog.New(slog.NewTextHandler(&b.log, nil))
	if change != nil {
		change(&cfg, b.issuer)
	}
	b.service = service(open(t, cfg))
	if b.attacker, err = forge.New(b.token(b.claims(time.Now())), private, time.Now(), lure); err != nil {
		t.Fatal(err)
	}
	return b
}

var refusedToken = regexp.MustCompile(`msg="request refused" cause=bad_token error=(\w+)\n`)

// present returns every byte of the answer, and the cause that was logged. One
// address lets in nobody too, and must not take a forger for that.
func (b *besieged) present(raw string) (answer, cause string) {
	b.t.Helper()
	synctest.Wait() // a fetch that has landed logs so
	b.log.Reset()
	for _, path := range []string{"/me", "/open", "/programs"} {
		w := call(b.service, path, "Bearer "+raw)
		var text bytes.Buffer
		if err := w.Result().Write(&text); err != nil {
			b.t.Fatal(err)
		}
		if answer == "" {
			answer = text.String()
		}
		if text.String() != answer {
			b.t.Errorf("%s answers\n%s\n\nand another address\n%s", path, &text, answer)
		}
	}
	found := refusedToken.FindAllStringSubmatch(b.log.String(), -1)
	if len(found) != 3 {
		b.t.Errorf("logged of three refusals:\n%s", &b.log)
		return answer, ""
	}
	return answer, found[0][1]
}

func (b *besieged) works() {
	b.t.Helper()
	if w := call(b.service, "/me", "Bearer "+b.attacker.Good); w.Code != 200 {
		b.t.Errorf("the good token is answered with %d %s", w.Code, w.Body)
	}
}

// A service refuses each token of the list for its own reason in the log, with
// the same bytes outside, and asks nobody for it but the issuer for its keys. A
// key that was withdrawn then ends the good token in the same way (D17).
//
// req: JWT-1, JWT-2, JWT-3, JWT-4, JWT-5, JWT-7, JWT-17, JWT-31
func TestForgedTokensAreRefusedAlikeOutsideAndByTheirCauseInTheLog(t *testing.T) {
	fetched := 0
	lure := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { fetched++ }))
	defer lure.Close()
	for _, test := range []struct {
		name    string
		change  func(*verifier.Config, *issuer)
		fetches int64 // of the key set: one more because of an unknown key
	}{
		{"with keys that are fetched", nil, 2},
		{"with keys at hand, as the issuer itself has", func(c *verifier.Config, i *issuer) { c.Keys = i.keys }, 0},
		{"with introspection", func(c *verifier.Config, i *issuer) {
			c.SkipRevocationCheck, c.Introspect = false, i.asking(nil).Introspect
		}, 2},
		{"without memory", func(c *verifier.Config, _ *issuer) { c.CacheSize = -1 }, 2},
	} {
		bubble(test.name, t, func(t *testing.T) {
			b := besiege(t, lure.URL, test.change)
			b.works()
			asked := b.inquiry.Load()
			var same string
			for _, row := range b.attacker.Rows() {
				answer, cause := b.present(row.Token)
				if cause != row.Cause {
					t.Errorf("%s, %s: the log says %q, want %q", row.ID, row.Name, cause, row.Cause)
				}
				if same == "" {
					same = answer
				}
				if answer != same {
					t.Errorf("%s, %s: the answer differs:\n%s\n\nfrom\n\n%s", row.ID, row.Name, answer, same)
				}
			}
			if !strings.HasPrefix(same, "HTTP/1.1 401 ") || !strings.Contains(same, "Www-Authenticate: Bearer error=\"invalid_token\"\r\n") {
				t.Errorf("the answer is\n%s", same)
			}
			if n := b.inquiry.Load(); n != asked {
				t.Errorf("the issuer was asked about %d forged tokens", n-asked)
			}
			if n := b.asked.Load(); n != test.fetches {
				t.Errorf("the key set was fetched %d times", n)
			}
			b.works()

			if err := b.keys.Withdraw(b.keys.List(time.Now())[0].ID); err != nil {
				t.Fatal(err)
			}
			time.Sleep(4*time.Minute + 59*time.Second) // all but the token's life
			call(b.service, "/open", "Bearer "+b.attacker.Good)
			synctest.Wait() // a set that is due is fetched beside the request
			if answer, cause := b.present(b.attacker.Good); cause != "unknown_key" || answer != same {
				t.Errorf("under a withdrawn key: the log says %q, and outside\n%s", cause, answer)
			}
			if len(b.strange) > 0 || fetched > 0 {
				t.Errorf("asked: %q, and the address in tokens %d times", b.strange, fetched)
			}
		})
	}
}
