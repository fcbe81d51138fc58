package docs

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// packages are what the guide's snippets may use, by the name they use.
var packages = map[string]string{
	"context": "context", "http": "net/http", "log": "log", "time": "time", "testing": "testing", "os": "os", "slog": "log/slog",
	"errors": "errors", "sql": "database/sql", "audit": "github.com/lanyard-go/lanyard/audit",
	"lanyard": "github.com/lanyard-go/lanyard", "memory": "github.com/lanyard-go/lanyard/store/memory",
	"sqlite": "github.com/lanyard-go/lanyard/store/sqlite", "storetest": "github.com/lanyard-go/lanyard/store/storetest",
	"lanyardtest": "github.com/lanyard-go/lanyard/lanyardtest", "token": "github.com/lanyard-go/lanyard/token",
}

// around is what stands around a snippet that is no declaration: the names it
// may use without saying where they come from.
const around = `func snippet%02d(ctx context.Context, m *lanyard.Manager, mux *http.ServeMux, w http.ResponseWriter, r *http.Request,
	sid lanyard.SID, s *lanyard.Session, user struct{ ID string }, addr, refreshToken string, me, pay, report http.Handler) error {
	var _ = []any{ctx, m, mux, w, r, sid, s, user, addr, refreshToken, me, pay, report}
%s
	return nil
}
`

var goFence = regexp.MustCompile("(?s)```go\n(.*?)```")

func TestSnippetsOfTheGuideCompile(t *testing.T) {
	var snippets [][]string
	for name, least := range map[string]int{"library.md": 5, "browsers.md": 1} {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		own := goFence.FindAllStringSubmatch(string(b), -1)
		if len(own) < least {
			t.Errorf("%s has only %d snippets", name, len(own))
		}
		snippets = append(snippets, own...)
	}
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	// The files stand where they never are on disk: an overlay shows them to the
	// compiler inside the module.
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	dir := t.TempDir()
	for i, s := range snippets {
		name := fmt.Sprintf("snippet%02d.go", i+1)
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(program(i+1, s[1])), 0o600); err != nil {
			t.Fatal(err)
		}
		overlay.Replace[filepath.Join(root, "docs", "snippets", name)] = file
	}
	text, err := json.Marshal(overlay)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "overlay.json"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", "build", "-overlay", filepath.Join(dir, "overlay.json"), "./docs/snippets")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("a snippet does not compile: %v\n%s", err, out)
	}
}

// program makes a file of a snippet.
func program(number int, snippet string) string {
	body := snippet
	if !regexp.MustCompile(`(?m)^(func|type|var) `).MatchString(snippet) {
		body = fmt.Sprintf(around, number, snippet)
	}
	var b strings.Builder
	b.WriteString("package snippets\n\nimport (\n")
	names := make([]string, 0, len(packages))
	for name := range packages {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if regexp.MustCompile(`\b` + name + `\.[A-Z]`).MatchString(body) {
			fmt.Fprintf(&b, "\t%q\n", packages[name])
		}
	}
	b.WriteString(")\n\n" + body)
	return b.String()
}
