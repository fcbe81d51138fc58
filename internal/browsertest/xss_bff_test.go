package browsertest

import (
	"bufio"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// buildExample compiles one of the example programs.
func buildExample(t *testing.T, name string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), name)
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./examples/"+name)
	cmd.Dir = filepath.Join("..", "..")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building %s: %v\n%s", name, err, out)
	}
	return program
}

// startExample runs a program until the test ends, and returns what it says until
// it is ready.
func startExample(t *testing.T, program string, args ...string) (said []string) {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var talk strings.Builder
	cmd.Stderr = &talk
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(patience, func() { cmd.Process.Kill() })
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Logf("%s said:\n%s", filepath.Base(program), talk.String())
		}
	})
	for lines := bufio.NewScanner(out); lines.Scan(); {
		said = append(said, lines.Text())
		if strings.HasPrefix(lines.Text(), "ready ") {
			late.Stop()
			return said
		}
	}
	t.Fatalf("%s ended before it was ready", filepath.Base(program))
	return nil
}

// freePort is one that nobody listens on just now.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// The example for real: the shop in one process, the service that takes tokens in
// another, a person in between. With its content security policy taken away and
// the attacker's script in its page from the start, there is no token to be had:
// none comes to the browser.
//
// req: CLIENT-1, HTTP-27
// attack: A5, A6, A9
func TestBackendForFrontendKeepsTokensFromInjectedScript(t *testing.T) {
	needChromium(t)
	port := freePort(t)
	said := startExample(t, buildExample(t, "bff"), "-listen", "127.0.0.1:0", "-orders", "http://127.0.0.1:"+port)
	_, secret, _ := strings.Cut(said[0], " with ")
	shop := strings.TrimPrefix(said[len(said)-1], "ready ")
	startExample(t, buildExample(t, "orders"), "-listen", "127.0.0.1:"+port, "-issuer", shop, "-audience", "orders")

	target, err := url.Parse(shop)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/", &httputil.ReverseProxy{
		Rewrite:        func(p *httputil.ProxyRequest) { p.SetURL(target) },
		ModifyResponse: func(res *http.Response) error { res.Header.Del("Content-Security-Policy"); return nil },
	})
	for _, name := range []string{"thief.js", "thief-sw.js"} {
		src := readXSS(t, name)
		if name == "thief.js" {
			src += "\nthief.hook();"
		}
		mux.HandleFunc("GET /"+name, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/javascript")
			w.Write([]byte(src))
		})
	}
	front := httptest.NewServer(mux)
	t.Cleanup(front.Close)

	s := &site{t: t, url: shop}
	b := s.newTab()
	defer b.complaints()
	b.open(shop + "/")
	signIn := func() {
		t.Helper()
		eval[bool](b, `document.querySelector("[name=name]").value = "ann", document.querySelector("[name=password]").value = "`+secret+`", true`)
		b.press("Sign in")
		b.says("Orders of ann")
	}
	signIn()
	order := func(item string) {
		t.Helper()
		eval[bool](b, `document.querySelector("[name=item]").value = "`+item+`", true`)
		b.click("Order")
		b.until(`[...document.querySelectorAll("#orders li")].some((li) => li.textContent === "` + item + `")`)
	}
	order("a hat")
	b.wantSinksClosed()

	b.open(onLocalhost(front.URL) + "/")
	b.inject()
	eval[bool](b, `thief.tap("lanyard /v1/"), true`)
	eval[string](b, `thief.worker()`)
	order("a rope")
	found := b.look([]string{"/", "/api/orders", "/.well-known/jwks.json", "/.well-known/oauth-authorization-server", "/api/events/", "/page.js"}, "/page.js")
	found["the service worker"] = eval[string](b, `thief.workerHeard()`)
	maps.Copy(found, eval[loot](b, `thief.heard()`))
	if got := found.holds("a rope"); len(got) < 3 {
		t.Errorf("the script saw the order in %q alone", got)
	}
	for what, text := range map[string]string{"the handle": b.handle(), "an access token": "eyJ", "a token": `"access_token"`, "a bearer": "Bearer "} {
		if places := found.holds(text); len(places) > 0 || text == "" {
			t.Errorf("%s can be read in %q", what, places)
		}
	}
	// Nor is there anybody to ask for one.
	if got := eval[int](b, `thief.ask("/v1/session/token").then((a) => a.status)`); got != 404 && got != 405 {
		t.Errorf("asking for a token: %d", got)
	}
	// It can act in place, as the page can, while the person is signed in.
	if got := eval[int](b, `thief.ask("/api/orders", { item: "a thief's order" }).then((a) => a.status)`); got != 201 {
		t.Errorf("an order by the script: %d", got)
	}
	b.press("Sign out")
	if got := eval[int](b, `fetch("/api/orders").then((a) => a.status)`); got != 401 {
		t.Errorf("an order after the person has signed out: %d", got)
	}
}

// The shop's own policy keeps the script out.
//
// req: CLIENT-9
func TestScriptInjectedIntoTheExampleDoesNotRun(t *testing.T) {
	needChromium(t)
	said := startExample(t, buildExample(t, "bff"), "-listen", "127.0.0.1:0")
	shop := strings.TrimPrefix(said[len(said)-1], "ready ")
	b := (&site{t: t, url: shop}).newTab()
	defer b.complaints()
	if got := b.taken(holed(t, shop, true) + "/"); got != "foreign frame handler inline module url" {
		t.Errorf("without its policy %q ran", got)
	}
	if got := b.taken(holed(t, shop, false) + "/"); got != "" {
		t.Errorf("%q ran", got)
	}
	b.wantSinksClosed()
}
