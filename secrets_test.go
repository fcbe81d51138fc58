package lanyard_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/audit"
	"github.com/lanyard-go/lanyard/store/memory"
)

// shown renders v in every way a program is likely to print it.
func shown(t *testing.T, v any) string {
	t.Helper()
	var b bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d", "%o", "%b", "%c", "%U", "%e", "%t", "%10.3v"} {
		fmt.Fprintf(&b, verb+"\n", v)
	}
	fmt.Fprintln(&b, v)
	enc, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	b.Write(enc)
	for _, h := range []slog.Handler{slog.NewTextHandler(&b, nil), slog.NewJSONHandler(&b, nil)} {
		slog.New(h).Info("shown", "value", v, slog.Any("group", []any{v}))
	}
	fmt.Fprintln(&b, fmt.Errorf("wrapped: %v", v))
	return b.String()
}

// req: KEY-16, LOG-4
func TestSecretsPrintRedactedInEveryWay(t *testing.T) {
	w := newWorld(t)
	cookie, tokens := w.startCookie(), w.startToken()
	value := bytes.Repeat([]byte("Sesame!?"), 4)
	server := lanyard.ServerSecret{ID: 3, Value: value}
	keys, err := lanyard.NewKeys(server)
	if err != nil {
		t.Fatal(err)
	}
	type inside struct {
		Public  lanyard.Secret
		private lanyard.Secret
		grant   lanyard.Grant
	}
	secrets := []string{
		cookie.Handle.Reveal(), tokens.Access.Reveal(), tokens.Refresh.Reveal(),
		"Sesame", hex.EncodeToString(value), strings.ToUpper(hex.EncodeToString(value)), base64.StdEncoding.EncodeToString(value), fmt.Sprint(value),
		strings.Trim(fmt.Sprintf("% x", value), " "),
	}
	for name, v := range map[string]any{
		"secret": cookie.Handle, "pointer": &cookie.Handle, "slice": []lanyard.Secret{tokens.Access, tokens.Refresh},
		"map": map[string]lanyard.Secret{"a": tokens.Access}, "grant": *tokens, "pointer to a grant": cookie,
		"server secret": server, "pointer to a server secret": &server, "server secrets": []lanyard.ServerSecret{server},
		"in a struct": inside{tokens.Refresh, tokens.Refresh, *tokens}, "in a pointer to one": &inside{cookie.Handle, cookie.Handle, *cookie},
		"keys": keys, "session": cookie.Session, "record": w.record(cookie.Session.SID()),
		"config": struct{ Keys *lanyard.Keys }{keys},
	} {
		text := shown(t, v)
		for _, secret := range secrets {
			if strings.Contains(text, secret) || strings.Contains(text, hex.EncodeToString([]byte(secret))) {
				t.Errorf("%s shows %.8s...", name, secret)
			}
		}
	}
	if got := fmt.Sprint(cookie.Handle); got != "[redacted]" {
		t.Errorf("%q", got)
	}
	var none lanyard.Secret
	if !none.IsZero() || none.Reveal() != "" || cookie.Handle.IsZero() {
		t.Error("the zero secret is none")
	}
}

// recorder keeps whatever is written to a store, as its engine would see it.
type recorder struct {
	lanyard.Store
	mu   sync.Mutex
	dump bytes.Buffer
}

func (s *recorder) note(rec *lanyard.Record) {
	b, _ := rec.AppendBinary(nil)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dump.Write(b)
}

func (s *recorder) Create(ctx context.Context, rec *lanyard.Record, l lanyard.Limit) ([]*lanyard.Record, error) {
	s.note(rec)
	return s.Store.Create(ctx, rec, l)
}

func (s *recorder) Update(ctx context.Context, rec *lanyard.Record, announce ...lanyard.Entry) error {
	s.note(rec)
	fmt.Fprintf(&s.dump, "%+v", announce)
	return s.Store.Update(ctx, rec, announce...)
}

func (s *recorder) Revoke(ctx context.Context, e lanyard.End) (lanyard.Ended, error) {
	fmt.Fprintf(&s.dump, "%+v", e)
	return s.Store.Revoke(ctx, e)
}

func (s *recorder) Once(ctx context.Context, key string, now, until lanyard.Time) (bool, error) {
	s.dump.WriteString(key)
	return s.Store.Once(ctx, key, now, until)
}

// everything runs each flow once and returns every credential that was issued.
func (w *world) everything(t *testing.T) (issued []string) {
	t.Helper()
	keep := func(g *lanyard.Grant) *lanyard.Grant {
		for _, s := range []lanyard.Secret{g.Handle, g.Access, g.Refresh} {
			if !s.IsZero() {
				issued = append(issued, s.Reveal())
			}
		}
		return g
	}
	next, token, err := w.seeBrowser("")
	if err != nil {
		t.Fatal(err)
	}
	_, pre, _ := strings.Cut(next, "=")
	issued = append(issued, pre, token)
	if err := w.submit(form(withRaw(post("/login"), next), "csrf_token="+token), true); err != nil {
		t.Fatal(err)
	}
	_, anon, _ := strings.Cut(w.anonymous(t), "=")
	issued = append(issued, anon)
	cookie := keep(w.start(lanyard.Login{Request: withRaw(post("/login"), w.CookieName()+"-pre="+anon), Carry: []string{"cart"}}))
	csrf, err := w.CSRFTokenFor(cookie)
	if err != nil {
		t.Fatal(err)
	}
	issued = append(issued, csrf)
	w.send(header(w.withCookie(bare("POST"), cookie.Handle.Reveal()), "X-CSRF-Token", csrf))
	drawn, err := w.AccessToken(t.Context(), cookie.Session, "orders")
	if err != nil {
		t.Fatal(err)
	}
	keep(drawn)
	code := w.code(cookie, lanyard.ChannelToken, true)
	issued = append(issued, code)
	linked, err := w.Redeem(t.Context(), code, lanyard.Redemption{UserAgent: phone, IP: homeIP})
	if err != nil {
		t.Fatal(err)
	}
	keep(linked)
	first := keep(w.startToken())
	second := keep(w.mustRenew(first.Refresh.Reveal()))
	keep(w.mustRenew(first.Refresh.Reveal()))
	third := keep(w.mustRenew(second.Refresh.Reveal()))
	s, err := w.Lookup(t.Context(), third.Session.SID())
	if err != nil {
		t.Fatal(err)
	}
	up, err := w.Elevate(t.Context(), s, lanyard.Elevation{Methods: []string{"otp"}})
	if err != nil {
		t.Fatal(err)
	}
	keep(up)
	a := httptest.NewRecorder()
	if err := w.RememberDevice(a, get("/"), "ann"); err != nil {
		t.Fatal(err)
	}
	device, _, _ := strings.Cut(strings.TrimPrefix(setCookies(a)[0], w.CookieName()+"-device="), ";")
	issued = append(issued, device)
	// And then all that is refused: wrong places, dead sessions, forgeries.
	for _, text := range issued {
		w.send(w.withCookie(bare("POST"), text))
		w.send(w.withCookie(get("/"), text+text))
		w.send(bearer(get("/?access_token="+text), text[:len(text)-1]))
		w.renew(text)
		w.Redeem(t.Context(), text, lanyard.Redemption{})
		w.RevokeToken(t.Context(), text, "nobody")
	}
	w.end(cookie.Session.SID())
	w.clock.advance(time.Hour)
	for _, text := range issued {
		w.send(w.withCookie(get("/"), text))
		w.send(bearer(get("/"), text))
		w.renew(text)
	}
	return issued
}

// req: STORE-1, REFRESH-4, REFRESH-10
func TestDumpOfTheStoreOpensNothing(t *testing.T) {
	rec := &recorder{Store: memory.New()}
	w := newWorldOn(t, rec, newClock())
	issued := w.everything(t)
	dump := rec.dump.Bytes()
	for _, text := range issued {
		if bytes.Contains(dump, []byte(text)) {
			t.Errorf("%.8s... is stored as it is", text)
		}
		raw, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil || len(raw) != 75 {
			continue // a JWT or a forgery token; those hold no secret of a record
		}
		if bytes.Contains(dump, raw[27:59]) || bytes.Contains(dump, raw[59:]) {
			t.Errorf("the secret or the MAC of %.8s... is stored", text)
		}
	}
	// Whoever has the dump, and not the keys, puts what it holds into the form of
	// a credential: each digest and nonce as secret, under a MAC that cannot be
	// right, and with the digest's own bytes as MAC.
	fresh := newWorldOn(t, rec, newClock())
	live := []*lanyard.Grant{fresh.startCookie(), fresh.startToken()}
	live[1] = fresh.mustRenew(live[1].Refresh.Reveal())
	for _, g := range live {
		r := fresh.record(g.Session.SID())
		values := [][]byte{r.Handle[:]}
		if f := r.Refresh; f != nil {
			values = append(values, f.Digest[:], f.Predecessor[:], append(f.Nonce[:], f.Nonce[:]...))
		}
		for _, value := range values {
			for _, kind := range []byte{1, 2, 4, 5, 6} {
				for _, counter := range []uint32{0, 1, 2} {
					b := append([]byte{1, 1, kind}, r.SID[:]...)
					b = binary.BigEndian.AppendUint32(b, r.Generation)
					b = binary.BigEndian.AppendUint32(b, counter)
					b = append(append(b, value...), value[:16]...)
					text := base64.RawURLEncoding.EncodeToString(b)
					for _, d := range doors {
						if d.open(fresh, text) {
							t.Errorf("a value from the store opens the door for a %s", d.kind)
						}
					}
				}
			}
		}
	}
}

// req: LOG-4, COOKIE-5
func TestNoCredentialIsLoggedAtAnyLevel(t *testing.T) {
	var trail lockedBuffer
	w := newWorld(t, func(c *lanyard.Config) {
		c.Audit = audit.Slog(slog.New(slog.NewJSONHandler(&trail, &slog.HandlerOptions{Level: slog.LevelDebug})))
	})
	issued := w.everything(t)
	if len(issued) < 15 {
		t.Fatalf("only %d credentials were issued", len(issued))
	}
	w.store.arm(failAll)
	for _, text := range issued {
		w.send(w.withCookie(get("/"), text))
		w.renew(text)
	}
	counters := fmt.Sprint(w.counts.n)
	for _, text := range issued {
		middle := text[len(text)/3 : len(text)/3+24]
		for where, written := range map[string]string{"log": w.logs.String(), "audit trail": trail.String(), "metrics": counters} {
			if strings.Contains(written, middle) {
				t.Errorf("%.8s... is in the %s", text, where)
			}
		}
	}
	if len(trail.String()) < 1000 || len(w.logs.String()) < 200 {
		t.Error("hardly anything was written; the test proves nothing")
	}
}

// A refused credential is answered without itself.
//
// req: HTTP-8
func TestRefusedCredentialIsNotRepeated(t *testing.T) {
	w := newWorld(t)
	for _, text := range w.everything(t) {
		for _, r := range []*http.Request{w.withCookie(bare("POST"), text), bearer(get("/"), text), w.withCookie(get("/"), text)} {
			s := w.sendNeed(r, lanyard.Need{})
			var b strings.Builder
			s.answer.Header().Write(&b)
			if strings.Contains(b.String()+s.answer.Body.String(), text[len(text)/3:len(text)/3+20]) {
				t.Errorf("%.8s... is in the answer", text)
			}
		}
	}
}

// req: JWT-12, JWT-15, JWT-16
func TestAccessTokenSaysWhatItMustAndNothingElse(t *testing.T) {
	w := newWorld(t)
	g := w.start(lanyard.Login{Channel: lanyard.ChannelToken, Methods: []string{"pwd"}, Class: "aal1", Scope: "read", Device: "phone", Resource: "orders"})
	var claims map[string]any
	if err := json.Unmarshal([]byte(w.rawClaims(g)), &claims); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"iss", "exp", "aud", "sub", "client_id", "iat", "jti", "scope", "sid", "gen", "auth_time", "acr", "amr"} {
		if claims[name] == nil {
			t.Errorf("%s is missing", name)
		}
	}
	if claims["sid"] != g.Session.SID().String() || claims["gen"] != 1.0 || claims["sub"] != "ann" || claims["client_id"] != lanyard.BuiltinClient {
		t.Errorf("%v", claims)
	}
	allowed := "iss exp aud sub client_id iat jti scope sid gen sep gep auth_time acr amr"
	for name := range claims {
		if !strings.Contains(" "+allowed+" ", " "+name+" ") {
			t.Errorf("%s is in the token", name)
		}
	}
}
