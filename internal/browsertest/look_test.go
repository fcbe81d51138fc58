package browsertest

import (
	"strings"
	"testing"
)

// look is a way in which a page is seen.
type look struct {
	name          string
	width, height int64
	scheme        string
}

var looks = []look{
	{"light-desktop", 1200, 800, "light"},
	{"dark-desktop", 1200, 800, "dark"},
	{"light-phone", 360, 740, "light"},
	{"dark-phone", 360, 740, "dark"},
}

// inspect looks at the page in every way and says what is wrong with it.
func (b *tab) inspect(name string) {
	b.t.Helper()
	if got := eval[string](b, `[document.documentElement.lang, document.querySelectorAll("h1").length, document.querySelectorAll("main").length,
		document.title.includes(" · ") ? "titled" : document.title].join(" ")`); got != "en 1 1 titled" {
		b.t.Errorf("%s: language, headings, main parts and title are %q", name, got)
	}
	if got := eval[string](b, nameless); got != "" {
		b.t.Errorf("%s: a field or button has no name: %s", name, got)
	}
	for _, l := range looks {
		b.dress(l.width, l.height, l.scheme)
		if got := eval[int64](b, `document.documentElement.scrollWidth`); got > l.width {
			b.t.Errorf("%s, %s: the page is %d wide, the window %d; too far right: %s", name, l.name, got, l.width, eval[string](b, sticksOut))
		}
		if got := eval[string](b, `[...document.querySelectorAll("[role=status]:empty")].filter(e => e.offsetHeight > 0).map(e => e.outerHTML).join()`); got != "" {
			b.t.Errorf("%s, %s: an empty notice takes room: %s", name, l.name, got)
		}
		if dark := eval[bool](b, isDark); dark != (l.scheme == "dark") {
			b.t.Errorf("%s, %s: the page is dark: %v", name, l.name, dark)
		}
		if got := eval[[]string](b, hardToRead); len(got) > 0 {
			b.t.Errorf("%s, %s: hard to read:\n%s", name, l.name, strings.Join(got, "\n"))
		}
		if *screenshots != "" {
			b.photograph(name + "-" + l.name + ".png")
		}
	}
	b.dress(looks[0].width, looks[0].height, looks[0].scheme)
}

// nameless finds what a screen reader could not announce.
const nameless = `[...document.querySelectorAll("input:not([type=hidden]), button, a, select, textarea")].filter(e =>
	!e.hidden && e.getAttribute("aria-hidden") !== "true" &&
	!(e.labels?.length || e.getAttribute("aria-label") || e.textContent.trim())).map(e => e.outerHTML).join("\n")`

const sticksOut = `[...document.body.querySelectorAll("*")].filter(e => e.getBoundingClientRect().right > innerWidth).map(e => e.tagName + "." + e.className).slice(0, 5).join(", ")`

// colours brings every notation of CSS to red, green and blue, by drawing it.
const colours = `
	const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
	const known = new Map();
	const rgb = (below, colour) => {
		const key = below + "/" + colour;
		if (!known.has(key)) {
			canvas.fillStyle = below; canvas.fillRect(0, 0, 1, 1);
			canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
			known.set(key, [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3));
		}
		return known.get(key);
	};
	const light = (c) => c.map(v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4).reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
	const ground = (e) => {
		const above = [];
		for (; e; e = e.parentElement) above.push(getComputedStyle(e).backgroundColor);
		return above.reverse().reduce((below, c) => "rgb(" + rgb(below, c).join(" ") + ")", "white");
	};`

const isDark = `(() => {` + colours + ` return light(rgb("white", ground(document.body))) < 0.2 })()`

// hardToRead finds text with less contrast than WCAG 2.2 section 1.4.3 asks for.
const hardToRead = `(() => {` + colours + `
	const out = [];
	for (const e of document.body.querySelectorAll("*")) {
		const text = [...e.childNodes].filter(n => n.nodeType === 3).map(n => n.textContent.trim()).join("");
		const style = getComputedStyle(e), box = e.getBoundingClientRect();
		if (!text || box.width < 2 || !e.checkVisibility({opacityProperty: true, visibilityProperty: true}) || style.clipPath !== "none" || e.closest(".vh")) continue;
		const under = ground(e), a = light(rgb("white", under)), b = light(rgb(under, style.color));
		const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
		const size = parseFloat(style.fontSize), large = size >= 24 || size >= 18.66 && style.fontWeight >= 700;
		if (ratio < (large ? 3 : 4.5)) out.push(ratio.toFixed(2) + " " + style.color + " on " + under + ": " + text);
	}
	return out;
})()`

func TestTheInspectionFindsWhatIsWrong(t *testing.T) {
	s := newSite(t)
	b := s.newTab()
	b.open("/login")
	eval[bool](b, `document.querySelector("h1").style.color = "rgb(200 200 200)", true`)
	if got := eval[[]string](b, hardToRead); len(got) != 1 || !strings.Contains(got[0], "Sign in") {
		t.Errorf("grey on white is readable: %q", got)
	}
	eval[bool](b, `document.querySelector("label").remove(), true`)
	if eval[string](b, nameless) == "" {
		t.Error("a field without a label has a name")
	}
	eval[bool](b, `document.querySelector("h1").style.width = "2000px", true`)
	if eval[int](b, `document.documentElement.scrollWidth`) <= 1280 {
		t.Error("a heading of 2000 pixels fits")
	}
	if got := b.complaints(); len(got) != 0 {
		t.Errorf("the page complains before it has a reason: %q", got)
	}
	eval[bool](b, `document.querySelector("h1").setAttribute("style", "color: red"), true`)
	if got := strings.Join(b.complaints(), " "); !strings.Contains(got, "Content Security Policy") {
		t.Errorf("a violation of the content security policy is not noticed: %q", got)
	}
}
