package browsertest

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// openExample builds one of the example applications, with another address in
// place of its own and nothing else changed, and runs it behind the proxy. It
// returns the password that the program prints.
func openExample(t *testing.T, browser context.Context, conf *tls.Config, name string, list []target) (s *stage, secret string) {
	t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	free.Close()
	dir := t.TempDir()
	source, err := filepath.Abs("../../examples/" + name + "/main.go")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	moved := filepath.Join(dir, "main.go")
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{source: moved}})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(text, []byte(`"localhost:8080"`)) {
		t.Fatalf("%s does not listen where this test expects it", source)
	}
	text = bytes.ReplaceAll(text, []byte(`"localhost:8080"`), []byte(`"`+address+`"`))
	for path, b := range map[string][]byte{moved: text, filepath.Join(dir, "overlay.json"): overlay} {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	program := filepath.Join(dir, name)
	build := exec.CommandContext(t.Context(), "go", "build", "-overlay", filepath.Join(dir, "overlay.json"), "-o", program, "../../examples/"+name)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building %s: %v\n%s", name, err, out)
	}
	cmd := exec.Command(program)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal("the program's first line:", err)
	}

	s = &stage{site: &site{t: t}, journal: &journal{}, browser: browser, targets: list, values: values{}}
	s.front = &front{t: t, backend: address, cookie: cookieName, seen: map[string]chan struct{}{}}
	s.url = "https://" + victimHost + ":" + listenTLS(t, conf, s.front)
	for until := time.Now().Add(patience); ; {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
			break
		}
		if time.Now().After(until) {
			t.Fatal("the program does not listen:", err)
		}
		<-time.After(20 * time.Millisecond)
	}
	return s, passwordIn(line)
}

// passwordIn is the long word of capital letters and digits in what a program
// prints.
func passwordIn(line string) string {
	for _, w := range strings.FieldsFunc(line, func(c rune) bool { return (c < 'A' || c > 'Z') && (c < '2' || c > '7') }) {
		if len(w) == 26 {
			return w
		}
	}
	return ""
}

// ask makes a request as the browser would, outside of it.
func (s *stage) ask(method, path, body string, header http.Header) (int, string) {
	s.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Host = strings.TrimPrefix(s.url, "https://")
	for name, values := range header {
		r.Header[name] = values
	}
	resp, err := s.front.forward(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode, string(answer)
}

// cartOf is what the shop shows to a browser, without what differs each time.
func (s *stage) cartOf(b *tab) string {
	s.t.Helper()
	pairs := []string{}
	for name, value := range s.jar(b) {
		pairs = append(pairs, name+"="+value)
	}
	_, page := s.ask("GET", "/", "", http.Header{"Cookie": {strings.Join(pairs, "; ")}})
	_, page, _ = strings.Cut(page, "<h1>")
	page, _, _ = strings.Cut(page, "<form")
	return page
}

// The shop of the examples, whose visitors have a cart before and after they
// sign in.
//
// req: CSRF-1, CSRF-18
// attack: B10, C1, C6
func TestMatrixOfTheShop(t *testing.T) {
	browser, conf := openBrowser(t)
	e := newEvil(t, conf)
	list := []target{{pattern: "POST /cart", form: "item=Stolen"}, {pattern: "POST /login", form: "name=mallory&password=" + word}, {pattern: "POST /logout", form: "x=1"}}
	s, secret := openExample(t, browser, conf, "shop", list)
	e.front.Store(s.front)
	b := s.openTab()
	b.open("/")
	fill := func(form, field, value string) {
		eval[bool](b, fmt.Sprintf(`document.querySelector("form[action='%s'] [name='%s']").value = %q, true`, form, field, value))
	}
	buy := func(item string) {
		fill("/cart", "item", item)
		b.press("Add")
	}
	for _, from := range attackers {
		for _, signedIn := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, signed in %v", from, signedIn), func(t *testing.T) {
				b.open("/")
				if signedIn && strings.Contains(b.text(), "Sign in") {
					fill("/login", "name", "ann")
					fill("/login", "password", secret)
					b.press("Sign in")
					b.says("Hello ann")
				} else if !signedIn && strings.Contains(b.text(), "Sign out") {
					b.press("Sign out")
				}
				buy("Bread")
				jar, cart := s.jar(b), s.cartOf(b)
				if !strings.Contains(cart, "Bread") {
					t.Fatal("there is nothing in the cart")
				}
				e.visit(b, from)
				for j, x := range ways {
					prefix := fmt.Sprintf("s%d%v-%d-", indexOf(attackers, from), signedIn, j)
					for _, found := range e.send(b, from, x, s.shots(prefix)) {
						t.Errorf("%s: the page reads %s", x.name, found)
					}
					for _, d := range differences(jar, s.jar(b)) {
						t.Errorf("%s: the browser's cookie %s", x.name, d)
					}
					if now := s.cartOf(b); now != cart {
						t.Errorf("%s: the page is now %s", x.name, now)
					}
				}
			})
		}
	}

	// Told that the requests are its own pages' and without SameSite, the shop
	// does what they say.
	b.open("/")
	s.withoutSameSite()
	b.press("Sign out")
	buy("Bread")
	s.front.change(func(r *rules) {
		r.before = func(_ http.ResponseWriter, r *http.Request) bool {
			r.Header.Set("Sec-Fetch-Site", "same-origin")
			r.Header.Del("Origin")
			return false
		}
	})
	for i, from := range attackers {
		e.visit(b, from)
		for j, x := range ways {
			if x.name == "form, urlencoded" || x.name == "fetch no-cors, urlencoded" || x.name == "beacon, urlencoded" {
				e.send(b, from, x, s.shots(fmt.Sprintf("soff%d-%d-", i, j))[:1])
			}
		}
		if got, want := strings.Count(s.cartOf(b), "Stolen"), 3*(i+1); got != want {
			t.Errorf("%s, with protection off: %d things put into the cart, want %d", from, got, want)
		}
	}
}

func indexOf(list []attacker, one attacker) int {
	for i, a := range list {
		if a == one {
			return i
		}
	}
	return -1
}

// The JSON API of the examples keeps nothing in the browser that a forged
// request could use.
//
// attack: C10
func TestMatrixOfTheJSONExample(t *testing.T) {
	browser, conf := openBrowser(t)
	e := newEvil(t, conf)
	list := []target{{pattern: "POST /login", json: `{"Name":"ann","Password":"wrong"}`}, {pattern: "POST /refresh", json: `{"refresh_token":"unknown"}`}, {pattern: "POST /logout"}}
	s, secret := openExample(t, browser, conf, "jsonapi", list)
	e.front.Store(s.front)
	status, body := s.ask("POST", "/login", fmt.Sprintf(`{"Name":"ann","Password":%q}`, secret), nil)
	var tokens struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
	}
	if err := json.Unmarshal([]byte(body), &tokens); err != nil || status != 200 {
		t.Fatal("signing in:", status, body, err)
	}
	b := s.openTab()
	b.open("/me") // a page of the site, so that there could be cookies
	for i, from := range attackers {
		e.visit(b, from)
		for j, x := range ways {
			prefix := fmt.Sprintf("j%d-%d-", i, j)
			for _, found := range e.send(b, from, x, s.shots(prefix)) {
				t.Errorf("%s, %s: the page reads %s", from, x.name, found)
			}
			for _, visits := range s.front.visitsOf(prefix) {
				for _, v := range visits {
					if v.status > 0 && v.status < 400 && v.method != http.MethodOptions {
						t.Errorf("%s, %s: answered with %d", from, x.name, v.status)
					}
				}
			}
		}
	}
	if n := len(s.jar(b)); n > 0 {
		t.Errorf("the browser has %d cookies", n)
	}
	if status, body := s.ask("GET", "/me", "", http.Header{"Authorization": {"Bearer " + tokens.Access}}); status != 200 {
		t.Errorf("the session of who was attacked: %d %s", status, body)
	}
	if status, body := s.ask("POST", "/refresh", fmt.Sprintf(`{"refresh_token":%q}`, tokens.Refresh), nil); status != 200 {
		t.Errorf("its refresh: %d %s", status, body)
	}
}
