package browsertest

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// visit is a request of an attack that reached the server.
type visit struct {
	tag     string
	method  string
	site    string // Sec-Fetch-Site
	origin  string
	session bool // it came with the session cookie
	status  int
	request string // the server's name for it
	worked  bool   // something was changed by it
}

// front is the TLS proxy before a server, through which a test looks at the
// requests. It tells them apart by the parameter t, which the server never sees.
type front struct {
	t       *testing.T
	backend string // host:port
	cookie  string // name of the session cookie

	mu     sync.Mutex
	one    sync.Mutex // held over rules.apart
	rules  rules
	visits []visit
	seen   map[string]chan struct{}
}

// rules are what a test has the proxy do besides passing everything on.
type rules struct {
	// before may change a request on its way in, or answer it; after may change
	// an answer on its way out.
	before func(w http.ResponseWriter, r *http.Request) (answered bool)
	after  func(h http.Header)
	// strip are headers that the server does not get to see of attacks.
	strip []string
	// apart handles requests of attacks one at a time in place of the server.
	apart func(v *visit, r *http.Request) *http.Response
}

// change changes the rules for what comes from now on.
func (f *front) change(do func(*rules)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do(&f.rules)
}

func (f *front) now() rules {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.rules
}

// listenTLS serves on a free port of this machine until the test is over.
func listenTLS(t *testing.T, conf *tls.Config, h http.Handler) (port string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serveTLS(t, l, conf, h)
}

func serveTLS(t *testing.T, l net.Listener, conf *tls.Config, h http.Handler) (port string) {
	t.Helper()
	srv := &http.Server{Handler: h, TLSConfig: conf.Clone(), ReadHeaderTimeout: 10 * time.Second, ErrorLog: quiet()}
	done := make(chan struct{})
	go func() {
		defer close(done)
		srv.ServeTLS(l, "", "")
	}()
	t.Cleanup(func() {
		srv.Close()
		<-done
	})
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	tag, rules := takeTag(r), f.now()
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return // the browser went away
	}
	if tag == "" { // a form may carry it as a field
		tag = tagIn(body)
	}
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	navigates := r.Header.Get("Sec-Fetch-Mode") == "navigate"
	shakes := r.Header.Get("Upgrade") == "websocket"
	v := visit{tag: tag, method: r.Method, site: r.Header.Get("Sec-Fetch-Site"), origin: r.Header.Get("Origin")}
	if c, err := r.Cookie(f.cookie); err == nil && c.Value != "" {
		v.session = true
	}
	if rules.before != nil && rules.before(w, r) {
		f.note(v)
		return
	}
	if tag != "" {
		for _, name := range rules.strip {
			r.Header.Del(name)
		}
	}
	var resp *http.Response
	if rules.apart != nil && tag != "" {
		resp = f.alone(func() *http.Response { return rules.apart(&v, r) })
	} else {
		resp, err = f.forward(r)
	}
	if err != nil {
		f.t.Errorf("%s %s: the server behind the proxy: %v", r.Method, r.URL.Path, err)
		return
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		f.t.Errorf("%s %s: the server's answer: %v", r.Method, r.URL.Path, err)
		return
	}
	if rules.after != nil {
		rules.after(resp.Header)
	}
	v.status, v.request = resp.StatusCode, resp.Header.Get("X-Request-Id")
	f.note(v)
	for name, values := range resp.Header {
		w.Header()[name] = values
	}
	if tag != "" {
		w.Header().Del("WWW-Authenticate") // nobody is there to answer the browser's dialog
	}
	if tag != "" && shakes {
		// Chromium slows down pages whose sockets fail, so this one opens; what
		// the server said is noted.
		if conn := upgrade(w, r); conn != nil {
			conn.Close()
		}
		return
	}
	if tag != "" && navigates {
		// Cookies of the answer count, but the page stays where it is: showing
		// another one for each request is what would take the time.
		w.Header().Del("Location")
		w.Header().Del("Content-Length")
		w.WriteHeader(http.StatusNoContent)
		return
	}
	w.WriteHeader(resp.StatusCode)
	w.Write(answer)
}

func (f *front) alone(do func() *http.Response) *http.Response {
	f.one.Lock()
	defer f.one.Unlock()
	return do()
}

// forward hands a request on as a proxy that terminates TLS does.
func (f *front) forward(r *http.Request) (*http.Response, error) {
	out := r.Clone(context.WithoutCancel(r.Context())) // what has been sent is handled
	out.URL.Scheme, out.URL.Host, out.RequestURI, out.Host = "http", f.backend, "", r.Host
	for _, name := range []string{"Te", "Accept-Encoding"} {
		out.Header.Del(name)
	}
	if out.Header.Get("Upgrade") == "" {
		out.Header.Del("Connection")
	}
	out.Header.Set("X-Forwarded-Proto", "https")
	out.Header.Set("X-Forwarded-For", f.someAddress())
	if out.ContentLength == 0 {
		out.Body = http.NoBody
	}
	return passing.RoundTrip(out)
}

var passing = &http.Transport{MaxIdleConnsPerHost: 16, DisableCompression: true}

// someAddress is another one each time, so that no limit per source is what
// stops an attack.
func (f *front) someAddress() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := len(f.visits)
	return fmt.Sprintf("10.%d.%d.7", n/250%250, n%250)
}

// takeTag removes the name of an attack from the address.
func takeTag(r *http.Request) string {
	m := tagParam.FindStringSubmatch(r.URL.RawQuery)
	if m == nil {
		return ""
	}
	r.URL.RawQuery = strings.Trim(strings.Replace(r.URL.RawQuery, m[0], "", 1), "&")
	return m[1]
}

var tagParam = regexp.MustCompile(`(?:^|&)t=(\w+-\d+-\d+)`)

func tagIn(body []byte) string {
	if m := tagParam.FindSubmatch(body); m != nil {
		return string(m[1])
	}
	return ""
}

func (f *front) note(v visit) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.visits = append(f.visits, v)
	// Where preflights are not allowed nothing comes after them.
	if v.tag != "" && (v.method != http.MethodOptions || f.rules.apart == nil) {
		f.ring(v.tag)
	}
}

// ring must be called with mu held.
func (f *front) ring(tag string) {
	bell := f.bell(tag)
	select {
	case <-bell:
	default:
		close(bell)
	}
}

// bell must be called with mu held.
func (f *front) bell(tag string) chan struct{} {
	if f.seen[tag] == nil {
		f.seen[tag] = make(chan struct{})
	}
	return f.seen[tag]
}

// wait answers the attacker's page that asks whether a request has arrived.
func (f *front) wait(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	bell := f.bell(r.URL.Query().Get("tag"))
	f.mu.Unlock()
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case <-bell:
		io.WriteString(w, "yes")
	case <-late.C:
		io.WriteString(w, "no")
	case <-r.Context().Done():
	}
}

// visitsOf are the requests of one attack so far, by the number of the endpoint.
func (f *front) visitsOf(prefix string) map[int][]visit {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := map[int][]visit{}
	for _, v := range f.visits {
		if rest, ok := strings.CutPrefix(v.tag, prefix); ok {
			n, _ := strconv.Atoi(rest)
			out[n] = append(out[n], v)
		}
	}
	return out
}

// journal takes the server's log and keeps its events.
type journal struct {
	mu     sync.Mutex
	rest   []byte
	text   bytes.Buffer
	events []event
}

type event struct {
	Level     string `json:"level"`
	Msg       string `json:"msg"`
	Event     string `json:"event"`
	Reason    string `json:"reason"`
	RequestID string `json:"request_id"`
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.text.Write(b)
	j.rest = append(j.rest, b...)
	for {
		line, rest, ok := bytes.Cut(j.rest, []byte("\n"))
		if !ok {
			return len(b), nil
		}
		j.rest = rest
		var e event
		if json.Unmarshal(line, &e) == nil && (e.Event != "" || e.Level == "ERROR") {
			j.events = append(j.events, e)
		}
	}
}

// since are the events after the first n, and how many there are now.
func (j *journal) since(n int) ([]event, int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return append([]event(nil), j.events[n:]...), len(j.events)
}

// refusals are why requests were refused as forgeries, by the requests' names.
func (j *journal) refusals() map[string]string {
	out := map[string]string{}
	list, _ := j.since(0)
	for _, e := range list {
		if e.Event == "csrf_refused" {
			if out[e.RequestID] = e.Reason; e.Reason == "" {
				out[e.RequestID] = "token_required"
			}
		}
	}
	return out
}

// changes are the names of events that say that something was changed.
func changes(list []event) (names []string) {
	for _, e := range list {
		switch e.Event {
		case "", "csrf_refused", "login_failed", "login_throttled", "cookie_ambiguous", "credential_guessed", "session_used_after_end":
		default:
			names = append(names, e.Event)
		}
	}
	return names
}

// carries reports whether a request brings what an endpoint needs, in whatever
// place and encoding.
func carries(r *http.Request, body string, fields [][2]string) bool {
	query, err := url.QueryUnescape(r.URL.RawQuery)
	if err != nil {
		return false
	}
	plain, err := url.QueryUnescape(body)
	if err != nil {
		plain = ""
	}
	for _, one := range fields {
		if value := one[1]; !strings.Contains(query, value) && !strings.Contains(body, value) && !strings.Contains(plain, value) {
			return false
		}
	}
	return true
}
