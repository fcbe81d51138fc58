package browsertest

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// patience bounds one step of a person, on a machine that has other work too.
const patience = 30 * time.Second

// tab is a browser window with cookies of its own, and a person before it.
type tab struct {
	t    *testing.T
	site *site
	ctx  context.Context

	mu       sync.Mutex
	problems []string
	foreign  []string // requests to other origins than the site's
}

// newTab opens a window that no test has used. What a page complains about on
// the console, above all about its content security policy, fails the test.
func (s *site) newTab() *tab {
	s.t.Helper()
	return s.openTab(chromium.ctx, chromedp.WithNewBrowserContext())
}

func (s *site) openTab(parent context.Context, options ...chromedp.ContextOption) *tab {
	s.t.Helper()
	b := &tab{t: s.t, site: s}
	ctx, cancel := chromedp.NewContext(parent, append(options, chromedp.WithListener(b.listen))...)
	b.ctx = ctx
	if err := chromedp.Do(ctx); err != nil {
		cancel()
		s.t.Fatal("opening a window:", err)
	}
	s.t.Cleanup(func() {
		cancel()
		for _, p := range b.complaints() {
			s.t.Error("the page complains:", p)
		}
	})
	return b
}

func (b *tab) listen(ev any) {
	var text string
	switch ev := ev.(type) {
	case *log.EventEntryAdded:
		e := ev.Entry
		if e.Source == log.EntrySourceNetwork && strings.Contains(e.Text, "the server responded with a status of 4") && !strings.Contains(e.URL, "/assets/") {
			return // a page that refuses something is itself a resource that failed
		}
		if e.Level == log.EntryLevelError || e.Level == log.EntryLevelWarning {
			text = fmt.Sprintf("%s: %s (%s)", e.Source, e.Text, e.URL)
		}
	case *runtime.EventExceptionThrown:
		text = "exception: " + ev.ExceptionDetails.Text
	case *runtime.EventConsoleAPICalled:
		text = "console." + string(ev.Type)
	case *network.EventRequestWillBeSent:
		if !strings.HasPrefix(ev.Request.URL, b.site.url+"/") {
			b.mu.Lock()
			b.foreign = append(b.foreign, ev.Request.URL)
			b.mu.Unlock()
		}
	}
	if text != "" {
		b.mu.Lock()
		b.problems = append(b.problems, text)
		b.mu.Unlock()
	}
}

// complaints returns what the pages wrote to the console since the last call.
func (b *tab) complaints() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := b.problems
	b.problems = nil
	return out
}

// wantNothingForeign fails if a page so far has loaded anything from elsewhere.
func (b *tab) wantNothingForeign() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, address := range b.foreign {
		b.t.Errorf("a page loads %s", address)
	}
}

// step runs something in the window, with patience.
func step[T any](b *tab, what string, action chromedp.Action[T]) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	out, err := chromedp.Run(ctx, action)
	if err != nil {
		cancel()
		b.t.Fatalf("%s: %v\non %s:\n%s", what, err, b.tryEval(`location.href`), b.tryEval(`document.body.innerText`))
	}
	return out
}

func (b *tab) tryEval(script string) string {
	ctx, cancel := context.WithTimeout(b.ctx, 2*time.Second)
	defer cancel()
	out, err := chromedp.Run(ctx, chromedp.Evaluate[string](script))
	if err != nil {
		return err.Error()
	}
	return out
}

// eval runs a script in the page, for what a person sees but cannot say.
func eval[T any](b *tab, script string) T {
	b.t.Helper()
	return step(b, "looking at the page", chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
}

// open goes to an address, of this site if it is a path, and returns the status.
func (b *tab) open(address string) int {
	b.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = b.site.url + address
	}
	return status(step(b, "opening "+address, chromedp.NavigateResponse(address)))
}

func status(r *network.Response) int {
	if r == nil {
		return 0
	}
	return int(r.Status)
}

// labelled finds a link, a button or a summary by the words on it, those for
// screen readers included.
func labelled(label string) chromedp.Search {
	return chromedp.Search(fmt.Sprintf(`//*[self::a or self::button or self::summary][normalize-space(.)=%q]`, label))
}

// press clicks on something that leads to another page, waits for that page and
// returns its status.
func (b *tab) press(label string) int {
	b.t.Helper()
	return b.follow("pressing "+label, chromedp.Click(labelled(label)))
}

// follow does something that leads to another page, waits for that page and
// returns its status.
func (b *tab) follow(what string, action chromedp.Action[chromedp.Void]) int {
	b.t.Helper()
	return status(step(b, what, func(ctx context.Context, _ *chromedp.Target) (*network.Response, error) {
		return chromedp.RunResponse(ctx, action)
	}))
}

// click clicks on something that leads nowhere.
func (b *tab) click(label string) {
	b.t.Helper()
	step(b, "clicking "+label, chromedp.Click(labelled(label)))
}

// fill clicks into the field with that id and puts text in place of what it
// had, all at once as from a password manager.
func (b *tab) fill(id, text string) {
	b.t.Helper()
	field := chromedp.CSS("#" + id)
	step(b, "filling in "+id, chromedp.Steps(chromedp.Click(field, chromedp.NodeEnabled), chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		if _, err := chromedp.Evaluate[bool](`document.activeElement.select(), true`)(ctx, t); err != nil {
			return err
		}
		_, err := cdp.Call(ctx, t, input.InsertText, input.InsertTextParams{Text: text})
		return err
	})))
}

// keys presses keys, wherever the focus is.
func (b *tab) keys(keys string) {
	b.t.Helper()
	step(b, "pressing keys", chromedp.KeyEvent(keys))
}

// text is everything that can be read on the page, in one line.
func (b *tab) text() string {
	b.t.Helper()
	return strings.Join(strings.Fields(eval[string](b, `document.body.innerText`)), " ")
}

// says fails unless each of the words can be read on the page.
func (b *tab) says(words ...string) {
	b.t.Helper()
	text := b.text()
	for _, w := range words {
		if !strings.Contains(text, w) {
			b.t.Errorf("the page %s does not say %q:\n%s", b.path(), w, text)
		}
	}
}

// silentAbout fails if any of the words can be read on the page.
func (b *tab) silentAbout(words ...string) {
	b.t.Helper()
	text := b.text()
	for _, w := range words {
		if strings.Contains(text, w) {
			b.t.Errorf("the page %s says %q:\n%s", b.path(), w, text)
		}
	}
}

// alerts fails unless a problem is written where the person looks already, with
// the focus beside it.
func (b *tab) alerts(problem string) {
	b.t.Helper()
	if !eval[bool](b, `(() => { const a = document.querySelector("[role=alert]"), box = a?.getBoundingClientRect();
		return !!a?.innerText.trim() && box.top >= 0 && box.bottom <= innerHeight && (document.activeElement.getAttribute("aria-describedby") ?? "").includes(a.id) })()`) {
		b.t.Errorf("%s: the page does not show at once what is wrong: %s", problem, b.text())
	}
}

// path is the address of the page without its origin, or the whole address on
// another origin.
func (b *tab) path() string {
	b.t.Helper()
	address := eval[string](b, `location.href`)
	u, err := url.Parse(address)
	if err != nil {
		b.t.Fatal(err)
	}
	if u.Scheme+"://"+u.Host != b.site.url {
		return address
	}
	return strings.TrimPrefix(address, b.site.url)
}

// at fails unless the page has this address.
func (b *tab) at(path string) {
	b.t.Helper()
	if got := b.path(); got != path {
		b.t.Errorf("the page is %s, want %s", got, path)
	}
}

// until waits for a condition in the page that no navigation announces.
func (b *tab) until(condition string) {
	b.t.Helper()
	step(b, "waiting for "+condition, chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		for {
			// An error here is a page that is on its way out.
			if ok, err := chromedp.Evaluate[bool](condition)(ctx, t); err == nil && ok {
				return nil
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(20 * time.Millisecond):
			}
		}
	}))
}

// cookies are the ones the browser would send to this site, by name.
func (b *tab) cookies() map[string]*network.Cookie {
	b.t.Helper()
	res, err := chromedp.Call(b.ctx, network.GetCookies, network.GetCookiesParams{URLs: []string{b.site.url}})
	if err != nil {
		b.t.Fatal(err)
	}
	out := map[string]*network.Cookie{}
	for _, c := range res.Cookies {
		out[c.Name] = c
	}
	return out
}

// handle is the value of the session cookie, or "".
func (b *tab) handle() string {
	b.t.Helper()
	if c := b.cookies()[cookieName]; c != nil {
		return c.Value
	}
	return ""
}

// signIn takes a person from the login page to their account.
func (b *tab) signIn(name, pw string) {
	b.t.Helper()
	b.open("/login")
	b.fill("username", name)
	b.fill("password", pw)
	if got := b.press("Sign in"); got != 200 {
		b.t.Fatalf("signing in as %s: %d\n%s", name, got, b.text())
	}
	b.at("/account")
}

// withoutScript turns the pages' scripts off, as some people do.
func (b *tab) withoutScript() {
	b.t.Helper()
	if _, err := chromedp.Call(b.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
		b.t.Fatal(err)
	}
}

// dress sets the size of the window and the colour scheme the person prefers.
func (b *tab) dress(width, height int64, scheme string) {
	b.t.Helper()
	step(b, "resizing the window", chromedp.EmulateViewport(width, height))
	media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}
	if _, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, media); err != nil {
		b.t.Fatal(err)
	}
}

// clickBox turns a checkbox on or off by its name.
func (b *tab) clickBox(name string) {
	b.t.Helper()
	step(b, "clicking "+name, chromedp.Click(chromedp.CSS(`input[name="`+name+`"]`)))
}

// back presses the browser's back button and waits until the page that comes is
// complete, from the server or from memory.
func (b *tab) back() {
	b.t.Helper()
	history := step(b, "looking at the history", chromedp.NavigationEntries())
	if history.CurrentIndex == 0 {
		b.t.Fatal("there is no page to go back to")
	}
	eval[bool](b, `window.leaving = true`)
	to := history.Entries[history.CurrentIndex-1]
	if _, err := chromedp.Call(b.ctx, page.NavigateToHistoryEntry, page.NavigateToHistoryEntryParams{EntryID: to.ID}); err != nil {
		b.t.Fatal(err)
	}
	b.until(`window.leaving === undefined && document.readyState === "complete"`)
}

// navigationEntries are the addresses in the tab's history.
func navigationEntries(ctx context.Context, t *chromedp.Target) ([]string, error) {
	history, err := chromedp.NavigationEntries()(ctx, t)
	var out []string
	for _, e := range history.Entries {
		out = append(out, e.URL)
	}
	return out, err
}

// clickAnyway clicks a button of a form that the browser itself would not send
// as it is, so that the server has to judge it.
func clickAnyway(label string) chromedp.Action[chromedp.Void] {
	return chromedp.Steps(
		chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
			_, err := chromedp.Evaluate[bool](`[...document.forms].forEach(f => f.noValidate = true), true`)(ctx, t)
			return err
		}),
		chromedp.Click(labelled(label)),
	)
}
