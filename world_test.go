package lanyard_test

import (
	"bytes"
	"context"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/audit"
	"github.com/lanyard-go/lanyard/store/memory"
	"github.com/lanyard-go/lanyard/token"
)

const (
	site      = "https://app.example"
	phone     = "phone/1"
	homeIP    = "203.0.113.7"
	homeToo   = "203.0.113.99" // the same range
	trainIP   = "198.51.100.4"
	hotelIP   = "192.0.2.200"
	someRange = "203.0.113.0/24"
)

// clock is a time source that only the test moves.
type clock struct{ ms atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.ms.Store(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).UnixMilli())
	return c
}

func (c *clock) Now() time.Time          { return time.UnixMilli(c.ms.Load()).UTC() }
func (c *clock) advance(d time.Duration) { c.ms.Add(d.Milliseconds()) }
func (c *clock) set(t time.Time)         { c.ms.Store(t.UnixMilli()) }

// eventLog keeps what a manager reports. An event outside the vocabulary is
// refused, as every sink does.
type eventLog struct {
	mu  sync.Mutex
	all []audit.Event
}

func (l *eventLog) Record(ctx context.Context, e audit.Event) error {
	if err := (audit.Discard{}).Record(ctx, e); err != nil {
		return err
	}
	e.Methods, e.Attrs = slices.Clone(e.Methods), maps.Clone(e.Attrs)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, e)
	return nil
}

// take returns the events since it was last called.
func (l *eventLog) take() []audit.Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := l.all
	l.all = nil
	return all
}

// names lists events as NAME or NAME:REASON.
func names(events []audit.Event) []string {
	var out []string
	for _, e := range events {
		n := string(e.Name)
		if e.Reason != "" {
			n += ":" + e.Reason
		}
		out = append(out, n)
	}
	return out
}

// tally counts outcomes.
type tally struct {
	mu sync.Mutex
	n  map[string]int
}

func (c *tally) Count(name, outcome string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == nil {
		c.n = map[string]int{}
	}
	c.n[name+"/"+outcome]++
}

// take returns the counts of one name since it was last called for it.
func (c *tally) take(name string) map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := map[string]int{}
	for k, n := range c.n {
		if outcome, ok := strings.CutPrefix(k, name+"/"); ok {
			out[outcome] = n
			delete(c.n, k)
		}
	}
	return out
}

// lockedBuffer collects log lines of concurrent requests.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// world is a manager whose clock, store and reports a test can reach.
type world struct {
	*lanyard.Manager
	t      testing.TB
	clock  *clock
	store  *brittle
	events *eventLog
	counts *tally
	logs   *lockedBuffer
}

// sharedKey is made once, because generating a key for each test is slow.
var sharedKey = sync.OnceValues(func() (*token.Key, error) {
	return token.GenerateKey(token.ES256, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
})

func signingKeys(t testing.TB, now func() time.Time) *token.KeySet {
	t.Helper()
	key, err := sharedKey()
	if err != nil {
		t.Fatal(err)
	}
	set, err := token.NewKeySet(token.KeysConfig{Now: now}, key)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func someKeys(t testing.TB, id byte) *lanyard.Keys {
	t.Helper()
	value := make([]byte, lanyard.SecretSize)
	for i := range value {
		value[i] = byte(i) * (2*id + 1)
	}
	keys, err := lanyard.NewKeys(lanyard.ServerSecret{ID: id, Value: value})
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// newWorld makes a world on the memory store. Configure may change the
// configuration; what it leaves zero is filled in.
func newWorld(t testing.TB, configure ...func(*lanyard.Config)) *world {
	t.Helper()
	return newWorldOn(t, memory.New(), newClock(), configure...)
}

func newWorldOn(t testing.TB, store lanyard.Store, c *clock, configure ...func(*lanyard.Config)) *world {
	t.Helper()
	w := &world{t: t, clock: c, store: &brittle{Store: store}, events: &eventLog{}, counts: &tally{}, logs: &lockedBuffer{}}
	cfg := lanyard.Config{
		Issuer: site, Audit: w.events, Metrics: w.counts, Now: c.Now, Keys: someKeys(t, 1), TokenKeys: signingKeys(t, c.Now),
		Audiences: []string{"orders", "billing"},
		Logger:    slog.New(slog.NewTextHandler(w.logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, f := range configure {
		f(&cfg)
	}
	m, err := lanyard.New(w.store, cfg)
	if err != nil {
		t.Fatal(err)
	}
	w.Manager = m
	return w
}

func profile(name string) func(*lanyard.Config) {
	return func(c *lanyard.Config) { c.Policy.Profile = name }
}

func (w *world) start(l lanyard.Login) *lanyard.Grant {
	w.t.Helper()
	if l.Subject == "" {
		l.Subject = "ann"
	}
	if l.Methods == nil {
		l.Methods = []string{"pwd"}
	}
	if l.UserAgent == "" {
		l.UserAgent = phone
	}
	if l.IP == "" {
		l.IP = homeIP
	}
	g, err := w.Start(w.t.Context(), l)
	if err != nil {
		w.t.Fatal(err)
	}
	return g
}

func (w *world) startCookie() *lanyard.Grant { return w.start(lanyard.Login{}) }

func (w *world) startToken() *lanyard.Grant {
	return w.start(lanyard.Login{Channel: lanyard.ChannelToken, Scope: "read write"})
}

// renew presents a refresh token from the usual client.
func (w *world) renew(refresh string) (*lanyard.Grant, error) {
	return w.Renew(w.t.Context(), refresh, lanyard.Renewal{UserAgent: phone, IP: homeIP})
}

func (w *world) mustRenew(refresh string) *lanyard.Grant {
	w.t.Helper()
	g, err := w.renew(refresh)
	if err != nil {
		w.t.Fatalf("renewing: %v", err)
	}
	return g
}

// record reads what the store has.
func (w *world) record(sid lanyard.SID) *lanyard.Record {
	w.t.Helper()
	rec, err := w.store.Store.Get(w.t.Context(), sid)
	if err != nil {
		w.t.Fatal(err)
	}
	return rec
}

func (w *world) end(sid lanyard.SID) {
	w.t.Helper()
	if err := w.End(w.t.Context(), sid, lanyard.EndOptions{Reason: lanyard.ReasonLogout, By: "ann"}); err != nil {
		w.t.Fatal(err)
	}
}

// seen is what a handler behind the manager saw.
type seen struct {
	ran     bool
	session *lanyard.Session
	answer  *httptest.ResponseRecorder
}

// send passes a request through the manager's handler to one that writes the
// subject.
func (w *world) send(r *http.Request) seen {
	w.t.Helper()
	return w.sendTo(r, func(h http.Handler) http.Handler { return h })
}

// sendNeed is send with a guard before the handler.
func (w *world) sendNeed(r *http.Request, need lanyard.Need) seen {
	w.t.Helper()
	return w.sendTo(r, func(h http.Handler) http.Handler { return w.Require(need, h) })
}

func (w *world) sendTo(r *http.Request, guard func(http.Handler) http.Handler) (s seen) {
	w.t.Helper()
	s.answer = httptest.NewRecorder()
	h := guard(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		s.ran, s.session = true, lanyard.From(r.Context())
		rw.Write([]byte(s.session.Subject()))
	}))
	w.Handler(h).ServeHTTP(s.answer, r)
	return s
}

// accepted reports whether the request is answered as somebody's.
func (w *world) accepted(r *http.Request) bool {
	w.t.Helper()
	s := w.send(r)
	return s.ran && s.session.SignedIn()
}

// get is a request to the own site over TLS.
func get(path string) *http.Request {
	r := httptest.NewRequest("GET", site+path, nil)
	r.RemoteAddr = homeIP + ":50000"
	r.Header.Set("User-Agent", phone)
	return r
}

// post is an unsafe request from the own pages.
func post(path string) *http.Request {
	r := httptest.NewRequest("POST", site+path, nil)
	r.RemoteAddr = homeIP + ":50000"
	r.Header.Set("User-Agent", phone)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return r
}

func bearer(r *http.Request, text string) *http.Request {
	r.Header.Set("Authorization", "Bearer "+text)
	return r
}

func (w *world) withCookie(r *http.Request, value string) *http.Request {
	r.Header.Set("Cookie", w.CookieName()+"="+value)
	return r
}

// cookieWorks and bearerWorks ask whether a credential still opens something.
func (w *world) cookieWorks(g *lanyard.Grant) bool {
	w.t.Helper()
	return w.accepted(w.withCookie(get("/"), g.Handle.Reveal()))
}

func (w *world) bearerWorks(g *lanyard.Grant) bool {
	w.t.Helper()
	return w.accepted(bearer(get("/"), g.Access.Reveal()))
}

func wantCause(t testing.TB, err error, want lanyard.Cause) {
	t.Helper()
	if got := lanyard.CauseOf(err); got != want {
		t.Fatalf("cause %q (%v), want %q", got, err, want)
	}
}

// wantPublic checks what the outside learns of err.
func wantPublic(t testing.TB, err error, status int, code string) {
	t.Helper()
	refused, ok := err.(*lanyard.Refused)
	if !ok {
		t.Fatalf("%v is not a refusal", err)
	}
	if s, c, _ := refused.Public(); s != status || c != code {
		t.Fatalf("%v is shown as %d %s, want %d %s", err, s, c, status, code)
	}
}

func wantNames(t testing.TB, events []audit.Event, want ...string) {
	t.Helper()
	if got := names(events); !slices.Equal(got, want) {
		t.Fatalf("events %q, want %q", got, want)
	}
}

func wantCounts(t testing.TB, got map[string]int, want map[string]int) {
	t.Helper()
	if !maps.Equal(got, want) {
		t.Fatalf("counted %v, want %v", got, want)
	}
}
