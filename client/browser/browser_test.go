package browser

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
)

func TestTheHandlerServesTheModule(t *testing.T) {
	want, err := os.ReadFile("lanyard.js")
	if err != nil {
		t.Fatal(err)
	}
	call := func(method, tag string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, "/any/name.js", nil)
		if tag != "" {
			r.Header.Set("If-None-Match", tag)
		}
		w := httptest.NewRecorder()
		Handler().ServeHTTP(w, r)
		return w
	}
	w := call("GET", "")
	if w.Code != 200 || w.Body.String() != string(want) || Module() != string(want) {
		t.Fatalf("got %d and %d bytes, want 200 and the file", w.Code, w.Body.Len())
	}
	tag := w.Header().Get("ETag")
	for name, value := range map[string]string{"Content-Type": "text/javascript; charset=utf-8", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache", "Cross-Origin-Resource-Policy": "same-origin"} {
		if got := w.Header().Get(name); got != value {
			t.Errorf("%s is %q, want %q", name, got, value)
		}
	}
	if w := call("GET", tag); w.Code != http.StatusNotModified || w.Body.Len() != 0 {
		t.Errorf("with the tag: %d and %d bytes, want 304 and none", w.Code, w.Body.Len())
	}
	if w := call("GET", `"other"`); w.Code != 200 {
		t.Errorf("with another tag: %d, want 200", w.Code)
	}
	if w := call("HEAD", ""); w.Code != 200 || w.Body.Len() != 0 {
		t.Errorf("HEAD: %d and %d bytes, want 200 and none", w.Code, w.Body.Len())
	}
	if w := call("POST", ""); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: %d, Allow %q", w.Code, w.Header().Get("Allow"))
	}
}

func TestTheLicenceIsTheProjects(t *testing.T) {
	ours, err := os.ReadFile("LICENSE")
	if err != nil {
		t.Fatal(err)
	}
	if root, err := os.ReadFile("../../LICENSE"); err != nil || string(root) != string(ours) {
		t.Errorf("LICENSE is not the one of the project (%v)", err)
	}
}

// The behaviour of the module is tested in node, with tabs, server and clock
// played by test/world.js. Each test below runs one file of these.

// req: CLIENT-1
func TestNothingIsKeptButMemory(t *testing.T) { nodeTests(t, "memory") }

// req: CLIENT-6
func TestAllTabsDrawOneTokenAtATime(t *testing.T) { nodeTests(t, "tabs") }

// req: CLIENT-5
func TestTokensAreDrawnWithPatienceAndJudged(t *testing.T) { nodeTests(t, "token") }

// req: CLIENT-7
func TestTokensGoToListedOriginsAlone(t *testing.T) { nodeTests(t, "fetch") }

// req: CLIENT-8
func TestSigningOutReachesEveryTabAlsoOffline(t *testing.T) { nodeTests(t, "signout") }

func TestClocksAndSleepAreHarmless(t *testing.T) { nodeTests(t, "clock") }

func TestTheEndOfASessionIsAnnounced(t *testing.T) { nodeTests(t, "session") }

func TestEveryNodeTestIsRun(t *testing.T) {
	src, err := os.ReadFile("browser_test.go")
	if err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir("test")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if name, ok := strings.CutSuffix(f.Name(), ".test.js"); ok && !strings.Contains(string(src), `nodeTests(t, "`+name+`")`) {
			t.Errorf("test/%s is run by no test of this package", f.Name())
		}
	}
}
