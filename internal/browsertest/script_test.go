package browsertest

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// unsafeScript are things that no script of ours does, by the name a finding has.
var unsafeScript = map[string]*regexp.Regexp{
	"a sink that makes script of text": regexp.MustCompile(`\b(innerHTML|outerHTML|insertAdjacentHTML|createContextualFragment|setHTMLUnsafe|srcdoc|parseFromString)\b|document\.(write|writeln)\b`),
	"text run as code":                 regexp.MustCompile(`\beval\s*\(|\bnew\s+Function\b|\bFunction\s*\(|set(Timeout|Interval)\(\s*["'` + "`" + `]|\bimport\s*\(|javascript:`),
	"a handler by attribute":           regexp.MustCompile(`setAttribute\(\s*["']on`),
	"a storage of the browser":         regexp.MustCompile(`\b(localStorage|sessionStorage|indexedDB|cookieStore|caches)\b|document\.cookie|window\.name\b`),
	"global state":                     regexp.MustCompile(`\b(window|globalThis|document|self)\.(?:on)?[A-Za-z_$][\w$]*\s*=[^=>]|\b(window|globalThis|document|self)\[`),
	"a message of unknown origin":      regexp.MustCompile(`addEventListener\(\s*["']message["']|\bonmessage\b`),
	"an object for a map":              regexp.MustCompile(`[\w$)\]]\[\s*[A-Za-z_$][\w$.]*\s*\]\s*=[^=]`),
	"a script from elsewhere":          regexp.MustCompile(`\b(import|from)\s+["'](https?:)?//|importScripts`),
	"retired plugins":                  regexp.MustCompile(`ActiveXObject|\bapplet\b|navigator\.(plugins|mimeTypes)`),
}

// unsafePage are the same of pages. Those of the server are judged tag by tag, see
// package web; these are the examples'.
var unsafePage = map[string]*regexp.Regexp{
	"a script that is no file": regexp.MustCompile(`(?is)<script\b[^>]*>\s*[^\s<]|<script(?:\s+type="module")?\s*>`),
	"a handler by attribute":   regexp.MustCompile(`(?i)<[^>]*\son[a-z]+\s*=`),
	"a style by attribute":     regexp.MustCompile(`(?i)<[^>]*\sstyle\s*=`),
	"an address that is code":  regexp.MustCompile(`(?i)javascript:|\bdata:text/html`),
	"something from elsewhere": regexp.MustCompile(`(?i)\b(src|href|action)\s*=\s*["']?(https?:)?//`),
	"retired plugins":          regexp.MustCompile(`(?i)<(object|embed|applet)\b`),
}

var jsComment = regexp.MustCompile(`(?m)(^|\s)//.*$|/\*[\s\S]*?\*/`)

// findings lists what a text does of all that, and the words it does it with.
func findings(rules map[string]*regexp.Regexp, text string) (found []string) {
	for name, rule := range rules {
		for _, words := range rule.FindAllString(text, -1) {
			found = append(found, name+": "+strings.TrimSpace(words))
		}
	}
	slices.Sort(found)
	return found
}

// The one place where a script of ours takes messages: its own origin's channel,
// which no other origin can write to.
var allowed = map[string][]string{"client/browser/lanyard.js": {"a message of unknown origin: onmessage"}}

// req: CLIENT-9
func TestOurScriptsAndExamplePagesAreSafe(t *testing.T) {
	root := filepath.Join("..", "..")
	scripts, pages := 0, 0
	for _, dir := range []string{"client/browser", "internal/web/assets", "examples"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if d.IsDir() {
				if slices.Contains([]string{"test", "testdata", "node_modules", "nodeorders", "dist"}, d.Name()) {
					return fs.SkipDir // not sent to browsers, or made from what is read here
				}
				return nil
			}
			rules := unsafeScript
			switch filepath.Ext(path) {
			case ".js", ".jsx", ".mjs":
				scripts++
			case ".html":
				rules = unsafePage
				pages++
			default:
				return nil
			}
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			name, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			text := string(b)
			if filepath.Ext(path) != ".html" {
				text = jsComment.ReplaceAllString(text, " ")
			}
			for _, f := range findings(rules, text) {
				if !slices.Contains(allowed[filepath.ToSlash(name)], f) {
					t.Errorf("%s has %s", name, f)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if scripts < 4 || pages < 2 {
		t.Errorf("only %d scripts and %d pages were read", scripts, pages)
	}
}

// The rules see what they are for, and nothing else.
func TestUnsafeScriptsAreFound(t *testing.T) {
	for _, row := range []struct {
		rules map[string]*regexp.Regexp
		text  string
		want  int
	}{
		{unsafeScript, `p.innerHTML = x`, 1},
		{unsafeScript, `document.write(x)`, 1},
		{unsafeScript, `eval(x); new Function(x)`, 2},
		{unsafeScript, `setTimeout("x()", 1)`, 1},
		{unsafeScript, `p.setAttribute("onclick", x)`, 1},
		{unsafeScript, `localStorage.setItem("t", t)`, 1},
		{unsafeScript, `document.cookie = "a=b"`, 2},
		{unsafeScript, `window.token = t`, 1},
		{unsafeScript, `window.token == t; p.onclick = () => {}`, 0},
		{unsafeScript, `window.addEventListener("message", f)`, 1},
		{unsafeScript, `table[name] = 1; headers["X-A"] = 2`, 1},
		{unsafeScript, `import "https://evil.example/x.js"`, 1},
		{unsafeScript, `const m = new Map(); m.set(name, 1); p.textContent = x`, 0},
		{unsafePage, `<script src="/a.js"></script>`, 0},
		{unsafePage, `<script type="module" src="/a.js"></script>`, 0},
		{unsafePage, `<script>x()</script>`, 1},
		{unsafePage, `<p onclick="x()">`, 1},
		{unsafePage, `<a href="javascript:x()">`, 1},
		{unsafePage, `<img src="//evil.example/x">`, 1},
		{unsafePage, `<p style="color: red">`, 1},
	} {
		if got := findings(row.rules, row.text); len(got) != row.want {
			t.Errorf("%s: %q, want %d", row.text, got, row.want)
		}
	}
}
