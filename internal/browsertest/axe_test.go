package browsertest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// axe is the text of axe-core, the accessibility checker, in the version that
// package-lock.json pins. Where there is no npm, or no registry to fetch it from,
// the test is skipped by name; with CI=true that is a failure.
func axe(t *testing.T) string {
	t.Helper()
	needChromium(t)
	if _, err := exec.LookPath("npm"); err != nil {
		missing(t, "npm is not installed (Debian package npm)")
	}
	dir := t.TempDir()
	for _, name := range []string{"package.json", "package-lock.json"} {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1", "--fetch-timeout=20000")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		missing(t, "npm could not fetch axe-core: %v\n%s", err, out)
	}
	text, err := os.ReadFile(filepath.Join(dir, "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The strap above a page is drawn by a pseudo-element, for which axe-core would
// give up on the contrast of all text beside it.
const axeSettings = `
axe.configure({checks: [{id: "color-contrast", options: {
	ignorePseudo: true, pseudoSizeThreshold: 0.25, ignoreUnicode: true, ignoreLength: false,
	boldValue: 700, boldTextPt: 14, largeTextPt: 18, contrastRatio: {normal: {expected: 4.5}, large: {expected: 3}},
}}]}); null`

// violations runs rules of axe-core, those for good practice included, and words
// what it found: the rule, and the elements.
func violations(rules string) string {
	return `axe.run(document, {resultTypes: ["violations"]` + rules + `}).then(r => !r.passes.concat(r.violations).some(p => p.id === "color-contrast") ? ["axe-core has not judged the contrast"] :
	r.violations.map(v => v.id + " (" + v.impact + "): " + v.help + "\n" + v.nodes.map(n => "    " + n.html + "\n    " + n.failureSummary.replace(/\s+/g, " ")).join("\n")))`
}

// A colour scheme changes nothing that the other rules look at.
const everyRule, colourRules = ``, `, runOnly: ["color-contrast", "link-in-text-block"]`

// Every page in every state, in both colour schemes, on a desktop and on a phone.
func TestAxeFindsNothingOnAnyPage(t *testing.T) {
	source := axe(t)
	pages := 0
	examine := func(b *tab, name string) {
		b.t.Helper()
		pages++
		for _, l := range looks {
			b.dress(l.width, l.height, l.scheme)
			if !eval[bool](b, `typeof axe === "object"`) {
				step(b, "loading axe-core", chromedp.Evaluate[any](source+axeSettings))
			}
			rules := everyRule
			if l.scheme == "dark" {
				rules = colourRules
			}
			for _, v := range eval[[]string](b, violations(rules)) {
				b.t.Errorf("%s, %s: %s", name, l.name, v)
			}
		}
		b.dress(looks[0].width, looks[0].height, looks[0].scheme)
	}
	tour(t, examine)
	if pages < 30 {
		t.Errorf("only %d pages were examined", pages)
	}
}

func TestAxeFindsWhatIsWrong(t *testing.T) {
	source := axe(t)
	s := newSite(t)
	b := s.newTab()
	b.open("/login")
	step(b, "loading axe-core", chromedp.Evaluate[any](source+axeSettings))
	if got := eval[[]string](b, violations(everyRule)); len(got) > 0 {
		t.Errorf("before anything is wrong: %s", strings.Join(got, "\n"))
	}
	for rule, change := range map[string]string{ // in any order, one on top of the other
		"label":          `document.querySelector("label[for=password]").remove()`,
		"color-contrast": `document.querySelector("h1").style.color = "rgb(210 210 210)"`,
		"html-has-lang":  `document.documentElement.removeAttribute("lang")`,
		"heading-order":  `document.querySelector("h1").insertAdjacentElement("afterend", Object.assign(document.createElement("h4"), {textContent: "Far down"}))`,
		"aria-roles":     `document.querySelector("form").setAttribute("role", "blackboard")`,
	} {
		eval[bool](b, change+`, true`)
		if got := strings.Join(eval[[]string](b, violations(everyRule)), "\n"); !strings.Contains(got, rule+" (") {
			t.Errorf("%s is not noticed: %s", rule, got)
		}
	}
}
