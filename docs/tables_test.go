// Package docs holds the documents in this folder to the code: tables that are
// generated from it are current, links lead somewhere, and Go in the guide
// compiles. It has nothing but its tests.
//
//	go test ./docs -update
//
// writes the tables anew.
package docs

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-go/lanyard"
	"github.com/lanyard-go/lanyard/audit"
	"github.com/lanyard-go/lanyard/internal/server"
)

var update = flag.Bool("update", false, "write the generated tables anew")

func TestGeneratedTablesAreCurrent(t *testing.T) {
	for _, tt := range []struct {
		file, name string
		table      func(*testing.T) string
	}{
		{"operating.md", "settings", settingsTable},
		{"operating.md", "profiles", profilesTable},
		{"operating.md", "events", eventsTable},
		{"lifecycle.md", "reasons", reasonsTable},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text, err := os.ReadFile(tt.file)
			if err != nil {
				t.Fatal(err)
			}
			begin, end := "<!-- generated: "+tt.name+" -->\n", "<!-- end: "+tt.name+" -->"
			before, rest, ok := strings.Cut(string(text), begin)
			got, after, ok2 := strings.Cut(rest, end)
			if !ok || !ok2 {
				t.Fatalf("%s has no lines %q and %q around the table", tt.file, begin, end)
			}
			want := "\n" + tt.table(t) + "\n"
			if got == want {
				return
			}
			if !*update {
				t.Fatalf("the table in %s is not what the code says; run: go test ./docs -update", tt.file)
			}
			if err := os.WriteFile(tt.file, []byte(before+begin+want+end+after), 0o644); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// settingsTable lists the settings as the tags of server.Config have them.
func settingsTable(*testing.T) string {
	var b bytes.Buffer
	b.WriteString("| Flag | Environment | Key in `lanyard.toml` | Default | Meaning |\n| --- | --- | --- | --- | --- |\n")
	for f := range reflect.TypeFor[server.Config]().Fields() {
		name := f.Tag.Get("setting")
		if name == "" {
			continue
		}
		key := strings.ReplaceAll(name, "-", "_")
		preset := f.Tag.Get("default")
		if preset != "" {
			preset = "`" + preset + "`"
		}
		fmt.Fprintf(&b, "| `--%s` | `LANYARD_%s` | `%s` | %s | %s |\n", name, strings.ToUpper(key), key, preset, f.Tag.Get("help"))
	}
	return b.String()
}

// profilesTable lists the limits that each profile leads to.
func profilesTable(t *testing.T) string {
	t.Helper()
	lines := []struct {
		label string
		value func(lanyard.Policy) string
	}{
		{"idle, cookie channel", func(p lanyard.Policy) string { return span(p.IdleTimeout) }},
		{"idle, token channel", func(p lanyard.Policy) string { return span(p.TokenIdleTimeout) }},
		{"absolute", func(p lanyard.Policy) string { return span(p.AbsoluteTimeout) }},
		{"access token", func(p lanyard.Policy) string { return span(p.AccessTokenTTL) }},
		{"refresh retry window", func(p lanyard.Policy) string { return span(max(0, p.RefreshRetryWindow)) }},
		{"recent authentication", func(p lanyard.Policy) string { return span(p.RecentAuth) }},
		{"session-bound CSRF token demanded", func(p lanyard.Policy) string { return yes(p.RequireCSRFToken) }},
		{"binding", func(p lanyard.Policy) string { return string(p.Binding) }},
	}
	var b bytes.Buffer
	b.WriteString("| Limit |")
	for _, name := range lanyard.Profiles() {
		fmt.Fprintf(&b, " `%s` |", name)
	}
	b.WriteString("\n| --- |" + strings.Repeat(" --- |", len(lanyard.Profiles())) + "\n")
	for _, l := range lines {
		fmt.Fprintf(&b, "| %s |", l.label)
		for _, name := range lanyard.Profiles() {
			p, err := lanyard.Policy{Profile: name}.Resolve()
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&b, " %s |", l.value(p))
		}
		b.WriteString("\n")
	}
	return b.String()
}

func span(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d == 0:
		return "none"
	case d%day == 0 && d > day:
		return fmt.Sprintf("%d d", d/day)
	case d%time.Hour == 0:
		return fmt.Sprintf("%d h", d/time.Hour)
	case d%time.Minute == 0:
		return fmt.Sprintf("%d min", d/time.Minute)
	}
	return fmt.Sprintf("%d s", d/time.Second)
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// eventsTable lists the vocabulary of the audit trail, with the parts of the
// code that use each name.
func eventsTable(t *testing.T) string {
	t.Helper()
	goName := map[string]string{} // session_created: SessionCreated
	for _, m := range find(t, "../audit/name.go", `(?m)^\t(\w+)\s+Name = "(\w+)"`) {
		goName[m[2]] = m[1]
	}
	writers := []struct{ label, folder, prefix string }{
		{"library", "..", "audit."},
		{"server", "../internal/server", "audit."},
		{"audit file", "../audit", ""},
	}
	var b bytes.Buffer
	b.WriteString("| Event | Severity | Outcome | Meaning | Written by |\n| --- | --- | --- | --- | --- |\n")
	for _, e := range audit.Vocabulary() {
		var by []string
		for _, w := range writers {
			if uses(t, w.folder, w.prefix+goName[string(e.Name)]) {
				by = append(by, w.label)
			}
		}
		if len(by) == 0 {
			by = []string{"reserved, not written yet"}
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", e.Name, e.Severity, e.Outcome, e.Meaning, strings.Join(by, ", "))
	}
	return b.String()
}

// uses reports whether a file of the folder other than a test, the names and the
// vocabulary has the identifier.
func uses(t *testing.T, folder, ident string) bool {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	word := regexp.MustCompile(`(^|[^\w.])` + regexp.QuoteMeta(ident) + `\b`)
	return slices.ContainsFunc(entries, func(e os.DirEntry) bool {
		name := e.Name()
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || name == "name.go" || name == "vocabulary.go" {
			return false
		}
		src, err := os.ReadFile(folder + "/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return word.Match(src)
	})
}

// reasonsTable lists why records end, as the constants say.
func reasonsTable(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	b.WriteString("| Reason | When |\n| --- | --- |\n")
	for _, m := range find(t, "../record.go", `(?m)^\tReason\w+\s+Reason = "(\w+)"\s+// (.*)$`) {
		fmt.Fprintf(&b, "| `%s` | %s |\n", m[1], m[2])
	}
	return b.String()
}

// find returns the matches of a pattern in a source file. None means that the
// source has changed its form and the table would silently shrink.
func find(t *testing.T, path, pattern string) [][]string {
	t.Helper()
	src, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(pattern).FindAllStringSubmatch(string(src), -1)
	if len(found) == 0 {
		t.Fatalf("%s has nothing that looks like %s", path, pattern)
	}
	return found
}

// Every key that the code derives has its line in the inventory.
func TestKeyInventoryNamesEveryDerivedKey(t *testing.T) {
	text, err := os.ReadFile("keys.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range find(t, "../keys.go", `\bkey\("(\w+)"\)`) {
		if !bytes.Contains(text, []byte("`lanyard/1 "+m[1]+"`")) {
			t.Errorf("keys.md says nothing of the key derived under %q", "lanyard/1 "+m[1])
		}
	}
	for _, m := range find(t, "../credential.go", `(?m)^\tkind(\w+)\s+kind = \d+`) {
		if !bytes.Contains(text, []byte("`"+strings.ToLower(m[1])+"`")) {
			t.Errorf("keys.md says nothing of the credential kind %q", strings.ToLower(m[1]))
		}
	}
}
