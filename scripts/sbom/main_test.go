package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = "../.."

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// What the program holds is listed with its version and the checksum under which
// go.sum pins it; what is listed is checked for vulnerabilities, by a checker that
// is pinned itself; and how soon updates come is written down.
//
// req: OPS-7
func TestEverythingInTheProgramIsListedPinnedAndChecked(t *testing.T) {
	program := filepath.Join(t.TempDir(), "lanyard")
	build := exec.Command("go", "build", "-o", program, "./cmd/lanyard")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the program: %v\n%s", err, out)
	}
	var first, second bytes.Buffer
	for _, to := range []*bytes.Buffer{&first, &second} {
		if err := write(to, program); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("one program gives two lists")
	}
	var b bill
	if err := json.Unmarshal(first.Bytes(), &b); err != nil {
		t.Fatal(err)
	}
	if b.Format != "CycloneDX" || b.Spec != "1.6" || b.Metadata.Component.Name != "github.com/lanyard-go/lanyard" {
		t.Errorf("the list begins with %+v", b.Metadata)
	}

	// The same, asked of the go command in another way.
	list := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}{{end}}{{end}}", "./cmd/lanyard")
	list.Dir = root
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		if line = strings.TrimSpace(line); line != "" {
			want[line] = true
		}
	}
	if len(want) < 5 {
		t.Fatalf("the program depends on %v", want)
	}
	sums := read(t, "go.sum")
	refs := map[string]bool{}
	for _, c := range b.Components {
		if refs[c.Ref] {
			t.Errorf("%s is listed twice", c.Ref)
		}
		refs[c.Ref] = true
		if c.PURL != "pkg:golang/"+c.Name+"@"+c.Version || c.Version == "" {
			t.Errorf("%+v is not named by its version", c)
		}
		if c.Name == "std" {
			continue
		}
		if !want[c.Name+" "+c.Version] {
			t.Errorf("%s %s is listed and not in the program", c.Name, c.Version)
		}
		delete(want, c.Name+" "+c.Version)
		if len(c.Properties) != 1 || !strings.Contains(sums, c.Name+" "+c.Version+" "+c.Properties[0].Value+"\n") {
			t.Errorf("%s is not pinned by go.sum: %+v", c.Name, c.Properties)
		}
	}
	for name := range want {
		t.Errorf("%s is in the program and not listed", name)
	}
	if strings.Contains(read(t, "go.mod"), "\nreplace") {
		t.Error("go.mod replaces a module, which whoever imports this one does not get")
	}

	script := read(t, "scripts/test.sh")
	if !regexp.MustCompile(`(?m)^GOVULNCHECK=\S+@v\d+\.\d+\.\d+$`).MatchString(script) || !strings.Contains(script, `step "govulncheck"`) {
		t.Error("the checks have no pinned govulncheck")
	}
	if _, section, ok := strings.Cut(read(t, "SECURITY.md"), "\n## Dependencies\n"); !ok || !strings.Contains(section, "days") {
		t.Error("SECURITY.md does not say when dependencies are updated")
	}
}

func TestWhatIsNoProgramIsRefused(t *testing.T) {
	if err := write(&bytes.Buffer{}, "main.go"); err == nil {
		t.Error("a text is listed")
	}
}
