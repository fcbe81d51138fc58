package browsertest

import (
	"context"
	"crypto/tls"
	"embed"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

//go:embed testdata/matrix
var matrixFiles embed.FS

// evil are the attacker's sites, all on one port: the second and the third site
// and the sibling, by the name they are asked under.
type evil struct {
	t     *testing.T
	port  string
	front atomic.Pointer[front] // whose requests the page waits for
}

func newEvil(t *testing.T, conf *tls.Config) *evil {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	e := &evil{t: t, port: port}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", e.page)
	mux.HandleFunc("GET /around", e.around)
	mux.HandleFunc("GET /worker.js", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/javascript")
		w.Write(matrixFile(t, "worker.js"))
	})
	mux.HandleFunc("GET /wait", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "*")
		e.front.Load().wait(w, r)
	})
	// An open redirect, for every method.
	mux.HandleFunc("/bounce", func(w http.ResponseWriter, r *http.Request) {
		code, _ := strconv.Atoi(r.URL.Query().Get("code"))
		w.Header().Set("Access-Control-Allow-Origin", r.Header.Get("Origin"))
		w.Header().Set("Access-Control-Allow-Credentials", "true")
		http.Redirect(w, r, r.URL.Query().Get("to"), code)
	})
	mux.HandleFunc("GET /report", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "img-src 'none'; report-uri "+r.FormValue("to"))
		io.WriteString(w, `<!doctype html><img src="/nothing.png">`)
	})
	serveTLS(t, l, conf, mux)
	return e
}

func matrixFile(t *testing.T, name string) []byte {
	t.Helper()
	b, err := matrixFiles.ReadFile("testdata/matrix/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (e *evil) at(host string) string { return "https://" + host + ":" + e.port }

// page has every way of sending as a function.
func (e *evil) page(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprintf(w, "<!doctype html><meta charset=utf-8><link rel=icon href=data:,><title>Win a prize</title><body><script>const base = %q, third = %q, beside = %q;\n%s\nconst ways = {\n",
		"https://"+r.Host, e.at(thirdHost), e.at(siblingHost), matrixFile(e.t, "runner.js"))
	for _, x := range ways {
		fmt.Fprintf(w, "%q: async (t, n) => { %s },\n", x.name, strings.ReplaceAll(x.code, "</", `<\/`))
	}
	io.WriteString(w, "};</script>")
}

// around has that page in a frame without an origin.
func (e *evil) around(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	io.WriteString(w, `<!doctype html><link rel=icon href=data:,><iframe id=inner sandbox="allow-scripts allow-forms allow-popups allow-popups-to-escape-sandbox allow-top-navigation" src="/"></iframe>
<script>const run = (...all) => new Promise(done => { onmessage = e => done(e.data.done); inner.contentWindow.postMessage({run: all}, "*") })</script>`)
}

// visit opens the attacker's page.
func (e *evil) visit(b *tab, from attacker) {
	b.t.Helper()
	address := map[attacker]string{second: e.at(secondHost) + "/", sibling: e.at(siblingHost) + "/", opaque: e.at(secondHost) + "/around"}[from]
	if got := b.open(address); got != 200 {
		b.t.Fatalf("the attacker's page: %d", got)
	}
}

// shot is a request as the attacker's script gets it.
type shot struct {
	Tag   string      `json:"tag"`
	URL   string      `json:"url"`
	Get   string      `json:"get"`
	Verb  string      `json:"verb"`
	Type  string      `json:"type"`
	Text  string      `json:"text"`
	Pairs [][2]string `json:"pairs"`
}

// send has the attacker's page send requests in one way, and returns what it
// could read of the answers.
func (e *evil) send(b *tab, from attacker, x way, list []shot) []string {
	b.t.Helper()
	all, err := json.Marshal(list)
	if err != nil {
		b.t.Fatal(err)
	}
	lanes := x.lanes
	if lanes == 0 {
		lanes = 8
	}
	script := fmt.Sprintf("run(%q, %s, %d, %v)", x.name, all, lanes, x.isStopped(from))
	ctx, cancel := context.WithTimeout(b.ctx, 4*patience)
	defer cancel()
	// Behind the windows that it opened a page would load no video.
	if _, err := chromedp.Call(ctx, page.BringToFront, cdp.Empty{}); err != nil {
		b.t.Fatal(err)
	}
	found, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](script, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%s, %s: %v", from, x.name, err)
	}
	return found
}

func (x way) isStopped(from attacker) bool {
	for _, a := range x.stopped {
		if a == from {
			return true
		}
	}
	return false
}
