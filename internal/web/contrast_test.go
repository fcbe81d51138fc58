package web

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// luminance is the relative luminance of #rrggbb as WCAG 2.2 defines it.
func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	n, err := strconv.ParseUint(strings.TrimPrefix(hex, "#"), 16, 32)
	if err != nil || len(hex) != 7 {
		t.Fatalf("not a colour: %q", hex)
	}
	part := func(shift uint) float64 {
		c := float64(n>>shift&0xff) / 255
		if c <= 0.04045 {
			return c / 12.92
		}
		return math.Pow((c+0.055)/1.055, 2.4)
	}
	return 0.2126*part(16) + 0.7152*part(8) + 0.0722*part(0)
}

// TestColoursCanBeReadInBothSchemes holds the palette to WCAG AA: 4.5 for text, 3 for the edges of fields and for icons.
func TestColoursCanBeReadInBothSchemes(t *testing.T) {
	css := string(newPages(t).assets.files["app.css"])
	first, rest, _ := strings.Cut(css, "@media (prefers-color-scheme: dark)")
	second, _, _ := strings.Cut(rest, "\n}\n")
	colour := regexp.MustCompile(`--([a-z-]+): (#[0-9a-f]{6});`)
	palette := make(map[string]string)
	for _, scheme := range []struct{ name, css string }{{"light", first}, {"dark", second}} {
		found := colour.FindAllStringSubmatch(scheme.css, -1)
		if len(found) < 10 {
			t.Fatalf("%s scheme: only %d colours found", scheme.name, len(found))
		}
		for _, m := range found { // the dark scheme changes some of the light one's
			palette[m[1]] = m[2]
		}
		for _, pair := range []struct {
			front, back string
			least       float64
		}{
			{"ink", "paper", 4.5}, {"ink", "card", 4.5}, {"ink-soft", "paper", 4.5}, {"ink-soft", "card", 4.5},
			{"on-strap", "strap", 4.5}, {"on-strap", "strap-press", 4.5},
			{"good", "good-wash", 4.5}, {"bad", "bad-wash", 4.5}, {"bad", "card", 4.5}, {"bad", "paper", 4.5},
			{"on-bad", "bad-fill", 4.5}, {"on-bad", "bad-press", 4.5},
			{"edge", "card", 3}, {"edge", "paper", 3}, {"bad-fill", "card", 3},
		} {
			a, b := luminance(t, palette[pair.front]), luminance(t, palette[pair.back])
			if ratio := (max(a, b) + 0.05) / (min(a, b) + 0.05); ratio < pair.least {
				t.Errorf("%s: %s on %s has contrast %.2f, want %.1f", scheme.name, pair.front, pair.back, ratio, pair.least)
			}
		}
	}
}
