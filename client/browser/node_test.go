package browser

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// limit is what the module may weigh on the wire, minified and gzipped.
const limit = 6144

// nodeTests runs test/NAME.test.js, and makes sure that all of it ran.
func nodeTests(t *testing.T, name string) {
	t.Helper()
	need(t, "node")
	file := filepath.Join("test", name+".test.js")
	src, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "node", "--test", "--test-reporter=tap", file).CombinedOutput()
	if err != nil {
		t.Fatalf("node --test %s: %v\n%s", file, err, out)
	}
	passed := regexp.MustCompile(`(?m)^ok \d+ - (.+)$`).FindAllSubmatch(out, -1)
	if want := bytes.Count(src, []byte("\ntest(\"")); len(passed) != want || want == 0 {
		t.Errorf("%s has %d tests and %d passed\n%s", file, want, len(passed), out)
	}
	for _, m := range passed {
		t.Logf("%s", m[1])
	}
}

// install copies the package to a folder of its own, with its tools.
func install(t *testing.T) string {
	t.Helper()
	need(t, "node")
	need(t, "npm")
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(".")); err != nil {
		t.Fatal(err)
	}
	if out, err := npm(t, dir, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1", "--fetch-timeout=20000"); err != nil {
		missing(t, "npm could not fetch esbuild and typescript: %v\n%s", err, out)
	}
	return dir
}

// npm runs it with its cache outside of the tree, and returns what it said.
func npm(t *testing.T, dir string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "npm", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "NO_UPDATE_NOTIFIER=1")
	var talk strings.Builder
	cmd.Stderr = &talk
	out, err := cmd.Output()
	if err != nil {
		return string(out) + talk.String(), err
	}
	return string(out), nil
}

func TestTheBuiltModuleIsSmallAndTheTypesFit(t *testing.T) {
	dir := install(t)
	if out, err := npm(t, dir, "run", "--silent", "types"); err != nil {
		t.Errorf("the types do not fit: %v\n%s", err, out)
	}
	built, err := npm(t, dir, "run", "--silent", "size")
	if err != nil {
		t.Fatalf("esbuild: %v\n%s", err, built)
	}
	if !strings.Contains(built, "export{") {
		t.Fatalf("what esbuild wrote exports nothing:\n%.200s", built)
	}
	var packed bytes.Buffer
	z, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	z.Write([]byte(built))
	z.Close()
	t.Logf("lanyard.js: %d bytes as written, %d minified, %d minified and gzipped; the limit is %d", len(module), len(built), packed.Len(), limit)
	if packed.Len() > limit {
		t.Errorf("the module has %d bytes minified and gzipped, more than %d", packed.Len(), limit)
	}
}

func TestTheNpmPackageHoldsTheModuleAlone(t *testing.T) {
	need(t, "npm")
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(".")); err != nil {
		t.Fatal(err)
	}
	out, err := npm(t, dir, "pack", "--dry-run", "--json", "--ignore-scripts")
	if err != nil {
		t.Fatalf("npm pack: %v\n%s", err, out)
	}
	var packs []struct {
		Name  string
		Files []struct{ Path string }
	}
	if err := json.Unmarshal([]byte(out), &packs); err != nil || len(packs) != 1 {
		t.Fatalf("npm pack said %v %s", err, out)
	}
	var files []string
	for _, f := range packs[0].Files {
		files = append(files, f.Path)
	}
	slices.Sort(files)
	want := []string{"LICENSE", "README.md", "lanyard.d.ts", "lanyard.js", "package.json"}
	if packs[0].Name != "@lanyard-go/browser" || !slices.Equal(files, want) {
		t.Errorf("%s would be published with %q, want %q", packs[0].Name, files, want)
	}
}

func need(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		missing(t, "%s is not installed (Debian package nodejs or npm, version 20 or later)", program)
	}
}

// missing skips what cannot run here, and fails where everything has to.
func missing(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf(format, args...)
	}
	t.Skipf("skipped: "+format, args...)
}
