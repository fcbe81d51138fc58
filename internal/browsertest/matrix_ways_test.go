package browsertest

// way is one of the ways in which a page can make a browser send a request. Its
// code is the body of a script function that sends the request t:
//
//	t.url   address, for requests that say the rest in their body
//	t.get   address with everything in its query, for the others
//	t.text  body as the endpoint wants it, of type t.type
//	t.pairs the same as names and values
//	t.verb  the endpoint's own method
//
// and n is the lane it runs in. What the code returns is what the attacker could
// read of the answer. Helpers are in testdata/matrix/runner.js.
type way struct {
	name  string
	code  string
	lanes int // at a time; 8 if zero

	// get says that all it can send is a GET.
	get bool
	// bare ways send no cookies to other origins, by design.
	bare bool
	// stopped are the attackers for whose pages Chromium never sends it, so that
	// nobody needs to wait for it.
	stopped []attacker
}

// attacker is where the page of the attacker is.
type attacker string

const (
	second  attacker = "second site"
	sibling attacker = "sibling"
	opaque  attacker = "null origin"
)

var attackers = []attacker{second, sibling, opaque}

var ways = []way{
	{name: "form, urlencoded", code: `submit(t, {target: frame(n)}); await arrived(t)`},
	{name: "form, multipart", code: `submit(t, {target: frame(n), enctype: "multipart/form-data"}); await arrived(t)`},
	{name: "form, text/plain", code: `submit(t, {target: frame(n), enctype: "text/plain", pairs: plainTrick(t)}); await arrived(t)`},
	{name: "form with a field that overrides the method", code: `submit(t, {target: frame(n), pairs: [...t.pairs, ["_method", t.verb]]}); await arrived(t)`},
	{name: "form, GET", get: true, code: `submit(t, {target: frame(n), method: "get", pairs: [...t.pairs, ["_method", t.verb], ["t", t.tag]]}); await arrived(t)`},
	{name: "form into another window", code: `submit(t, {target: window_(n)}); await arrived(t)`, lanes: 4},
	{name: "form, of a data: address", code: `frame(n, "data:text/html," + encodeURIComponent(page(formText(t)))); await arrived(t)`},
	{name: "form, of a srcdoc frame", code: `frame(n, null, page(formText(t))); await arrived(t)`},

	{name: "fetch cors, urlencoded", code: `return read(fetch(t.url, {method: "POST", credentials: "include", body: new URLSearchParams(t.pairs)}))`},
	{name: "fetch cors, multipart", code: `return read(fetch(t.url, {method: "POST", credentials: "include", body: formData(t)}))`},
	{name: "fetch cors, text/plain", code: `return read(fetch(t.url, {method: "POST", credentials: "include", body: t.text}))`},
	{name: "fetch cors, no body", code: `return read(fetch(t.get, {method: "POST", credentials: "include"}))`},
	{name: "fetch cors, own method and type", code: `return read(fetch(t.url, {method: t.verb, credentials: "include", body: t.text || undefined, headers: t.type ? {"Content-Type": t.type} : {}}))`},
	{name: "fetch cors, JSON", code: `return read(fetch(t.url, {method: "POST", credentials: "include", body: t.text, headers: {"Content-Type": "application/json"}}))`},
	{name: "fetch cors, PUT", code: `return read(fetch(t.get, {method: "PUT", credentials: "include", body: t.text}))`},
	{name: "fetch cors, PATCH", code: `return read(fetch(t.get, {method: "PATCH", credentials: "include", body: t.text}))`},
	{name: "fetch cors, DELETE", code: `return read(fetch(t.get, {method: "DELETE", credentials: "include"}))`},
	{name: "fetch cors, header that overrides the method", code: `return read(fetch(t.url, {method: "POST", credentials: "include", body: t.text, headers: {"X-HTTP-Method-Override": t.verb}}))`},
	{name: "fetch cors, without credentials", bare: true, code: `return read(fetch(t.url, {method: "POST", credentials: "omit", body: new URLSearchParams(t.pairs)}))`},
	{name: "fetch cors, credentials of the same origin", bare: true, code: `return read(fetch(t.url, {method: "POST", credentials: "same-origin", body: new URLSearchParams(t.pairs)}))`},
	{name: "fetch no-cors, urlencoded", code: `return read(fetch(t.url, {method: "POST", mode: "no-cors", credentials: "include", body: new URLSearchParams(t.pairs)}))`},
	{name: "fetch no-cors, multipart", code: `return read(fetch(t.url, {method: "POST", mode: "no-cors", credentials: "include", body: formData(t)}))`},
	{name: "fetch no-cors, text/plain", code: `return read(fetch(t.url, {method: "POST", mode: "no-cors", credentials: "include", body: t.text}))`},
	{name: "fetch no-cors, blob that says it is JSON", code: `return read(fetch(t.url, {method: "POST", mode: "no-cors", credentials: "include", body: new Blob([t.text], {type: "application/json"})}))`},
	{name: "fetch no-cors, GET", get: true, code: `return read(fetch(t.get, {mode: "no-cors", credentials: "include"}))`},
	{name: "fetch no-cors, without credentials", bare: true, code: `return read(fetch(t.url, {method: "POST", mode: "no-cors", credentials: "omit", body: new URLSearchParams(t.pairs)}))`},
	{name: "fetch same-origin", stopped: attackers, code: `return read(fetch(t.url, {method: "POST", mode: "same-origin", credentials: "include", body: t.text}))`},
	{name: "fetch keepalive", code: `return read(fetch(t.url, {method: "POST", mode: "no-cors", keepalive: true, credentials: "include", body: new URLSearchParams(t.pairs)}))`},
	{name: "fetchLater", code: `fetchLater(t.url, {method: "POST", credentials: "include", body: new URLSearchParams(t.pairs), activateAfter: 0}); await arrived(t)`},
	{name: "fetch in a dedicated worker", code: `await inWorker(t)`},
	{name: "fetch in a service worker", stopped: []attacker{opaque}, code: `await inServiceWorker(t)`},
	{name: "XMLHttpRequest, urlencoded", code: `return request(t, "POST", new URLSearchParams(t.pairs))`},
	{name: "XMLHttpRequest, text/plain", code: `return request(t, "POST", t.text)`},
	{name: "XMLHttpRequest, own method and type", code: `return request(t, t.verb, t.text, t.type)`},
	{name: "beacon, text/plain", code: `navigator.sendBeacon(t.url, t.text); await arrived(t)`},
	{name: "beacon, urlencoded", code: `navigator.sendBeacon(t.url, new URLSearchParams(t.pairs)); await arrived(t)`},
	{name: "beacon, multipart", code: `navigator.sendBeacon(t.url, formData(t)); await arrived(t)`},
	{name: "beacon, JSON", code: `navigator.sendBeacon(t.url, new Blob([t.text], {type: "application/json"})); await arrived(t)`},
	{name: "anchor ping", code: `const a = add("a", {href: "#" + t.tag, ping: t.get}); a.click(); await arrived(t)`},
	{name: "report of a content security policy", bare: true, code: `frame(n, base + "/report?to=" + encodeURIComponent(t.get)); await arrived(t)`},

	{name: "image", get: true, code: `await loaded("img", {src: t.get})`},
	{name: "script", get: true, code: `await loaded("script", {src: t.get})`},
	{name: "module script with credentials", get: true, code: `await loaded("script", {type: "module", crossOrigin: "use-credentials", src: t.get})`},
	{name: "stylesheet", get: true, code: `await loaded("link", {rel: "stylesheet", href: t.get})`},
	{name: "font", get: true, bare: true, code: `await new FontFace("x" + t.tag, "url(" + t.get + ")").load()`},
	{name: "frame", get: true, code: `const f = frame(n, t.get); await arrived(t); return peek(f)`},
	{name: "object", get: true, code: `add("object", {data: t.get}); await arrived(t)`},
	{name: "embed", get: true, code: `add("embed", {src: t.get}); await arrived(t)`},
	{name: "video", get: true, code: `const e = add("video", {preload: "auto", src: t.get}); await arrived(t); e.remove()`},
	{name: "audio", get: true, code: `const e = add("audio", {preload: "auto", src: t.get}); await arrived(t); e.remove()`},
	{name: "EventSource", get: true, code: `await source(t)`},
	{name: "WebSocket", get: true, code: `await socket(t)`},
	{name: "link, followed", get: true, code: `add("a", {href: t.get, target: window_(n)}).click(); await arrived(t)`, lanes: 4},
	{name: "window.open", get: true, code: `open(t.get, window_(n)); await arrived(t)`, lanes: 4},
	{name: "location of another window", get: true, code: `opened(n).location = t.get; await arrived(t)`, lanes: 4},
	{name: "meta refresh", get: true, code: `frame(n, null, '<meta http-equiv="refresh" content="0;url=' + escaped(t.get) + '">'); await arrived(t)`},
	{name: "preload with credentials", get: true, code: `await loaded("link", {rel: "preload", as: "fetch", crossOrigin: "use-credentials", href: t.get})`},
	{name: "prefetch", get: true, code: `await loaded("link", {rel: "prefetch", href: t.get})`},
	{name: "prefetch by speculation rules", get: true, lanes: 1, stopped: []attacker{second, opaque}, code: `const s = speculate("prefetch", t); await arrived(t); s.remove()`},
	{name: "prerender by speculation rules", get: true, lanes: 1, stopped: []attacker{second, opaque}, code: `const s = speculate("prerender", t); await arrived(t); s.remove()`},

	{name: "302 of a third site, image", get: true, code: `await loaded("img", {src: bounce(t.get, 302, third)})`},
	{name: "302 of a third site, link", get: true, code: `open(bounce(t.get, 302, third), window_(n)); await arrived(t)`, lanes: 4},
	{name: "307 of a third site, form", code: `submit(t, {target: frame(n), action: bounce(t.url, 307, third)}); await arrived(t)`},
	{name: "308 of a third site, form", code: `submit(t, {target: frame(n), action: bounce(t.url, 308, third)}); await arrived(t)`},
	{name: "307 of the sibling, form", code: `submit(t, {target: frame(n), action: bounce(t.url, 307, beside)}); await arrived(t)`},
	{name: "307 of the sibling, form in another window", code: `submit(t, {target: window_(n), action: bounce(t.url, 307, beside)}); await arrived(t)`, lanes: 4},
	{name: "307 of the own site, fetch no-cors", code: `return read(fetch(bounce(t.url, 307, base), {method: "POST", mode: "no-cors", credentials: "include", body: new URLSearchParams(t.pairs)}))`},
	{name: "307 of the own site, fetch cors", code: `return read(fetch(bounce(t.url, 307, base), {method: "POST", credentials: "include", body: new URLSearchParams(t.pairs)}))`},
}
