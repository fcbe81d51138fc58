package adapters

import (
	"context"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/store/memory"
)

// logged is what gin and the standard loggers write.
var logged journal

func TestMain(m *testing.M) {
	log.SetOutput(&logged)
	gin.DefaultErrorWriter = &logged
	gin.DefaultWriter = io.Discard
	os.Exit(m.Run())
}

// journal keeps what several loggers write.
type journal struct {
	mu   sync.Mutex
	text strings.Builder
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

// take returns what was written since it was last called.
func (j *journal) take() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	defer j.text.Reset()
	return j.text.String()
}

// site is the application in one router, running.
type site struct {
	t       *testing.T
	ctx     context.Context // ends when something hangs
	url     string
	manager *lanyard.Manager
	http    *http.Client
	late    atomic.Int64 // by how much the manager's clock is ahead
}

// advance lets time pass for the manager.
func (s *site) advance(d time.Duration) { s.late.Add(int64(d)) }

// build is one of [Chi], [Echo], [Gin] and [Mux].
type build func(*App, ...func(http.Handler) http.Handler) http.Handler

func open(t *testing.T, build build, inside bool) *site {
	t.Helper()
	s := &site{t: t}
	var stop context.CancelFunc
	s.ctx, stop = context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(stop)
	var err error
	s.manager, err = lanyard.New(memory.New(), lanyard.Config{
		Issuer: "https://app.example",
		Now:    func() time.Time { return time.Now().Add(time.Duration(s.late.Load())) },
		// Recent is over before the first access token is.
		Policy: lanyard.Policy{RecentAuth: 2 * time.Minute},
	})
	if err != nil {
		t.Fatal(err)
	}
	app, err := New(s.manager, func(name, password string) bool { return name == "ann" && password == "right" })
	if err != nil {
		t.Fatal(err)
	}
	var router http.Handler
	if inside {
		router = build(app, s.manager.Handler)
	} else {
		router = s.manager.Handler(build(app))
	}
	srv := httptest.NewTLSServer(router)
	t.Cleanup(srv.Close)
	s.url, s.http = srv.URL, srv.Client()
	if s.http.Jar, err = cookiejar.New(nil); err != nil {
		t.Fatal(err)
	}
	return s
}

// badge is how a client shows who it is: the cookie in its jar, or a token.
type badge struct {
	tokens bool
	token  string
}

func (b badge) set(h http.Header) {
	if b.token != "" {
		h.Set("Authorization", "Bearer "+b.token)
	}
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

// request is one of the site's own pages or, with a token, of a program; header
// alternates names and values and replaces what is usual. An empty value removes.
func (s *site) request(b badge, method, path, body string, header ...string) *http.Request {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.ctx, method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if !b.tokens {
		r.Header.Set("Origin", s.url)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	b.set(r.Header)
	for i := 0; i < len(header); i += 2 {
		r.Header.Del(header[i])
		if header[i+1] != "" {
			r.Header.Set(header[i], header[i+1])
		}
	}
	return r
}

func (s *site) send(r *http.Request) answer {
	s.t.Helper()
	res, err := s.http.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusSwitchingProtocols {
		return answer{res.StatusCode, res.Header, ""} // what follows has no end
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, string(body)}
}

func (s *site) do(b badge, method, path, body string, header ...string) answer {
	s.t.Helper()
	return s.send(s.request(b, method, path, body, header...))
}

// prove sends name and password and keeps the badge that comes back.
func (s *site) prove(b *badge, path string) {
	s.t.Helper()
	ask := `{"name":"ann","password":"right"}`
	if b.tokens {
		ask = `{"name":"ann","password":"right","tokens":true}`
	}
	a := s.do(*b, "POST", path, ask)
	if a.status != http.StatusOK {
		s.t.Fatalf("%s answered %d %s", path, a.status, a.body)
	}
	switch lines := a.header["Set-Cookie"]; {
	case !b.tokens && len(lines) != 1, b.tokens && len(lines) != 0:
		s.t.Fatalf("%s set the cookies %q", path, lines)
	case b.tokens:
		var pair struct {
			Access string `json:"access_token"`
		}
		if err := json.Unmarshal([]byte(a.body), &pair); err != nil || pair.Access == "" {
			s.t.Fatalf("%s gave no token, %v: %s", path, err, a.body)
		}
		b.token = pair.Access
	}
}

// cookie is the Cookie header that the jar would send.
func (s *site) cookie() string {
	u, err := url.Parse(s.url)
	if err != nil {
		s.t.Fatal(err)
	}
	var pairs []string
	for _, c := range s.http.Jar.Cookies(u) {
		pairs = append(pairs, c.Name+"="+c.Value)
	}
	return strings.Join(pairs, "; ")
}

// want fails the test unless the answer has the status and says each text, in its
// body or its challenge.
func (s *site) want(what string, a answer, status int, says ...string) {
	s.t.Helper()
	if a.status != status {
		s.t.Errorf("%s: answered %d, want %d: %s", what, a.status, status, a.body)
	}
	for _, text := range says {
		if !strings.Contains(a.body+a.header.Get("WWW-Authenticate"), text) {
			s.t.Errorf("%s: the answer lacks %q: %s %v", what, text, a.body, a.header)
		}
	}
}
